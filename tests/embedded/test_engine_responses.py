"""Responses of the embedded engine: order of events, cancel, truncate, and memory."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from parleyd.embedded.recognition import NO_CONFIDENCE, RecognitionResult
from parleyd.embedded.stories import STORIES
from parleyd.units import Frames
from tests.embedded.engine_desk import MANUAL, NOON, Desk, Json, audio, kinds, only, transcript

pytestmark = pytest.mark.slow

ANSWER_IN_ORDER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
TIMER_TOOL = {
    "type": "function",
    "name": "set_timer",
    "parameters": {"type": "object", "properties": {"seconds": {"type": "integer"}}},
}


def error(came: list[Json]) -> Any:
    return only(came, "error")["error"]


def test_session_created_carries_the_whole_session(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk()
    came = desk.send("session.update", session={"type": "realtime"})
    session = only(came, "session.updated")["session"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_answer_has_every_event_in_the_service_order(desk: Desk) -> None:
    came = desk.ask("what time is it")
    assert kinds(came) == ["conversation.item.added", "conversation.item.done", *ANSWER_IN_ORDER]
    assert transcript(came) == "It is 3:05 PM."
    done = only(came, "response.done")["response"]
    assert done["status"] == "completed"
    assert done["output"][0]["content"] == [
        {"type": "output_audio", "transcript": "It is 3:05 PM."}
    ]
    assert done["usage"]["output_tokens"] > len(audio(came)) // 2 // 1200
    assert done["usage"]["total_tokens"] == (
        done["usage"]["input_tokens"] + done["usage"]["output_tokens"]
    )


def test_every_event_has_a_unique_id(desk: Desk) -> None:
    desk.ask("tell me a story")
    ids = [event["event_id"] for event in desk.log]
    assert len(set(ids)) == len(ids) > 100


def test_deltas_are_100_to_400_ms_and_complete(desk: Desk) -> None:
    came = desk.ask("what can i say")
    pieces = [audio([event]) for event in came if event["type"] == "response.output_audio.delta"]
    assert all(4800 <= len(piece) <= 19200 for piece in pieces)
    sentences = [
        event["delta"].strip()
        for event in came
        if event["type"] == "response.output_audio_transcript.delta"
    ]
    whole = b"".join(desk.speak(sentence).astype("<i2").tobytes() for sentence in sentences)
    assert b"".join(pieces) == whole
    assert " ".join(sentences) == transcript(came)


def test_text_only_answers_carry_no_audio(desk: Desk) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "date"}]}
    item["content"][0]["text"] = "what is the date today"  # type: ignore[index]
    desk.send("conversation.item.create", item=item)
    came = desk.send("response.create", response={"output_modalities": ["text"]})
    assert kinds(came) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    said = only(came, "response.output_text.done")["text"]
    assert said == f"Today is Sunday, November 22nd, {NOON.year}."


def test_metadata_comes_back_in_created_and_done(desk: Desk) -> None:
    came = desk.send("response.create", response={"metadata": {"turn": "7"}})
    assert only(came, "response.created")["response"]["metadata"] == {"turn": "7"}
    assert only(came, "response.done")["response"]["metadata"] == {"turn": "7"}


def test_second_response_is_refused_while_one_is_active(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(pace=1.0, session=MANUAL)
    response = only(desk.ask("tell me a story"), "response.created")["response"]["id"]
    refused = error(desk.send("response.create", event_id="mine"))
    assert refused["code"] == "conversation_already_has_active_response"
    assert refused["event_id"] == "mine"
    assert refused["message"] == (
        f"Conversation already has an active response in progress: {response}. "
        "Wait until the response is finished before creating a new one."
    )


@pytest.mark.parametrize("named", [True, False])
def test_cancel_in_mid_answer_closes_everything_in_order(
    new_desk: Callable[..., Desk], named: bool
) -> None:
    desk = new_desk(pace=1.0, session=MANUAL)
    response = only(desk.ask("tell me a story"), "response.created")["response"]["id"]
    early = desk.wait(5.0)
    came = desk.send("response.cancel", **({"response_id": response} if named else {}))
    assert kinds(came) == ANSWER_IN_ORDER[6:]
    done = only(came, "response.done")["response"]
    assert done["id"] == response
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["status"] == "incomplete"
    assert 4.0 < len(audio(desk.log)) / 48000 < 6.0
    assert len(audio(early)) > 0
    assert desk.wait(60.0) == []  # nothing late


def test_cancel_drops_the_sentence_in_synthesis(desk: Desk) -> None:
    desk.by_hand = True
    desk.ask("tell me a story")
    desk.work(1)
    (waiting,) = desk.jobs
    came = desk.send("response.cancel")
    assert only(came, "response.done")["response"]["status"] == "cancelled"
    assert desk.forgotten == [waiting.job]
    assert desk.engine.synthesized(waiting.job, desk.speak("late"), 0.0) == []


def test_cancel_without_a_response_is_a_harmless_error(desk: Desk) -> None:
    refused = error(desk.send("response.cancel", event_id="c1"))
    assert refused["code"] == "response_cancel_not_active"
    assert refused["message"] == "Cancellation failed: no active response found"
    desk.ask("hello")
    assert error(desk.send("response.cancel", response_id="resp_x"))["code"] == (
        "response_cancel_not_active"
    )


def told(desk: Desk, seconds: float) -> Any:
    """A story interrupted after this number of seconds; returns its item's id."""
    item = only(desk.ask("tell me a story"), "response.output_item.done")["item"]["id"]
    only(
        desk.send(
            "conversation.item.truncate",
            item_id=item,
            content_index=0,
            audio_end_ms=int(seconds * 1000),
        ),
        "conversation.item.truncated",
    )
    return item


