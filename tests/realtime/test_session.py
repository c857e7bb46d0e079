"""The session without I/O: these events in, these events out."""

from typing import Any

import numpy as np
import pytest

from parleyd import config
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime.responses import TURN_KEY
from parleyd.realtime.server_errors import ErrorAction
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import (
    Ready,
    ReplyAudio,
    ReplyDone,
    ServerProblem,
    SkillCalled,
    UserStarted,
    UserStopped,
)
from tests.client_events import settings_of

COMMITTED_WITHIN_S = 1.0

CANCELLED_WITHIN_S = 3.0

VOICE = np.full(4800, 1000, np.int16)  # 200 ms


def session(detection: Any = "local") -> RealtimeSession:
    """A session whose configuration the server has accepted."""
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig(detection=detection))
    made.opened()
    assert made.receive(ev.SessionCreated(), 0.0) == []
    assert isinstance(made.to_send()[0], ev.SessionUpdate)
    assert made.receive(ev.SessionUpdated(), 0.0) == [Ready()]
    return made


def kinds(events: list[ev.ClientEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def created(events: list[ev.ClientEvent]) -> list[ev.CreateResponse]:
    return [event for event in events if isinstance(event, ev.CreateResponse)]


def begin_response(made: RealtimeSession, response_id: str = "r1", now: float = 0.0) -> None:
    """The server answers our `response.create`."""
    metadata = settings_of(created(made.to_send())[0])["metadata"]
    made.receive(ev.ResponseCreated(response=ev.Response(id=response_id, metadata=metadata)), now)


def asked(detection: Any = "local") -> RealtimeSession:
    """A session that is waiting for the reply to one turn, which is in progress."""
    made = session(detection)
    made.append(VOICE)
    made.ask_for_reply(0.0)
    if detection != "local":
        made.receive(ev.AudioCommitted(item_id="u1"), 0.0)
    begin_response(made)
    return made


def delta(response_id: str = "r1", item_id: str = "i1", data: bytes = b"\1\0\2\0") -> ev.AudioDelta:
    return ev.AudioDelta(response_id=response_id, item_id=item_id, delta=data)


def done(response_id: str = "r1", status: str = "completed", **more: object) -> ev.ResponseDone:
    return ev.ResponseDone(response=ev.Response(id=response_id, status=status, **more))  # type: ignore[arg-type]


def test_session_is_ready_after_its_explicit_update() -> None:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig())
    made.opened()
    made.append(VOICE)
    assert made.to_send() == []
    made.receive(ev.SessionCreated(), 0.0)
    update = made.to_send()
    assert kinds(update) == ["SessionUpdate"]
    sent = update[0].session  # type: ignore[attr-defined]
    assert sent["type"] == "realtime"
    detection = sent["audio"]["input"]["turn_detection"]
    assert (detection["create_response"], detection["interrupt_response"]) == (False, False)
    made.receive(ev.SessionUpdated(), 0.1)
    assert kinds(made.to_send()) == ["AppendAudio"]


def test_local_turns_disable_detection_and_commit() -> None:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig(detection="local"))
    made.receive(ev.SessionCreated(), 0.0)
    sent = made.to_send()[0]
    assert '"turn_detection":null' in ev.encode(sent)
    made.receive(ev.SessionUpdated(), 0.0)
    made.append(VOICE)
    made.ask_for_reply(1.0)
    assert kinds(made.to_send()) == ["AppendAudio", "CommitAudio", "CreateResponse"]


def test_audio_spoken_while_connecting_is_sent_in_order() -> None:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig(detection="local"))
    made.begin_input()
    for level in range(5):
        made.append(np.full(960, level, np.int16))
    made.ask_for_reply(0.5)
    assert made.to_send() == []
    made.opened()
    made.receive(ev.SessionCreated(), 1.0)
    made.to_send()
    made.receive(ev.SessionUpdated(), 1.1)
    sent = made.to_send()
    levels = [np.frombuffer(e.audio, "<i2")[0] for e in sent if isinstance(e, ev.AppendAudio)]
    assert levels == [0, 1, 2, 3, 4]
    assert kinds(sent)[-2:] == ["CommitAudio", "CreateResponse"]


