"""Sessions with servers other than OpenAI: the session compensates for each missing feature."""

from typing import Any

import numpy as np
import pytest

from parleyd import config
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime.responses import CREATED_WITHIN_S, CUT_OFF_WITHIN_S, TURN_KEY
from parleyd.realtime.server_errors import ErrorAction
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import CutOff, Ready, ReplyDone, ServerProblem, UserStarted

CONFIGURED_WITHIN_S = 60.0

KNOWN_WAITS_S = 10.0

VOICE = np.full(4800, 1000, np.int16)  # 200 ms


def session(server: Any, detection: Any = "local") -> RealtimeSession:
    realtime = config.RealtimeConfig(server=server, url="ws://nas/v1", model="m")
    made = RealtimeSession(realtime, config.TurnConfig(detection=detection))
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.receive(ev.SessionUpdated(), 0.0)
    made.to_send()
    return made


def asked(server: Any) -> RealtimeSession:
    """Our create was answered: response r1 is in progress."""
    made = session(server)
    made.append(VOICE)
    made.ask_for_reply(0.0)
    create = next(e for e in made.to_send() if isinstance(e, ev.CreateResponse))
    assert isinstance(create.response, dict)
    metadata = create.response["metadata"]
    made.receive(ev.ResponseCreated(response=ev.Response(id="r1", metadata=metadata)), 0.0)
    return made


def kinds(made: RealtimeSession) -> list[str]:
    return [type(event).__name__ for event in made.to_send()]


def delta(data: bytes = b"\1\0", name: str = "r1") -> ev.AudioDelta:
    return ev.AudioDelta(response_id=name, item_id="i1", delta=data)


def done(status: str, reason: str | None = None) -> ev.ResponseDone:
    details = {"reason": reason} if reason else None
    return ev.ResponseDone(response=ev.Response(id="r1", status=status, status_details=details))


def test_self_interrupting_server_gets_only_a_truncate() -> None:
    made = asked("compatible")
    made.receive(delta(), 0.1)
    assert made.receive(ev.SpeechStarted(item_id="u2"), 1.0) == [CutOff(), UserStarted()]
    made.interrupt([PlaybackProgress("i1", 0, 700, 2000, False)], 1.0)
    assert kinds(made) == ["TruncateItem"]
    assert made.receive(delta(), 1.1) == []
    assert made.receive(done("cancelled", "turn_detected"), 1.2) == []
    assert made.receive(delta(), 1.3) == []


def test_server_that_talks_over_the_user_is_cancelled_by_id() -> None:
    made = asked("compatible")
    made.receive(ev.SpeechStarted(item_id="u2"), 1.0)
    made.interrupt([], 1.0)
    made.poll(1.0 + CUT_OFF_WITHIN_S - 0.1)
    assert kinds(made) == []
    made.poll(1.0 + CUT_OFF_WITHIN_S)
    (cancel,) = made.to_send()
    assert isinstance(cancel, ev.CancelResponse)
    assert cancel.response_id == "r1"
    made.poll(1.1 + CUT_OFF_WITHIN_S)
    assert kinds(made) == []


def test_server_without_clear_gets_no_clear() -> None:
    made = session("speech-to-speech")
    made.begin_input()
    assert kinds(made) == []


def test_speech_started_of_openai_cuts_nothing_off() -> None:
    made = asked("openai")
    assert made.receive(ev.SpeechStarted(item_id="u2"), 1.0) == [UserStarted()]
    assert made.receive(delta(), 1.1) != []


@pytest.mark.parametrize("server", ["openai", "compatible"])
def test_turn_detected_cancel_before_speech_started_cuts_off(
    server: Any,
) -> None:
    made = asked(server)
    made.receive(delta(), 0.1)
    assert made.receive(done("cancelled", "turn_detected"), 1.0) == [CutOff()]
    made.interrupt([PlaybackProgress("i1", 0, 700, 2000, False)], 1.0)
    assert kinds(made) == ["TruncateItem"]
    assert UserStarted() in made.receive(ev.SpeechStarted(item_id="u2"), 1.1)
    made.append(VOICE)
    made.ask_for_reply(2.0)
    assert kinds(made) == ["AppendAudio", "CommitAudio", "CreateResponse"]


def test_cancel_without_a_reason_cuts_off_by_profile() -> None:
    made = asked("compatible")
    made.receive(delta(), 0.1)
    assert made.receive(done("cancelled"), 1.0) == [CutOff()]
    (end,) = asked("openai").receive(done("cancelled"), 1.0)
    assert end == ReplyDone("the server cancelled its answer (no reason given)")


def test_cancel_without_reason_and_sound_waits_for_speech() -> None:
    """Before any sound, only the user's speech makes it an interruption."""
    heard = asked("compatible")
    assert heard.receive(done("cancelled"), 1.0) == []
    assert heard.awaiting
    assert heard.receive(ev.SpeechStarted(item_id="u2"), 1.3) == [CutOff(), UserStarted()]
    assert heard.poll(9.0) == []
    silent = asked("compatible")
    assert silent.receive(done("cancelled"), 1.0) == []
    assert silent.poll(1.4) == []
    assert silent.poll(1.5) == [ReplyDone("the server cancelled its answer (no reason given)")]
    assert not silent.awaiting