@pytest.mark.parametrize("seconds", [0.05, 0.6, 2.0, 9.5, 20.0, 33.3])
def test_go_on_continues_where_the_story_was_cut(desk: Desk, seconds: float) -> None:
    told(desk, seconds)
    story = STORIES["lighthouse"]
    ends = [0.0]
    for sentence in story:
        ends.append(ends[-1] + len(desk.speak(sentence)) / 24000)
    heard = max(i for i, end in enumerate(ends) if end <= seconds)
    rest = transcript(desk.ask("go on"))
    # Without a single heard word there is no story to continue.
    expected = "There is nothing to go on with." if seconds < 0.1 else " ".join(story[heard:])
    assert rest.startswith(expected)
    assert len(rest) <= len(expected) + 40


def test_go_on_works_until_the_story_is_over(desk: Desk) -> None:
    told(desk, 20.0)
    came = desk.ask("go on")
    item = only(came, "response.output_item.done")["item"]["id"]
    desk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=9000)
    last = transcript(desk.ask("continue the story"))
    assert last.endswith(STORIES["lighthouse"][-1])
    assert len(last) < len(transcript(came))
    assert transcript(desk.ask("go on")) == "That was the end of the story."


def test_repeat_says_only_the_heard_part(desk: Desk) -> None:
    told(desk, 9.0)
    again = transcript(desk.ask("repeat that"))
    assert " ".join(STORIES["lighthouse"]).startswith(again)
    assert 20 < len(again) < 200


def test_deleted_answer_is_forgotten(desk: Desk) -> None:
    item = told(desk, 20.0)
    assert only(desk.send("conversation.item.delete", item_id=item), "conversation.item.deleted")
    assert transcript(desk.ask("go on")).startswith("There is nothing to go on with.")


def test_story_resumes_from_the_heard_text_after_a_reconnect(desk: Desk) -> None:
    heard = " ".join(STORIES["fox"][:3]) + " One evening she"
    part = {"type": "output_text", "text": heard}
    item = {"type": "message", "role": "assistant", "content": [part]}
    desk.send("conversation.item.create", item=item)
    assert transcript(desk.ask("go on")).startswith(STORIES["fox"][3])


def test_another_story_is_a_different_one(desk: Desk) -> None:
    first, second = transcript(desk.ask("tell me a story")), transcript(desk.ask("another story"))
    assert first == " ".join(STORIES["lighthouse"])
    assert second == " ".join(STORIES["fox"])
    assert transcript(desk.ask("tell me a story about the river")) == " ".join(STORIES["river"])


def test_truncate_during_generation_drops_the_rest(
    new_desk: Callable[..., Desk],
) -> None:
    desk = new_desk(pace=1.0, session=MANUAL)
    item = only(desk.ask("tell me a story"), "response.output_item.added")["item"]["id"]
    desk.wait(6.0)
    desk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=5000)
    desk.wait(3.0)
    desk.send("response.cancel")
    came = desk.send("conversation.item.retrieve", item_id=item)
    content = only(came, "conversation.item.retrieved")["item"]["content"][0]
    assert len(content["audio"]) == 5000 * 48 * 4 // 3
    assert content["transcript"] is None


def test_truncate_refusals(desk: Desk) -> None:
    came = desk.ask("what time is it")
    item = only(came, "response.output_item.done")["item"]["id"]
    user = came[0]["item"]["id"]
    length_ms = len(audio(came)) // 48

    def refused(item_id: str, ms: int, index: int = 0) -> Any:
        return error(
            desk.send(
                "conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=ms
            )
        )

    late = refused(item, length_ms + 500)
    assert late["code"] == "invalid_value"
    assert late["message"] == (
        f"Audio content of {length_ms}ms is already shorter than {length_ms + 500}ms"
    )
    assert refused(user, 0)["message"] == "Only model output audio messages can be truncated"
    assert refused("item_none", 10)["code"] == "item_truncate_invalid_item_id"
    assert refused(item, 10, index=3)["param"] == "content_index"
    assert refused(item, -1)["code"] == "integer_below_min_value"
    desk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=300)
    assert refused(item, 301)["message"] == "Audio content of 300ms is already shorter than 301ms"