def test_audio_that_waits_for_a_connection_is_bounded() -> None:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig())
    for _ in range(60):
        made.append(np.zeros(24_000, np.int16))
    assert made._input._waiting_frames == 30 * 24_000


def test_too_little_audio_is_not_committed() -> None:
    made = session()
    made.append(np.zeros(1000, np.int16))
    assert made.ask_for_reply(0.0) == [ReplyDone("nothing was said")]
    assert kinds(made.to_send()) == ["AppendAudio"]


def test_create_waits_for_the_commit_of_the_server() -> None:
    made = session("server_vad")
    made.append(VOICE)
    assert made.receive(ev.SpeechStarted(item_id="u1"), 0.0) == [UserStarted()]
    assert made.receive(ev.SpeechStopped(item_id="u1"), 1.0) == [UserStopped()]
    made.ask_for_reply(1.0)
    assert kinds(made.to_send()) == ["AppendAudio"]
    made.receive(ev.AudioCommitted(item_id="u1"), 1.01)
    assert kinds(made.to_send()) == ["CreateResponse"]


def test_create_accepts_a_commit_before_speech_stopped() -> None:
    made = session("server_vad")
    made.append(VOICE)
    made.receive(ev.AudioCommitted(item_id="u1"), 1.0)
    made.receive(ev.SpeechStopped(item_id="u1"), 1.0)
    made.ask_for_reply(1.0)
    assert kinds(made.to_send()) == ["AppendAudio", "CreateResponse"]


def test_missing_commit_of_the_server_is_replaced() -> None:
    made = session("server_vad")
    made.append(VOICE)
    made.receive(ev.SpeechStopped(), 1.0)
    made.ask_for_reply(1.0)
    made.to_send()
    assert made.poll(1.0 + COMMITTED_WITHIN_S / 2) == []
    assert made.to_send() == []
    made.poll(1.0 + COMMITTED_WITHIN_S)
    assert kinds(made.to_send()) == ["CommitAudio", "CreateResponse"]


def test_reply_is_delivered_and_ends_once() -> None:
    made = asked()
    (audio,) = made.receive(delta(), 0.1)
    assert isinstance(audio, ReplyAudio)
    assert audio.frames.tolist() == [1, 2]
    assert made.receive(done(), 0.2) == [ReplyDone()]
    assert made.receive(done(), 0.3) == []
    assert not made.awaiting


def test_odd_number_of_bytes_loses_and_shifts_nothing() -> None:
    made = asked()
    whole = np.arange(100, dtype="<i2").tobytes()
    frames: list[int] = []
    for start in range(0, len(whole), 7):
        for item in made.receive(delta(data=whole[start : start + 7]), 0.1):
            assert isinstance(item, ReplyAudio)
            frames += item.frames.tolist()
    assert frames == list(range(100))


def test_barge_in_cancels_truncates_and_deletes() -> None:
    made = asked()
    made.receive(delta(item_id="i1"), 0.1)
    made.receive(delta(item_id="i2"), 0.1)
    made.interrupt(
        [PlaybackProgress("i1", 0, 740, 2000, False), PlaybackProgress("i2", 0, 0, 900, False)], 0.5
    )
    cancel, truncate, delete = made.to_send()
    assert isinstance(cancel, ev.CancelResponse)
    assert cancel.response_id == "r1"
    assert isinstance(truncate, ev.TruncateItem)
    assert (truncate.item_id, truncate.content_index, truncate.audio_end_ms) == ("i1", 0, 740)
    assert isinstance(delete, ev.DeleteItem)
    assert delete.item_id == "i2"


def test_late_deltas_of_a_dead_response_are_dropped() -> None:
    made = asked()
    made.interrupt([], 0.5)
    assert made.receive(delta(), 0.6) == []
    assert made.receive(done(status="cancelled"), 0.7) == []
    assert made.receive(delta(), 0.8) == []


