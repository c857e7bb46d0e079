"""Every answer ends audibly or visibly, in simulated time, and the next turn is answered."""

import numpy as np
import pytest

from parleyd.core.states import Indication, State
from parleyd.realtime import events as ev
from tests.bare_core import BareCore, at
from tests.client_events import settings_of

pytestmark = pytest.mark.slow

TEXT = {
    "type": "message",
    "id": "text_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "It rains."}],
}
SERVERS = ["openai", "azure", "xai", "localai", "speech-to-speech", "compatible"]
SORRY_MS = 350


def asked(server: str) -> BareCore:
    """Return a core for which the server has begun `r1`, the answer to a question."""
    core = BareCore(at(server))
    core.ask("r1")
    return core


def reasons(core: BareCore, since: int = 0) -> str:
    """Return all texts for the log."""
    return " ".join(str(log_event.fields) for log_event in core.log_events()[since:])


def assert_next_turn_is_answered(core: BareCore) -> None:
    core.ask("next")
    began = core.now
    core.sound("next", 500)
    core.end("next")
    core.until(State.IDLE)
    core.run(0.2)
    assert core.heard_ms(began) == pytest.approx(500, abs=20)


ENDINGS: dict[str, tuple[str, dict[str, object], str]] = {
    "token limit": (
        "incomplete",
        {"status_details": {"type": "incomplete", "reason": "max_output_tokens"}},
        "max_output_tokens",
    ),
    "content filter": (
        "incomplete",
        {"status_details": {"type": "incomplete", "reason": "content_filter"}},
        "content filter",
    ),
    "another reason": (
        "incomplete",
        {"status_details": {"type": "incomplete", "reason": "bad_weather"}},
        "bad_weather",
    ),
    "no reason": ("incomplete", {}, "ended the answer early"),
    "a reason that is no object": ("incomplete", {"status_details": "unimplemented"}, "early"),
    "cancelled": ("cancelled", {}, "cancelled its answer"),
    "cancelled by a client that did not": (
        "cancelled",
        {"status_details": {"type": "cancelled", "reason": "client_cancelled"}},
        "client_cancelled",
    ),
    "rate limit": (
        "failed",
        {"status_details": {"type": "failed", "error": {"code": "rate_limit_exceeded"}}},
        "wait a moment",
    ),
    "failed without a word": ("failed", {}, "the answer failed"),
    "failed with a word": ("failed", {"status_details": "boom"}, "the answer failed"),
    "a status from the future": ("exploded", {}, "exploded"),
}


@pytest.mark.parametrize(
    ("how", "server"),
    [*((how, "openai") for how in ENDINGS), *(("cancelled", server) for server in SERVERS[1:])],
)
def test_answer_without_sound_ends_with_the_sorry_tone(how: str, server: str) -> None:
    status, more, words = ENDINGS[how]
    core = asked(server)
    began, log_events = core.now, len(core.log_events())
    core.end("r1", status, **more)
    core.run(1.5)
    assert core.speaker.state is State.IDLE
    assert core.heard_ms(began) == pytest.approx(SORRY_MS, abs=25)
    assert words in reasons(core, log_events)
    assert core.shown[-1] is Indication.IDLE
    assert words in core.detail
    assert_next_turn_is_answered(core)


@pytest.mark.parametrize("how", ENDINGS)
def test_answer_cut_after_some_sound_is_played_to_there(how: str) -> None:
    status, more, words = ENDINGS[how]
    core = asked("openai")
    began, log_events = core.now, len(core.log_events())
    core.sound("r1", 1000)
    core.end("r1", status, **more)
    core.run(1.6)
    assert core.heard_ms(began) == pytest.approx(1000, abs=20)
    assert words in reasons(core, log_events)
    assert core.speaker.state is State.IDLE
    assert_next_turn_is_answered(core)


@pytest.mark.parametrize(
    ("server", "output"),
    [("openai", []), ("openai", None), *((server, [TEXT]) for server in SERVERS)],
)
def test_answer_in_text_is_requested_once_more(server: str, output: list[ev.Json] | None) -> None:
    core = asked(server)
    before = len(core.sent)
    core.end("r1", "completed", output=output)
    core.wait(lambda: len(core.events(ev.CreateResponse)) == 2, within_s=2.0)
    create = core.events(ev.CreateResponse)[-1]
    assert settings_of(create)["output_modalities"] == ["audio"]
    deleted = [e.item_id for e in core.sent[before:] if isinstance(e, ev.DeleteItem)]
    assert deleted == (["text_1"] if output and server != "xai" else [])
    began = core.now
    core.begin("r2")
    core.sound("r2", 700)
    core.end("r2", "completed")
    core.until(State.IDLE)
    core.run(0.2)
    assert core.heard_ms(began) == pytest.approx(700, abs=20)
    assert core.log_events("reply_failed") == []


