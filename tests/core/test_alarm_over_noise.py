"""A ringing alarm is heard again within seconds, whatever goes on beside it."""

from collections.abc import Callable

import pytest

from parleyd.core.events import (
    AlarmCommandRecognized,
    AlarmDismissed,
    AlarmDue,
    RecognizeAlarmCommand,
)
from tests.bare_core import BareCore, at

RINGS_WITHIN_S = 8.0
FOR_S = 30.0  # uses up the silence that is allowed twice
STEP_S = 0.05


def gone_on(
    sound: Callable[[float], tuple[bool, bool]], answer_s: float | None
) -> tuple[BareCore, list[float]]:
    """An alarm beside a sound, by time (voice, other near end); for how long each silence was.

    `answer_s`: after how long the recogniser answers that the words are no stop command; None:
    never.
    """
    core = BareCore(at("openai"))
    core.say(AlarmDue("eggs", 1))
    began, silent_since, silences = core.now, core.now, []
    answered, due = 0, list[float]()
    while core.now < began + FOR_S:
        core.hearsay.speaks, core.hearsay.coughs = sound(core.now - began)
        core.run(STEP_S)
        asked = len(core.effects_of(RecognizeAlarmCommand))
        if answer_s is not None:
            due += [core.now + answer_s] * (asked - answered)
        answered = asked
        while due and core.now >= due[0]:
            due.pop(0)
            core.say(AlarmCommandRecognized(False))
        if core.heard_ms(core.now - STEP_S):
            silences.append(core.now - silent_since)
            silent_since = core.now
    return core, [*silences, core.now - silent_since]


TALK, NOISE = (True, False), (False, True)


@pytest.mark.parametrize(
    ("sound", "answer_s"),
    [
        (lambda t: TALK, 0.5),
        (lambda t: TALK, None),
        (lambda t: NOISE, None),
        (lambda t: (t % 2.2 < 1.5, False), 2.0),
        (lambda t: (t % 1.0 < 0.3, False), 0.5),
        (lambda t: (t % 1.0 < 0.3, False), None),
        (lambda t: (False, t % 2.5 < 2.0), 0.5),
        (lambda t: (False, t > 5.0), 0.5),
    ],
    ids=[
        "talk", "talk, and no recogniser", "noise", "television, and a slow recogniser",
        "short words", "short words, and no recogniser", "snoring", "a shower begins",
    ],
)  # fmt: skip
def test_alarm_is_not_silenced_for_long(
    sound: Callable[[float], tuple[bool, bool]], answer_s: float | None
) -> None:
    core, silences = gone_on(sound, answer_s)
    assert max(silences) < RINGS_WITHIN_S
    assert core.effects_of(AlarmDismissed) == []


def test_words_over_the_ringing_still_stop_it() -> None:
    """After so much talk that nothing holds the ringing, the words are recognised all the same."""
    core, _ = gone_on(lambda t: TALK, 0.5)
    core.hearsay.speaks = False
    core.run(4.0)  # its last words are judged, or given up
    core.say(AlarmCommandRecognized(False))
    core.run(0.1)
    before = len(core.effects_of(RecognizeAlarmCommand))
    core.talks(0.5)
    core.wait(lambda: len(core.effects_of(RecognizeAlarmCommand)) > before, within_s=4)
    core.say(AlarmCommandRecognized(True))
    core.run(0.05)
    assert core.effects_of(AlarmDismissed) == [AlarmDismissed((1,))]
