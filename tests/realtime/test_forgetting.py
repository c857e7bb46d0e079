"""A conversation does not grow forever, and after a long silence both sides have forgotten it."""

from typing import Any

import msgspec
import numpy as np
import pytest

from parleyd import config
from parleyd.core.connection_policy import ConnectionPolicy
from parleyd.core.events import ButtonPressed, ConnectionUp, RenewConnection
from parleyd.core.states import State
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime.session import RealtimeSession
from parleyd.simulation.clips import synthesize
from tests.client_events import settings_of
from tests.openai_types import assert_valid
from tests.paper_server import Paper, settings

VOICE = np.full(4800, 1000, np.int16)


class Talk:
    """A session with a server that transcribes; time is a number."""

    def __init__(self, **realtime: Any) -> None:
        self.session = RealtimeSession(
            config.RealtimeConfig(**realtime), config.TurnConfig(detection="local")
        )
        self.number = 0
        self.socket(0.0)

    def socket(self, now: float) -> list[tuple[str, str]]:
        """Open a new socket; returns the history that its server gets."""
        self.session.lost()
        self.session.opened()
        self.session.receive(ev.SessionCreated(), now)
        self.session.to_send()
        self.session.receive(ev.SessionUpdated(), now)
        return self.told()

    def told(self) -> list[tuple[str, str]]:
        told = []
        for event in self.session.to_send():
            if isinstance(event, ev.CreateItem):
                assert_valid(event)
                told.append((event.item["role"], event.item["content"][0]["text"]))
        return told

    def turn(
        self,
        now: float,
        *,
        transcript: bool = True,
        tokens: int = 0,
        ends: bool = True,
        reply_s: float = 0.1,
    ) -> None:
        """A question with its answer, which is heard if it `ends`."""
        self.session.poll(now)
        self.number += 1
        n = self.number
        self.session.append(VOICE)
        self.session.ask_for_reply(now)
        self.session.receive(ev.AudioCommitted(item_id=f"u{n}"), now)
        create = next(e for e in self.session.to_send() if isinstance(e, ev.CreateResponse))
        metadata = settings_of(create)["metadata"]
        response = ev.Response(id=f"r{n}", metadata=metadata)
        self.session.receive(ev.ResponseCreated(response=response), now)
        words = ev.TranscriptDelta(response_id=f"r{n}", item_id=f"i{n}", delta=f"Answer {n}.")
        self.session.receive(words, now)
        audio = ev.AudioDelta(
            response_id=f"r{n}", item_id=f"i{n}", delta=b"\1\0" * int(24_000 * reply_s)
        )
        self.session.receive(audio, now)
        usage = {"input_tokens": tokens} if tokens else None
        response = ev.Response(id=f"r{n}", status="completed", usage=usage)
        self.session.receive(ev.ResponseDone(response=response), now)
        if transcript:
            words_of_user = ev.InputTranscript(item_id=f"u{n}", transcript=f"Question {n}?")
            self.session.receive(words_of_user, now + 1.0)
        if ends:
            self.session.heard_out()
            self.session.rest(now + 2.0)


def test_new_socket_gets_pairs_despite_late_transcripts() -> None:
    talk = Talk()
    talk.turn(0.0)
    talk.turn(10.0)
    assert talk.socket(20.0) == [
        ("user", "Question 1?"), ("assistant", "Answer 1."),
        ("user", "Question 2?"), ("assistant", "Answer 2."),
    ]  # fmt: skip


def test_without_transcripts_a_new_socket_gets_one_note() -> None:
    talk = Talk()
    for number in range(3):
        talk.turn(float(number), transcript=False)
    ((role, text),) = talk.socket(20.0)
    assert role == "system"
    assert [f"Answer {n}." in text for n in (1, 2, 3)] == [True, True, True]


@pytest.mark.parametrize("connection", ["warm", "on-wake"])
def test_new_socket_gets_nothing_older_than_ten_minutes(connection: str) -> None:
    talk = Talk(connection=connection)
    talk.turn(0.0)
    talk.turn(400.0)
    assert talk.socket(650.0) == [("user", "Question 2?"), ("assistant", "Answer 2.")]
    talk.session.lost()
    assert talk.socket(1001.0) == []


def test_conversation_is_replaced_after_ten_silent_minutes() -> None:
    talk = Talk()
    assert talk.session.forgets(5000.0) == ""  # there was none
    talk.turn(5000.0)
    assert talk.session.forgets(5601.9) == ""
    assert "10 minutes" in talk.session.forgets(5602.0)
    assert talk.socket(5603.0) == []
    assert talk.session.forgets(9999.0) == ""  # once is enough


