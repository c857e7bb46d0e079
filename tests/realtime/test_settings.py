"""The configuration as the session of a `session.update`."""

from typing import Any

import pytest

from parleyd import config
from parleyd.config.servers import takes_keywords
from parleyd.realtime import events as ev
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import ServerProblem
from parleyd.realtime.settings import session_settings
from parleyd.realtime.transcription import has_words


def sent(**realtime: Any) -> ev.Json:
    return session_settings(config.RealtimeConfig(**realtime), config.TurnConfig())


def test_context_is_limited_on_servers_with_that_feature() -> None:
    limits = {"post_instructions": 8000}
    for server in ("openai", "azure", "auto", "embedded"):
        truncation = {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": limits}
        wanted = truncation if server != "embedded" else None
        assert sent(server=server).get("truncation") == wanted
    limits["post_instructions"] = 20_000
    assert sent(context_tokens=20_000)["truncation"]["token_limits"] == limits


@pytest.mark.parametrize("server", ["xai", "localai", "speech-to-speech", "compatible"])
def test_other_servers_get_no_field_specific_to_openai(server: str) -> None:
    assert not {"truncation", "tracing", "reasoning"} & sent(server=server).keys()


def test_fields_left_out_by_default_are_sent_when_configured() -> None:
    assert "reasoning" not in sent()
    assert "speed" not in sent()["audio"]["output"]
    assert sent()["max_output_tokens"] == 4096
    assert sent(reasoning_effort="high")["reasoning"] == {"effort": "high"}
    assert sent(speed=0.8)["audio"]["output"]["speed"] == 0.8
    assert sent(max_output_tokens="inf")["max_output_tokens"] == "inf"
    turn = config.TurnConfig(vad_threshold=0.75)
    detection = session_settings(config.RealtimeConfig(), turn)["audio"]["input"]["turn_detection"]
    assert detection["threshold"] == 0.75


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gpt-transcribe", {"keywords": ["Parley", "Zoë"]}),
        ("gpt-live-transcribe", {"keywords": ["Parley", "Zoë"]}),
        ("whisper-1", {"prompt": "Parley, Zoë"}),
        ("gpt-4o-mini-transcribe", {"prompt": "Expect these words: Parley, Zoë."}),
        ("gpt-4o-transcribe", {"prompt": "Expect these words: Parley, Zoë."}),
        ("my-deployment", {"prompt": "Expect these words: Parley, Zoë."}),
        ("gpt-realtime-whisper", {}),
        ("gpt-4o-transcribe-diarize", {}),
    ],
)
def test_keywords_go_into_the_field_that_the_model_knows(model: str, fields: ev.Json) -> None:
    made = sent(transcription_model=model, transcription_keywords=("Parley", "Zoë"))
    assert made["audio"]["input"]["transcription"] == {"model": model, **fields}
    assert takes_keywords(model) == bool(fields)


def failed(*errors: ev.TranscriptionFailure) -> list[str]:
    """The log lines of failed transcriptions."""
    made = RealtimeSession(
        config.RealtimeConfig(transcription_model="whisper-1"), config.TurnConfig()
    )
    made.receive(ev.SessionCreated(), 0.0)
    made.receive(ev.SessionUpdated(), 0.0)
    texts = []
    for number, error in enumerate(errors):
        event = ev.InputTranscriptFailed(item_id=f"u{number}", error=error)
        for item in made.receive(event, 1.0):
            assert isinstance(item, ServerProblem)
            texts.append(item.text)
    return texts


def test_failed_transcription_is_reported_once_with_its_reason() -> None:
    missing = ev.TranscriptionFailure(
        type="server_error",
        code="DeploymentNotFound",  # as recorded from Azure
        message="Input transcription failed for item 'item_E4GEZV6Pux1f4VnDEzVPh'.",
    )
    (text,) = failed(missing, missing, missing)
    assert "DeploymentNotFound" in text
    assert "realtime.transcription_model" in text


def test_failed_transcription_is_always_reported_in_words() -> None:
    (text,) = failed(ev.TranscriptionFailure(code="audio_too_long", message="Over an hour."))
    assert "audio_too_long: Over an hour." in text
    (text,) = failed(ev.TranscriptionFailure())
    assert "the server has an internal problem" in text


@pytest.mark.parametrize("words", ["Stop.", "7", "[Music] Wait!", "你好", "[" + 200 * "a"])
def test_transcripts_with_words_are_words(words: str) -> None:
    assert has_words(words)


@pytest.mark.parametrize("words", ["", " \n", "...", "[Music]", "(applause) ♪ la la ♪", "*coughs*"])
def test_transcripts_of_sounds_are_no_words(words: str) -> None:
    assert not has_words(words)
