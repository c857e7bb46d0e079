"""python -m tests.bench.footprint: memory and start of a daemon, with everything and with nothing.

Starts `parley run` on ALSA's null device with the embedded server: without any connection to the
home, and with all of them (broker and group, a local MCP server, hooks), with `parley mqtt` and
`parley page` beside it. ``--before FOLDER`` starts the daemon of another checkout, too, with
nothing. Prints the time until the daemon is ready and, some seconds later, memory: what a process
shares with no other and its part of the rest (PSS). Medians of the rounds. Needs mosquitto.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from daemon_process import Daemon

from tests.bench.outside_flood import _process
from tests.e2e.test_control import CONFIG
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
