"""A user of OpenAI's agents SDK for Python: `openai_agents_caller.py URL SPEECH_FOLDER`.

Run it with the interpreter of its installation. Prints a report as one JSON object.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner

CHUNK_BYTES = 4_800  # 100 ms
HEARD_MS = (5_000, 4_000)  # heard part of the two interrupted answers
WITHIN_S = 120.0

report: dict[str, Any] = {"events": [], "tools": [], "errors": [], "interruptions": 0}


@function_tool
def set_timer(seconds: int) -> str:
    """Set a timer."""
    report["tools"].append({"name": "set_timer", "arguments": {"seconds": seconds}})
    return f"The timer is set for {seconds} seconds."


class Caller:
    """One session; `until` waits for events of the server."""

    def __init__(self, session: Any, speech: Path) -> None:
        self._session = session
        self._speech = speech
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        async for event in self._session:
            if event.type == "raw_model_event" and event.data.type == "raw_server_event":
                report["events"].append(event.data.data)
            elif event.type == "audio_interrupted":
                report["interruptions"] += 1
            elif event.type == "error":
                report["errors"].append(repr(event.error))
            self._changed.set()

    async def say(self, name: str) -> None:
        pcm = (self._speech / f"{name}.pcm").read_bytes()
        for start in range(0, len(pcm), CHUNK_BYTES):
            await self._session.send_audio(pcm[start : start + CHUNK_BYTES])

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not happened():
                self._changed.clear()
                await self._changed.wait()


def count(kind: str) -> int:
    return sum(event["type"] == kind for event in report["events"])


def received_ms(response: int) -> float:
    """Return the audio received for the response with this number (0: the first)."""
    begun = [e["response"]["id"] for e in report["events"] if e["type"] == "response.created"]
    if len(begun) <= response:
        return 0.0
    deltas = (e for e in report["events"] if e["type"] == "response.output_audio.delta")
    mine = (e["delta"] for e in deltas if e["response_id"] == begun[response])
    return sum(len(base64.b64decode(delta)) for delta in mine) / 48


def newest_item() -> str:
    """Return the id of the item with the newest audio."""
    deltas = (e for e in report["events"] if e["type"] == "response.output_audio.delta")
    return str(list(deltas)[-1]["item_id"])


async def converse(caller: Caller, playback: RealtimePlaybackTracker) -> None:
    await caller.until(lambda: count("session.updated") > 0)
    await caller.say("question")
    await caller.until(lambda: count("response.done") == 1)
    await caller.say("story")
    await caller.until(lambda: received_ms(1) > 9_000)
    playback.on_play_ms(newest_item(), 0, HEARD_MS[0])
    await caller.say("go_on")
    await caller.until(lambda: received_ms(2) > 9_000)
    playback.on_play_ms(newest_item(), 0, HEARD_MS[1])
    await caller.say("timer")
    await caller.until(lambda: count("response.done") == 5)


async def main(url: str, speech: Path) -> None:
    playback = RealtimePlaybackTracker()
    agent = RealtimeAgent(name="guest", instructions="Be brief.", tools=[set_timer])
    runner = RealtimeRunner(agent, config={"tracing_disabled": True})
    model_config = {"api_key": "none", "url": url, "playback_tracker": playback}
    async with await runner.run(model_config=model_config) as session:
        caller = Caller(session, speech)
        listening = asyncio.create_task(caller.listen())
        await converse(caller, playback)
    await listening
    report["closed"] = "cleanly"


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
print(json.dumps(report))
