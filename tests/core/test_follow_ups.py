"""A talk without the wake word ends if only a television sustains it."""

import msgspec
import numpy as np
import pytest

from parleyd.config import Config
from parleyd.core.events import ButtonPressed, LogEvent, Show
from parleyd.core.follow_ups import FollowUps
from parleyd.core.states import Indication, State
from parleyd.hearing import ProcessedPeriod
from parleyd.playback import earcons
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_PERIOD_FRAMES, Frames
from tests.paper_server import Paper, WakeOnDemand, settings, tone

QUESTION = synthesize("What is the weather like?", "slt")
OBJECTION = synthesize("No wait, tell me about the rain.", "rms")


def period(level_dbfs: float, voice: float = 0.9) -> ProcessedPeriod:
    return ProcessedPeriod(
        cleaned=np.zeros(MIC_PERIOD_FRAMES, np.int16),
        excess_db=0.0,
        voice=voice,
        voice_chunk=True,
        near_end=0.0,
        speech=0.0,
        level_dbfs=level_dbfs,
        echo_dbfs=-120.0,
    )


def turn(talk: FollowUps, level_dbfs: float, *, called: bool = False, seconds: float = 1.0) -> str:
    """Run one turn at this level; returns the reason if it was the last."""
    talk.begin(called=called)
    for _ in range(round(seconds * 100)):
        talk.hear(period(level_dbfs))
        talk.hear(period(-20.0, voice=0.1))  # dishes are louder, but are not speech
    talk.asked(endless=False)
    return talk.over


def test_followups_end_after_their_number_of_turns() -> None:
    talk = FollowUps(3)
    assert turn(talk, -40.0, called=True) == ""
    assert [turn(talk, -40.0) for _ in range(2)] == ["", ""]
    assert turn(talk, -40.0) == "3 turns followed one wake word"
    assert turn(talk, -40.0, called=True) == ""


def test_followups_without_a_limit_never_end() -> None:
    talk = FollowUps(0)
    turn(talk, -30.0, called=True)
    assert {turn(talk, -60.0) for _ in range(100)} == {""}


# 1 m to 4 m is 12 dB in the open; a voice in the next room is further down
@pytest.mark.parametrize("lower_db", [0, 6, 12, 14])
def test_followups_of_a_lower_or_further_user_continue(lower_db: int) -> None:
    talk = FollowUps(8)
    turn(talk, -30.0, called=True)
    assert [turn(talk, -30.0 - lower_db) for _ in range(7)] == [""] * 7


@pytest.mark.parametrize("lower_db", [16, 25])
def test_followups_much_quieter_twice_in_a_row_end(lower_db: int) -> None:
    talk = FollowUps(8)
    turn(talk, -30.0, called=True)
    assert turn(talk, -30.0 - lower_db) == ""
    assert turn(talk, -32.0) == ""  # the user again, after only one such turn
    assert turn(talk, -30.0 - lower_db) == ""
    assert "much quieter" in turn(talk, -30.0 - lower_db)
    assert turn(talk, -30.0 - lower_db, called=True) == ""


def test_followups_with_too_little_speech_are_not_compared() -> None:
    talk = FollowUps(8)
    turn(talk, -30.0, called=True)
    assert {turn(talk, -60.0, seconds=0.15) for _ in range(5)} == {""}
    talk = FollowUps(8)
    turn(talk, -30.0, called=True, seconds=0.15)
    assert {turn(talk, -60.0) for _ in range(5)} == {""}


def test_followups_end_after_one_without_a_pause() -> None:
    talk = FollowUps(8)
    talk.begin(called=True)
    talk.asked(endless=True)  # a long dictation of the user
    assert talk.over == ""
    talk.begin(called=False)
    talk.asked(endless=True)
    assert "no pause" in talk.over


def test_followup_in_two_pieces_counts_once() -> None:
    talk = FollowUps(2)
    turn(talk, -30.0, called=True)
    talk.begin(called=False)
    for _ in range(3):  # the user continues while Parley thinks
        talk.asked(endless=False)
    assert talk.turns == 1


# --- the whole core ---------------------------------------------------------------------


def following(turns: int = 8, *, detection: str = "server_vad") -> Config:
    base = settings(follow_up_s=6.0)
    changed = msgspec.structs.replace(base.turn, detection=detection, follow_up_turns=turns)
    return msgspec.structs.replace(base, turn=changed)


def television(paper: Paper, number: int) -> None:
    """Let the server detect a turn, and play the whole answer."""
    paper.say(ev.SpeechStarted(item_id=f"tv{number}"))
    paper.run(0.5)
    paper.say(ev.SpeechStopped(item_id=f"tv{number}"))
    paper.say(ev.AudioCommitted(item_id=f"tv{number}"))
    paper.run(0.1)
    paper.wait(lambda: paper.speaker.state in (State.LISTENING, State.IDLE))


