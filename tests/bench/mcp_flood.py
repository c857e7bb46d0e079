"""python -m tests.bench.mcp_flood: the audio thread while an MCP server misbehaves.

The parts of a daemon run on ALSA's null device with a closed microphone, and MCP servers of its
home run on the same event loop. Prints for each kind of server how late the periods of the audio
thread end, the processor time of the daemon, and the memory of the daemon and of the child. As
root it runs with its real-time priorities.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from parleyd import config
from parleyd.app.assembly import assembled
from parleyd.app.daemon import SWITCH_S
from parleyd.mcp.servers import McpServers
from tests.app.assembling import process_state
from tests.bench.control_flood import SETTINGS, Punctuality
from tests.mcp.fake_child import KINDS, children_of

Flood = Callable[[Any], Awaitable[object]]


async def _rest(servers: McpServers | None) -> None:
    await asyncio.sleep(0.2)


def _calls(how: str, at_once: int) -> Flood:
    async def flood(servers: McpServers) -> None:
        names = [name for name in servers.guards() if name.endswith("misbehave")]
        calls = [servers.call(name, {"how": how}) for name in names] * at_once
        await asyncio.gather(*calls, asyncio.sleep(0.05))

    return flood


async def _deaths(servers: McpServers) -> None:
    for pid in servers.pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    await asyncio.sleep(0.5)


FLOODS: dict[str, Flood] = {
    "at rest": _rest,
    "quick calls": _calls("nothing", 8),
    "results of 1 MB": _calls("huge", 4),
    "results of 64 MB": _calls("enormous", 1),
    "changed tools": _calls("change", 1),
    "calls that hang": _calls("hang", 8),
    "children that die": _deaths,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    logging.disable()
    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        asyncio.run(_bench(Path(folder), options.seconds))


async def _bench(folder: Path, seconds: float) -> None:
    process = process_state(folder)
    process.desk.levels = punctuality = Punctuality(lambda: False)
    with process.desk.open():
        async with assembled(SETTINGS, process) as running:
            assert process.mute is not None
            process.mute.mute_microphone(60)
            await asyncio.sleep(2.0)
            print(f"{'':18} {'daemon':>7}   late, ms: p50    p99  worst   memory, MB: daemon child")
            await _measure("no MCP server", None, _rest, punctuality, seconds)
            for kind, flood in FLOODS.items():
                async with _home(folder) as servers:
                    await _measure(kind, servers, flood, punctuality, seconds)
            for kind in KINDS:
                with children_of(kind):
                    async with _home(folder, reached=False) as servers:
                        await _measure(kind, servers, _rest, punctuality, seconds)
            assert running.audio_thread.is_alive()


@contextlib.asynccontextmanager
async def _home(folder: Path, *, reached: bool = True) -> AsyncIterator[McpServers]:
    command = (sys.executable, "-m", "tests.mcp.pretend_home", "stdio", str(folder))
    tools = ("misbehave", "intent__HassTurnOn")
    entry = config.McpServerConfig(
        label="home", where="here", command=command, allowed_tools=tools, call_timeout_s=2.0
    )
    skills = config.SkillsConfig(mcp=(entry,))
    servers = McpServers(config.Config(skills=skills), (), lambda: None, {})
    task = asyncio.create_task(servers.run())
    began = time.monotonic()
    while reached and not servers.declarations():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    if reached:
        print(f"{'':18} known after {time.monotonic() - began:.1f} s")
    try:
        yield servers
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _measure(
    kind: str,
    servers: McpServers | None,
    flood: Flood,
    punctuality: Punctuality,
    seconds: float,
) -> None:
    punctuality.late_ms()
    before, end = time.process_time(), time.monotonic() + seconds
    child_mb = 0.0
    while time.monotonic() < end:
        await flood(servers)
        pids = servers.pids if servers is not None else []
        child_mb = max([child_mb, *(_memory_mb(pid) for pid in pids)])
    share = (time.process_time() - before) / seconds
    p50, p99, worst = np.percentile(punctuality.late_ms(), (50, 99, 100))
    own_mb = _memory_mb(os.getpid())
    late = f"{p50:16.2f} {p99:6.2f} {worst:6.2f}"
    print(f"{kind:18} {share:7.0%} {late} {own_mb:19.0f} {child_mb:5.0f}", flush=True)


def _memory_mb(pid: int) -> float:
    """The private memory of a process."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024
    return 0.0


if __name__ == "__main__":
    main()