def test_reply_without_response_done_ends_after_its_audio() -> None:
    made = asked("compatible")
    made.receive(delta(), 0.1)
    made.receive(ev.AudioDone(response_id="r1", item_id="i1"), 1.0)
    assert made.poll(20.9) == []  # its end may still arrive: turn.response_timeout_s is 20 s
    assert made.poll(21.0) == [ReplyDone()]
    assert made.poll(99.0) == []
    made.append(VOICE)
    made.ask_for_reply(99.0)
    assert kinds(made) == ["AppendAudio", "CommitAudio", "CreateResponse"]
    made.receive(ev.ResponseCreated(response=ev.Response(id="r1")), 99.5)
    made.receive(delta(), 99.6)
    made.receive(ev.AudioDone(response_id="r1", item_id="i1"), 100.0)
    assert made.poll(102.9) == []  # now this server is known to omit it
    assert made.poll(103.0) == [ReplyDone()]


def test_pause_between_two_audio_items_is_not_the_end() -> None:
    made = asked("compatible")
    made.receive(ev.AudioDone(response_id="r1", item_id="i1"), 1.0)
    assert made.poll(12.0) == []
    assert made.receive(delta(), 12.0) != []
    assert made.poll(60.0) == []


def test_reply_of_openai_ends_only_with_response_done() -> None:
    made = asked("openai")
    made.receive(delta(), 0.5)
    made.receive(ev.AudioDone(response_id="r1", item_id="i1"), 1.0)
    assert made.poll(60.0) == []
    assert made.receive(done("completed"), 61.0) == [ReplyDone()]


def test_server_without_truncation_gets_no_truncate_or_delete() -> None:
    made = asked("xai")
    made.interrupt(
        [PlaybackProgress("i1", 0, 700, 2000, False), PlaybackProgress("i2", 0, 0, 500, False)], 1.0
    )
    assert kinds(made) == ["CancelResponse"]


def test_self_answering_server_gets_a_request_if_it_is_silent() -> None:
    made = session("xai", "server_vad")
    for response_id, answers in (("r1", True), ("r2", False)):
        made.append(VOICE)
        made.receive(ev.SpeechStopped(item_id=response_id), 1.0)
        made.ask_for_reply(1.0)
        made.receive(ev.AudioCommitted(item_id=response_id), 1.0)
        made.poll(10.9)
        assert kinds(made) == ["AppendAudio"]
        if answers:
            made.receive(ev.ResponseCreated(response=ev.Response(id=response_id)), 10.9)
            made.receive(delta(name=response_id), 11.0)
            made.poll(1.0 + KNOWN_WAITS_S)
            assert kinds(made) == []
            done_ = ev.ResponseDone(response=ev.Response(id=response_id, status="completed"))
            assert made.receive(done_, 13.0) == [ReplyDone()]
        else:
            made.poll(1.0 + KNOWN_WAITS_S)
            assert kinds(made) == ["CreateResponse"]


@pytest.mark.parametrize("server", ["openai", "compatible"])
def test_refused_configuration_names_the_field(server: Any) -> None:
    made = RealtimeSession(
        config.RealtimeConfig(server=server, url="ws://nas/v1"), config.TurnConfig()
    )
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    objection = ev.ErrorDetail(
        code="unknown_parameter", message="Unknown parameter: 'session.tracing'."
    )
    (problem,) = made.receive(ev.ServerError(error=objection), 0.1)
    assert problem.action is ErrorAction.CLIENT_ERROR  # type: ignore[union-attr]  # some servers complain but continue
    (decision,) = made.poll(CONFIGURED_WITHIN_S)
    assert isinstance(decision, ServerProblem)
    assert decision.action is ErrorAction.LATER
    assert "session.tracing" in decision.text
    assert made.poll(99.0) == []


def test_unconfirmed_configuration_leads_to_a_new_socket() -> None:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig())
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    (decision,) = made.poll(CONFIGURED_WITHIN_S)
    assert isinstance(decision, ServerProblem)
    assert decision.action is ErrorAction.RECONNECT


def test_configuration_timeout_grows_with_each_socket() -> None:
    """A server may load its model for each session.update, and take 100 s for it."""
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig())
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    assert len(made.poll(60.0)) == 1
    made.lost()
    made.opened()
    made.receive(ev.SessionCreated(), 61.0)
    assert made.poll(61.0 + 100.0) == []
    assert Ready() in made.receive(ev.SessionUpdated(), 161.5)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error"])
def test_busy_server_without_configuration_is_retried(code: str) -> None:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig())
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    busy = ev.ServerError(error=ev.ErrorDetail(code=code, message="later"))
    (problem,) = made.receive(busy, 0.1)
    assert isinstance(problem, ServerProblem)
    assert problem.action is ErrorAction.BACK_OFF
    (decision,) = made.poll(CONFIGURED_WITHIN_S)
    assert isinstance(decision, ServerProblem)
    assert decision.action is ErrorAction.RECONNECT


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error"])
def test_busy_server_that_refuses_a_create_ends_the_turn(code: str) -> None:
    made = session("openai")
    made.append(VOICE)
    made.ask_for_reply(0.0)
    assert "CreateResponse" in kinds(made)
    error = ev.ServerError(error=ev.ErrorDetail(code=code, message="later"))
    problem, end = made.receive(error, 0.1)
    assert isinstance(problem, ServerProblem)
    assert problem.action is ErrorAction.BACK_OFF
    assert isinstance(end, ReplyDone)
    assert "wait a moment" in end.failure
    assert made.poll(CREATED_WITHIN_S + 1) == []
    made.append(VOICE)
    made.ask_for_reply(20.0)
    (create,) = [e for e in made.to_send() if isinstance(e, ev.CreateResponse)]
    assert isinstance(create.response, dict)
    assert create.response["metadata"][TURN_KEY] == "2"
