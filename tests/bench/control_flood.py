"""python -m tests.bench.control_flood: the audio thread while clients flood the control socket.

The parts of a daemon run on ALSA's null device with a closed microphone, so that the monotonic
clock paces the audio thread. The clients are 40 connections of another process. Prints for each
kind of flood the answered requests, the processor time of the daemon without its audio thread, and
how late the periods of the audio thread end. As root it runs with its real-time priorities.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from parleyd import config
from parleyd.app.assembly import assembled
from parleyd.app.daemon import SWITCH_S
from parleyd.app.level_tap import LevelTap
from parleyd.control.place import NAME
from parleyd.control.replies import LONGEST_LINE
from parleyd.core.events import MicPeriod, TickResult
from parleyd.core.speaker import SmartSpeaker
from tests.app.assembling import process_state
from tests.bench.flood import ordinary

PERIOD_S = 0.01
CLIENTS = 40  # more than the socket has places
FUZZING_CLIENTS = 100
SETTINGS = config.parse("""
[audio]
playback = "null"
capture = "null"
boot_chime = false
[realtime]
server = "compatible"
url = "ws://127.0.0.1:9/"
connection = "on-wake"
""")
REQUESTS = (  # none opens the microphone: ALSA's null device would not pace the audio thread
    b'{"type":"status"}',
    b'{"type":"volume","percent":50,"id":7}',
    b'{"type":"subscribe","topics":["state","levels"]}',
    b'{"type":"mute","minutes":5,"by":"home"}',
    b'{"type":"stop"}',
    b'{"type":"turns","count":20}',
    b'{"type":"timers"}',
)
SUBSCRIBE = b'{"type":"subscribe","topics":["state","levels","turns","log"]}\n'
FLOODS: Mapping[str, bytes] = {
    "silence": b"",
    "status": b'{"type":"status"}\n' * 100,
    "volume": b'{"type":"volume","steps":1}\n' * 100,
    "not a request": b"[" * 1000 + b"\n",
    "64 kB lines": b'{"type":"stop","x":"%s"}\n' % (b"y" * (LONGEST_LINE - 30)),
    "too long": b"x" * (LONGEST_LINE + 1),
    "connections": b"",
    "fuzz": b"",
    "slow subscribers": SUBSCRIBE,
}


class Punctuality(LevelTap):
    """Notes when each period of the audio thread ends; measures the levels, too."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        super().__init__(wanted)
        self.ends: list[float] = []

    def watcher(self, speaker: SmartSpeaker) -> Callable[[MicPeriod, TickResult], None]:
        """Return the watcher of the levels, with a clock."""
        measure = super().watcher(speaker)

        def observe(period: MicPeriod, step: TickResult) -> None:
            self.ends.append(time.monotonic())
            measure(period, step)

        return observe

    def late_ms(self) -> list[float]:
        """Return for each period since the last call how much it took over 10 ms."""
        ends, self.ends = self.ends, []
        return [max(0.0, (b - a - PERIOD_S) * 1000) for a, b in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--flood", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        _flood(*options.flood)
        return
    logging.disable()
    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        asyncio.run(_bench(Path(folder), options.seconds))


async def _bench(folder: Path, seconds: float) -> None:
    process = process_state(folder)
    desk = process.desk
    desk.levels = punctuality = Punctuality(lambda: desk._server.measures)
    with desk.open():
        async with assembled(SETTINGS, process) as running:
            assert process.mute is not None
            process.mute.mute_microphone(60)
            await asyncio.sleep(1.0)
            print(f"{'':18} {'requests':>8} {'daemon':>7}   late, ms: p50    p99  worst")
            for kind in FLOODS:
                await _measure(kind, folder / NAME, punctuality, seconds)
            assert running.audio_thread.is_alive()


async def _measure(kind: str, path: Path, punctuality: Punctuality, seconds: float) -> None:
    command = [sys.executable, "-m", "tests.bench.control_flood", "--flood", kind, str(path)]
    with subprocess.Popen(  # noqa: ASYNC220  the loop idles
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, preexec_fn=ordinary
    ) as flood:
        assert flood.stdout is not None
        await asyncio.to_thread(flood.stdout.readline)
        punctuality.late_ms()
        before = time.process_time()
        await asyncio.sleep(seconds)
        share = (time.process_time() - before) / seconds
        late = punctuality.late_ms()
        assert flood.stdin is not None
        flood.stdin.close()
        answered = int(flood.stdout.readline())
    p50, p99, worst = np.percentile(late, (50, 99, 100))
    print(f"{kind:18} {answered:8} {share:7.0%} {p50:16.2f} {p99:6.2f} {worst:6.2f}", flush=True)


def _flood(kind: str, path: str) -> None:
    """The other process; ends with its standard input."""
    clients = {"silence": 0, "fuzz": FUZZING_CLIENTS}.get(kind, CLIENTS)
    answered = [0] * clients
    ending = threading.Event()
    for place in range(clients):
        threading.Thread(
            target=_client, args=(kind, path, answered, place, ending), daemon=True
        ).start()
    print("floods", flush=True)
    sys.stdin.read()
    ending.set()
    print(sum(answered), flush=True)


def _client(kind: str, path: str, answered: list[int], place: int, ending: threading.Event) -> None:
    while not ending.is_set():
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            if kind == "slow subscribers":
                connection.sendall(SUBSCRIBE)
                ending.wait()
            while data := _random_lines() if kind == "fuzz" else FLOODS[kind]:
                connection.sendall(data)
                answered[place] += connection.recv(1 << 16).count(b"\n")


def _random_lines() -> bytes:
    """Requests with random changes, and random bytes."""
    lines = []
    for _ in range(20):
        line = bytearray(random.choice(REQUESTS))
        for _ in range(random.randrange(4)):
            line[random.randrange(len(line))] = random.randrange(256)
        lines.append(bytes(line) if random.random() < 0.8 else random.randbytes(300))
    return b"\n".join(lines) + b"\n"


if __name__ == "__main__":
    main()
