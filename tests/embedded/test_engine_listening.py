"""Spoken turns through the embedded engine: real voice detection and real recognition."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parleyd.embedded.inputbuffer import MOST_MS, InputBuffer
from parleyd.embedded.recognition import NO_CONFIDENCE, RecognitionResult
from parleyd.embedded.segmenter import (
    SpeechBegan,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechSegmenter,
)
from parleyd.units import SERVER_RATE_HZ, Frames
from tests.embedded.engine_desk import MANUAL, Desk, audio, kinds, only, transcript

pytestmark = pytest.mark.slow

TURN_IN_ORDER = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]


def vad(**detection: Any) -> Any:
    return {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}


def silence(seconds: float) -> Any:
    rng = np.random.default_rng(5)
    return rng.normal(0, 12, int(seconds * SERVER_RATE_HZ)).astype(np.int16)


def test_spoken_question_in_server_vad_is_answered(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad", silence_duration_ms=500))
    question = spoken("what time is it", pause_ms=800)
    came = desk.say(question) + desk.say(silence(1.0))
    assert kinds(came)[:6] == [*TURN_IN_ORDER, "response.created"]
    assert transcript(came) == "It is 3:05 PM."
    started = only(came, "input_audio_buffer.speech_started")
    stopped = only(came, "input_audio_buffer.speech_stopped")
    loud = np.flatnonzero(np.abs(question.astype(int)) > 1000) // 24
    # The turn includes 300 ms before the words and 500 ms after them; 64 ms is two chunks.
    assert loud[0] - 300 - 64 <= started["audio_start_ms"] <= loud[0] - 300 + 64
    assert loud[-1] + 500 - 64 <= stopped["audio_end_ms"] <= loud[-1] + 500 + 200
    item = only(came, "input_audio_buffer.committed")["item_id"]
    assert item == started["item_id"] == stopped["item_id"]
    back = only(
        desk.send("conversation.item.retrieve", item_id=item), "conversation.item.retrieved"
    )
    held_ms = len(back["item"]["content"][0]["audio"]) * 3 // 4 // 48
    assert held_ms == pytest.approx(stopped["audio_end_ms"] - started["audio_start_ms"], abs=1)


def test_positions_continue_across_turns_and_clear(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad", create_response=False))
    desk.say(silence(2.0))
    desk.send("input_audio_buffer.clear")
    came = desk.say(spoken("what time is it")) + desk.say(silence(1.0))
    assert 1900 <= only(came, "input_audio_buffer.speech_started")["audio_start_ms"] <= 2400


def test_turn_without_create_response_waits_for_the_client(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad", create_response=False))
    came = desk.say(spoken("what day is it")) + desk.say(silence(1.0))
    assert kinds(came) == TURN_IN_ORDER
    assert transcript(desk.send("response.create")).startswith("Today is Sunday")


def test_speech_interrupts_the_answer_if_configured(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    for interrupt in (True, False):
        detection = vad(type="server_vad", interrupt_response=interrupt)
        desk = new_desk(pace=1.0, session=detection)
        desk.ask("tell me a story")
        desk.wait(3.0)
        came = desk.say(spoken("stop")) + desk.say(silence(0.8))
        if interrupt:
            assert kinds(came)[0] == "input_audio_buffer.speech_started"
            done = [e["response"] for e in came if e["type"] == "response.done"]
            assert done[0]["status"] == "cancelled"
            assert done[0]["status_details"]["reason"] == "turn_detected"
            assert kinds(came).index("response.done") < kinds(came).index("response.created")
        else:
            assert "response.done" not in kinds(came)
            code = only(came, "error")["error"]["code"]
            assert code == "conversation_already_has_active_response"


def test_clear_in_mid_word_discards_the_turn(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad"))
    question = spoken("set a timer for twenty minutes please")
    came = desk.say(question[: len(question) // 2])
    assert kinds(came)[0] == "input_audio_buffer.speech_started"
    desk.send("input_audio_buffer.clear")
    came = desk.say(silence(2.0))
    assert came == []
    came = desk.say(spoken("what time is it")) + desk.say(silence(1.0))
    assert kinds(came)[:5] == TURN_IN_ORDER
    assert transcript(came) == "It is 3:05 PM."


def test_recognition_starts_in_the_pause_and_is_used(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad", silence_duration_ms=900))
    desk.by_hand = True
    desk.say(spoken("what time is it", pause_ms=0))
    desk.say(silence(0.5))
    assert len(desk.jobs) == 1
    assert "input_audio_buffer.speech_stopped" not in kinds(desk.log)
    assert desk.work() == []  # early results are not sent
    came = desk.say(silence(0.8))
    assert kinds(came)[-1] == "response.content_part.added"
    (job,) = desk.jobs  # the first sentence; nothing is recognised twice
    assert job.sentence == "It is 3:05 PM."  # type: ignore[union-attr]


def test_pause_within_a_sentence_makes_no_second_turn(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad", silence_duration_ms=800))
    came = desk.say(spoken("tell me a story", pause_ms=60))
    came += desk.say(silence(0.35))
    came += desk.say(spoken("about the river", pause_ms=60))
    came += desk.say(silence(1.2))
    assert kinds(came)[:5] == TURN_IN_ORDER
    assert transcript(came).startswith("High in the mountains")


def test_semantic_detection_waits_less_after_a_whole_command(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    ends = {}
    for text in ("what time is it", "my brother bought a bicycle"):
        desk = new_desk(session=vad(type="semantic_vad", eagerness="medium"))
        question = spoken(text, pause_ms=60)
        came = desk.say(question) + desk.say(silence(3.0))
        stopped = only(came, "input_audio_buffer.speech_stopped")["audio_end_ms"]
        ends[text] = stopped - len(question) // 24
        assert "response.done" in kinds(came)
    assert ends["what time is it"] < 800
    assert 1500 < ends["my brother bought a bicycle"] < 2300


def test_commit_during_voice_detection(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk(session=vad(type="server_vad"))
    desk.say(silence(1.0))
    refused = only(desk.send("input_audio_buffer.commit"), "error")["error"]
    assert refused["code"] == "input_audio_buffer_commit_empty"
    came = desk.say(spoken("what time is it", pause_ms=100))
    started = only(came, "input_audio_buffer.speech_started")["item_id"]
    came = desk.send("input_audio_buffer.commit")
    assert only(came, "input_audio_buffer.committed")["item_id"] == started
    assert transcript(desk.send("response.create")) == "It is 3:05 PM."
    assert desk.say(silence(1.0)) == []


def test_manual_turns_are_transcribed_on_request(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    session = {
        "type": "realtime",
        "audio": {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}},
    }
    desk = new_desk(session=session)
    desk.say(spoken("tell me a story"))
    came = desk.send("input_audio_buffer.commit")
    done = only(came, "conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == "tell me a story"
    assert done["usage"]["seconds"] > 1.0
    desk.say(spoken("my brother bought a new bicycle last week"))
    came = desk.send("input_audio_buffer.commit")
    done = only(came, "conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == ""


def test_answer_waiting_for_recognition_can_be_cancelled(
    desk: Desk, spoken: Callable[..., Frames]
) -> None:
    desk.by_hand = True
    desk.say(spoken("tell me a story"))
    desk.send("input_audio_buffer.commit")
    assert kinds(desk.send("response.create")) == ["response.created"]
    came = desk.send("response.cancel")
    assert kinds(came) == ["response.done", "rate_limits.updated"]
    assert only(came, "response.done")["response"]["output"] == []
    desk.work()
    assert audio(desk.log) == b""


def test_spoken_item_can_be_created(desk: Desk, spoken: Callable[..., Frames]) -> None:
    pcm = base64.b64encode(spoken("what is the date").tobytes()).decode()
    part = {"type": "input_audio", "audio": pcm}
    item = {"type": "message", "role": "user", "content": [part]}
    desk.send("conversation.item.create", item=item)
    assert transcript(desk.send("response.create")).startswith("Today is Sunday")


def test_failed_recognition_fails_response_and_transcript(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    session = {**MANUAL}
    session["audio"] = {"input": {"turn_detection": None, "transcription": {"model": "x"}}}
    desk = new_desk(session=session)
    desk.by_hand = True
    desk.say(silence(0.5))
    desk.send("input_audio_buffer.commit")
    desk.send("response.create")
    (job,) = desk.jobs
    came = desk._take(
        desk.engine.recognized(
            job.job, RecognitionResult("", NO_CONFIDENCE, failed="It broke."), 0.0
        )
    )
    assert kinds(came) == [
        "conversation.item.input_audio_transcription.failed",
        "response.done",
        "rate_limits.updated",
    ]
    # No nulls: the agents SDK for JavaScript treats an event with nulls as unknown.
    assert came[0]["error"] == {"type": "server_error", "message": "It broke."}
    done = only(came, "response.done")["response"]
    assert (done["status"], done["status_details"]["error"]["message"]) == ("failed", "It broke.")


# --- the parts ------------------------------------------------------------------------------


def test_endpointing_step_by_step() -> None:
    front_end = SpeechSegmenter(threshold=0.5, silence_ms=320)
    found = {}

    def hear(probability: float, chunks: int) -> None:
        for _ in range(chunks):
            event = front_end.step(probability)
            if event:
                found[front_end._now_ms] = event

    hear(0.1, 10)
    hear(0.9, 1)  # a click
    hear(0.1, 9)
    hear(0.9, 10)  # speech from 640 ms
    hear(0.4, 20)  # neither loud nor silent: within the hysteresis
    hear(0.1, 8)  # a pause of 256 ms
    hear(0.9, 4)
    hear(0.1, 10)
    assert found == {
        704: SpeechBegan(640),
        1600 + 7 * 32: SpeechPaused(),
        1600 + 9 * 32: SpeechResumed(),
        1600 + 12 * 32 + 7 * 32: SpeechPaused(),
        1600 + 12 * 32 + 10 * 32: SpeechEnded(2304),
    }


def test_input_buffer_is_bounded_and_keeps_its_positions() -> None:
    buffer = InputBuffer()
    for second in range(130):
        buffer.append(np.full(SERVER_RATE_HZ, second, "<i2").tobytes())
    assert buffer.held_ms == MOST_MS
    assert buffer.end_ms == 130_000
    assert buffer.start_at(0) == 10_000
    assert np.frombuffer(buffer.between(50_000, 51_000), "<i2").tolist() == [50] * SERVER_RATE_HZ
    buffer.drop_before(129_500)
    assert len(buffer.take_all()) == 24_000
    assert buffer.end_ms == 130_000
