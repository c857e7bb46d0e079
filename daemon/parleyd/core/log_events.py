"""The log events of hearing: each decision and each change, with its reason and figures."""

from parleyd.core.events import LogEvent
from parleyd.hearing.barge_in import BargeInDecision
from parleyd.hearing.calibration import CalibrationResult
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.microphone_watch import MicrophoneWatch, Processing
from parleyd.hearing.own_voice import OwnVoice
from parleyd.realtime.events import Json
from parleyd.units import MIC_RATE_HZ


def of_decision(decision: BargeInDecision, now: float) -> LogEvent:
    """A decision of the barge-in detector."""
    onset_ms = round((now - decision.onset) * 1000)
    fields = {"reason": decision.reason, "after_onset_ms": onset_ms, **decision.metrics}
    return LogEvent(decision.decision.value, fields)


def of_calibrated(found: CalibrationResult) -> LogEvent:
    """The result of the calibration by the startup sound."""
    if not found.heard:
        means = (
            "the microphone does not hear the loudspeaker: see that it is on and loud enough, that "
            'audio.capture is the right microphone, or that hearing.canceller is "hardware" '
            "where the card cancels the echo"
        )
        return LogEvent("loudspeaker_not_heard", {"means": means})
    fields: Json = {"reply_dbfs": found.reply_dbfs, "delay_ms": found.delay_ms}
    if found.volume is None:
        return LogEvent("calibrated", fields)
    means = f"Parley does not hear most users over itself: set audio.volume to {found.volume}"
    return LogEvent("echo_too_loud", {**fields, "volume": found.volume, "means": means})


def of_microphone(dead: bool) -> LogEvent:
    """The microphone has stopped delivering sound, or delivers it again."""
    if not dead:
        return LogEvent("sound_again", {})
    return LogEvent(
        "no_sound",
        {
            "means": "the microphone has delivered digital silence for a minute: see that it is "
            "not muted (its own switch, or capture in alsamixer), that audio.capture is the right "
            "one (parley doctor lists them), and that an I2S microphone is on the channel that "
            "is recorded"
        },
    )


def of_processing(microphone: MicrophoneWatch, processing: Processing) -> LogEvent:
    """The microphone was found to process its sound."""
    fields: Json = {"shows": str(processing)}
    if microphone.removed_db is not None:
        fields["removed_db"] = round(microphone.removed_db, 1)
    means = (
        "the microphone or the loudspeaker changes the sound, so Parley may pause for nothing or "
        "notice users late: switch off automatic gain, noise reduction and gates (alsamixer), "
        'lower audio.volume, or set hearing.canceller = "hardware" if the microphone cancels echo'
    )
    return LogEvent("microphone_processes", {**fields, "means": means})


def of_lead(lead_ms: int) -> LogEvent:
    """Playback dropped out too often, and is written earlier from now on."""
    means = f"sound dropped out again and again; set audio.lead_ms to {lead_ms} to start so"
    return LogEvent("lead_increased", {"lead_ms": lead_ms, "means": means})


def of_duplex(duplex: Duplex) -> LogEvent:
    """Speech can no longer interrupt, because the echo is too loud."""
    return LogEvent(
        "half_duplex",
        {
            "left_dbfs": round(duplex.echo_left_dbfs),
            "means": "the echo is too loud to hear a voice over it: only wake word and button "
            "interrupt; lower audio.volume or move the microphone away from the loudspeaker",
        },
    )


def of_canceller(found: OwnVoice | None) -> LogEvent:
    """Speech can no longer interrupt, because the canceller does not cancel the echo."""
    means = (
        "Parley interrupted itself: its echo is not cancelled, because its delay is longer than "
        "2.4 s or keeps changing, or because a device changes the sound; only wake word and button "
        "interrupt; use one sound card for both directions, without a wireless loudspeaker or a "
        "sound server between"
    )
    if found is None:
        return LogEvent("half_duplex", {"means": means})
    delay_ms = found.delay * 1000 // MIC_RATE_HZ
    figures: Json = {"removed_db": round(found.removed_db, 1), "delay_ms": delay_ms}
    return LogEvent("half_duplex", {**figures, "means": means})
