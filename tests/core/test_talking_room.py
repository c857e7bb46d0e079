"""After two interruptions for nothing, no voice interrupts for the rest of the conversation."""

import msgspec
import pytest

from parleyd.core.states import State
from parleyd.core.talking_room import MEANS, TalkingRoom
from parleyd.realtime import events as ev
from tests.bare_core import BareCore, at


def interruptions(*times: float, words: frozenset[float] = frozenset()) -> TalkingRoom:
    """Return the room after interruptions at these times; those in `words` brought words."""
    room = TalkingRoom()
    for now in times:
        room.turn_begins(now, interrupts=True)
        room.turn_ended()
        if now not in words:
            room.in_vain()
    return room


def test_talking_room_two_in_vain_within_half_a_minute() -> None:
    assert interruptions(10.0).over == ""
    assert interruptions(10.0, 39.0).over == MEANS


def test_talking_room_two_far_apart_change_nothing() -> None:
    assert interruptions(10.0, 41.0, 72.0).over == ""


def test_talking_room_words_between_do_not_excuse() -> None:
    assert interruptions(10.0, 15.0, words=frozenset({15.0})).over == ""
    assert interruptions(10.0, 15.0, 20.0, words=frozenset({15.0})).over == MEANS


def test_talking_room_counts_a_turn_once() -> None:
    room = interruptions(10.0)
    assert not room.in_vain()
    assert room.over == ""


def test_talking_room_called_turns_do_not_count() -> None:
    room = interruptions(10.0)
    room.turn_begins(12.0, interrupts=False)
    room.turn_ended()
    assert not room.in_vain()
    assert room.over == ""


def test_talking_room_late_news_are_about_the_turn_before() -> None:
    room = interruptions(10.0, 15.0, words=frozenset({10.0, 15.0}))
    room.turn_begins(18.0, interrupts=True)
    room.in_vain()  # the turn of 15.0
    room.turn_ended()
    assert room.over == ""
    room.in_vain()
    assert room.over == MEANS


@pytest.mark.parametrize(("heard_s", "talks"), [(0.5, True), (1.5, False)])
def test_talking_room_a_voice_that_never_waits_for_answers(heard_s: float, talks: bool) -> None:
    room = TalkingRoom()
    now = 10.0
    for _ in range(3):  # the third shows that the second was for nothing
        found = room.turn_begins(now, interrupts=True)
        room.turn_ended()
        room.reply_begins(now + 3.0)
        now += 3.0 + heard_s
    assert found is talks
    assert bool(room.over) is talks


def test_talking_room_a_user_may_correct_a_question_at_once() -> None:
    room = TalkingRoom()
    for now, interrupts in ((10.0, False), (14.0, True), (18.0, True)):
        room.turn_begins(now, interrupts=interrupts)
        room.turn_ended()
        room.reply_begins(now + 3.5)
    assert room.over == ""


def test_talking_room_a_turn_that_continues_counts_once() -> None:
    room = interruptions(10.0)
    room.turn_ended()
    assert not room.in_vain()
    assert room.over == ""


def test_talking_room_ends_with_the_conversation() -> None:
    room = interruptions(10.0, 15.0)
    room.rest()
    assert room.over == ""


def speaking(core: BareCore, name: str, seconds: float = 1.2) -> None:
    """Begin the answer that was asked for last, and play some of it."""
    core.begin(name)
    core.sound(name, 20_000, item=f"i-{name}")
    core.until(State.SPEAKING)
    core.run(seconds)


UNINTELLIGIBLE = ev.InputTranscriptFailed(
    item_id="", error=ev.TranscriptionFailure(code="audio_unintelligible")
)
NO_MODEL = ev.InputTranscriptFailed(
    item_id="", error=ev.TranscriptionFailure(code="model_not_found")
)


def words(transcript: str) -> ev.InputTranscript:
    """Return the server's words for the newest turn."""
    return ev.InputTranscript(item_id="", transcript=transcript)


def until_asked(core: BareCore, times: int) -> None:
    """Wait until so many answers were requested."""
    core.wait(lambda: len(core.events(ev.CreateResponse)) >= times)


def interrupted(core: BareCore, number: int, news: ev.ServerEvent, seconds: float = 1.2) -> None:
    """Let a voice interrupt; the server reports this about its turn."""
    asked = len(core.events(ev.CreateResponse))
    core.talks(1.0)
    core.wait(lambda: len(core.log_events("interrupted")) == number)
    core.end(f"r{number - 1}", status="cancelled")
    core.wait(lambda: len(core.events(ev.CommitAudio)) > number)
    item = f"u{number}"
    core.say(ev.AudioCommitted(item_id=item))
    until_asked(core, asked + 1)
    core.say(msgspec.structs.replace(news, item_id=item))
    speaking(core, f"r{number}", seconds)


@pytest.mark.parametrize("news", [words(""), words(" [Music]"), UNINTELLIGIBLE])
def test_turns_without_words_leave_only_wake_word_and_button(news: ev.ServerEvent) -> None:
    core = BareCore(at("openai"))
    core.ask()
    speaking(core, "r0")
    interrupted(core, 1, news)
    assert core.log_events("room_talks") == []
    interrupted(core, 2, news)
    assert [event.fields["means"] for event in core.log_events("room_talks")] == [MEANS]
    assert core.detail == MEANS
    holds = len(core.log_events("hold"))
    core.talks(2.0)
    assert core.speaker.state is State.SPEAKING
    assert len(core.log_events("hold")) == holds


@pytest.mark.parametrize("news", [words("and tomorrow?"), NO_MODEL])
def test_turns_with_words_keep_the_voice(news: ev.ServerEvent) -> None:
    core = BareCore(at("openai"))
    core.ask()
    speaking(core, "r0")
    for number in (1, 2, 3):
        interrupted(core, number, news)
    assert core.log_events("room_talks") == []


def test_a_turn_without_an_answer_ends_the_conversation() -> None:
    core = BareCore(at("openai", follow_up_s=6.0))
    core.ask()
    speaking(core, "r0")
    core.talks(1.0)
    core.wait(lambda: len(core.log_events("interrupted")) == 1)
    core.end("r0", status="cancelled")
    for number in (1, 2):  # the second is another try
        until_asked(core, number + 1)
        core.begin(f"r{number}")
        core.end(f"r{number}")
    core.until(State.IDLE, within_s=3.0)


def test_a_voice_that_does_not_wait_for_answers_leaves_only_the_wake_word() -> None:
    core = BareCore(at("openai"))
    core.ask()
    speaking(core, "r0", 0.2)
    for number in (1, 2, 3):
        interrupted(core, number, words("and now the weather"), 0.2)
    assert [event.fields["means"] for event in core.log_events("room_talks")] == [MEANS]
    core.talks(1.0)
    assert core.speaker.state is State.SPEAKING


def test_a_room_that_talks_ends_the_talk_after_the_answer() -> None:
    core = BareCore(at("openai", follow_up_s=6.0))
    core.ask()
    speaking(core, "r0")
    interrupted(core, 1, words(""))
    interrupted(core, 2, words(""))
    core.end("r2")
    core.until(State.IDLE)
    assert core.log_events("follow_ups_over")[-1].fields["reason"] == MEANS
    core.ask()
    speaking(core, "r3")
    core.talks(1.0)
    assert len(core.log_events("interrupted")) == 3
