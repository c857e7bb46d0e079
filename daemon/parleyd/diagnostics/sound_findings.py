"""The words and remedies of `parley doctor` for a loudspeaker and a microphone that were tried."""

from parleyd import config
from parleyd.diagnostics import mixer_checks
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.mixer_checks import LOUD_PERCENT, CardControl
from parleyd.diagnostics.sound_judgement import Flaw, Judgement
from parleyd.diagnostics.sound_trial import Recorded

LOWER_BY, LOWEST_PERCENT = 25, 10
PROCESSES = (
    "switch off its gate and noise reduction: "
    "see microphone_processes in daemon/docs/troubleshooting.md"
)


def loudspeaker(got: Recorded, found: Judgement, audio: config.AudioConfig) -> Finding:
    """The loudspeaker's line after a tone was played."""
    name = f'"{audio.playback}"'
    silenced = [control for control in mixer_checks.playback(audio.playback) if control.silent]
    if got.heard:
        text = f"{name} plays {audio.playback_rate_hz} Hz, and the microphone hears a tone"
        return Finding("loudspeaker", Severity.OK, f"{text} ({got.echo_dbfs:.0f} dBFS)")
    if silenced:
        text = f"{name} is not heard: {silenced[0].state}"
        return Finding("loudspeaker", Severity.FAIL, text, _on(silenced, "unmute"))
    if found.flaw in (Flaw.DEAD, Flaw.QUIET):
        return unheard(audio, "the microphone hears nothing")
    text = f"{name} opens, but the microphone does not hear a tone from it"
    remedy = (
        "turn on and up the loudspeaker, check its plug, or choose another as audio.playback: "
        "aplay -L"
    )
    return Finding("loudspeaker", Severity.FAIL, text, remedy)


def unheard(audio: config.AudioConfig, reason: str) -> Finding:
    """The loudspeaker opens, and no microphone can listen to it."""
    silenced = [control for control in mixer_checks.playback(audio.playback) if control.silent]
    if silenced:
        text = f'"{audio.playback}" is silent: {silenced[0].state}'
        return Finding("loudspeaker", Severity.FAIL, text, _on(silenced, "unmute"))
    text = f'"{audio.playback}" plays {audio.playback_rate_hz} Hz; no tone was tried: {reason}'
    return Finding("loudspeaker", Severity.OK, text)


def microphone(found: Judgement, audio: config.AudioConfig) -> Finding:
    """The microphone's line after a recording."""
    name = f'"{audio.capture}"'
    controls = mixer_checks.capture(audio.capture)
    silenced = [control for control in controls if control.silent]
    level = f"{found.level_dbfs:.0f} dBFS"
    match found.flaw:
        case Flaw.DEAD | Flaw.QUIET if silenced:
            text = f"{name} records silence: {silenced[0].state}"
            return Finding("microphone", Severity.FAIL, text, _on(silenced, "cap"))
        case Flaw.DEAD:
            text = f"{name} delivers digital silence: the same number all the time"
            remedy = (
                "switch the microphone on, check its plug, or choose another as audio.capture: "
                "arecord -L"
            )
            return Finding("microphone", Severity.FAIL, text, remedy)
        case Flaw.QUIET:
            text = f"{name} is nearly silent ({level}): no voice will be heard"
            remedy = _to(controls, LOUD_PERCENT) or "choose another device as audio.capture"
            return Finding("microphone", Severity.WARN, text, remedy)
        case Flaw.GATE:
            text = f"{name} has a gate: it delivers exact zeros between sounds"
            return Finding("microphone", Severity.WARN, text, PROCESSES)
        case Flaw.CLIPS:
            text = f"{name} clips ({100 * found.clipped:.1f} % of its frames): its gain is too high"
            return Finding("microphone", Severity.WARN, text, _lower(controls))
        case Flaw.OFFSET:
            text = f"{name} has an offset of {100 * found.offset:.0f} % of full scale"
            remedy = "use another sound card or microphone, if Parley hears badly"
            return Finding("microphone", Severity.WARN, text, remedy)
        case Flaw.LOUD:
            text = f"{name} is loud ({level}) although it should be quiet"
            return Finding("microphone", Severity.WARN, text, _lower(controls))
    text = f"{name} records 16000 Hz; the room has {level}"
    return Finding("microphone", Severity.OK, text)


def no_audio(audio: config.AudioConfig) -> Finding:
    """The line of a microphone that opens and delivers nothing."""
    return Finding(
        "microphone",
        Severity.FAIL,
        f'"{audio.capture}" opens but delivers no audio',
        "replug the card, or choose another as audio.capture",
    )


def _on(controls: list[CardControl], switch: str) -> str:
    return " && ".join(control.set(control.percent or LOUD_PERCENT, switch) for control in controls)


def _to(controls: list[CardControl], percent: int) -> str:
    turned = [control for control in controls if control.percent is not None]
    return " && ".join(control.set(percent, "cap") for control in turned)


def _lower(controls: list[CardControl]) -> str:
    """Lower each gain, from where it is."""
    turned = [control for control in controls if control.percent is not None]
    commands = [
        control.set(max(LOWEST_PERCENT, (control.percent or 0) - LOWER_BY), "cap")
        for control in turned
    ]
    return " && ".join(commands) or "move away from noise, or lower the microphone's own gain"
