"""Verdicts on the user: their level, the wake word, and how well they can interrupt. Pure."""

from collections.abc import Iterator, Sequence
from statistics import median

from parleyd.calibration.echo_verdicts import distorted
from parleyd.calibration.figures import Calibrated, WordFigures
from parleyd.calibration.interrupting import FAIR_DB, GOOD_DB, USER_DBFS, EchoLevels, chance
from parleyd.calibration.microphone_verdicts import changes_gain
from parleyd.calibration.steadiness import CLIPPED
from parleyd.calibration.verdict import Grade, Installation, Verdict

_SAID_DBFS = -100.0
_SOFT_DBFS = -55.0
_CLEAR_DB, _AMPLE_DB = 12.0, 20.0  # over the noise: the bench has users from 10 dB on
_CLEARLY = 0.25  # of the way from the cutoff to 1
_USEFUL = 20  # percent: softer is of no use


def user_dbfs(words: Sequence[WordFigures]) -> float | None:
    """The usual level of the user; None if nothing was said."""
    levels = [word.level_dbfs for word in words if word.level_dbfs > _SAID_DBFS]
    return median(levels) if levels else None


def better_volume(measured: Calibrated, installation: Installation) -> int | None:
    """A lower volume at which interrupting works well; 0 if there is none, None if it is well."""
    levels, user = EchoLevels(measured.sweeps.sweeps), user_dbfs(measured.words) or USER_DBFS
    if levels.at(installation.volume) - user <= GOOD_DB:
        return None
    lower = levels.loudest_below(user + GOOD_DB, installation.volume)
    return lower if lower >= _USEFUL else 0


def interrupting_verdict(measured: Calibrated, installation: Installation) -> Verdict:
    """How well interrupting works at the present volume; the echo must be heard."""
    levels, user = EchoLevels(measured.sweeps.sweeps), user_dbfs(measured.words)
    volume = installation.volume
    over_db = levels.at(volume) - (USER_DBFS if user is None else user)
    whose = "a voice from two metres" if user is None else "your voice"
    side = "under" if over_db >= 0 else "over"
    begin = f"At volume {volume} {whose} is {abs(over_db):.0f} dB {side} the echo"
    works = chance(over_db).words
    lower = better_volume(measured, installation)
    if lower is None:
        doubt = _doubt(measured, volume)
        grade = Grade.BETTER if doubt else Grade.GOOD
        return Verdict(name="interrupting", grade=grade, text=f"{begin}: {works}{doubt}.")
    away = "move the microphone away from the loudspeaker, or come nearer"
    better = f"volume {lower} is better, or {away}" if lower else f"no useful volume helps: {away}"
    return Verdict(
        name="echo_too_loud",
        grade=Grade.WRONG if over_db > FAIR_DB else Grade.BETTER,
        text=f"{begin}: {works}.",
        remedy=better,
    )


def _narrow(word: WordFigures) -> bool:
    if word.score is None or word.cutoff is None:
        return False
    return word.score < word.cutoff + _CLEARLY * (1 - word.cutoff)


def _doubt(measured: Calibrated, volume: int) -> str:
    """Why interrupting may work less well than the levels say, or ""."""
    sweeps = [sweep for sweep in measured.sweeps.sweeps if sweep.volume <= volume]
    if changes_gain(measured):
        return ", if the levels are right: the microphone's own gain hides them"
    if any(sweep.clipped_runs >= CLIPPED for sweep in sweeps):
        return ", if the overdriven microphone hides no more of the echo"
    if distorted(sweeps):
        return ", but for the distortion of the loudspeaker"
    return ""


def user_verdicts(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    """Yield the flaws of the user's level and with the wake word."""
    words = measured.words
    if not words:
        return
    user = user_dbfs(words)
    if user is None:
        yield Verdict(
            name="user_too_soft",
            grade=Grade.WRONG,
            text=f'The microphone heard no voice in {len(words)} tries of "{installation.word}".',
            remedy="speak louder or come nearer; if that does not help, raise the gain of the "
            "microphone: " + installation.gain_command("capture 6dB+"),
        )
        return
    over_noise = user - median(word.noise_dbfs for word in words)
    if over_noise < (_AMPLE_DB if user < _SOFT_DBFS else _CLEAR_DB):
        yield Verdict(
            name="user_too_soft",
            grade=Grade.WRONG,
            text=f"Your voice is only {over_noise:.0f} dB over the noise of room and microphone.",
            remedy="put Parley nearer to your usual place, away from fans and refrigerators; a "
            "better microphone has less noise",
        )
    missed = sum(not word.found for word in words)
    if missed:
        said = len(words)
        yield Verdict(
            name="wake_word_missed",
            grade=Grade.WRONG if missed * 2 > said else Grade.BETTER,
            text=f'"{installation.word}" was found in {said - missed} of {said} tries.',
            remedy="a higher wake.sensitivity finds more, also where it was not said "
            "(`parley wake test` measures both); or choose another word of wake.keywords",
        )
    else:
        narrowly = any(_narrow(word) for word in words)
        how = ", but not always clearly: the room or the distance is at the limit" * narrowly
        text = f'"{installation.word}" was found in all {len(words)} tries{how}.'
        yield Verdict(name="wake_word", grade=Grade.GOOD, text=text)
