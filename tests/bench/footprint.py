"""python -m tests.bench.footprint: memory and start of a daemon, with everything and with nothing.

Starts `parley run` on ALSA's null device with the embedded server: without any connection to the
home, and with all of them (broker and group, a local MCP server, hooks), with `parley mqtt` and
`parley page` beside it. ``--before FOLDER`` starts the daemon of another checkout, too, with
nothing. Prints the time until the daemon is ready and, some seconds later, memory: what a process
shares with no other and its part of the rest (PSS). Medians of the rounds. Needs mosquitto.

Then the most that one daemon takes with its children (`MemoryMax=` in parleyd.service): with all
of that and a second MCP server, while commands are said, and words into an alarm that rings. Needs
PulseAudio.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from daemon_process import RIG_CARDS, Daemon
from pulse_rig import PulseRig

from parleyd.simulation.clips import normalised, synthesize
from tests.bench.outside_flood import _process
from tests.e2e.test_control import CONFIG, parley
from tests.mqtt.broker_rig import Mosquitto
from tests.page.page_rig import PageProcess
from tests.soak.memory import tree

SETTLES_S = 8.0
HERE = Path(__file__).parents[2]
Figures = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="another checkout")
    options = parser.parse_args()
    figures: dict[str, Figures] = {}
    for _ in range(options.rounds):
        if options.before is not None:
            _measure(figures, "before, nothing", options.before)
        _measure(figures, "nothing", HERE)
        _measure(figures, "everything", HERE, everything=True)
        _measure_ringing(figures.setdefault("busy and ringing", defaultdict(list)))
    for name, found in figures.items():
        print(f"{name}:")
        for what, values in found.items():
            print(f"  {what:22} {np.median(values):7.1f}  ({min(values):.1f} to {max(values):.1f})")


def _measure(
    figures: dict[str, Figures], name: str, checkout: Path, everything: bool = False
) -> None:
    found = figures.setdefault(name, defaultdict(list))
    with tempfile.TemporaryDirectory() as text, contextlib.ExitStack() as stack:
        folder = Path(text)
        os.environ["XDG_STATE_HOME"] = str(folder)
        os.environ["PYTHONPATH"] = f"{checkout}/daemon:{HERE}"
        config = CONFIG
        if everything:
            broker = Mosquitto(folder, "allow_anonymous true")
            stack.callback(broker.close)
            config += _everything(folder, broker.port)
        began = time.monotonic()
        daemon = Daemon(folder, config)
        stack.callback(daemon.close)
        daemon.wait("READY=1")
        found["ready after, s"].append(time.monotonic() - began)
        if everything:
            for process, pid in _beside(folder, config, stack):
                time.sleep(SETTLES_S)
                found[f"{process}, MB"].append(_mb(pid))
        time.sleep(SETTLES_S)
        found["daemon, MB"].append(_mb(daemon.process.pid))
        children = [_mb(pid) for pid in tree(daemon.process.pid)[1:]]
        found["its children, MB"].append(sum(children))
        found["number of children"].append(len(children))


def _measure_ringing(found: Figures) -> None:
    with tempfile.TemporaryDirectory() as text, contextlib.ExitStack() as stack:
        folder = Path(text)
        os.environ["XDG_STATE_HOME"] = str(folder)
        os.environ["PYTHONPATH"] = f"{HERE}/daemon:{HERE}"
        rig = stack.enter_context(PulseRig())
        broker = Mosquitto(folder, "allow_anonymous true")
        stack.callback(broker.close)
        both = _everything(folder, broker.port)
        server = both[both.index("[[skills.mcp]]") :]
        config = f'{RIG_CARDS}priority = 0\n[realtime]\nserver = "embedded"\n{both}'
        daemon = Daemon(folder, config + server.replace('"home"', '"second"'))
        stack.callback(daemon.close)
        daemon.wait("READY=1")
        parts: dict[int, tuple[str, float]] = {}
        with _watched(daemon.process.pid, found["all of it, MB"], parts):
            time.sleep(SETTLES_S)
            for words in ("what time is it", "set a timer for eight seconds"):
                parley("listen")
                time.sleep(0.5)
                rig.say(normalised(synthesize(words, "rms"), -24.0))
                time.sleep(SETTLES_S)
            daemon.wait("STATUS=ringing")
            for words in ("bring me the newspaper", "it is a nice day", "stop"):
                rig.say(normalised(synthesize(words, "rms"), -20.0))
                time.sleep(4.0)
        for name, most in sorted(parts.values()):
            print(f"  at most {most:6.1f} MB: {name}")


@contextlib.contextmanager
def _watched(pid: int, most: list[float], parts: dict[int, tuple[str, float]]) -> Iterator[None]:
    """Add the largest sum of the tree during the block, and the largest of each process."""
    ends, sums = threading.Event(), [0.0]

    def watch() -> None:
        while not ends.wait(0.2):
            with contextlib.suppress(OSError):  # a process has just ended
                now = {each: _mb(each) for each in tree(pid)}
                sums.append(sum(now.values()))
                for each, size in now.items():
                    name = Path(f"/proc/{each}/cmdline").read_text().replace("\0", " ")
                    parts[each] = name[-60:], max(size, parts.get(each, ("", 0.0))[1])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
        most.append(max(sums))


def _everything(folder: Path, port: int) -> str:
    hook = folder / "hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    command = [sys.executable, "-m", "tests.mcp.pretend_home", "stdio", str(folder)]
    return f"""
[hooks]
state = ["{hook}"]
[mqtt]
host = "127.0.0.1"
port = {port}
[group]
name = "home"
[[skills.mcp]]
label = "home"
where = "here"
command = {command}
allowed_tools = ["intent__HassTurnOn"]
"""


def _beside(folder: Path, config: str, stack: contextlib.ExitStack) -> Iterator[tuple[str, int]]:
    """The other two processes of Parley."""
    path = folder / "mqtt.toml"
    path.write_text(config)
    mqtt = stack.enter_context(_process("parleyd", "mqtt", "--config", str(path)))
    yield "parley mqtt", mqtt.pid
    (folder / "page").mkdir()
    page = PageProcess(folder / "page", "")
    stack.callback(page.close)
    yield "parley page", page.process.pid


def _mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("Pss:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
