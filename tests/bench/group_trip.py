"""How long a claim takes from one daemon's control socket to another's, over real mosquitto.

    .venv/bin/python -m tests.bench.group_trip

Each relay is a separate process, as `parley mqtt` is. Not in the figures: the audio threads,
which take events every 10 ms, and a network.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from parleyd.control.place import Place
from parleyd.control.replies import AnyReply, Done, GroupClaim
from parleyd.control.requests import ActRequest, GroupRequest
from parleyd.control.server import ControlServer
from parleyd.mqtt.broker_link import BrokerAddress
from parleyd.mqtt.group import GroupRelay, GroupTopics
from tests.mqtt.broker_rig import Mosquitto, until

WITHIN_S = 30.0
PAUSE_S = 0.1  # between claims: wake words do not come in rows, but caches would be warmer


class Station:
    """A daemon's control socket, and its relay in another process."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        (folder / name / "parley").mkdir(parents=True)
        self.came: dict[str, float] = {}
        self.arrived = threading.Event()
        self.server = ControlServer(Place(folder / name / "parley/control", False), self._answer)
        self.server.start()
        environ = {**os.environ, "XDG_STATE_HOME": str(folder / name)}
        command = [sys.executable, "-m", "tests.bench.group_trip", "--relay", name, str(port)]
        self._relay = subprocess.Popen(command, env=environ)

    def close(self) -> None:
        self._relay.kill()
        self._relay.wait(WITHIN_S)
        self.server.close()

    async def _answer(self, request: ActRequest) -> AnyReply:
        if isinstance(request, GroupRequest) and isinstance(request.news, GroupClaim):
            self.came[request.news.claim] = time.perf_counter()
            self.arrived.set()
        return Done(id=request.id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--relay", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--claims", type=int, default=300)
    options = parser.parse_args()
    if options.relay:
        name, port = options.relay
        address = BrokerAddress("localhost", int(port), None, None, None)
        asyncio.run(GroupRelay(address, GroupTopics(name, "parley", "bench")).run())
        return
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder), "allow_anonymous true")
        stations = [Station(Path(folder), name, broker.port) for name in ("a", "b")]
        try:
            print(_measure(stations[0], stations[1], options.claims))
        finally:
            for station in stations:
                station.close()
            broker.close()


def _measure(sender: Station, taker: Station, count: int) -> str:
    def one(name: str) -> float | None:
        taker.arrived.clear()
        claim = GroupClaim(claim=name, level_db=0.0, heard=0, answering=False, age_ms=0)
        began = time.perf_counter()
        sender.server.publish(claim)
        taker.arrived.wait(1.0)
        return 1000 * (taker.came[name] - began) if name in taker.came else None

    until(lambda: one(f"first-{time.monotonic()}") is not None, "the relays are connected")
    taken = []
    for number in range(count):
        taken.append(one(f"x-{number}"))
        time.sleep(PAUSE_S)
    found = [ms for ms in taken if ms is not None]
    return (
        f"{len(found)} of {count} claims arrived: {min(found):.1f} ms at least, "
        f"median {np.median(found):.1f}, p95 {np.percentile(found, 95):.1f}, at most "
        f"{max(found):.1f}; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
