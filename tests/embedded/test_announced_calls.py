"""Calls that are hard to undo: announced before they are made, or made only after a yes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parleyd.embedded.actions import Recognize
from parleyd.embedded.recognition import RecognitionResult
from parleyd.embedded.response import OBJECTION_S, YES_WITHIN_S
from parleyd.units import SERVER_RATE_HZ
from tests.embedded.engine_desk import MANUAL, Desk, Json, audio, kinds, only, transcript

pytestmark = pytest.mark.slow

NAMES = ("mute_microphone", "cancel_timers", "set_alarm", "set_timer")
TOOLS = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in NAMES]
TOLD = "I close the microphone for 10 minutes."
SPEECH = np.full(SERVER_RATE_HZ // 2, 900, np.int16)


@pytest.fixture(params=[None, 1.0], ids=["fast", "real time"])
def desk(request: Any, new_desk: Callable[..., Desk]) -> Desk:
    """Audio as fast as it is made, and at the pace of playback: the call waits for both."""
    return new_desk(request.param, session={**MANUAL, "tools": TOOLS})


def hear(desk: Desk, words: str, *, sure: bool) -> list[Json]:
    """Say something that the recogniser understands as these words."""
    desk.by_hand = True
    desk.say(SPEECH)
    came = desk.send("input_audio_buffer.commit") + desk.send("response.create")
    (job,) = desk.jobs
    assert isinstance(job, Recognize)
    desk.jobs.clear()
    heard = RecognitionResult(words, -2.0, sure)
    came += desk._take(desk.engine.recognized(job.job, heard, desk.now))
    desk.by_hand = False
    return came + desk.work()


def calls(came: list[Json]) -> list[str]:
    return [e["name"] for e in came if e["type"] == "response.function_call_arguments.done"]


def test_announced_call_waits_for_the_audio_and_a_moment(desk: Desk) -> None:
    came = hear(desk, "mute the microphone for ten minutes", sure=True)
    played_s = len(desk.speak(TOLD)) / SERVER_RATE_HZ
    came += desk.wait(played_s + OBJECTION_S - 0.1)
    assert transcript(came) == TOLD
    assert len(audio(came)) / 2 / SERVER_RATE_HZ == pytest.approx(played_s)
    assert calls(came) == []
    assert "response.done" not in kinds(came)
    came = desk.wait(0.2)
    assert calls(came) == ["mute_microphone"]
    done = only(came, "response.done")["response"]
    assert done["status"] == "completed"
    assert [item["type"] for item in done["output"]] == ["message", "function_call"]


@pytest.mark.parametrize("after_s", [0.3, 3.0])
def test_cancelled_announcement_is_never_called(desk: Desk, after_s: float) -> None:
    hear(desk, "mute the microphone for ten minutes", sure=True)
    desk.wait(after_s)
    came = desk.send("response.cancel")
    assert only(came, "response.done")["response"]["status"] == "cancelled"
    assert calls(came + desk.wait(60.0)) == []


def test_speech_in_the_moment_prevents_the_call(new_desk: Callable[..., Desk]) -> None:
    """With voice detection of the server, as Parley uses it: a "no" needs no button."""
    desk = new_desk(1.0, session={"type": "realtime", "tools": TOOLS})
    desk.by_hand = True
    no = np.concatenate([desk.speak("No no, wait!"), np.zeros(SERVER_RATE_HZ, np.int16)])
    desk.say(no)
    job = [job for job in desk.jobs if isinstance(job, Recognize)][-1]
    desk.jobs.clear()
    heard = RecognitionResult("stop listening", -2.0, sure=True)
    desk._take(desk.engine.recognized(job.job, heard, desk.now))
    desk.by_hand = False
    desk.work()
    played_s = len(desk.speak(TOLD)) / SERVER_RATE_HZ
    desk.wait(played_s + 0.3)
    assert calls(desk.log) == []
    came = desk.say(no[: SERVER_RATE_HZ // 2])
    assert only(came, "response.done")["response"]["status"] == "cancelled"
    assert calls(desk.log + desk.wait(10.0)) == []


def test_result_of_an_announced_call_is_spoken_once(desk: Desk) -> None:
    hear(desk, "mute the microphone for ten minutes", sure=True)
    call = only(desk.wait(10.0), "response.function_call_arguments.done")
    output = "The microphone is closed for 10 minutes. The button opens it earlier."
    item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
    desk.send("conversation.item.create", item=item)
    came = desk.send("response.create") + desk.wait(10.0)
    assert transcript(came) == "The button opens it earlier."


@pytest.mark.parametrize(
    ("reply", "called"),
    [("yes please", ["cancel_timers"]), ("no", []), ("", []), ("what time is it", [])],
)
def test_doubtful_call_needs_a_yes(desk: Desk, reply: str, called: list[str]) -> None:
    came = hear(desk, "cancel all timers", sure=False) + desk.wait(10.0)
    assert transcript(came) == "Shall I cancel all timers?"
    came = hear(desk, reply, sure=True) + desk.wait(10.0)
    assert calls(came) == called
    if reply != "yes please":
        assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == []


def test_yes_before_the_question_was_heard_permits_nothing(
    new_desk: Callable[..., Desk],
) -> None:
    desk = new_desk(1.0, session={**MANUAL, "tools": TOOLS})
    hear(desk, "cancel all timers", sure=False)
    desk.wait(0.6)
    desk.send("response.cancel")
    assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == []


@pytest.mark.parametrize("reply", ["sure", "sure now", "yeah", "yes now", "yes for me", "do it"])
def test_spoken_reply_that_resembles_a_yes_is_asked_again(desk: Desk, reply: str) -> None:
    """ "Sure not" and "yesterday" are recognised as such words; only a plain yes permits."""
    hear(desk, "cancel all timers and alarms", sure=False)
    desk.wait(10.0)
    came = hear(desk, reply, sure=True) + desk.wait(10.0)
    assert calls(came) == []
    assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == ["cancel_timers"]


def test_yes_long_after_the_question_is_asked_again(desk: Desk) -> None:
    asked = hear(desk, "cancel all timers", sure=False)
    asked += desk.wait(len(desk.speak("Shall I cancel all timers?")) / SERVER_RATE_HZ)
    desk.wait(YES_WITHIN_S + 0.1)
    came = hear(desk, "yes", sure=True)
    assert calls(came) == []
    assert transcript(came + desk.wait(10.0)) == transcript(asked)
    assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == ["cancel_timers"]


def test_unsure_yes_is_asked_again(desk: Desk) -> None:
    hear(desk, "cancel all timers", sure=False)
    desk.wait(10.0)
    came = hear(desk, "yes", sure=False) + desk.wait(10.0)
    assert calls(came) == []
    assert transcript(came) == "Shall I cancel all timers?"
    assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == ["cancel_timers"]


USER_NO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "no"}]}


def announcing(desk: Desk) -> str:
    """Have a call announced; returns the id of the announcement."""
    came = hear(desk, "mute the microphone for ten minutes", sure=True) + desk.wait(0.6)
    return str(next(e for e in came if e["type"] == "response.output_item.added")["item"]["id"])


def object_by(desk: Desk, way: str, told: str) -> None:
    match way:
        case "text":
            desk.send("conversation.item.create", item=USER_NO)
        case "audio":
            desk.say(SPEECH)
            desk.send("input_audio_buffer.commit")
        case "truncation":
            item = {"item_id": told, "content_index": 0, "audio_end_ms": 300}
            desk.send("conversation.item.truncate", **item)
        case _:
            desk.send("conversation.item.delete", item_id=told)


@pytest.mark.parametrize("way", ["text", "audio", "truncation", "deletion"])
@pytest.mark.parametrize("after_s", [0.0, 2.5])
def test_whatever_the_user_adds_or_takes_back_withdraws_the_call(
    new_desk: Callable[..., Desk], way: str, after_s: float
) -> None:
    """During the announcement and in the moment after it, without a cancelling of the response."""
    desk = new_desk(1.0, session={**MANUAL, "tools": TOOLS})
    told = announcing(desk)
    desk.wait(after_s)
    assert "response.done" not in kinds(desk.log)
    object_by(desk, way, told)
    desk.wait(10.0)
    assert calls(desk.log) == []
    assert only(desk.log, "response.done")["response"]["status"] == "completed"


def test_deleting_another_item_withdraws_nothing(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(1.0, session={**MANUAL, "tools": TOOLS})
    hello = {**USER_NO, "id": "old", "content": [{"type": "input_text", "text": "hello"}]}
    desk.send("conversation.item.create", item=hello)
    announcing(desk)
    desk.send("conversation.item.delete", item_id="old")
    assert calls(desk.wait(10.0)) == ["mute_microphone"]


@pytest.mark.parametrize("override", [{}, {"conversation": "none"}], ids=["in it", "out of band"])
def test_beginning_speech_withdraws_the_call_of_every_response(
    new_desk: Callable[..., Desk], override: Json
) -> None:
    """Also where the client wants no response to be interrupted."""
    detection = {"type": "server_vad", "interrupt_response": False, "create_response": False}
    session = {
        "type": "realtime",
        "tools": TOOLS,
        "audio": {"input": {"turn_detection": detection}},
    }
    desk = new_desk(1.0, session=session)
    item = {**USER_NO, "content": [{"type": "input_text", "text": "stop"}]}
    desk.send("conversation.item.create", item=item)
    desk.by_hand = True
    user = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": ""}]}
    came = desk.send("conversation.item.create", item=user)
    came += desk.send("response.create", response=override)
    (job,) = desk.jobs
    assert isinstance(job, Recognize)
    desk.jobs.clear()
    heard = RecognitionResult("mute the microphone for ten minutes", -2.0, sure=True)
    desk._take(desk.engine.recognized(job.job, heard, desk.now))
    desk.by_hand = False
    desk.work()
    desk.wait(1.0)
    desk.say(desk.speak("No no, wait!"))
    assert "input_audio_buffer.speech_started" in kinds(desk.log)
    desk.wait(20.0)
    assert calls(desk.log) == []


def test_usage_counts_the_announcement_and_its_call(desk: Desk) -> None:
    hear(desk, "mute the microphone for ten minutes", sure=True)
    desk.wait(10.0)
    used = only(desk.log, "response.done")["response"]["usage"]
    assert used["output_token_details"]["audio_tokens"] == len(desk.speak(TOLD)) // 1_200
    assert used["output_token_details"]["text_tokens"] == len(TOLD.split()) + 1


@pytest.mark.parametrize("later", ["no wait please do not do it", "", "   "])
def test_yes_with_anything_after_it_is_asked_again(desk: Desk, later: str) -> None:
    came = hear(desk, "cancel all timers", sure=False) + desk.wait(10.0)
    question = transcript(came)
    for words in ("yes", later):
        item = {**USER_NO, "content": [{"type": "input_text", "text": words}]}
        desk.send("conversation.item.create", item=item)
    came = desk.send("response.create") + desk.wait(10.0)
    assert calls(came) == []
    assert transcript(came) == question


def test_command_that_was_perhaps_taken_back_is_asked(desk: Desk) -> None:
    for words in ("cancel all timers", "no wait please"):
        item = {**USER_NO, "content": [{"type": "input_text", "text": words}]}
        desk.send("conversation.item.create", item=item)
    came = desk.send("response.create") + desk.wait(10.0)
    assert calls(came) == []
    assert transcript(came).startswith("Shall I cancel all timers")


@pytest.mark.parametrize("first", ["don't", "please don't", "never", "if it rains", ""])
def test_command_after_words_that_may_change_it_is_not_announced(desk: Desk, first: str) -> None:
    """The user paused in mid-sentence, and the server heard two parts."""
    for words in (first, "cancel the timer"):
        item = {**USER_NO, "content": [{"type": "input_text", "text": words}]}
        desk.send("conversation.item.create", item=item)
    came = desk.send("response.create") + desk.wait(10.0)
    assert calls(came) == []


@pytest.mark.parametrize(
    ("first", "second", "called"),
    [
        ("wake me", "at seven", ["set_alarm"]),
        ("set an alarm for seven", "thirty", ["set_alarm"]),
        ("stop listening", "for an hour", ["mute_microphone"]),
        ("set a pasta timer", "for ten minutes", ["set_timer"]),
    ],
)
def test_two_parts_of_a_phrase_are_one(
    desk: Desk, first: str, second: str, called: list[str]
) -> None:
    for words in (first, second):
        item = {**USER_NO, "content": [{"type": "input_text", "text": words}]}
        desk.send("conversation.item.create", item=item)
    assert calls(desk.send("response.create") + desk.wait(10.0)) == called


def test_one_yes_is_one_call(desk: Desk) -> None:
    hear(desk, "cancel all timers", sure=False)
    desk.wait(10.0)
    assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == ["cancel_timers"]
    assert calls(hear(desk, "yes", sure=True) + desk.wait(10.0)) == []
