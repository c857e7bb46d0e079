"""python -m tests.bench.mcp_start: a daemon's start and memory, without and with an MCP server.

Starts a daemon on ALSA's null device several times in turn. Prints medians, and the least and the
most: processor time until it is ready, seconds until the functions are known, private memory.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from daemon_process import Daemon

from tests.bench.mcp_flood import _memory_mb
from tests.e2e.test_control import CONFIG
from tests.mcp.test_mcp_child import KEY, serving

SERVER = 'server = "compatible"\nurl = "ws://127.0.0.1:9/"\nconnection = "on-wake"'
SETTLED_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--starts", type=int, default=5)
    starts = parser.parse_args().starts
    os.environ["HOME_MCP_KEY"] = KEY
    with tempfile.TemporaryDirectory() as folder, serving("http", Path(folder)) as port:
        home = f'url = "http://127.0.0.1:{port}/api/mcp"\nkey = "HOME_MCP_KEY"\n'
        extra = f'[[skills.mcp]]\nlabel = "home"\nwhere = "here"\n{home}'
        found: dict[str, list[tuple[float, ...]]] = {"without": [], "with": []}
        for _ in range(starts):
            found["without"].append(_start(""))
            found["with"].append(_start(extra))
    print("            ready, CPU s        known, s            daemon, MB          child, MB")
    for kind, rows in found.items():
        print(f"{kind:10}", *(_span(column) for column in zip(*rows, strict=True)))


def _start(extra: str) -> tuple[float, ...]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        began = time.monotonic()
        daemon = Daemon(Path(folder), CONFIG.replace('server = "embedded"', SERVER) + extra)
        try:
            daemon.wait("READY=1")
            ready_s = _processor_s(daemon.process.pid)
            while extra and "connected to the MCP server" not in daemon.log.read_text():
                time.sleep(0.02)
            known_s = time.monotonic() - began if extra else 0.0
            time.sleep(SETTLED_S)
            child_mb = _memory_mb(daemon.child()) if extra else 0.0
            return ready_s, known_s, _memory_mb(daemon.process.pid), child_mb
        finally:
            daemon.close()


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _span(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):5.2f} [{min(values):5.2f}-{max(values):5.2f}]"


if __name__ == "__main__":
    main()
