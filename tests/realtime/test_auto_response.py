"""Parley detects a server that answers by itself, and does not race it."""

from typing import Any

import numpy as np
import pytest

from parleyd import config
from parleyd.realtime import events as ev
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import ReplyAudio, ReplyDone

VOICE = np.full(4800, 1000, np.int16)  # 200 ms at 24 kHz


def session(server: Any, detection: Any = "server_vad") -> RealtimeSession:
    realtime = config.RealtimeConfig(server=server, url="ws://nas/v1", model="m")
    made = RealtimeSession(realtime, config.TurnConfig(detection=detection))
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.receive(ev.SessionUpdated(), 0.0)
    made.to_send()
    return made


def turn(made: RealtimeSession, now: float, item: str = "u1") -> None:
    """The server detects a turn and commits it."""
    made.append(VOICE)
    made.receive(ev.SpeechStarted(item_id=item), now)
    made.receive(ev.SpeechStopped(item_id=item), now)
    made.ask_for_reply(now)
    made.receive(ev.AudioCommitted(item_id=item), now)


def creates_by(made: RealtimeSession, now: float) -> int:
    """The number of answers that Parley has requested until then."""
    made.poll(now)
    return sum(isinstance(event, ev.CreateResponse) for event in made.to_send())


def answer(made: RealtimeSession, name: str, now: float) -> list[object]:
    events: list[object] = []
    events += made.receive(ev.ResponseCreated(response=ev.Response(id=name)), now)
    events += made.receive(ev.AudioDelta(response_id=name, item_id="i", delta=b"\1\0" * 10), now)
    events += made.receive(ev.ResponseDone(response=ev.Response(id=name, status="completed")), now)
    return events


@pytest.mark.parametrize("detection", ["server_vad", "local"])
def test_localai_gets_ten_seconds_to_answer(detection: Any) -> None:
    """Its answer begins after recognition, which a response.create would destroy."""
    made = session("localai", detection)
    if detection == "local":
        made.append(VOICE)
        made.ask_for_reply(1.0)
        made.receive(ev.AudioCommitted(item_id="u1"), 1.1)
    else:
        turn(made, 1.0)
    assert creates_by(made, 9.0) == 0
    events = answer(made, "own", 9.0)
    assert any(isinstance(n, ReplyAudio) for n in events)
    assert events[-1] == ReplyDone()
    assert creates_by(made, 60.0) == 0


def test_known_silent_server_gets_a_request_at_once() -> None:
    made = session("localai")
    turn(made, 1.0)
    assert creates_by(made, 10.9) == 0
    assert creates_by(made, 11.0) == 1


def test_unknown_server_gets_one_wait() -> None:
    made = session("compatible")
    turn(made, 1.0)
    assert creates_by(made, 3.9) == 0
    assert creates_by(made, 4.0) == 1
    answer(made, "r1", 5.0)
    turn(made, 20.0, "u2")
    assert creates_by(made, 20.0) == 1  # it is known not to answer by itself


def test_unknown_server_that_answers_gets_no_request() -> None:
    made = session("compatible")
    turn(made, 1.0)
    made.poll(3.0)
    answer(made, "own", 3.0)
    turn(made, 20.0, "u2")
    assert creates_by(made, 28.0) == 0
    answer(made, "own2", 29.0)
    assert creates_by(made, 60.0) == 0


def test_unknown_server_with_create_response_gets_no_request() -> None:
    made = session("compatible")
    detection = {"type": "server_vad", "create_response": True}
    made.receive(ev.SessionUpdated(session={"turn_detection": detection}), 0.5)
    turn(made, 1.0)
    assert creates_by(made, 8.0) == 0


@pytest.mark.parametrize("server", ["openai", "azure", "speech-to-speech", "embedded"])
def test_server_that_waits_for_requests_gets_one_at_once(server: Any) -> None:
    made = session(server)
    turn(made, 1.0)
    assert creates_by(made, 1.0) == 1


def test_openai_with_the_default_setting_still_gets_a_request() -> None:
    made = session("openai")
    detection = {"type": "server_vad", "create_response": True}
    audio = {"audio": {"input": {"turn_detection": detection}}}
    made.receive(ev.SessionUpdated(session=audio), 0.5)
    turn(made, 1.0)
    assert creates_by(made, 1.0) == 1


def test_result_of_a_function_is_answered_without_a_wait() -> None:
    made = session("localai")
    turn(made, 1.0)
    made.receive(ev.ResponseCreated(response=ev.Response(id="own")), 2.0)
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    made.receive(ev.OutputItemDone(response_id="own", item=call), 2.1)
    made.receive(ev.ResponseDone(response=ev.Response(id="own", status="completed")), 2.2)
    made.to_send()
    made.skill_done("c", "done", 2.5)
    assert creates_by(made, 2.5) == 1


def test_second_answer_to_one_turn_is_dropped() -> None:
    """The server begins an answer by itself, and then the requested one."""
    made = session("compatible")
    turn(made, 1.0)
    assert creates_by(made, 4.0) == 1
    made.receive(ev.ResponseCreated(response=ev.Response(id="own")), 4.1)
    made.receive(ev.ResponseCreated(response=ev.Response(id="second")), 4.2)
    cancels = [e.response_id for e in made.to_send() if isinstance(e, ev.CancelResponse)]
    assert cancels == ["second"]


def test_turn_while_connecting_waits_from_its_sending() -> None:
    realtime = config.RealtimeConfig(server="localai", url="ws://nas/v1", model="m")
    made = RealtimeSession(realtime, config.TurnConfig(detection="server_vad"))
    made.append(VOICE)
    made.ask_for_reply(0.0)
    made.poll(1.0)
    made.opened()
    made.receive(ev.SessionCreated(), 30.0)
    made.receive(ev.SessionUpdated(), 30.0)
    assert creates_by(made, 39.9) == 0
    assert creates_by(made, 40.0) == 1


def test_single_unrequested_answer_is_forgotten() -> None:
    """After one such answer Parley waits for 10 s, twice, then 3 s, then not at all."""
    made = session("compatible")
    turn(made, 1.0)
    answer(made, "own", 2.0)
    for number, (wait_s, began) in enumerate([(10.0, 100.0), (10.0, 200.0), (3.0, 300.0)]):
        turn(made, began, f"u{number + 2}")
        assert creates_by(made, began + wait_s - 0.1) == 0
        assert creates_by(made, began + wait_s + 0.1) == 1
        answer(made, f"asked{number}", began + wait_s + 1.0)
    turn(made, 400.0, "u9")
    assert creates_by(made, 400.0) == 1
