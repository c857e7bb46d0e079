"""python -m tests.bench.watching: the processor time of `parley watch` and of what serves it.

The command runs in a pseudo-terminal of 80x24. A control server of this process gives it levels
that all change ten times a second, so that every row is drawn again. Prints shares of one core.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np
from msgspec import structs

from parleyd import config
from parleyd.app.level_tap import EVERY_PERIODS, LevelTap
from parleyd.control.replies import AnyReply, LevelsMeasured, StatusReply, TurnsReply
from parleyd.control.requests import ActRequest, StatusRequest
from parleyd.core.events import MicPeriod
from parleyd.core.speaker import SmartSpeaker
from parleyd.wake.micro import Micro
from tests.control.socket_rig import serving
from tests.diagnostics.watch_golden import LEVELS, STATUS, turn
from tests.e2e.watched import WatchedTerminal

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MEASUREMENTS = 2000
random = Random(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds: float = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        place = Path(folder) / "parley"
        place.mkdir()
        with serving(place, answer=answer, levels=changed):
            alone = _used(seconds)
            with WatchedTerminal() as terminal:
                terminal.wait_for("link up")
                stat = Path(f"/proc/{terminal.process.pid}/stat")
                written, before = len(terminal.written), _ticks(stat)
                served = _used(seconds)
                shown = (_ticks(stat) - before) / TICKS_PER_S / seconds
                written = len(terminal.written) - written
    print(
        f"parley watch           {shown:6.2%}, {written / seconds / 1000:.1f} kB/s to the terminal"
    )
    print(f"the socket's thread    {served - alone:6.2%}")
    measuring, resting = _tap(wanted=True), _tap(wanted=False)
    print(f"the audio thread       {measuring * 10:6.2%}, {measuring * 1e6:.0f} us a measurement")
    print(f"the same, not watched  {resting * 10:6.2%}")


async def answer(request: ActRequest) -> AnyReply:
    """Answer as a daemon."""
    if isinstance(request, StatusRequest):
        status: StatusReply = structs.replace(STATUS, id=request.id)
        return status
    return TurnsReply(id=request.id, turns=tuple(turn(number) for number in range(1, 26)))


def changed() -> LevelsMeasured:
    """Levels that differ from the newest ones."""
    return structs.replace(
        LEVELS,
        mic_dbfs=-60 * random.random(),
        cleaned_dbfs=-60 * random.random(),
        echo_dbfs=-60 * random.random(),
        near_end=round(random.random(), 2),
        voice=round(random.random(), 2),
        wake=round(random.random(), 2),
        buffered_ms=random.randrange(5000),
    )


def _used(seconds: float) -> float:
    """The share of a core that this process uses."""
    before = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - before) / seconds


def _ticks(stat: Path) -> int:
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _tap(*, wanted: bool) -> float:
    """Processor seconds of a measurement, with the real speaker and wake-word engine."""
    speaker = SmartSpeaker(config.Config(), Micro(["hey_jarvis"]))
    period = MicPeriod(np.full(160, 300, np.int16), 0)
    step = speaker.tick(period, 0.0)
    observe = LevelTap(lambda: wanted).watcher(speaker)
    before = time.thread_time()
    for _ in range(MEASUREMENTS * EVERY_PERIODS):
        observe(period, step)
    return (time.thread_time() - before) / MEASUREMENTS


if __name__ == "__main__":
    main()