def test_next_create_waits_for_the_end_of_the_old_response() -> None:
    made = asked()
    made.interrupt([], 0.5)
    made.append(VOICE)
    made.ask_for_reply(1.0)
    assert "CreateResponse" not in kinds(made.to_send())
    made.receive(done(status="cancelled"), 1.1)
    assert kinds(made.to_send()) == ["CreateResponse"]


@pytest.mark.parametrize("code_in_type", [False, True])
def test_nothing_to_cancel_ends_the_old_response(code_in_type: bool) -> None:
    made = asked()
    made.interrupt([], 0.5)
    made.append(VOICE)
    made.ask_for_reply(1.0)
    made.to_send()
    code = "response_cancel_not_active"
    detail = ev.ErrorDetail(type=code) if code_in_type else ev.ErrorDetail(code=code)
    assert made.receive(ev.ServerError(error=detail), 1.1) == []
    assert kinds(made.to_send()) == ["CreateResponse"]


def test_cancelled_response_without_end_blocks_no_turn() -> None:
    made = asked()
    made.interrupt([], 0.5)
    made.append(VOICE)
    made.ask_for_reply(1.0)
    made.to_send()
    made.poll(0.5 + CANCELLED_WITHIN_S)
    assert kinds(made.to_send()) == ["CreateResponse"]


def test_interruption_before_created_cancels_by_id_later() -> None:
    made = session()
    made.append(VOICE)
    made.ask_for_reply(0.0)
    metadata = settings_of(created(made.to_send())[0])["metadata"]
    made.interrupt([], 0.1)
    assert made.to_send() == []
    made.receive(ev.ResponseCreated(response=ev.Response(id="r9", metadata=metadata)), 0.2)
    (cancel,) = made.to_send()
    assert isinstance(cancel, ev.CancelResponse)
    assert cancel.response_id == "r9"
    assert made.receive(delta("r9"), 0.3) == []


def test_unanswered_create_ends_the_turn_with_a_message() -> None:
    made = session()
    made.append(VOICE)
    made.ask_for_reply(0.0)
    assert made.poll(19.9) == []  # turn.response_timeout_s is 20 s
    assert made.poll(20.0) == [ReplyDone("the server did not begin an answer")]
    assert not made.awaiting


@pytest.mark.parametrize(
    "detail",
    [
        {"code": "unknown_parameter", "param": "response.metadata"},
        {"code": "unknown_parameter", "message": "Unknown parameter: 'response.metadata'."},
        {"type": "invalid_request_error", "message": "Response overrides are not supported"},
    ],
)
def test_create_is_repeated_without_the_refused_fields(detail: dict[str, str]) -> None:
    """Some servers accept no field of a response; from then on they get none."""
    made = session()
    made.append(VOICE)
    made.ask_for_reply(0.0)
    assert created(made.to_send())[0].response == {"metadata": {"parley_turn": "1"}}
    session_events = made.receive(ev.ServerError(error=ev.ErrorDetail(**detail)), 0.1)
    assert not any(isinstance(one, ReplyDone) for one in session_events)
    (again,) = created(made.to_send())
    assert ev.encode(again).count("metadata") == 0
    made.receive(ev.ResponseCreated(response=ev.Response(id="r1")), 0.2)
    assert made.receive(delta(), 0.3) != []
    made.receive(done(), 0.4)
    made.append(VOICE)
    made.ask_for_reply(1.0)
    (next_turn,) = created(made.to_send())
    assert ev.encode(next_turn).count("metadata") == 0


def test_create_refused_twice_ends_the_turn() -> None:
    made = session()
    made.append(VOICE)
    made.ask_for_reply(0.0)
    refused = {"code": "unknown_parameter", "param": "response.x", "message": "no"}
    made.receive(ev.ServerError(error=ev.ErrorDetail(**refused)), 0.1)
    assert len(created(made.to_send())) == 2
    session_events = made.receive(ev.ServerError(error=ev.ErrorDetail(**refused)), 0.2)
    assert ReplyDone("unknown_parameter: no") in session_events