def test_second_answer_in_text_ends_with_the_sorry_tone() -> None:
    core = asked("openai")
    core.end("r1", "completed", output=[TEXT])
    core.wait(lambda: len(core.events(ev.CreateResponse)) == 2)
    began = core.now
    core.begin("r2")
    core.end("r2", "completed", output=[TEXT])
    core.run(1.0)
    assert core.speaker.state is State.IDLE
    assert core.heard_ms(began) == pytest.approx(SORRY_MS, abs=25)
    assert "in text only" in core.detail
    assert len(core.events(ev.CreateResponse)) == 2
    assert_next_turn_is_answered(core)


@pytest.mark.parametrize("level", [0, 8, -7])
@pytest.mark.parametrize("first_ms", [0, 1000])
def test_endless_silence_is_abandoned(first_ms: int, level: int) -> None:
    """Digital silence, or a constant, in endless deltas."""
    core = asked("openai")
    began = core.now
    if first_ms:
        core.sound("r1", first_ms)
    silence = np.full(4800, level, "<i2").tobytes()
    while core.now - began < 60 and core.speaker.state is not State.IDLE:
        core.say(ev.AudioDelta(response_id="r1", item_id="i", delta=silence))
        core.run(0.2)
    assert 15 < core.now - began < 45
    assert [e.response_id for e in core.events(ev.CancelResponse)] == ["r1"]
    assert "nothing but silence" in reasons(core)
    if not first_ms:
        core.run(0.5)
        assert core.heard_ms(began) == pytest.approx(SORRY_MS, abs=25)
    core.end("r1", "cancelled")
    assert_next_turn_is_answered(core)


def test_pause_of_ten_seconds_within_an_answer_is_played() -> None:
    core = asked("openai")
    began = core.now
    core.sound("r1", 500)
    quiet = np.zeros(24_000 * 10, "<i2").tobytes()
    core.say(ev.AudioDelta(response_id="r1", item_id="i", delta=quiet))
    core.sound("r1", 500)
    core.end("r1")
    core.until(State.IDLE)
    assert core.heard_ms(began) == pytest.approx(1000, abs=20)


ERRORS = {
    "code": ev.ErrorDetail(type="invalid_request_error", code="inference_failed", message="boom"),
    "type": ev.ErrorDetail(type="tts_error", message="boom"),
    "text": ev.ErrorDetail(message="backend error: boom"),
    "busy": ev.ErrorDetail(code="server_error", message="boom"),
}


@pytest.mark.parametrize("audio_ms", [0, 1000])
@pytest.mark.parametrize(
    ("server", "error"), [*(("localai", error) for error in ERRORS), ("xai", "code")]
)
def test_error_without_response_done_ends_the_answer(
    server: str, error: str, audio_ms: int
) -> None:
    core = asked(server)
    if audio_ms:
        core.sound("r1", audio_ms)
        core.run(0.2)
    began = core.now
    core.say(ev.ServerError(error=ERRORS[error]))
    core.until(State.IDLE)
    assert core.now - began < 3.0 + audio_ms / 1000
    assert core.log_events("reply_failed" if audio_ms == 0 else "reply_cut")
    assert_next_turn_is_answered(core)


@pytest.mark.parametrize("server", ["openai", "compatible"])
def test_error_about_our_create_ends_the_wait_at_once(server: str) -> None:
    core = BareCore(at(server))
    core.ask()
    (create,) = core.events(ev.CreateResponse)
    detail = ev.ErrorDetail(code="invalid_value", message="no", event_id=create.event_id)
    core.say(ev.ServerError(error=detail))
    core.run(0.05)
    assert core.speaker.state is State.IDLE
    assert "invalid_value" in core.detail
    assert_next_turn_is_answered(core)


@pytest.mark.parametrize("code", ["unknown_parameter", "invalid_value", "invalid_event"])
def test_error_about_another_message_leaves_the_answer_alone(code: str) -> None:
    core = asked("compatible")
    core.say(ev.ServerError(error=ev.ErrorDetail(code=code, message="x")))
    core.run(3.0)
    began = core.now
    core.sound("r1", 800)
    core.end("r1")
    core.until(State.IDLE)
    assert core.heard_ms(began) == pytest.approx(800, abs=20)


def test_error_followed_by_more_audio_ends_nothing() -> None:
    core = asked("compatible")
    core.say(ev.ServerError(error=ERRORS["code"]))
    began = core.now
    for _ in range(5):
        core.run(0.5)
        core.sound("r1", 500)
    core.end("r1")
    core.until(State.IDLE)
    assert core.heard_ms(began) == pytest.approx(2500, abs=30)


def test_answer_that_never_arrives_names_the_setting() -> None:
    core = BareCore(at("openai", response_timeout_s=7.0))
    core.ask()
    began = core.now
    core.until(State.IDLE)
    assert 6.5 < core.now - began <= 7.1
    core.run(0.5)
    assert "answer" in core.detail
    assert core.heard_ms(began) == pytest.approx(SORRY_MS, abs=25)
