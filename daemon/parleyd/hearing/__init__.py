"""Hearing: what in the microphone's signal is the user and not the loudspeaker."""

from dataclasses import dataclass

from parleyd.units import Frames


@dataclass(frozen=True, slots=True)
class HeardPeriod:
    """What hearing made of one 10 ms microphone period."""

    cleaned: Frames
    """The period less the loudspeaker's echo: int16, 160 frames at 16 kHz."""

    score: float
    """Energy that the predicted echo and the noise floor do not explain, mean dB over bands."""

    voice: float
    """Probability of speech in the cleaned signal, 0..1, from the newest detector chunk."""

    voice_chunk: bool
    """A new detector chunk (32 ms) ended in this period, so `voice` is new."""

    talker: float
    """Probability that a user's voice is in the microphone, echo or not, 0..1, each period."""

    speech: float
    """Probability that it says something, neither cough nor hum; slower than `talker`."""

    level_dbfs: float
    """RMS of the cleaned period."""

    echo_dbfs: float
    """RMS of the echo that was estimated and subtracted; -120 when nothing plays."""

    masked: bool = False
    """The canceller is young and our own sound may still be on its way: no proof of a user."""

    trusted: bool = True
    """`score` may raise suspicion: the echo path is known and no xrun has just moved it."""

    cancelled: bool = True
    """False after a failure of the canceller: `cleaned` holds the echo, if there is one."""
