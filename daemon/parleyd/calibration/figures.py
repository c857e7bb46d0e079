"""The figures of a calibration; they hold no sound. Levels are RMS at the microphone."""

import msgspec


class MicrophoneFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording shows of the microphone itself."""

    zero_share: float
    """The share of 10 ms blocks of a single number, or with the same numbers as the one before."""
    open_floor_dbfs: float
    """The level of the softest other blocks."""
    dc: float
    """The mean, of full scale 1.0."""
    peak_dbfs: float
    clipped_runs: int
    """Places at which the wave is cut off flat."""


class SilenceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Three seconds of the room without Parley's sound."""

    microphone: MicrophoneFigures
    noise_dbfs: float
    hum_dbfs: float
    """The sum of the tones of the mains; -120 without one."""
    hum_hz: int
    """50 or 60: the mains; 0 without hum."""
    unsteady_db: float
    """From the soft to the loud tenths of a second (10th to 90th percentile)."""


class SweepFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One sweep and its echo."""

    volume: int
    heard: bool
    delay_ms: float | None = None
    """From a frame's end in the card's queue to its direct sound at the microphone."""
    reply_dbfs: float = -120.0
    """The expected level of a reply at this volume."""
    over_noise_db: float = 0.0
    """The echo of the sweep over the noise, as a matched filter sees them."""
    distortion_db: float | None = None
    """Harmonics and rattle relative to the echo; None where noise would decide."""
    rt60_s: float | None = None
    """The reverberation; None if the noise hides its end."""
    late_db: float | None = None
    """The echo that arrives too late for the canceller, relative to all of it."""
    clipped_runs: int = 0
    noise_after_dbfs: float = -120.0
    """The room in the last moments before the next sweep."""


class SweepsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All sweeps of one uninterrupted recording, in the order of playing."""

    microphone: MicrophoneFigures
    sweeps: tuple[SweepFigures, ...]
    drift_ppm: float | None
    """The speed of the playback clock relative to the capture clock; None if it is unknown."""
    lead_ms: int
    """How far ahead of the loudspeaker Parley writes."""
    xruns: int
    """Dropouts of the card."""
    spoilt: int
    """Sweeps that were lost to dropouts, although they were tried again."""


class WordFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One try of the wake word."""

    found: bool
    score: float | None
    """The highest of the wake-word engine; None if it gives none."""
    cutoff: float | None
    """A higher score is found."""
    level_dbfs: float
    """The active level of the loudest 1.2 s, without the noise; -120 if nothing was said."""
    noise_dbfs: float


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    silence: SilenceFigures
    sweeps: SweepsFigures
    words: tuple[WordFigures, ...] = ()
    """Empty if the wake word was skipped."""
