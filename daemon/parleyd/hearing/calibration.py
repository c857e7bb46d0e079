"""Calibration with the startup sound: whether the microphone detects it, and at which level."""

from dataclasses import dataclass

import numpy as np

from parleyd.audio import db_to_power, power_to_db
from parleyd.hearing import ProcessedPeriod

WITHIN_S = 6.0  # from the start: the card's first periods, the sound, the longest delay
_AUDIBLE_DBFS = -60.0  # a microphone's own noise masks a weaker echo
_LEAST_PERIODS = 60  # 0.6 s of echo: by then the delay is known
_REPLY_DBFS = -24.0  # the active level of speech from servers and synthesisers
_USER_DBFS = -38.0  # the level of a user at a distance of two metres, at the microphone
_LOUDEST_ENR_DB = 15.0  # above this, no software detects most users at once


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """The measurement at this volume; levels are RMS at the microphone."""

    heard: bool
    """Whether the microphone detects the loudspeaker."""

    reply_dbfs: float
    """The expected level of a reply at the microphone."""

    delay_ms: float | None
    """The delay from the core to the microphone; None if it is unknown."""

    volume: int | None
    """The highest volume at which most users are detected during a reply at once; None if the
    current volume is not higher."""


class Calibration:
    """Measures the echo of one own sound; pure, one `update` per period until it returns.

    `sound_dbfs`: RMS of the sound before the volume. `volume`: the volume of playback, 0..100.
    """

    def __init__(self, sound_dbfs: float, volume: int, now: float) -> None:
        self._sound_dbfs = sound_dbfs
        self._volume = volume
        self._until = now + WITHIN_S
        self._power: list[float] = []

    def update(
        self, heard: ProcessedPeriod, delay_ms: float | None, now: float
    ) -> CalibrationResult | None:
        """Process one period; return the result after the sound, or at the deadline."""
        if heard.echo_dbfs > _AUDIBLE_DBFS:
            self._power.append(db_to_power(heard.echo_dbfs))
        elif len(self._power) >= _LEAST_PERIODS:
            return self._result(delay_ms)
        return self._result(delay_ms) if now >= self._until else None

    def _result(self, delay_ms: float | None) -> CalibrationResult:
        if len(self._power) < _LEAST_PERIODS or delay_ms is None:
            return CalibrationResult(False, -120.0, None, None)
        echo_dbfs = power_to_db(float(np.mean(self._power)))
        gain_db = echo_dbfs - self._sound_dbfs
        over_db = _REPLY_DBFS + gain_db - (_USER_DBFS + _LOUDEST_ENR_DB)
        wanted = int(self._volume * 10 ** (-over_db / 40))  # loudness is the square of volume
        volume = wanted if wanted < self._volume else None
        return CalibrationResult(True, round(_REPLY_DBFS + gain_db, 1), round(delay_ms, 1), volume)
