"""Plays a tape to a new core, with a mark before and after each counted period.

    python replay.py TAPE

Runs in any environment that has Parley, without the checkout: under emulation, where count.c
logs the instructions executed at each mark, or natively, to measure time. Prints the CPU
seconds of each marked period as JSON.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import json
import pickle
import sys
import time
from pathlib import Path

from parleyd.core.events import MicPeriod
from parleyd.core.speaker import SmartSpeaker
from parleyd.wake import factory

MARK = 0x7A110000  # see count.c


def main(tape: Path) -> None:
    settings, events = pickle.loads(tape.read_bytes())
    speaker = SmartSpeaker(settings, factory.create(settings.wake, None))
    file = os.open(os.devnull, os.O_RDONLY)
    marks = 0

    def mark() -> None:
        nonlocal marks
        os.lseek(file, MARK + marks, os.SEEK_SET)
        marks += 1

    took: dict[str, list[float]] = {"": []}
    mark(), mark()  # type: ignore[func-returns-value]  # the cost of the mark itself
    for now, event, counted in events:
        if not isinstance(event, MicPeriod):
            speaker.handle(event, now)
        elif not counted:
            speaker.tick(event, now)
        else:
            mark()
            began = time.thread_time()
            speaker.tick(event, now)
            seconds = time.thread_time() - began
            mark()
            if speaker.state != counted:
                sys.exit(f"the core is {speaker.state}, but the tape expects {counted}")
            took.setdefault(counted, []).append(seconds)
    json.dump(took, sys.stdout)


main(Path(sys.argv[1]))