def test_early_create_is_repeated_at_most_three_times() -> None:
    made = session()
    made.append(VOICE)
    made.ask_for_reply(0.0)
    refused = ev.ServerError(
        error=ev.ErrorDetail(code="conversation_already_has_active_response", message="busy")
    )
    for attempt in range(2):
        made.to_send()
        assert made.receive(refused, 0.1) == []
        assert created(made.to_send()) == []
        made.receive(done(f"somebody{attempt}"), 0.2)
        assert len(created(made.to_send())) == 1
    problem, end = made.receive(refused, 0.3)
    assert isinstance(problem, ServerProblem)
    assert isinstance(end, ReplyDone)


def test_late_end_of_an_old_response_keeps_the_newer_one() -> None:
    made = asked()
    assert made.receive(done("an older one"), 0.2) == []
    assert made.awaiting
    assert made.receive(delta(), 0.3) != []


def test_unrequested_response_is_cancelled_and_never_heard() -> None:
    made = session()
    made.receive(ev.ResponseCreated(response=ev.Response(id="x")), 0.0)
    assert kinds(made.to_send()) == ["CancelResponse"]
    assert made.receive(delta("x"), 0.1) == []


def test_response_of_a_self_answering_server_is_the_answer() -> None:
    made = session("server_vad")
    made.append(VOICE)
    made.receive(ev.SpeechStopped(item_id="u1"), 0.0)
    made.ask_for_reply(0.0)
    made.to_send()
    made.receive(ev.ResponseCreated(response=ev.Response(id="own")), 0.1)
    made.receive(ev.AudioCommitted(item_id="u1"), 0.1)
    assert created(made.to_send()) == []
    assert made.receive(delta("own"), 0.2) != []


def test_truncate_past_the_end_is_repeated_with_its_length() -> None:
    made = asked()
    made.receive(delta(), 0.1)
    made.receive(done(), 0.2)
    made.interrupt([PlaybackProgress("i1", 0, 1500, 2000, False)], 0.5)
    (truncate,) = made.to_send()
    error = ev.ServerError(
        error=ev.ErrorDetail(
            code="invalid_value",
            message="Audio content of 1400ms is already shorter than 1500ms",
            event_id=truncate.event_id,
        )
    )
    assert made.receive(error, 0.6) == []
    (again,) = made.to_send()
    assert isinstance(again, ev.TruncateItem)
    assert (again.item_id, again.audio_end_ms) == ("i1", 1400)
    assert made.receive(error, 0.7) == []
    assert made.to_send() == []


@pytest.mark.parametrize(
    "detail",
    [
        ev.ErrorDetail(code="response_cancel_not_active"),
        ev.ErrorDetail(type="item_truncate_invalid_item_id"),
        ev.ErrorDetail(code="item_delete_invalid_item_id"),
        ev.ErrorDetail(message="Only model output audio messages can be truncated"),
        ev.ErrorDetail(code="input_audio_buffer_commit_empty"),
        ev.ErrorDetail(code="invalid_value", message="Audio content of 5ms is already shorter"),
    ],
)
def test_harmless_errors_log_nothing_and_end_nothing(detail: ev.ErrorDetail) -> None:
    made = session("server_vad")
    assert made.receive(ev.ServerError(error=detail), 0.0) == []
    made.append(VOICE)
    made.receive(ev.AudioCommitted(item_id="u1"), 0.1)
    made.ask_for_reply(0.1)
    made.poll(5.0)
    assert len(created(made.to_send())) == 1


def test_lasting_errors_are_reported_wherever_the_code_is() -> None:
    made = session()
    for action, detail in (
        (
            ErrorAction.FATAL,
            ev.ErrorDetail(code="invalid_api_key", message="Incorrect API key: sk-abcdef1234567"),
        ),
        (ErrorAction.LATER, ev.ErrorDetail(type="insufficient_quota")),
    ):
        (problem,) = made.receive(ev.ServerError(error=detail), 0.0)
        assert isinstance(problem, ServerProblem)
        assert problem.action is action
        assert "sk-abc" not in problem.text


