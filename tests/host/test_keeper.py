"""Kept turns: both sides in step, as they were heard, and never more than asked for."""

from pathlib import Path

import numpy as np

from parleyd import stereo
from parleyd.boundary import MicPeriod, Step
from parleyd.host.keeper import Keeper
from parleyd.units import MIC_PERIOD_FRAMES, SILENCE, Frames

LEAD = 4 * MIC_PERIOD_FRAMES


def frames(value: int, count: int = MIC_PERIOD_FRAMES) -> Frames:
    return np.full(count, value, np.int16)


def test_what_was_heard_is_kept_and_what_was_dropped_is_not(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "turns", keep=5, rate_hz=16_000)
    keeper.beat(MicPeriod(frames(1), 0), Step(False, frames(100, LEAD), ()))
    keeper.beat(MicPeriod(frames(2), LEAD - 160), Step(False, frames(101), ()))
    keeper.beat(MicPeriod(frames(3), LEAD - 160), Step(True, frames(0, LEAD), ()))
    keeper.beat(MicPeriod(None, LEAD - 160), Step(False, SILENCE, ()))
    kept = stereo.read(keeper.save(), 16_000)
    assert kept.loudspeaker.tolist() == [100] * 320 + [0] * 160
    assert kept.microphone[:480].tolist() == [1] * 160 + [2] * 160 + [3] * 160


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, keep=2, rate_hz=16_000)
    (tmp_path / "mine.wav").write_bytes(b"not ours")
    paths = []
    for value in range(5):
        keeper.beat(MicPeriod(frames(value), 0), Step(False, SILENCE, ()))
        paths.append(keeper.save())
    assert sorted(tmp_path.glob("turn-*")) == paths[-2:]
    assert (tmp_path / "mine.wav").exists()
