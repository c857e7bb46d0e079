"""The conversation of every client with our embedded server, and the checks of its report.

A question; a story, interrupted by voice; its continuation, interrupted again; a function call.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from peers import report_of

from parleyd.audio import resample
from parleyd.embedded.server import RealtimeServer, ServerOptions
from parleyd.embedded.stories import STORIES
from parleyd.embedded.synthesizer import Synthesizer
from parleyd.units import SERVER_RATE_HZ
from tests.openai_types import assert_official_server_event

Json = dict[str, Any]
SAID = {
    "question": "what time is it",
    "story": "tell me a story",
    "go_on": "go on",
    "timer": "set a timer for ten minutes",
}
PACE = 8.0  # times real time: the story is still generated when it is interrupted
NOW = datetime(2026, 11, 22, 15, 5, tzinfo=UTC)


async def conversation(speech: Path, command: Callable[[str], Sequence[str | Path]]) -> Json:
    """Let a client talk to our server; `command` builds its command line from the URL."""
    for name, words in SAID.items():
        (speech / f"{name}.pcm").write_bytes(_spoken(words))
    async with RealtimeServer(ServerOptions(pace=PACE, local_time=lambda: NOW)) as server:
        return await report_of(command(f"{server.url}?model=gpt-realtime-2.1"))


def assert_as_it_should_be(
    report: Json, *, goes_on_with: int, harmless: frozenset[str] = frozenset()
) -> None:
    """Check a client's report.

    Its keys: `events`, all events of our server; `tools`, the calls; `errors`, the client's
    complaints; `interruptions`, the number of times that playback stopped.

    `goes_on_with`: the number of the story's first sentence that was not heard in full.
    `harmless`: codes of errors that this client causes and ignores with any server.
    """
    events: list[Json] = report["events"]
    assert report["errors"] == []
    assert report["closed"] == "cleanly"
    for event in events:
        assert_official_server_event(event)
    refused = [e["error"] for e in events if e["type"] == "error"]
    assert [error for error in refused if error["code"] not in harmless] == []
    answers = [e["response"] for e in events if e["type"] == "response.done"]
    _answers_are_right(answers, STORIES["lighthouse"][goes_on_with])
    _interruptions_are_taken(report)
    assert report["tools"] == [{"name": "set_timer", "arguments": {"seconds": 600}}]


def _answers_are_right(answers: list[Json], goes_on_with: str) -> None:
    question, story, rest, call, confirmation = answers
    assert [a["status"] for a in answers] == [
        "completed", "cancelled", "cancelled", "completed", "completed",
    ]  # fmt: skip
    assert _transcript(question) == "It is 3:05 PM."
    for cut in (story, rest):
        assert cut["status_details"]["reason"] == "turn_detected"
    assert _transcript(story).startswith(STORIES["lighthouse"][0])
    assert _transcript(rest).startswith(goes_on_with)
    assert call["output"][0]["type"] == "function_call"
    assert "10 minutes" in _transcript(confirmation)


def truncated(report: Json) -> list[Json]:
    """Return our server's answers to truncations."""
    return [e for e in report["events"] if e["type"] == "conversation.item.truncated"]


def _interruptions_are_taken(report: Json) -> None:
    events: list[Json] = report["events"]
    received_ms: dict[str, float] = {}
    for event in events:
        if event["type"] == "response.output_audio.delta":
            frames = len(base64.b64decode(event["delta"])) / 2
            item = event["item_id"]
            received_ms[item] = received_ms.get(item, 0) + 1000 * frames / SERVER_RATE_HZ
    cut = [
        event["response"]["output"][0]["id"]
        for event in events
        if event["type"] == "response.done" and event["response"]["status"] == "cancelled"
    ]
    for event in truncated(report):
        assert 0 < event["audio_end_ms"] < received_ms[event["item_id"]]
    # Complete items may be truncated, too: these clients assume playback in real time.
    assert [e["item_id"] for e in truncated(report)][-len(cut) :] == cut
    assert report["interruptions"] >= len(cut)


def _transcript(response: Json) -> str:
    return str(response["output"][0]["content"][0]["transcript"])


def _spoken(words: str) -> bytes:
    """Synthesise PCM at 24 kHz, followed by the longest silence of semantic detection."""
    frames, rate_hz = Synthesizer("awb").native(words)
    silence = [np.zeros(SERVER_RATE_HZ * ms // 1000, np.int16) for ms in (300, 2500)]
    return np.concatenate(
        [silence[0], resample(frames, rate_hz, SERVER_RATE_HZ), silence[1]]
    ).tobytes()
