"""A misbehaving realtime server on a real socket.

`Faults` scripts it. Response n is a tone at `tone_hz(n)`, so the loudspeaker's recording shows
which responses were played.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import websockets.asyncio.server as ws

from parleyd.realtime.connection import ServerAddress
from parleyd.units import SERVER_RATE_HZ, Frames

Json = dict[str, Any]
DELTA_MS = 200


def tone_hz(number: int) -> float:
    """Return the frequency of response `number`, far enough from the others to identify it."""
    return 400.0 + 170.0 * (number % 12)


def voice(number: int, start_ms: int, length_ms: int) -> Frames:
    time_s = (np.arange(length_ms * 24) + start_ms * 24) / SERVER_RATE_HZ
    return np.rint(12_000 * np.sin(2 * np.pi * tone_hz(number) * time_s)).astype(np.int16)


@dataclass
class Faults:
    """Deviations of the server; the default is a well-behaved server."""

    reply_ms: int = 4000
    items: int = 1  # audio items in each response
    paced: bool = False  # deltas in real time: the response still generates while it plays
    ahead_ms: int = 0  # part of a paced response that arrives at once
    endless: bool = False  # the response never completes by itself
    late_deltas: int = 0  # deltas after the cancelled response.done
    deltas_before_done: int = 0  # deltas after the cancel, before its response.done
    no_done_after_cancel: bool = False
    cancel_not_active: bool = (
        False  # answers a cancel with an error, as if the response had just ended
    )
    speech_started_after_done: bool = False
    created_after_s: float = 0.0
    audio_after_s: float = 0.0  # from response.created to the first delta
    no_done: bool = False  # never sends response.done
    active_response_first: bool = False  # refuses the first create of every turn
    truncate_shorter_by_ms: int = 0
    truncate_refused: str = ""
    harmless_errors: bool = False  # sends every harmless error during the conversation
    beta_names: bool = False
    unsolicited: bool = False  # begins an unrequested response
    close_after_commits: tuple[int, int, str] | None = None  # after n commits: code, reason
    refuse_at_start: tuple[str, int] | None = None  # error code, then close code
    expires_in_s: float | None = None  # sent at the start, as a wall-clock time
    garbage: bool = False  # sends messages that are not events
    no_echo_of_metadata: bool = False


@dataclass
class FaultServer:
    """The server of one test; `received` holds every event of every socket, in order."""

    faults: Faults = field(default_factory=Faults)
    received: list[Json] = field(default_factory=list)
    sockets: int = 0
    responses: int = 0
    port: int = 0
    voice: Callable[[int, int, int], Frames] = voice
    talk: "_Talk | None" = None  # of the newest socket

    @property
    def address(self) -> ServerAddress:
        return ServerAddress(f"ws://127.0.0.1:{self.port}/v1/realtime?model=test")

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.received if event["type"] == kind]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FaultServer"]:
        async with ws.serve(self._talk, "127.0.0.1", self.port, max_size=None) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def _talk(self, socket: ws.ServerConnection) -> None:
        self.sockets += 1
        with contextlib.suppress(Exception):
            self.talk = _Talk(self, socket)
            await self.talk.run()


class _Talk:
    """The conversation on one socket."""

    def __init__(self, server: FaultServer, socket: ws.ServerConnection) -> None:
        self.server, self.socket, self.faults = server, socket, server.faults
        self.generating: asyncio.Task[None] | None = None
        self.active: str | None = None
        self.numbers: dict[str, int] = {}
        self.commits = 0
        self.refused = False
        self.last_items: list[str] = []

    async def run(self) -> None:
        if self.faults.refuse_at_start:
            code, close = self.faults.refuse_at_start
            await self.error(code, "no")
            await self.socket.close(close, f"invalid_request_error.{code}")
            return
        session: Json = {"id": "sess_1"}
        if self.faults.expires_in_s is not None:
            session["expires_at"] = int(time.time() + self.faults.expires_in_s)
        await self.send("session.created", session=session)
        try:
            async for message in self.socket:
                event = json.loads(message)
                self.server.received.append(event)
                await self.take(event)
        finally:
            if self.generating:
                self.generating.cancel()

    async def take(self, event: Json) -> None:
        match event["type"]:
            case "session.update":
                if self.faults.garbage:
                    await self.socket.send("this is no JSON")
                    await self.socket.send('{"type": "response.created"}')
                    await self.socket.send('{"type": "some.new.event", "x": null}')
                    await self.socket.send("[]")
                await self.send("session.updated", session=event["session"])
            case "input_audio_buffer.commit":
                self.commits += 1
                self.refused = False
                if self.faults.harmless_errors:
                    await self.harmless()
                await self.send("input_audio_buffer.committed", item_id=f"user_{self.commits}")
                if self.faults.unsolicited:
                    await self.begin(None)
                limit = self.faults.close_after_commits
                if limit and self.commits == limit[0]:
                    self.faults.close_after_commits = None
                    await self.socket.close(limit[1], limit[2])
            case "response.create":
                await self.create(event)
            case "response.cancel":
                await self.cancel(event)
            case "conversation.item.truncate":
                await self.truncate(event)
            case "conversation.item.delete":
                await self.send("conversation.item.deleted", item_id=event["item_id"])

    async def create(self, event: Json) -> None:
        if self.active or (self.faults.active_response_first and not self.refused):
            self.refused = True
            code = "conversation_already_has_active_response"
            await self.error(code, "Conversation already has an active response", event)
            if not self.active:
                await self.send("response.done", response={"id": "other", "status": "completed"})
            return
        await self.begin(event)

    async def begin(self, create: Json | None) -> None:
        self.server.responses += 1
        number = self.server.responses
        response_id = f"resp_{number}"
        self.numbers[response_id] = number
        self.active = response_id
        metadata = (create or {}).get("response", {}).get("metadata")
        if self.faults.no_echo_of_metadata:
            metadata = None
        self.generating = asyncio.create_task(self.generate(response_id, number, metadata))

    async def generate(self, response_id: str, number: int, metadata: Json | None) -> None:
        faults = self.faults
        await asyncio.sleep(faults.created_after_s)
        response = {"id": response_id, "status": "in_progress", "metadata": metadata}
        await self.send("response.created", response=response)
        self.last_items = [f"item_{number}_{index}" for index in range(faults.items)]
        await asyncio.sleep(faults.audio_after_s)
        for index, item_id in enumerate(self.last_items):
            part = {"response_id": response_id, "item_id": item_id, "output_index": index}
            for start_ms in range(0, faults.reply_ms // faults.items, DELTA_MS):
                await self.delta(part, self.server.voice(number, start_ms, DELTA_MS))
                if faults.paced and start_ms >= faults.ahead_ms:
                    await asyncio.sleep(DELTA_MS / 1000)
            await self.send("response.output_audio.done", content_index=0, **part)
        if faults.endless:
            await asyncio.Event().wait()
        if faults.no_done:
            self.active = None
        else:
            await self.done(response_id, "completed")

    async def delta(self, part: Json, frames: Frames) -> None:
        data = base64.b64encode(frames.astype("<i2").tobytes()).decode()
        await self.send("response.output_audio.delta", content_index=0, delta=data, **part)

    async def cancel(self, event: Json) -> None:
        faults = self.faults
        wanted = event.get("response_id")
        if faults.cancel_not_active and self.active:
            await self.stop_generating()
            self.active = None
        if self.active is None or wanted not in (None, self.active):
            text = "Cancellation failed: no active response found"
            await self.error("response_cancel_not_active", text, event)
            return
        response_id = self.active
        await self.stop_generating()
        part = {"response_id": response_id, "item_id": self.last_items[-1], "output_index": 0}
        late = self.server.voice(self.numbers[response_id], 0, DELTA_MS)
        for _ in range(faults.deltas_before_done):
            await self.delta(part, late)
        if not faults.no_done_after_cancel:
            await self.done(response_id, "cancelled")
        if faults.speech_started_after_done:
            await self.send("input_audio_buffer.speech_started", audio_start_ms=0, item_id="u")
        for _ in range(faults.late_deltas):
            await self.delta(part, late)
        self.active = None

    async def cut_off(self, *, done_first: bool, late_deltas: int = 2) -> None:
        """Detect the user and end the answer, against the client's configuration."""
        response_id, self.active = self.active, None
        await self.stop_generating()
        details = {"type": "cancelled", "reason": "turn_detected"}
        started = {"audio_start_ms": 0, "item_id": "user_next"}
        if not done_first:
            await self.send("input_audio_buffer.speech_started", **started)
        if response_id is not None:
            response = {"id": response_id, "status": "cancelled", "status_details": details}
            await self.send("response.done", response=response)
            part = {"response_id": response_id, "item_id": self.last_items[-1], "output_index": 0}
            late = self.server.voice(self.numbers[response_id], 0, DELTA_MS)
            for _ in range(late_deltas):
                await self.delta(part, late)
        if done_first:
            await self.send("input_audio_buffer.speech_started", **started)

    async def truncate(self, event: Json) -> None:
        ms = event["audio_end_ms"]
        if self.faults.truncate_refused:
            await self.error(None, self.faults.truncate_refused, event)
        elif self.faults.truncate_shorter_by_ms:
            has = ms - self.faults.truncate_shorter_by_ms
            self.faults.truncate_shorter_by_ms = 0
            text = f"Audio content of {has}ms is already shorter than {ms}ms"
            await self.error("invalid_value", text, event)
        else:
            item = {"item_id": event["item_id"], "content_index": 0, "audio_end_ms": ms}
            await self.send("conversation.item.truncated", **item)

    async def stop_generating(self) -> None:
        if self.generating:
            self.generating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.generating
            self.generating = None

    async def done(self, response_id: str, status: str) -> None:
        await self.send("response.done", response={"id": response_id, "status": status})
        if self.active == response_id:
            self.active = None

    async def harmless(self) -> None:
        for code, text in (
            ("response_cancel_not_active", "Cancellation failed: no active response found"),
            ("item_truncate_invalid_item_id", "Item not found"),
            ("item_delete_invalid_item_id", "Item not found"),
            (None, "Only model output audio messages can be truncated"),
            ("invalid_value", "Audio content of 10ms is already shorter than 20ms"),
        ):
            await self.error(code, text)
            await self.error(None, text, kind=code)

    async def error(
        self, code: str | None, text: str, cause: Json | None = None, kind: str | None = None
    ) -> None:
        detail = {
            "type": kind or "invalid_request_error",
            "code": code,
            "message": text,
            "param": None,
            "event_id": (cause or {}).get("event_id"),
        }
        await self.send("error", error=detail)

    async def send(self, kind: str, **fields: Any) -> None:
        if self.faults.beta_names:
            kind = kind.replace("output_audio", "audio")
        await self.socket.send(json.dumps({"type": kind, "event_id": "event_x", **fields}))
