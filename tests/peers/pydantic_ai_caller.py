"""A user of pydantic-ai's realtime sessions: `pydantic_ai_caller.py URL SPEECH_FOLDER`.

Run it with the interpreter of its installation. Prints a report as one JSON object.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.realtime import (
    RealtimeInputSpeechStartEvent,
    RealtimeSession,
    RealtimeSessionErrorEvent,
)
from pydantic_ai.realtime.openai import OpenAIRealtimeModel
from websockets.asyncio.client import ClientConnection

CHUNK_BYTES = 4_800  # 100 ms
CHUNK_S = 0.025  # four times real time
HEARD_MS = [5_000, 4_000]  # heard part of the two interrupted answers
WITHIN_S = 120.0

report: dict[str, Any] = {
    "events": [], "sent": [], "tools": [], "errors": [], "interruptions": 0,
}  # fmt: skip
changed = asyncio.Event()
agent = Agent(instructions="Be brief.")
receive, send = ClientConnection.recv, ClientConnection.send


@agent.tool_plain
def set_timer(seconds: int) -> str:
    """Set a timer."""
    report["tools"].append({"name": "set_timer", "arguments": {"seconds": seconds}})
    return f"The timer is set for {seconds} seconds."


async def note_received(self: ClientConnection, decode: bool | None = None) -> Any:
    message = await receive(self, decode)
    report["events"].append(json.loads(message))
    changed.set()
    return message


async def note_sent(self: ClientConnection, message: Any, *more: Any) -> None:
    report["sent"].append(json.loads(message))
    await send(self, message, *more)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not happened():
            changed.clear()
            await changed.wait()


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


async def listen(session: RealtimeSession) -> None:
    """Handle the events of a session like an application."""
    async for event in session:
        if isinstance(event, RealtimeInputSpeechStartEvent) and received_ms(-1) > 9_000:
            report["interruptions"] += 1
            await session.interrupt(played_ms=HEARD_MS.pop(0))
        elif isinstance(event, RealtimeSessionErrorEvent):
            report["errors"].append(str(event))


async def converse(session: RealtimeSession, speech: Path) -> None:
    async def say(name: str) -> None:
        pcm = (speech / f"{name}.pcm").read_bytes()
        for start in range(0, len(pcm), CHUNK_BYTES):
            await session.send_audio(pcm[start : start + CHUNK_BYTES])
            await asyncio.sleep(CHUNK_S)

    await until(lambda: count("session.updated") > 0)
    await say("question")
    await until(lambda: count("response.done") == 1)
    await say("story")
    await until(lambda: received_ms(1) > 9_000)
    await say("go_on")
    await until(lambda: received_ms(2) > 9_000)
    await say("timer")
    await until(lambda: count("response.done") == 5)


async def main(url: str, speech: Path) -> None:
    ClientConnection.recv, ClientConnection.send = note_received, note_sent  # type: ignore[method-assign, assignment]
    base, _, name = url.partition("/realtime?model=")
    provider = OpenAIProvider(base_url=base.replace("ws:", "http:"), api_key="none")
    model = OpenAIRealtimeModel(name, provider=provider)
    async with agent.realtime(model).session() as session:
        listening = asyncio.create_task(listen(session))
        await converse(session, speech)
    await listening
    report["closed"] = "cleanly"


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
print(json.dumps(report))