def test_failed_response_reports_its_reason() -> None:
    made = asked()
    details = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}
    problem, end = made.receive(done(status="failed", status_details=details), 0.5)
    assert isinstance(problem, ServerProblem)
    assert problem.action is ErrorAction.BACK_OFF
    assert isinstance(end, ReplyDone)
    assert end.failure


CALL = {
    "type": "function_call",
    "status": "completed",
    "call_id": "c1",
    "name": "set_volume",
    "arguments": '{"percent": 30}',
}


def test_function_runs_once_and_its_result_sends_one_create() -> None:
    made = asked()
    item_done = ev.OutputItemDone(response_id="r1", item=CALL)
    assert made.receive(item_done, 0.1) == [SkillCalled("c1", "set_volume", {"percent": 30})]
    assert made.receive(item_done, 0.1) == []
    assert made.receive(done(output=[CALL]), 0.2) == []
    assert made.awaiting
    made.skill_done("c1", "ok", 0.3)
    sent = made.to_send()
    assert kinds(sent) == ["CreateItem", "CreateResponse"]
    output = sent[0]
    assert isinstance(output, ev.CreateItem)
    assert output.item == {"type": "function_call_output", "call_id": "c1", "output": "ok"}


def test_interrupted_function_sends_its_output_without_create() -> None:
    made = asked()
    made.receive(ev.OutputItemDone(response_id="r1", item=CALL), 0.1)
    made.interrupt([], 0.2)
    made.receive(done(status="cancelled"), 0.3)
    made.to_send()
    made.skill_done("c1", "ok", 0.4)
    assert kinds(made.to_send()) == ["CreateItem"]


def test_functions_of_a_dead_response_are_not_called() -> None:
    made = asked()
    made.interrupt([], 0.2)
    assert made.receive(ev.OutputItemDone(response_id="r1", item=CALL), 0.3) == []
    assert made.receive(done(status="cancelled", output=[CALL]), 0.4) == []


def test_new_socket_gets_the_heard_conversation() -> None:
    made = asked()
    made.receive(ev.InputTranscript(item_id="u", transcript="Tell me a story"), 0.1)
    text = ev.TranscriptDelta(response_id="r1", item_id="i1", delta="Once upon a time there was")
    made.receive(text, 0.1)
    made.receive(delta(), 0.1)
    made.interrupt([PlaybackProgress("i1", 0, 500, 1000, False)], 0.5)
    made.lost()
    made.opened()
    made.receive(ev.SessionCreated(), 2.0)
    made.to_send()
    made.receive(ev.SessionUpdated(), 2.1)
    items = [event.item for event in made.to_send() if isinstance(event, ev.CreateItem)]
    assert [(i["role"], i["content"][0]["text"]) for i in items] == [
        ("user", "Tell me a story"),
        ("assistant", "Once upon a"),
    ]


def test_socket_loss_ends_the_current_reply() -> None:
    made = asked()
    assert made.lost() == [ReplyDone("the connection was lost")]
    assert made.lost() == []
    assert not made.awaiting


def test_create_has_a_unique_token_and_every_event_an_id() -> None:
    made = session()
    tokens = []
    ids = []
    for turn in range(3):
        made.append(VOICE)
        made.ask_for_reply(float(turn))
        sent = made.to_send()
        ids += [event.event_id for event in sent]
        tokens.append(settings_of(created(sent)[0])["metadata"][TURN_KEY])
        metadata = settings_of(created(sent)[0])["metadata"]
        response = ev.Response(id=f"r{turn}", metadata=metadata)
        made.receive(ev.ResponseCreated(response=response), turn)
        made.receive(done(f"r{turn}"), turn + 0.5)
    assert len(set(tokens)) == 3
    assert None not in ids
    assert len(set(ids)) == len(ids)
