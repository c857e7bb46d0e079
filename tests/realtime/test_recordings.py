"""Recorded conversations, replayed to a session: nothing is lost, repeated or awaited in vain."""

import pytest

from tests.realtime import replaying
from tests.realtime.replaying import Replay

TIDE = ("look_up_tide", {"harbour": "Whitby"})
OPENAI_CALL, XAI_CALL = "call_Oa10067", "call-00000000-0000-0000-0000-000abc000007-0"

# name: bytes of audio, calls, answered calls, response.create, turns, tokens read and written
EXPECTED = {
    "openai": (3692, [TIDE], [OPENAI_CALL], 3, 2, [(44, 99)] * 3),
    "openai-text": (0, [TIDE], ["call_Ot20020"], 2, 1, [(44, 99)] * 2),
    "azure": (1448, [], [], 1, 1, [(44, 99)]),
    "xai": (2142, [TIDE], [XAI_CALL], 1, 2, [(7, 83), (0, 309), (31, 44)]),
    "localai": (3000, [], [], 0, 1, []),
    "compatible-voice-live": (2008, [TIDE], ["call_Vl40035"], 1, 2, [(44, 99)] * 3),
    "compatible-qwen": (1442, [], [], 0, 1, [(336, 41)]),
    "compatible-bare": (1058, [TIDE], ["7"], 1, 1, [(12, 5)]),
}


def test_every_recording_is_replayed() -> None:
    names = {path.stem for path in replaying.RECORDINGS.glob("*.jsonl")}
    assert names == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_recording_is_played_and_executed_exactly(name: str) -> None:
    """One response.create per turn and result, and none where the server begins by itself."""
    audio_bytes, calls, results, creates, turns, tokens = EXPECTED[name]
    frames = replaying.read(name)
    played = Replay(name.partition("-")[0]).play(frames)
    assert played.refused == []
    assert played.audio_bytes == audio_bytes == replaying.audio_bytes(frames)
    assert [(call.name, call.arguments) for call in played.calls] == calls
    assert played.results == results
    assert (played.creates, played.turns, played.ends) == (creates, turns, turns)
    assert played.tokens == tokens
    assert not played.awaiting


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "openai",
            [
                ("user", "Good morning."),
                ("assistant", "Good morning to you!"),
                ("user", "When is high tide in Whitby?"),
                (
                    "assistant",
                    "Let me look that up. High tide in Whitby is at twenty past two.",
                ),
            ],
        ),
        (
            "xai",
            [
                ("user", "When is high tide in Whitby?"),
                ("assistant", "I'll look that up. High tide in Whitby is at twenty past two."),
                ("assistant", "It was Whitby."),
            ],
        ),
        ("compatible-qwen", [("user", "你是谁？"), ("assistant", "你好，我是一只鹭。")]),
        ("compatible-bare", [("user", "What time is it?"), ("assistant", "It is ten.")]),
    ],
)
def test_recording_words_are_stored_once_each(name: str, words: list[tuple[str, str]]) -> None:
    """xAI repeats its transcript so far, with more each time: the last one counts, once."""
    played = Replay(name.partition("-")[0]).play(replaying.read(name))
    assert played.words == words


def test_recording_without_transcription_is_logged_once() -> None:
    played = Replay("azure").play(replaying.read("azure"))
    (problem,) = played.problems
    assert "DeploymentNotFound" in problem


def test_recording_of_a_text_session_gets_one_request() -> None:
    played = Replay("openai").play(replaying.read("openai-text"))
    assert played.problems == ["the server's session is set to text: its answers will not be heard"]
    assert played.creates == 2
