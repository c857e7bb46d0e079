"""The bench closes the loop over a recorded echo: it stops after its delay, and continues."""

import numpy as np

from parleyd.config import AudioConfig
from parleyd.units import MIC_PERIOD_FRAMES
from parleyd.wav import Stereo
from tests.bench.hearing.recorded import _Loop

DELAY_PERIODS = 12
AUDIO = AudioConfig(playback_rate_hz=48_000, lead_ms=40)
LATE = DELAY_PERIODS - 1 + 4  # the echo begins at most a period early; the lead comes on top


def loop() -> _Loop:
    """Return a recording whose period n has the value n, in both channels."""
    values = np.repeat(np.arange(1, 101, dtype=np.int16), MIC_PERIOD_FRAMES)
    return _Loop(Stereo(values, values), DELAY_PERIODS * 10, AUDIO)


def levels(tape: _Loop, *, periods: int, playing: bool) -> list[float]:
    return [float(tape.step(playing=playing)[1].mean()) for _ in range(periods)]


def test_recorded_echo_comes_after_delay_and_lead() -> None:
    heard = levels(loop(), periods=LATE + 3, playing=True)
    assert heard[:LATE] == [0.0] * LATE
    assert heard[LATE:] == [DELAY_PERIODS, DELAY_PERIODS + 1, DELAY_PERIODS + 2]


def test_recorded_echo_rings_out_after_a_hold() -> None:
    tape = loop()
    levels(tape, periods=30, playing=True)
    heard = levels(tape, periods=LATE + 10, playing=False)
    assert heard[: LATE - 1] == sorted(heard[: LATE - 1])
    ringing = heard[LATE : LATE + 6]
    assert ringing == sorted(ringing, reverse=True)
    assert ringing[-1] > 0.0
    assert heard[LATE + 6 :] == [0.0] * 4


def test_recorded_echo_continues_where_it_was_held() -> None:
    tape = loop()
    before = levels(tape, periods=30, playing=True)
    tail = levels(tape, periods=LATE, playing=False)
    levels(tape, periods=20, playing=False)
    after = levels(tape, periods=LATE + 1, playing=True)
    assert tail[0] == before[-1] + 1
    assert after[-1] == tail[-1] + 1
