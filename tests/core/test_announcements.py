"""Speech for other programs: outside every turn, and never with an open microphone."""

import numpy as np
import pytest

from parleyd.core.announcements import LONGEST_S, MOST_WAITING, WAITS_S
from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    CardBack,
    CardLost,
    Effect,
    InputEvent,
    ListenRequested,
    MuteSwitched,
    RequestAnswered,
    RequestRefusal,
    SpeechRequested,
    StopRequested,
)
from parleyd.core.states import Indication, State
from parleyd.units import SERVER_RATE_HZ
from tests.bare_core import BareCore, at, tone


def speech(number: int, length_ms: int = 1000) -> SpeechRequested:
    return SpeechRequested(number, np.frombuffer(tone(length_ms), np.int16))


def answers(core: BareCore) -> dict[int, RequestRefusal | None]:
    found = [effect for effect in core.effects if isinstance(effect, RequestAnswered)]
    assert len(found) == len({answer.number for answer in found}), "answered twice"
    return {answer.number: answer.refusal for answer in found}


def test_speech_is_heard_whole_and_begins_no_turn() -> None:
    core = BareCore(at("openai"))
    core.say(speech(1))
    core.run(0.5)
    assert core.shown[-1] is Indication.SPEAKING
    assert answers(core) == {}
    core.run(1.0)
    assert answers(core) == {1: None}
    assert core.heard_ms() == pytest.approx(1000, abs=10)
    assert core.shown[-1] is Indication.IDLE
    assert core.speaker.state is State.IDLE
    assert core.log_events("state") == []
    assert core.sent == core.sent[:1]  # the session's configuration, and nothing of this


def test_speech_is_played_while_muted_and_opens_nothing() -> None:
    core = BareCore(at("openai"))
    core.say(MuteSwitched(True))
    core.run(0.1)
    before = len(core.effects)
    core.say(speech(1))
    core.run(1.5)
    assert answers(core) == {1: None}
    kinds: set[type[Effect]] = {type(effect) for effect in core.effects[before:]}
    assert "OpenMicrophone" not in {kind.__name__ for kind in kinds}
    assert core.shown[-1] is Indication.MUTED


def test_speech_waits_for_the_end_of_a_conversation() -> None:
    core = BareCore(at("openai"))
    core.ask("r1")
    core.sound("r1", 2000)
    core.end("r1")
    core.until(State.SPEAKING)
    core.say(speech(1))
    core.run(1.0)
    assert answers(core) == {}
    core.until(State.IDLE)
    ended_at = core.now
    core.run(1.5)
    assert answers(core) == {1: None}
    assert core.heard_ms(since=ended_at) == pytest.approx(1000, abs=20)


def test_speeches_are_played_in_order_and_only_a_few_wait() -> None:
    core = BareCore(at("openai"))
    for number in range(MOST_WAITING + 2):
        core.say(speech(number, 200))
    core.run(0.01)
    assert answers(core) == {
        MOST_WAITING: RequestRefusal.BUSY,
        MOST_WAITING + 1: RequestRefusal.BUSY,
    }
    core.run(2.0)
    assert [number for number, refusal in answers(core).items() if refusal is None] == [0, 1, 2, 3]


@pytest.mark.parametrize("length_s", [0.0, LONGEST_S + 0.1])
def test_speech_of_an_impossible_length_is_refused(length_s: float) -> None:
    core = BareCore(at("openai"))
    core.say(SpeechRequested(1, np.zeros(round(length_s * SERVER_RATE_HZ), np.int16)))
    core.run(0.01)
    assert answers(core) == {1: RequestRefusal.VOICE}


@pytest.mark.parametrize(
    ("event", "also_waiting"),
    [
        (StopRequested(9), True),
        (ButtonPressed(), True),
        (ListenRequested(9), False),
        (AlarmDue("eggs", 1), False),
        (CardLost("gone", 0), False),
    ],
)
def test_speech_ends_at_once(event: InputEvent, also_waiting: bool) -> None:
    core = BareCore(at("openai"))
    core.say(speech(1, 3000))
    core.say(speech(2, 3000))
    core.run(1.0)
    core.say(event)
    core.run(0.01)
    found = answers(core)
    assert found[1] is RequestRefusal.STOPPED
    assert (found.get(2) is RequestRefusal.STOPPED) is also_waiting
    if isinstance(event, StopRequested | ButtonPressed):
        since = core.now + 0.02
        core.run(2.0)
        assert core.heard_ms(since=since) == 0
        assert core.speaker.state is State.IDLE


def test_speech_waits_for_the_card() -> None:
    core = BareCore(at("openai"))
    core.say(CardLost("gone", 0))
    core.say(speech(1, 300))
    core.run(2.0)
    assert answers(core) == {}
    core.say(CardBack())
    core.run(1.0)
    assert answers(core) == {1: None}


@pytest.mark.parametrize(
    ("without_card", "refusal", "reason"),
    [
        ("", RequestRefusal.EXPIRED, "Parley was busy for 300 s"),
        ("the card was lost", RequestRefusal.NO_CARD, "the card was lost"),
    ],
)
def test_speech_that_waits_too_long_is_dropped(
    without_card: str, refusal: RequestRefusal, reason: str
) -> None:
    core = BareCore(at("openai"))
    core.say(CardLost("gone", 0))
    core.say(speech(1))
    later = core.now + WAITS_S
    core.speaker._announcements.poll(later, free=False, without_card=without_card)
    core.run(0.01)
    (answer,) = (effect for effect in core.effects if isinstance(effect, RequestAnswered))
    assert (answer.refusal, answer.reason) == (refusal, reason)
