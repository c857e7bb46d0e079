"""What the log is told of hearing: each decision with its reason and its numbers."""

from parleyd.boundary import Note
from parleyd.hearing.bargein import Kind, Verdict
from parleyd.hearing.duplex import Duplex

_VERDICTS = {Kind.SUSPECT: "hold", Kind.CONFIRM: "commit", Kind.REJECT: "resume"}


def of_verdict(verdict: Verdict, now: float) -> Note:
    """A suspicion or decision of the barge-in detector."""
    onset_ms = round((now - verdict.onset) * 1000)
    fields = {"reason": verdict.reason, "after_onset_ms": onset_ms, **verdict.numbers}
    return Note(_VERDICTS[verdict.kind], fields)


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
