"""What the log is told of hearing: each decision with its reason and its numbers."""

from parleyd.boundary import Note
from parleyd.hearing.bargein import Kind, Verdict
from parleyd.hearing.calibration import Calibrated
from parleyd.hearing.duplex import Duplex
from parleyd.realtime.events import Json

_VERDICTS = {Kind.SUSPECT: "hold", Kind.CONFIRM: "commit", Kind.REJECT: "resume"}


def of_verdict(verdict: Verdict, now: float) -> Note:
    """A suspicion or decision of the barge-in detector."""
    onset_ms = round((now - verdict.onset) * 1000)
    fields = {"reason": verdict.reason, "after_onset_ms": onset_ms, **verdict.numbers}
    return Note(_VERDICTS[verdict.kind], fields)


def of_calibrated(found: Calibrated) -> Note:
    """What the sound at the start has told."""
    if not found.heard:
        means = (
            "the microphone does not hear the loudspeaker: see that it is on and loud enough, that "
            'audio.capture is the right microphone, or that hearing.canceller is "hardware" '
            "where the card cancels the echo"
        )
        return Note("not_heard", {"means": means})
    fields: Json = {"reply_dbfs": found.reply_dbfs, "delay_ms": found.delay_ms}
    if found.volume is None:
        return Note("calibrated", fields)
    means = f"Parley does not hear most users over itself: set audio.volume to {found.volume}"
    return Note("too_loud", {**fields, "volume": found.volume, "means": means})


def of_lead(lead_ms: int) -> Note:
    """Sound dropped out too often, and is written earlier from now on."""
    means = f"sound dropped out again and again; set audio.lead_ms to {lead_ms} to start so"
    return Note("longer_lead", {"lead_ms": lead_ms, "means": means})


def of_duplex(duplex: Duplex) -> Note:
    """A change of whether a voice can interrupt at all."""
    if duplex.full:
        return Note("full_duplex", {"means": "a voice interrupts again"})
    return Note(
        "half_duplex",
        {
            "left_dbfs": round(duplex.echo_left_dbfs),
            "means": "the echo is too loud to hear a voice over it: only wake word and button "
            "interrupt; lower audio.volume or move the microphone away from the loudspeaker",
        },
    )