def test_history_given_to_a_new_socket_is_forgotten_too() -> None:
    talk = Talk(forget_after_min=2.0)
    talk.turn(0.0)
    assert len(talk.socket(60.0)) == 2
    assert talk.session.forgets(121.0) == ""
    assert talk.session.forgets(122.0) != ""


def test_answer_enters_the_history_once_it_was_heard() -> None:
    talk = Talk()
    talk.turn(0.0, ends=False)  # the connection is lost while it plays
    assert talk.socket(2.0) == []
    talk.session.heard_out()
    assert talk.told() == [("user", "Question 1?"), ("assistant", "Answer 1.")]


def test_answer_cut_after_a_reconnection_is_sent_in_part() -> None:
    talk = Talk()
    talk.turn(0.0, ends=False)
    assert talk.socket(2.0) == []
    talk.session.interrupt([PlaybackProgress("i1", 0, 80, 100, False)], 3.0)
    assert talk.told() == [("user", "Question 1?"), ("assistant", "Answer")]


def test_turn_spoken_while_connecting_reaches_the_server_once() -> None:
    talk = Talk()
    talk.session.lost()
    talk.session.append(VOICE)
    talk.session.ask_for_reply(1.0)
    talk.session.opened()
    talk.session.receive(ev.SessionCreated(), 2.0)
    talk.session.to_send()
    talk.session.receive(ev.SessionUpdated(), 2.0)
    sent = [type(event).__name__ for event in talk.session.to_send()]
    assert sent == ["AppendAudio", "CommitAudio", "CreateResponse"]
    talk.session.receive(ev.ResponseCreated(response=ev.Response(id="r1")), 2.1)
    talk.session.receive(ev.InputTranscript(item_id="u1", transcript="Question 1?"), 2.1)
    talk.session.receive(ev.TranscriptDelta(response_id="r1", item_id="i", delta="Answer 1."), 2.2)
    talk.session.receive(ev.AudioDelta(response_id="r1", item_id="i", delta=b"\1\0"), 2.2)
    talk.session.heard_out()
    assert talk.told() == []
    assert talk.socket(9.0) == [("user", "Question 1?"), ("assistant", "Answer 1.")]


def test_words_without_a_turn_are_forgotten_in_time() -> None:
    talk = Talk()
    talk.session.receive(ev.AudioCommitted(item_id="noise"), 0.0)
    talk.session.receive(ev.InputTranscript(item_id="noise", transcript="A secret."), 1.0)
    talk.session.rest(8.0)
    talk.turn(300.0)
    assert talk.socket(650.0) == [("user", "Question 1?"), ("assistant", "Answer 1.")]


def test_words_without_sound_count_as_unheard() -> None:
    talk = Talk()
    talk.turn(0.0, ends=False)
    ahead = ev.TranscriptDelta(response_id="r1", item_id="i2", delta="And so on.")
    talk.session.receive(ahead, 1.0)
    talk.session.interrupt([], 2.0)
    talk.session.rest(2.0)
    assert talk.socket(3.0)[-1] == ("assistant", "Answer 1.")


# --- servers that do not limit the context ----------------------------------------------------


def test_conversation_without_a_limit_is_replaced_when_long() -> None:
    talk = Talk(server="compatible", url="ws://127.0.0.1:1", context_tokens=2000)
    for number, tokens in enumerate((1500, 2500, 3500)):
        talk.turn(float(number), tokens=tokens)
        assert talk.session.forgets(number + 3.0) == ""
    talk.turn(3.0, tokens=3501)
    assert "2000 tokens" in talk.session.forgets(6.0)
    assert len(talk.socket(7.0)) == 8
    assert talk.session.forgets(8.0) == ""


@pytest.mark.parametrize("tokens", [0, 31])
def test_conversation_without_token_counts_is_estimated(tokens: int) -> None:
    """20 tokens for each second of a reply, 10 of the user's 0.2 s: five turns make 2010. Some
    servers report nothing, others a number other than the length of the conversation."""
    talk = Talk(server="xai", context_tokens=2000)
    for number in range(4):
        talk.turn(float(number), tokens=tokens, reply_s=20.0)
        assert talk.session.forgets(number + 3.0) == ""
    talk.turn(4.0, tokens=tokens, reply_s=20.0)
    assert "2000 tokens" in talk.session.forgets(7.0)
    talk.socket(8.0)
    assert talk.session.forgets(9.0) == ""


def test_plausible_token_count_is_used() -> None:
    talk = Talk(server="compatible", url="ws://127.0.0.1:1", context_tokens=2000)
    for number in range(10):
        talk.turn(float(number), tokens=500 + 100 * number, reply_s=20.0)
        assert talk.session.forgets(number + 3.0) == ""


