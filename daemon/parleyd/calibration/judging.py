"""All verdicts on a calibration, and the values that follow from them. Pure."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from parleyd.calibration.echo_verdicts import (
    distorted,
    dropout_verdict,
    echo_verdicts,
    heard,
    not_heard_verdict,
)
from parleyd.calibration.figures import Calibrated
from parleyd.calibration.interrupting import reliable
from parleyd.calibration.microphone_verdicts import (
    UNSTEADY_DB,
    dead,
    microphone_verdicts,
    room_verdicts,
)
from parleyd.calibration.steadiness import unsteady, unsteady_verdict, without_broken
from parleyd.calibration.user_verdicts import better_volume, interrupting_verdict, user_verdicts
from parleyd.calibration.verdict import Grade, Installation, KeyChange, Verdict
from parleyd.wake.micro import sensitivity_for

_ORDER = (Grade.WRONG, Grade.BETTER, Grade.GOOD)
_LONGER_LEAD_MS, _MOST_LEAD_MS = 20, 200
_MOST_SENSITIVITY = 0.9
_FAINTEST = 0.2  # a lower score may be of any sound
_BELOW = 0.9  # of the lowest score of a word


def judge(measured: Calibrated, installation: Installation) -> list[Verdict]:
    """Return the verdicts: how well interrupting works, then the rest with the worst first."""
    first: list[Verdict] = []
    rest: list[Verdict] = []
    if unsteady(measured.sweeps):
        rest.append(unsteady_verdict(measured.sweeps))
        measured = _steady(measured)
    rest += microphone_verdicts(measured, installation)
    if heard(measured):
        first.append(interrupting_verdict(measured, installation))
        rest += echo_verdicts(measured, installation)
    elif not dead(measured):
        rest.append(not_heard_verdict(measured, installation))
    if not dead(measured):
        rest += [*room_verdicts(measured), *user_verdicts(measured, installation)]
    return [*first, *sorted(rest, key=lambda verdict: _ORDER.index(verdict.grade))]


def changes(measured: Calibrated, installation: Installation) -> list[KeyChange]:
    """Return the values that would suit this room better; only those that differ."""
    measured = _steady(measured)
    return [
        change
        for change in (*_volume(measured, installation), *_others(measured, installation))
        if change.value != change.now
    ]


def _steady(measured: Calibrated) -> Calibrated:
    if not unsteady(measured.sweeps):
        return measured
    return replace(measured, sweeps=without_broken(measured.sweeps))


def _volume(measured: Calibrated, installation: Installation) -> Iterator[KeyChange]:
    if not heard(measured):
        return
    because, wanted = "", installation.volume
    if lower := better_volume(measured, installation):
        because, wanted = "echo_too_loud", lower
    sweeps = reliable(measured.sweeps.sweeps)
    lowest_bad = min((sweep.volume for sweep in distorted(sweeps)), default=101)
    clean = [sweep.volume for sweep in sweeps if sweep.volume < lowest_bad]
    if clean and wanted >= lowest_bad:
        because, wanted = "loudspeaker_distorts", max(clean)
    if because:
        yield _change("audio.volume", installation.configured_volume, wanted, because)


def _others(measured: Calibrated, installation: Installation) -> Iterator[KeyChange]:
    if measured.sweeps.xruns and dropout_verdict(measured).grade is Grade.WRONG:
        lead_ms = min(installation.lead_ms + _LONGER_LEAD_MS, _MOST_LEAD_MS)
        yield _change("audio.lead_ms", installation.lead_ms, lead_ms, "dropouts")
    sensitivity = _sensitivity(measured, installation)
    if sensitivity is not None and sensitivity > installation.sensitivity:
        yield _change("wake.sensitivity", installation.sensitivity, sensitivity, "wake_word_missed")


def _sensitivity(measured: Calibrated, installation: Installation) -> float | None:
    """The sensitivity that would have found the words that were nearly found; None without any."""
    said = [word for word in measured.words if word.level_dbfs > -100]
    scores: Sequence[float] = [word.score for word in said if word.score is not None]
    unsteady = measured.silence.unsteady_db > UNSTEADY_DB
    all_found = all(word.found for word in said)
    if installation.middle_cutoff is None or not scores or all_found or unsteady:
        return None
    near = [score for score in scores if score >= _FAINTEST]
    if not near:
        return None
    wanted = sensitivity_for(min(near) * _BELOW, installation.middle_cutoff)
    return round(min(wanted, _MOST_SENSITIVITY), 2)


def _change(key: str, now: float, value: float, because: str) -> KeyChange:
    return KeyChange(key=key, now=now, value=value, because=because)
