"""A user of LiveKit's agents with its plugin for OpenAI: `livekit_caller.py URL SPEECH_FOLDER`.

Run it with the interpreter of its installation. Prints a report as one JSON object.
The session has no room: audio comes from the folder and goes to our sink.
"""

import asyncio
import base64
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities
from livekit.plugins.openai.realtime import RealtimeModel
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

CHUNK_BYTES = 4_800  # 100 ms
CHUNK_S = 0.025  # no burst: LiveKit would cancel the answer to it, not the last one
RATE_HZ = 24_000
PLAYOUT_S = 0.2
HEARD_S = (5.0, 4.0)  # heard part of the two interrupted answers
WITHIN_S = 120.0

report: dict[str, Any] = {
    "events": [], "sent": [], "tools": [], "errors": [], "interruptions": 0,
}  # fmt: skip
changed = asyncio.Event()


class Warnings(logging.Handler):
    """Collects refusals of the server, which LiveKit only logs."""

    def emit(self, record: logging.LogRecord) -> None:
        report["errors"].append(record.getMessage())


class Model(RealtimeModel):
    """Records all events that the plugin's session sends and receives."""

    def session(self, **options: Any) -> Any:
        session = super().session(**options)

        def received(event: dict[str, Any]) -> None:
            report["events"].append(event)
            changed.set()

        session.on("openai_server_event_received", received)
        session.on("openai_client_event_queued", report["sent"].append)
        return session


class Microphone(AudioInput):
    def __init__(self) -> None:
        super().__init__(label="folder")
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        pcm = await self.chunks.get()
        return rtc.AudioFrame(pcm, RATE_HZ, 1, len(pcm) // 2)


class Loudspeaker(AudioOutput):
    """Plays a complete answer in `PLAYOUT_S`; reports `HEARD_S` of an interrupted one."""

    def __init__(self) -> None:
        super().__init__(
            label="sink", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE_HZ
        )
        self._heard_s = list(HEARD_S)
        self._end: asyncio.TimerHandle | None = None
        self.pushed_s = 0.0
        self.played = 0  # answers, whole or in part

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self.pushed_s == 0.0:
            self.on_playback_started(created_at=0.0)
        self.pushed_s += frame.duration

    def flush(self) -> None:
        super().flush()
        if self.pushed_s > 0.0:
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(PLAYOUT_S, self._finish, self.pushed_s, False)

    def clear_buffer(self) -> None:
        if self.pushed_s > 0.0:
            report["interruptions"] += 1
            self._finish(self._heard_s.pop(0), True)

    def _finish(self, position_s: float, interrupted: bool) -> None:
        if self._end is not None:
            self._end.cancel()
        self.pushed_s = 0.0
        self.played += 1
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)
        changed.set()


class Guest(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    @function_tool
    async def set_timer(self, seconds: int) -> str:
        """Set a timer."""
        report["tools"].append({"name": "set_timer", "arguments": {"seconds": seconds}})
        return f"The timer is set for {seconds} seconds."


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


async def converse(speech: Path, microphone: Microphone, loudspeaker: Loudspeaker) -> None:
    async def say(name: str) -> None:
        pcm = (speech / f"{name}.pcm").read_bytes()
        for start in range(0, len(pcm), CHUNK_BYTES):
            microphone.chunks.put_nowait(pcm[start : start + CHUNK_BYTES])
            await asyncio.sleep(CHUNK_S)

    await until(lambda: count("session.updated") > 0)
    await say("question")
    await until(lambda: count("response.done") == 1 and loudspeaker.played == 1)
    await say("story")
    await until(lambda: received_ms(1) > 9_000)
    await say("go_on")
    await until(lambda: received_ms(2) > 9_000)
    await say("timer")
    await until(lambda: count("response.done") == 5 and loudspeaker.played == 4)


async def main(url: str, speech: Path) -> None:
    logging.getLogger().addHandler(handler := Warnings(logging.WARNING))
    handler.addFilter(lambda record: not record.name.startswith("asyncio"))
    base, _, query = url.partition("?model=")
    detection = ServerVad(
        type="server_vad", create_response=True, interrupt_response=True, silence_duration_ms=500
    )
    model = Model(
        base_url=base.removesuffix("/realtime"), api_key="none", model=query,
        turn_detection=detection,
    )  # fmt: skip
    session: AgentSession[None] = AgentSession(
        llm=model,
        aec_warmup_duration=None,  # no echo, and the user speaks at once
        turn_handling={"interruption": {"resume_false_interruption": False}},
    )
    microphone, loudspeaker = Microphone(), Loudspeaker()
    session.input.audio, session.output.audio = microphone, loudspeaker
    await session.start(Guest(), record=False)
    await converse(speech, microphone, loudspeaker)
    if session.current_speech is not None:
        await session.current_speech.wait_for_playout()  # otherwise its end would be cut
    await session.aclose()
    await model.aclose()
    report["closed"] = "cleanly"


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
print(json.dumps(report))
