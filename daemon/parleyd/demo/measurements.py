"""The figures of a scene, from the recordings and the talker's labels, not from the core."""

from dataclasses import dataclass

import numpy as np

from parleyd.demo.stage import Answer, Stage
from parleyd.errors import SceneError
from parleyd.hearing.barge_in import Decision
from parleyd.realtime import events as ev
from parleyd.simulation.played_audio import PlayedItem, heard_of
from parleyd.simulation.talker import Utterance
from parleyd.units import SERVER_RATE_HZ

TOLD_LESS_MS = 20.0  # two periods: the reported time is rounded down
FOUND_MS = 1.0  # the accuracy of the search in the recording
SLIP_FRAMES = 48  # 1 ms at 48 kHz: the accuracy of the search

SILENT_WITHIN_MS = 20.0  # from the decision to silence, see `button_to_silence`

WAKE_MS = "end of the wake word to listening"
LATENCY_MS = "end of the question to the reply"
HOLD_MS = "user's onset to silence (hold)"
INTERRUPT_MS = "user's onset to decision (interrupt)"
TOLD_MS = "reply heard, as reported to the server"
TRUE_MS = "reply heard, in the recording"
LATE_MS = "interrupted reply's sound after the hold"
COUGH_MS = "reply held for a cough"
HELD_MS = "reply held for a broken-off word"
SLIP = "sound lost or repeated by a hold"
BUTTON_MS = "button to silence"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `must` is its required value, if any."""

    name: str
    value: float
    unit: str
    must: str = ""


def latency(stage: Stage, question: Utterance, answer: Answer) -> Figure:
    """Measure from the end of the talker's label to the first sound in the recording."""
    heard = _heard(stage, answer, _first(answer), from_s=question.end_s)
    if not heard.stretches:
        raise SceneError("the reply is not in the recording of the loudspeaker")
    rate_hz = stage.simulated.recording.loudspeaker_rate_hz
    first_s = heard.stretches[0].recorded_frame / rate_hz
    return Figure(LATENCY_MS, round((first_s - question.end_s) * 1000), "ms")


def reaction(name: str, onset_s: float, at_s: float) -> Figure:
    return Figure(name, round((at_s - onset_s) * 1000), "ms")


def held_for(name: str, stage: Stage, since_s: float) -> Figure:
    """Return the total time for which the reply was held since `since_s`."""
    simulated = stage.simulated
    holds = [m.at for m in simulated.log_events(Decision.HOLD) if m.at >= since_s]
    resumes = [m.at for m in simulated.log_events(Decision.RESUME) if m.at >= since_s]
    return Figure(name, round((sum(resumes) - sum(holds)) * 1000), "ms")


def reports_are_true(stage: Stage, answer: Answer) -> list[Figure]:
    """Compare the heard time reported to the server with the recording, for an interrupted reply.

    Raises `SceneError` if the report exceeds the recording, or is over `TOLD_LESS_MS` less.
    """
    truncates = [m.what for m in stage.simulated.sent(ev.TruncateItem)]
    told = {t.item_id: t.audio_end_ms for t in truncates if isinstance(t, ev.TruncateItem)}
    told_ms, least_ms, most_ms = 0.0, 0.0, 0.0
    for item_id in answer.sounds:
        heard = _heard(stage, answer, item_id, from_s=answer.began_s)
        told_ms += told.get(item_id, 0)
        least_ms += heard.least_ms
        most_ms += heard.most_ms
    text = (
        f"{told_ms:.0f} ms were reported to the server, "
        f"but {least_ms:.0f} to {most_ms:.0f} ms were heard"
    )
    if not least_ms - TOLD_LESS_MS <= told_ms <= most_ms + FOUND_MS:
        raise SceneError(text)
    true_ms = min(max(told_ms, least_ms), most_ms)  # silence at the end cannot be recognised
    must = f"next row, minus 0..{TOLD_LESS_MS:.0f} ms"
    return [
        Figure(TOLD_MS, round(told_ms), "ms", must),
        Figure(TRUE_MS, round(true_ms), "ms", "(exact to 1 ms)"),
    ]


def late_audio(stage: Stage, new: Answer, *, since_s: float) -> Figure:
    """Measure the sound from second `since_s` on that is not part of the new reply.

    Raises `SceneError` if there is any. Call this after the end of the new reply.
    """
    recording = stage.simulated.recording
    rate_hz = recording.loudspeaker_rate_hz
    rest = recording.loudspeaker[round(since_s * rate_hz) :].copy()
    for item_id in new.sounds:
        heard = _heard(stage, new, item_id, from_s=since_s)
        if not heard.stretches or _worst(heard) > SLIP_FRAMES:
            raise SceneError("the new reply was not heard in one piece")
        first, last = heard.stretches[0], heard.stretches[-1]
        length = len(new.frames(item_id)) * rate_hz // SERVER_RATE_HZ
        begin = first.recorded_frame - first.item_frame - round(since_s * rate_hz)
        end = last.recorded_frame - last.item_frame + length - round(since_s * rate_hz)
        rest[max(0, begin - SLIP_FRAMES) : end + SLIP_FRAMES] = 0
    late_ms = np.count_nonzero(rest) * 1000 / rate_hz
    if late_ms:
        raise SceneError(f"{late_ms:.1f} ms of other sound were played after the interruption")
    return Figure(LATE_MS, 0, "ms", "0")


def slips(stage: Stage, answer: Answer) -> Figure:
    """Return the frames lost or repeated in a reply that was held and resumed.

    Raises `SceneError` if there are more than `SLIP_FRAMES`.
    """
    found = [_heard(stage, answer, item_id, from_s=answer.began_s) for item_id in answer.sounds]
    worst = max((_worst(heard) for heard in found), default=0)
    if worst > SLIP_FRAMES:
        raise SceneError(f"{worst} frames were lost or repeated where the reply resumed")
    return Figure(SLIP, worst, "frames", "0 (exact to 1 ms)")


def button_to_silence(stage: Stage, pressed_s: float) -> Figure:
    """Measure until the recording's last sound; raises `SceneError` over `SILENT_WITHIN_MS`."""
    recording = stage.simulated.recording
    rate_hz = recording.loudspeaker_rate_hz
    after = np.flatnonzero(recording.loudspeaker[round(pressed_s * rate_hz) :])
    silent_ms = round((int(after[-1]) + 1) * 1000 / rate_hz, 1) if len(after) else 0.0
    if silent_ms > SILENT_WITHIN_MS:
        raise SceneError(f"the loudspeaker was not silent until {silent_ms} ms after the button")
    return Figure(BUTTON_MS, silent_ms, "ms", f"at most {SILENT_WITHIN_MS:.0f}")


def played_anything(stage: Stage, from_s: float, to_s: float) -> bool:
    """Return whether the loudspeaker played any sound between these seconds."""
    recording = stage.simulated.recording
    rate_hz = recording.loudspeaker_rate_hz
    return bool(np.any(recording.loudspeaker[round(from_s * rate_hz) : round(to_s * rate_hz)]))


def _worst(heard: PlayedItem) -> int:
    return max(map(abs, heard.slips_frames), default=0)


def _first(answer: Answer) -> str:
    return next(iter(answer.sounds))


def _heard(stage: Stage, answer: Answer, item_id: str, *, from_s: float) -> PlayedItem:
    recording = stage.simulated.recording
    return heard_of(
        answer.frames(item_id),
        recording.loudspeaker,
        recording.loudspeaker_rate_hz,
        from_s=from_s,
    )
