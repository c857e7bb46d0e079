"""Calibration with the startup sound, in given levels: RMS in dBFS at the microphone."""

import numpy as np
import pytest

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.calibration import Calibration, CalibrationResult

DEAF = CalibrationResult(False, -120.0, None, None)


def period(echo_dbfs: float) -> ProcessedPeriod:
    return ProcessedPeriod(np.zeros(160, np.int16), 0.0, 0.0, False, 0.0, 0.0, -60.0, echo_dbfs)


def result(
    echoes_dbfs: list[float], volume: int = 50, delay_ms: float | None = 82.04
) -> tuple[CalibrationResult | None, float]:
    """Return the result for a chime of -20 dBFS, and its time (s)."""
    calibration = Calibration(-20.0, volume, 100.0)
    for index, echo_dbfs in enumerate(echoes_dbfs, start=1):
        now = round(100.0 + index * 0.01, 2)
        found = calibration.update(period(echo_dbfs), delay_ms, now)
        if found is not None:
            return found, round(now - 100.0, 2)
    return None, 0.0


def test_calibration_of_a_chime_gives_the_level_of_replies() -> None:
    """A chime of -20 arrives at -30, so replies, which are spoken at -24, arrive at -34."""
    found, at_s = result([-90.0] * 20 + [-30.0] * 100 + [-90.0])
    assert found == CalibrationResult(True, -34.0, 82.0, None)
    assert at_s == 1.21  # the first silent period after the chime


@pytest.mark.parametrize(
    ("echo_dbfs", "volume", "advised"),
    [
        (-19.1, 100, None),  # a reply at -23.1 is 14.9 dB above a user at -38
        (-18.9, 100, 99),
        (-15.0, 100, 79),  # 4 dB too loud: 10 ** (-4 / 40) = 0.794
        (-15.0, 50, 39),
        (-7.0, 100, 50),
        (21.0, 100, 10),  # 40 dB are a factor of ten in volume
        (-60.1 + 0.2, 100, None),
    ],
)
def test_calibration_recommends_a_volume_for_barge_in(
    echo_dbfs: float, volume: int, advised: int | None
) -> None:
    found, _ = result([echo_dbfs] * 100 + [-90.0], volume)
    assert found is not None
    assert (found.heard, found.volume) == (True, advised)


@pytest.mark.parametrize(
    ("echoes_dbfs", "found", "at_s"),
    [
        ([-60.0] * 700, DEAF, 6.0),  # no louder than a microphone's own noise
        ([-30.0] * 59 + [-90.0] * 600, DEAF, 6.0),  # less than 0.6 s is not sufficient
        ([-30.0] * 60 + [-90.0] * 600, CalibrationResult(True, -34.0, 82.0, None), 0.61),
        ([-30.0] * 700, CalibrationResult(True, -34.0, 82.0, None), 6.0),  # the sound never ends
    ],
)
def test_calibration_detects_from_minus_60_for_six_seconds(
    echoes_dbfs: list[float], found: CalibrationResult, at_s: float
) -> None:
    assert result(echoes_dbfs) == (found, at_s)


def test_calibration_without_a_delay_is_not_heard() -> None:
    assert result([-30.0] * 100 + [-90.0], delay_ms=None)[0] == DEAF


def test_calibration_takes_the_mean_of_power() -> None:
    """Half at -20 and half at -40 is -23.0 (the mean of amplitudes would be -25.2)."""
    found, _ = result([-20.0, -40.0] * 50 + [-90.0])
    assert found is not None
    assert found.reply_dbfs == -27.0
