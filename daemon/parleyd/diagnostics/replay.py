"""Replay a recording through the hearing, period by period."""

from dataclasses import dataclass
from dataclasses import replace as dataclass_replace

import numpy as np
from numpy.typing import NDArray

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.barge_in import BargeInDecision, BargeInDetector, Decision
from parleyd.hearing.canceller_watch import CancellerWatch
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.echo_control import EchoControl
from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS, Frames
from parleyd.wav import Stereo

AUDIBLE_DBFS = -60.0  # a louder loudspeaker is speaking
PAUSE_S = 0.5  # a shorter pause in a sentence still counts as speaking


@dataclass(frozen=True, slots=True)
class Replay:
    """One value for each period (10 ms) of every input of a decision."""

    seconds: NDArray[np.float64]
    microphone_dbfs: NDArray[np.float64]
    loudspeaker_dbfs: NDArray[np.float64]
    cleaned_dbfs: NDArray[np.float64]
    echo_dbfs: NDArray[np.float64]
    excess_db: NDArray[np.float64]
    threshold: NDArray[np.float64]
    near_end: NDArray[np.float64]
    speech: NDArray[np.float64]
    voice: NDArray[np.float64]
    decisions: tuple[tuple[float, BargeInDecision], ...]
    delay_ms: float | None = None
    """From loudspeaker to microphone, at the end; None if it was not found."""
    drift_ppm: float = 0.0
    half_duplex_s: float = 0.0
    """The time in which no voice could interrupt."""


COLUMNS = (
    "seconds",
    "microphone_dbfs",
    "loudspeaker_dbfs",
    "cleaned_dbfs",
    "echo_dbfs",
    "excess_db",
    "threshold",
    "near_end",
    "speech",
    "voice",
)


def replay(recording: Stereo, settings: config.HearingConfig) -> Replay:
    """Run a recording (16 kHz) through the real hearing and barge-in decision.

    Barge-in is armed while the recorded loudspeaker speaks. The recording cannot react: a
    hold in the replay does not silence the recorded loudspeaker.
    """
    hearing, barge_in = EchoControl(settings, lead_ms=0), BargeInDetector(settings)
    duplex, watch, half_periods = Duplex(), CancellerWatch(), 0
    rows: list[tuple[float, ...]] = []
    decisions: list[tuple[float, BargeInDecision]] = []
    armed, audible_at = False, float("-inf")
    periods = min(len(recording.loudspeaker), len(recording.microphone)) // MIC_PERIOD_FRAMES
    for number in range(periods):
        now = (number + 1) * PERIOD_MS / 1000
        played, mic = _period(recording.loudspeaker, number), _period(recording.microphone, number)
        if level_dbfs(played) > AUDIBLE_DBFS:
            audible_at = now
        speaking = now - audible_at < PAUSE_S or barge_in.pending
        if speaking and not armed:
            hearing.reset_detectors()
            barge_in.arm(now)
        elif armed and not speaking:
            barge_in.disarm()
        armed = speaking
        heard = hearing.process(mic, played, now)
        if speaking and not barge_in.pending:
            if heard.trusted:
                duplex.update(heard)
            if watch.due(in_doubt=hearing.delay_ms is None):
                watch.checked(hearing.own_voice(), now)
        full = duplex.full and not watch.lost
        half_periods += not full
        decision = barge_in.update(heard, now) if full or barge_in.pending else None
        if decision is not None and decision.decision is not Decision.HOLD:
            found = hearing.own_voice()
            watch.decided(decision.decision, found, now)
            if found is not None and found.uncancelled:
                decision = dataclass_replace(
                    decision, decision=Decision.RESUME, reason="its own voice"
                )
                barge_in.arm(now)
        if decision is not None:
            decisions.append((now, decision))
            if decision.decision is Decision.INTERRUPT:
                audible_at = float("-inf")  # the reply is over
        rows.append(_row(now, mic, played, heard, barge_in.threshold(now)))
    columns = np.array(rows, np.float64).reshape(periods, len(COLUMNS)).T
    return Replay(
        decisions=tuple(decisions),
        delay_ms=hearing.delay_ms,
        drift_ppm=hearing.drift_ppm,
        half_duplex_s=half_periods * PERIOD_MS / 1000,
        **dict(zip(COLUMNS, columns, strict=True)),
    )


def _period(frames: Frames, number: int) -> Frames:
    return frames[number * MIC_PERIOD_FRAMES : (number + 1) * MIC_PERIOD_FRAMES]


def _row(
    now: float, mic: Frames, played: Frames, heard: ProcessedPeriod, threshold: float
) -> tuple[float, ...]:
    return (
        now,
        level_dbfs(mic),
        level_dbfs(played),
        heard.level_dbfs,
        heard.echo_dbfs,
        heard.excess_db,
        threshold,
        heard.near_end,
        heard.speech,
        heard.voice,
    )
