"""Hearing: detection of the user in the microphone's signal, without the loudspeaker's echo."""

from typing import NamedTuple

from parleyd.units import Frames
from parleyd.wake import WakeScore


class ProcessedPeriod(NamedTuple):
    """The results of the hearing for one 10 ms microphone period."""

    cleaned: Frames
    """The period minus the loudspeaker's echo: int16, 160 frames at 16 kHz."""

    excess_db: float
    """Energy above the predicted echo and the noise floor, mean dB over bands."""

    voice: float
    """Probability of speech in the cleaned signal, 0..1, from the newest detector chunk; 0 while
    Parley speaks and `near_end` shows no trace of a user."""

    voice_chunk: bool
    """Whether a detector chunk (32 ms) ended in this period, so `voice` is new."""

    near_end: float
    """Probability of a user's voice in the microphone, with or without echo, 0..1, per period."""

    speech: float
    """Probability that the voice is speech, not a cough or hum; slower than `near_end`."""

    level_dbfs: float
    """RMS of the cleaned period."""

    echo_dbfs: float
    """RMS of the estimated and subtracted echo; -120 without playback."""

    echo_unsettled: bool = False
    """Whether the canceller is new and echo may still arrive, so a sound may not be a user."""

    trusted: bool = True
    """Whether `excess_db` is valid: the echo path is known and no recent xrun has moved it."""

    cancelled: bool = True
    """False after a failure of the canceller: `cleaned` then contains the echo."""


class HearingReadings(NamedTuple):
    """The newest values of hearing, for a display."""

    heard: ProcessedPeriod | None
    """None while the microphone is closed."""
    threshold: float
    """A higher `near_end` is a user who interrupts."""
    wake: WakeScore | None
    """None without a wake word, or with an engine that gives no score."""
    trouble: str
    """Why a voice cannot interrupt, or which part has failed, in words; "" if all is well."""
    processing: str
    """How the microphone changes its sound; "" if it does not."""
