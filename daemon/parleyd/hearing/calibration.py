"""What the sound at the start tells: whether it is heard at all, how loud, how well cancelled."""

from dataclasses import dataclass

import numpy as np

from parleyd.audio import db_to_power, power_to_db
from parleyd.hearing import HeardPeriod

WITHIN_S = 6.0  # of the start: the card's first periods, the sound, the longest delay
_AUDIBLE_DBFS = -60.0  # an echo below this is not heard over a microphone's own noise
_LEAST_PERIODS = 60  # 0.6 s of it: the delay is found by then
_REPLY_DBFS = -24.0  # active level of speech as servers and synthesisers deliver it
_USER_DBFS = -38.0  # a user two metres away, at the microphone
_LOUDEST_ENR_DB = 15.0  # beyond, no software hears most users at once


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was measured at this volume; levels are RMS at the microphone."""

    heard: bool
    """The microphone hears the loudspeaker."""

    reply_dbfs: float
    """How loud a reply will be at the microphone."""

    delay_ms: float | None
    """From the core to the microphone; None where it was not found."""

    volume: int | None
    """The highest volume at which most users are heard over a reply at once; None when the
    present one is not higher."""


class Calibration:
    """Listens to one sound of our own; pure, one `update` a period until it returns.

    `sound_dbfs`: RMS of the sound before volume. `volume`: 0..100, at which it is played.
    """

    def __init__(self, sound_dbfs: float, volume: int, now: float) -> None:
        self._sound_dbfs = sound_dbfs
        self._volume = volume
        self._until = now + WITHIN_S
        self._power: list[float] = []

    def update(self, heard: HeardPeriod, delay_ms: float | None, now: float) -> Calibrated | None:
        """Take one period; the result when the sound is over or has not come."""
        if heard.echo_dbfs > _AUDIBLE_DBFS:
            self._power.append(db_to_power(heard.echo_dbfs))
        elif len(self._power) >= _LEAST_PERIODS:
            return self._result(delay_ms)
        return self._result(delay_ms) if now >= self._until else None

    def _result(self, delay_ms: float | None) -> Calibrated:
        if len(self._power) < _LEAST_PERIODS or delay_ms is None:
            return Calibrated(False, -120.0, None, None)
        echo_dbfs = power_to_db(float(np.mean(self._power)))
        gain_db = echo_dbfs - self._sound_dbfs
        over_db = _REPLY_DBFS + gain_db - (_USER_DBFS + _LOUDEST_ENR_DB)
        wanted = int(self._volume * 10 ** (-over_db / 40))  # loudness is the square of volume
        volume = wanted if wanted < self._volume else None
        return Calibrated(True, round(_REPLY_DBFS + gain_db, 1), round(delay_ms, 1), volume)