def test_openai_limits_the_context_unless_it_refuses() -> None:
    for refuses in (True, False):
        talk = Talk(context_tokens=2000)
        if refuses:
            talk.session.lost()
            talk.session.opened()
            talk.session.receive(ev.SessionCreated(), 0.0)
            error = ev.ErrorDetail(code="unknown_parameter", param="session.truncation")
            talk.session.receive(ev.ServerError(error=error), 0.0)
            talk.session.receive(ev.SessionUpdated(), 0.0)
            talk.session.to_send()
        talk.turn(0.0, tokens=1500)
        talk.turn(1.0, tokens=9000)
        assert (talk.session.forgets(4.0) != "") is refuses


@pytest.mark.parametrize("echo", ["auto", "disabled", None, {"type": "retention_ratio"}])
def test_ignored_limit_is_enforced_locally(echo: object) -> None:
    talk = Talk(context_tokens=2000)
    talk.session.lost()
    talk.session.opened()
    talk.session.receive(ev.SessionCreated(), 0.0)
    session = {"truncation": echo} if echo is not None else {}
    talk.session.receive(ev.SessionUpdated(session=session), 0.0)
    talk.session.to_send()
    talk.turn(0.0, tokens=1500)
    talk.turn(1.0, tokens=9000)
    assert (talk.session.forgets(4.0) != "") is isinstance(echo, str)


@pytest.mark.parametrize("tokens", [None, "many", -5, 1e300, {"input": 5}, float("nan")])
def test_invalid_token_counts_are_ignored(tokens: object) -> None:
    talk = Talk(server="compatible", url="ws://127.0.0.1:1")
    talk.turn(0.0)
    response = ev.Response(id="x", status="completed", usage={"input_tokens": tokens})
    talk.session.receive(ev.ResponseDone(response=response), 1.0)
    talk.session.forgets(2.0)


# --- in a quiet moment ------------------------------------------------------------------------


def test_connection_is_renewed_only_while_idle_and_up() -> None:
    line = ConnectionPolicy("warm")
    line.opened(0.0)
    assert line.next(True, 1.0, "old") is None
    line.ready()
    assert line.next(False, 2.0, "old") is None
    assert line.next(True, 3.0, "old") == RenewConnection("old")
    assert line.next(True, 4.0, "old") is None
    assert not line.missed


@pytest.mark.slow
def test_configured_silence_renews_the_socket_while_idle() -> None:
    base = settings()
    realtime = msgspec.structs.replace(base.realtime, forget_after_min=0.5)
    paper = Paper(msgspec.structs.replace(base, realtime=realtime))
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    ended = paper.card.now
    paper.run(29.5)
    assert not [effect for _, effect in paper.effects if isinstance(effect, RenewConnection)]
    paper.run(1.0)
    (at,) = [at for at, effect in paper.effects if isinstance(effect, RenewConnection)]
    assert at - ended == pytest.approx(30.0, abs=0.1)
    paper.say(ConnectionUp())
    paper.say(ev.SessionCreated())
    paper.run(0.05)
    paper.say(ev.SessionUpdated())
    paper.run(31.0)
    assert not paper.events(ev.CreateItem)
    assert len([effect for _, effect in paper.effects if isinstance(effect, RenewConnection)]) == 1


def test_item_id_used_twice_is_cut_where_it_was_interrupted() -> None:
    talk = Talk()
    call = {"type": "function_call", "status": "completed", "call_id": "c", "name": "get_time"}
    session = talk.session
    session.append(VOICE)
    session.ask_for_reply(10.0)
    session.receive(ev.InputTranscript(item_id="asked", transcript="What time is it?"), 10.0)
    for number, words in ((1, "Let me see what time it is."), (2, "It is five in the morning.")):
        create = next(e for e in session.to_send() if isinstance(e, ev.CreateResponse))
        metadata = settings_of(create)["metadata"]
        name = f"again{number}"
        session.receive(ev.ResponseCreated(response=ev.Response(id=name, metadata=metadata)), 10.0)
        delta = ev.TranscriptDelta(response_id=name, item_id="item", delta=words)
        session.receive(delta, 10.0)
        audio = ev.AudioDelta(response_id=name, item_id="item", delta=b"\1\0" * 2400)
        session.receive(audio, 10.0)
        output = [call] if number == 1 else []
        done = ev.Response(id=name, status="completed", output=output)
        session.receive(ev.ResponseDone(response=done), 10.0)
        if number == 1:
            session.skill_done("c", "05:00", 10.0)
    session.interrupt([PlaybackProgress("item", 0, 50, 100, False)], 12.0)
    assert talk.socket(13.0)[-1] == ("assistant", "Let me see what time it is. It is five")
