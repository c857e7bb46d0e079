"""Verdicts on the microphone and on the room without Parley's sound. Pure."""

from collections.abc import Iterator

from parleyd.calibration.figures import Calibrated
from parleyd.calibration.interrupting import reliable
from parleyd.calibration.steadiness import CLIPPED
from parleyd.calibration.verdict import Grade, Installation, Verdict

_DEAD_SHARE = 0.99  # of blocks with a single number
_GATED_SHARE = 0.3
_GATE_DBFS = -84.0  # two steps of 16 bits: the least level of an open gate
_FAINT_DBFS = -82.0  # noise under this: the gain wastes bits that a far voice needs
_DC = 0.02
_HUM_DBFS = -65.0
_HUM_BELOW_NOISE_DB = 6.0
UNSTEADY_DB = 8.0  # noise that is steady varies by 1 dB
_FALLS_DB = 5.0  # the noise after a loud sweep, where gain control is at work
_DIFFERS_DB = 2.0  # two sweeps at one volume


def dead(measured: Calibrated) -> bool:
    """Whether the microphone delivers one number forever, also while the loudspeaker plays."""
    return (
        measured.silence.microphone.zero_share > _DEAD_SHARE
        and measured.sweeps.microphone.zero_share > _DEAD_SHARE
    )


def microphone_verdicts(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    """Yield the flaws of the microphone."""
    if dead(measured):
        yield Verdict(
            name="microphone_dead",
            grade=Grade.WRONG,
            text="The microphone delivers no sound at all, not even noise.",
            remedy="choose another audio.capture (`arecord -L` lists them), or switch it on: "
            + installation.gain_command("cap"),
        )
        return
    yield from _gate(measured, installation)
    yield from _level_control(measured, installation)
    yield from _clipping(measured, installation)
    yield from _faint(measured, installation)
    if abs(dc := measured.silence.microphone.dc) > _DC:
        yield Verdict(
            name="dc_offset",
            grade=Grade.BETTER,
            text=f"The microphone's zero is off by {abs(dc):.0%} of its range.",
            remedy="it works, but clips sooner: another microphone or card has less",
        )


def _gate(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    silence, sweeps = measured.silence.microphone, measured.sweeps.microphone
    share = max(silence.zero_share, sweeps.zero_share)
    floors = [each.open_floor_dbfs for each in (silence, sweeps) if each.zero_share < _DEAD_SHARE]
    if share > _GATED_SHARE and floors and min(floors) > _GATE_DBFS:
        yield Verdict(
            name="microphone_gated",
            grade=Grade.WRONG,
            text="The microphone switches itself off when it is quiet, so the beginnings of words "
            "are lost and echo cancelling starts again each time.",
            remedy="turn its noise gate or noise reduction off: "
            + installation.switch_command("noise", "gate", "dsp", "auto gain", "agc"),
        )


def changes_gain(measured: Calibrated) -> float:
    """By how many dB the microphone changes its gain after a loud sound; 0.0 if it does not."""
    sweeps = reliable(measured.sweeps.sweeps)
    if not sweeps:
        return 0.0
    by_volume: dict[int, list[float]] = {}
    for sweep in sweeps:
        by_volume.setdefault(sweep.volume, []).append(sweep.reply_dbfs)
    apart = max(max(levels) - min(levels) for levels in by_volume.values())
    loudest = max(sweeps, key=lambda sweep: sweep.reply_dbfs)
    falls = measured.silence.noise_dbfs - loudest.noise_after_dbfs
    steady = measured.silence.unsteady_db < UNSTEADY_DB
    gated = measured.sweeps.microphone.zero_share > _GATED_SHARE
    changes = apart > _DIFFERS_DB or (falls > _FALLS_DB and steady and not gated)
    return max(apart, falls) if changes else 0.0


def _level_control(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    if changed_db := changes_gain(measured):
        yield Verdict(
            name="level_control",
            grade=Grade.WRONG,
            text="The microphone changes its own gain: the same sound came back "
            f"{changed_db:.0f} dB softer after a loud one.",
            remedy="turn its automatic gain off: "
            + installation.switch_command("auto gain", "agc", "alc"),
        )


def _clipping(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    clipped = [s.volume for s in measured.sweeps.sweeps if s.clipped_runs >= CLIPPED]
    if measured.silence.microphone.clipped_runs >= CLIPPED:
        when = "even without Parley's sound"
    elif clipped:
        when = f"at volume {min(clipped)}"
    else:
        return
    yield Verdict(
        name="microphone_clips",
        grade=Grade.WRONG,
        text=f"The microphone is overdriven {when}: no software repairs a wave that is cut off.",
        remedy="lower its gain, or move it away from the loudspeaker: "
        + installation.gain_command("capture 6dB-"),
    )


def _faint(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    words = [word.level_dbfs for word in measured.words]
    faint_words = not words or max(words) < -50.0
    gated = any(verdict.name for verdict in _gate(measured, installation))
    if measured.silence.noise_dbfs < _FAINT_DBFS and faint_words and not gated:
        yield Verdict(
            name="microphone_too_quiet",
            grade=Grade.BETTER,
            text="The microphone is very quiet: its noise is smaller than one step of its 16 bits.",
            remedy="raise its gain: " + installation.gain_command("capture 12dB+"),
        )


def room_verdicts(measured: Calibrated) -> Iterator[Verdict]:
    """Yield the flaws of the room while Parley is silent."""
    silence = measured.silence
    rest = silence.noise_dbfs - _HUM_BELOW_NOISE_DB
    if silence.hum_hz and silence.hum_dbfs > max(_HUM_DBFS, rest):
        yield Verdict(
            name="hum",
            grade=Grade.BETTER,
            text=f"The mains ({silence.hum_hz} Hz) hum in the microphone.",
            remedy="try another power supply or USB socket, a powered USB hub, or a shorter cable "
            "away from transformers; if the hum stops when the audio cable is unplugged, it is a "
            "ground loop. A fan can sound alike",
        )
    if silence.unsteady_db > UNSTEADY_DB:
        yield Verdict(
            name="room_not_quiet",
            grade=Grade.BETTER,
            text="The room was not quiet: its sound rose and fell by "
            f"{silence.unsteady_db:.0f} dB, like voices or music.",
            remedy="switch television and music off and calibrate again: these figures are rough",
        )
