"""The room in real time: from the loudspeaker's monitor to the microphone's pipe, 10 ms at a time.

The microphone's block n is made of the loudspeaker's block n, so the two recordings have the
same time by construction, and the talker's onset is known to the frame.
"""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from parleyd.audio import round_to_int16
from parleyd.simulation.acoustics import Room
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_PERIOD_FRAMES, Frames
from tests.bench.peers.sound_server import RECORDER_PRIORITY, run_in_real_time

AIR_PRIORITY, OTHERS_PRIORITY = 3, 2
BLOCK_BYTES = 2 * MIC_PERIOD_FRAMES
ENDS_WITHIN_S = 10.0
EveryPeriod = Callable[[bool], None]
"""Called after each period with whether the loudspeaker sounds; runs in the air's thread."""


class BlockRecorder:
    """A source of the sound server in blocks of 10 ms, with the time at which each arrives."""

    def __init__(self, source: str) -> None:
        self.blocks: list[Frames] = []
        self.came_at: list[float] = []
        command = ["parec", "-d", source, "--rate=16000", "--channels=1", "--format=s16le"]
        self._process = subprocess.Popen(
            [*command, "--raw", "--latency-msec=10"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        run_in_real_time(self._process.pid, RECORDER_PRIORITY)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join(ENDS_WITHIN_S)

    def take(self, block: Frames) -> None:
        """Handle the block that has just been recorded."""

    def _run(self) -> None:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(AIR_PRIORITY))  # this thread
        assert self._process.stdout is not None
        with self._process.stdout as out:
            while data := _exactly(out, BLOCK_BYTES):
                block = np.frombuffer(data, np.int16)
                self.came_at.append(time.monotonic())
                self.blocks.append(block)
                self.take(block)


class Air(BlockRecorder):
    """The loudspeaker's recording, and the microphone's, which it makes.

    `gain` is an amplifier before the loudspeaker: it makes clients equally loud.
    """

    def __init__(
        self, pipe: Path, room: Room, talker: Talker, gain: float, then: EveryPeriod
    ) -> None:
        super().__init__("spk.monitor")
        self.microphone: list[Frames] = []
        self.overruns = 0
        """Blocks that the sound server did not take."""
        self._room, self._talker, self._gain, self._then = room, talker, gain, then
        self._pipe = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)

    def take(self, block: Frames) -> None:
        played = block if self._gain == 1.0 else round_to_int16(block * self._gain)
        heard = self._room.hear(played, self._talker.period())
        self.microphone.append(heard)
        try:
            os.write(self._pipe, heard.tobytes())
        except BlockingIOError:
            self.overruns += 1
        self._then(bool(block.any()))

    def end(self) -> None:
        super().end()
        os.close(self._pipe)


def keep_up() -> None:
    """Prepare this process: no collection of garbage, and threads take turns quickly."""
    gc.disable()
    sys.setswitchinterval(0.001)
    stay_awake()


def stay_awake() -> None:
    """Run this thread, not its children, before all ordinary processes.

    Every thread of the air's process needs it: one that waits for a processor while it holds
    Python's lock would stop the air, too. Raises `PermissionError` without the right to.
    """
    policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
    os.sched_setscheduler(0, policy, os.sched_param(OTHERS_PRIORITY))


def _exactly(out: IO[bytes], count: int) -> bytes:
    """Read `count` bytes; fewer at the end count as none."""
    data = out.read(count)
    return data if len(data) == count else b""