def test_truncate_before_the_first_audio_is_refused(desk: Desk) -> None:
    desk.by_hand = True
    item = only(desk.ask("hello"), "response.output_item.added")["item"]["id"]
    came = desk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=0)
    assert error(came)["message"] == "Only model output audio messages can be truncated"


def with_tools(new_desk: Callable[..., Desk], **more: Any) -> Any:
    return new_desk(session={**MANUAL, "tools": [TIMER_TOOL], **more})


def test_timer_is_a_function_call_and_its_output_is_spoken(new_desk: Callable[..., Desk]) -> None:
    desk = with_tools(new_desk)
    came = desk.ask("jarvis set an egg timer for six minutes and thirty seconds")
    assert kinds(came)[2:] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    call = only(came, "response.output_item.done")["item"]
    assert call["name"] == "set_timer"
    assert call["status"] == "completed"
    assert json.loads(call["arguments"]) == {"seconds": 390, "name": "egg"}
    output = {
        "type": "function_call_output",
        "call_id": call["call_id"],
        "output": "The timer for egg rings in 390 seconds.",
    }
    desk.send("conversation.item.create", item=output)
    said = transcript(desk.send("response.create"))
    assert said == "The timer for egg rings in 6 minutes and 30 seconds."


def test_question_after_the_call_is_answered_first(
    new_desk: Callable[..., Desk],
) -> None:
    desk = with_tools(new_desk)
    call = only(desk.ask("set a timer for one hour"), "response.output_item.done")["item"]
    part = {"type": "input_text", "text": "what time is it"}
    item = {"type": "message", "role": "user", "content": [part]}
    desk.send("conversation.item.create", item=item)
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "ok"}
    desk.send("conversation.item.create", item=output)
    assert transcript(desk.send("response.create")) == "It is 3:05 PM."


def test_command_without_its_function_is_declined(new_desk: Callable[..., Desk]) -> None:
    for desk in (new_desk(session=MANUAL), with_tools(new_desk, tool_choice="none")):
        said = transcript(desk.ask("set a timer for ten minutes"))
        assert said == "Sorry, this device can't set timers."


def test_out_of_band_answers_run_in_parallel_without_a_trace(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(pace=1.0, session=MANUAL)
    story = only(desk.ask("tell me a story"), "response.created")["response"]["id"]
    part = {"type": "input_text", "text": "what time is it"}
    question = {"type": "message", "role": "user", "content": [part]}
    aside = {"conversation": "none", "input": [question], "output_modalities": ["text"]}
    came = desk.send("response.create", response=aside)
    assert only(came, "response.output_text.done")["text"] == "It is 3:05 PM."
    assert only(came, "response.done")["response"]["conversation_id"] is None
    assert "conversation.item.added" not in kinds(came)
    done = only(desk.send("response.cancel"), "response.done")["response"]
    assert done["id"] == story


def test_empty_input_is_an_empty_context(desk: Desk) -> None:
    desk.ask("tell me a story")
    came = desk.send("response.create", response={"input": []})
    assert transcript(came).startswith("Hello.")


def test_two_pieces_of_one_turn_are_understood_together(desk: Desk) -> None:
    for text in ("set a timer for", "ten minutes"):
        part = {"type": "input_text", "text": text}
        item = {"type": "message", "role": "user", "content": [part]}
        desk.send("conversation.item.create", item=item)
    assert transcript(desk.send("response.create")) == "Sorry, this device can't set timers."


def test_pace_1_sends_audio_in_real_time(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(pace=2.0, session=MANUAL)
    desk.ask("tell me a story")
    before = len(audio(desk.log))
    came = desk.wait(10.0)
    assert len(audio(came)) / 48000 == pytest.approx(20.0, abs=0.6)
    assert before / 48000 <= 0.4


def test_failed_recognition_is_repeated_by_the_next_response(
    desk: Desk, spoken: Callable[..., Frames]
) -> None:
    desk.by_hand = True
    desk.say(spoken("what time is it"))
    desk.send("input_audio_buffer.commit")
    (broken,) = desk.jobs
    desk.jobs.clear()
    failure = RecognitionResult("", NO_CONFIDENCE, failed="It broke.")
    desk._take(desk.engine.recognized(broken.job, failure, desk.now))
    came = desk.send("response.create") + desk.work()
    assert only(came, "response.done")["response"]["status"] == "completed"
    assert transcript(came) == "It is 3:05 PM."