def woken(conf: Config) -> tuple[Paper, WakeOnDemand]:
    wake_engine = WakeOnDemand()
    paper = Paper(conf, wake_engine, reply=tone(300))
    wake_engine.next = "hey_test"
    paper.run(0.3)
    return paper, wake_engine


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 8])
def test_speaker_after_the_last_followup_needs_the_wake_word(turns: int) -> None:
    paper, wake_engine = woken(following(turns))
    answered = 0
    while paper.speaker.state is State.LISTENING:
        television(paper, answered)
        answered += 1
        assert answered <= turns + 1
    assert answered == turns + 1  # the turn with the wake word, and its follow-ups
    assert len(paper.events(ev.CreateResponse)) == turns + 1
    (log_event,) = paper.log_events("follow_ups_over")
    assert log_event.fields == {"turns": turns, "reason": f"{turns} turns followed one wake word"}
    shown = [effect for _, effect in paper.effects if isinstance(effect, Show)][-1]
    assert shown.indication is Indication.IDLE
    assert "say the wake word" in shown.detail
    before = len(paper.steps)
    paper.run(0.5)
    assert loudest(paper, before) > 3000  # the low tone
    television(paper, 99)
    assert paper.speaker.state is State.IDLE
    wake_engine.next = "hey_test"
    paper.run(2.5)
    assert paper.speaker.state is State.LISTENING
    television(paper, 100)
    assert paper.speaker.state is State.LISTENING  # its follow-ups are counted from 0


def loudest(paper: Paper, since: int) -> int:
    frames = np.concatenate([np.frombuffer(data, np.int16) for _, data in paper.steps[since:]])
    assert len(earcons.low_tone()) * 2 <= len(frames)
    return int(np.abs(frames.astype(int)).max())


@pytest.mark.slow
def test_speaker_without_a_limit_always_follows_up() -> None:
    paper, _ = woken(following(0))
    for number in range(12):
        television(paper, number)
    assert paper.speaker.state is State.LISTENING


@pytest.mark.slow
def test_speaker_called_by_its_word_in_each_followup_never_ends() -> None:
    """Many users say the wake word each time, although it is not needed."""
    paper, wake_engine = woken(following(2))
    for number in range(6):
        paper.run(2.0)  # the engine detects its word once in this time
        wake_engine.next = "hey_test"
        paper.run(0.1)
        television(paper, number)
        assert paper.speaker.state is State.LISTENING


def test_speaker_interrupted_after_the_last_followup_is_idle() -> None:
    """A television that interrupts each answer would also keep the talk alive."""
    paper, _ = woken(following(1))
    television(paper, 0)
    paper.reply = tone(4000)
    paper.say(ev.SpeechStarted(item_id="tv"))
    paper.run(0.5)
    paper.say(ev.SpeechStopped(item_id="tv"))
    paper.say(ev.AudioCommitted(item_id="tv"))
    paper.until(State.SPEAKING)
    paper.run(0.5)
    paper.talker.say(OBJECTION)
    paper.until(State.IDLE, within_s=2.0)
    assert len(paper.log_events("interrupted")) == 1
    assert len(paper.log_events("follow_ups_over")) == 1


def say(paper: Paper, words: Frames, lower_db: float = 0.0) -> None:
    """Let the user speak, and play the whole answer."""
    asked = len(paper.events(ev.CreateResponse))
    paper.run(0.3)
    paper.talker.say(np.rint(words * 10 ** (-lower_db / 20)).astype(np.int16))
    paper.wait(lambda: len(paper.events(ev.CreateResponse)) > asked)
    paper.wait(lambda: paper.speaker.state in (State.LISTENING, State.IDLE))


@pytest.mark.slow
@pytest.mark.parametrize("lower_db", [6.0, 12.0])
def test_speaker_follows_a_lower_or_further_user(lower_db: float) -> None:
    paper = Paper(following(detection="local"), reply=tone(300))
    paper.say(ButtonPressed())
    say(paper, QUESTION)
    for _ in range(4):
        say(paper, QUESTION, lower_db)
        assert paper.speaker.state is State.LISTENING


@pytest.mark.slow
def test_speaker_stops_following_a_voice_far_away() -> None:
    paper = Paper(following(detection="local"), reply=tone(300))
    paper.say(ButtonPressed())
    say(paper, QUESTION)
    say(paper, OBJECTION, 20.0)
    assert paper.speaker.state is State.LISTENING
    say(paper, OBJECTION, 20.0)
    assert paper.speaker.state is State.IDLE
    assert "quieter" in str(paper.log_events("follow_ups_over")[0].fields["reason"])


@pytest.mark.slow
def test_speaker_answers_a_voice_that_never_pauses() -> None:
    """Speech during each wait extends one turn, which is answered after `turn.max_turn_s`."""
    conf = following()
    conf = msgspec.structs.replace(conf, turn=msgspec.structs.replace(conf.turn, max_turn_s=10.0))
    paper, _ = woken(conf)
    paper.answers = False
    began = paper.card.now
    for number in range(14):
        paper.say(ev.SpeechStarted(item_id=f"tv{number}"))
        paper.run(1.0)
        paper.say(ev.SpeechStopped(item_id=f"tv{number}"))
        paper.say(ev.AudioCommitted(item_id=f"tv{number}"))
        paper.run(0.1)
    assert paper.speaker.state is State.THINKING
    changes = [at for at, e in paper.effects if isinstance(e, LogEvent) and e.name == "state"]
    assert 9.5 < changes[-1] - began < 10.5  # then it waits for the answer
