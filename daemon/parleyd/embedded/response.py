"""One response, from response.created to response.done, with every event in order."""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from parleyd.audio import encode_pcm16
from parleyd.embedded.actions import EngineOutbox, Synthesize
from parleyd.embedded.conversation import Conversation
from parleyd.embedded.items import FRAME_BYTES, Item
from parleyd.embedded.pieces import pieces
from parleyd.embedded.plans import Call, Say
from parleyd.embedded.usage import OUTPUT_FRAMES_PER_TOKEN, Tokens, usage
from parleyd.realtime import events
from parleyd.realtime.events import Json
from parleyd.units import SERVER_RATE_HZ, Frames, ms_to_frames

DELTA_BYTES = ms_to_frames(200, SERVER_RATE_HZ) * FRAME_BYTES
"""Audio of one delta; the last one of a sentence is up to twice as long, none is shorter."""

TOKEN_LIMIT = 1_000_000
"""There is no limit and no charge here; clients expect a number."""

YES_WITHIN_S = 15.0
"""After a question has been played; a later yes may be meant for another person."""

OBJECTION_S = 2.0
"""After an announcement has been played, before its call: a person needs 0.3 to 0.8 s to say no,
the device begins to play later than the server thinks, and detecting the voice takes time, too."""


class ResponseGenerator:
    """Generates one answer. Sans-I/O: it requests sentences and receives their frames.

    `conversation` is None for an answer out of band. `pace` is the speed of outgoing
    audio relative to real time; None means as fast as it is made. An answer of more than
    `most_tokens` ends `incomplete`.
    """

    def __init__(
        self,
        out: EngineOutbox,
        conversation: Conversation | None,
        *,
        conversation_id: str | None,
        audio: bool,
        speed: float,
        pace: float | None,
        metadata: Json | None,
        tools: frozenset[str],
        most_tokens: int,
    ) -> None:
        self.id = out.new_id("resp")
        self.tools = tools
        self.in_conversation = conversation is not None
        self.waiting_for: Item | None = None
        """The user's item whose recognition must finish first."""
        self.done = False
        self._out = out
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._audio = audio
        self._speed = speed
        self._pace = pace
        self._metadata = metadata
        self._item: Item | None = None
        self._most_tokens = most_tokens
        self._sentences: Iterator[str] = iter(())
        self._sentence: str | None = None  # the next one to make, or the one in progress
        self._job: int | None = None
        self._deltas: deque[bytes] = deque()
        self._next_due = 0.0
        self._read = Tokens()
        self._written = Tokens()
        self._output: list[Json] = []
        self._announced: Call | None = None  # made unless the user objects
        self._concerned: list[str] = []  # ids of its announcement, and of the command
        self._played_until = 0.0  # by a client that plays from the first delta on
        out.send(events.ResponseCreated(response=self._wire("in_progress", None)))

    def begin(self, plan: Say | Call, heard: Item | None, now: float) -> None:
        """Give this answer; `heard` is the item that it answers (for the usage figures)."""
        self._read = Tokens.read(heard) if heard else Tokens()
        self._concerned = [heard.id] if heard else []
        self._next_due = now
        if isinstance(plan, Call):
            if not plan.announcement:
                self._call(plan)
                return
            self._announced, plan = plan, Say((plan.announcement,))
        kind = (
            ("output_audio", "audio", "transcript")
            if self._audio
            else ("output_text", "text", "text")
        )
        item = self._open_message(*kind)
        item.offer, item.question = plan.offer, plan.sentences[-1]
        item.answer_by = now + YES_WITHIN_S
        if self._audio:
            self._sentences = chain.from_iterable(map(pieces, plan.sentences))
            self._sentence = next(self._sentences, None)
            self._continue(now)
        else:
            self._write(plan, item, now)

    def synthesized(self, job: int, frames: Frames | None, now: float) -> None:
        """Take the audio of the requested sentence; None if there is none."""
        if job != self._job or self._item is None:
            return
        self._job = None
        if frames is None:
            self.finish("failed", error="Speech synthesis failed.")
            return
        sentence, self._sentence = self._sentence, next(self._sentences, None)
        assert sentence is not None
        self._item.say(sentence, len(frames))
        space = " " if self._sentence is not None else ""
        self._send_part(events.TranscriptDelta, delta=sentence + space)
        self._deltas.extend(_cut(encode_pcm16(frames)))
        self.advance(now)

    def advance(self, now: float) -> None:
        """Send the audio that is due, then request the next sentence, call, or end."""
        if self.done:
            return
        if self._item is None:
            if self._announced is not None and now >= self._next_due:
                self._call(self._announced)
            return
        while self._deltas and (self._pace is None or now >= self._next_due):
            delta = self._deltas.popleft()
            frames = self._item.frames + len(delta) // FRAME_BYTES
            if frames // OUTPUT_FRAMES_PER_TOKEN > self._most_tokens:
                self.finish("incomplete", "max_output_tokens")
                return
            self._item.add_audio(delta)
            self._send_part(events.AudioDelta, delta=delta)
            length_s = len(delta) / FRAME_BYTES / SERVER_RATE_HZ
            self._played_until = max(self._played_until, now) + length_s
            self._item.answer_by = self._played_until + YES_WITHIN_S
            if self._pace is not None:
                self._next_due = max(self._next_due, now - length_s) + length_s / self._pace
        if not self._deltas and self._job is None:
            self._continue(now)

    def due(self) -> float | None:
        """When `advance` must be called next, unless another input comes first."""
        waits = self._item is None and self._announced is not None and not self.done
        return self._next_due if waits or (self._deltas and self._pace is not None) else None

    def withdraw(self, item_id: str = "") -> None:
        """Make no announced call: the user has begun to say something, or has taken back the
        item `item_id`. The announcement itself continues."""
        if self._announced is None or self.done or (item_id and item_id not in self._concerned):
            return
        self._announced = None
        if self._item is None:
            self.finish("completed")

    def finish(self, status: str, reason: str | None = None, error: str | None = None) -> None:
        """End it: close all open parts in order, and drop all unsent output."""
        if self.done:
            return
        self.done = True
        if self._job is not None:
            self._out.forget(self._job)
        if self._item is not None:
            self._item.keep(self._item.frames)
            self._close_message(status)
        details: Json | None = None
        if status != "completed":
            details = {"type": status}
            if reason:
                details["reason"] = reason
            if error:
                details["error"] = {"type": "server_error", "code": None, "message": error}
        self._out.send(events.ResponseDone(response=self._wire(status, details)))
        limit = {
            "name": "tokens", "limit": TOKEN_LIMIT, "remaining": TOKEN_LIMIT, "reset_seconds": 0.0,
        }  # fmt: skip
        self._out.send(events.RateLimitsUpdated(rate_limits=[limit]))

    def _continue(self, now: float) -> None:
        """Request the next sentence, or end."""
        if self._sentence is None:
            self._end_message(now)
            return
        sentence, speed = self._sentence, self._speed
        self._job = self._out.ask(lambda job: Synthesize(job, sentence, speed))

    def _call(self, plan: Call) -> None:
        arguments = msgspec.json.encode(plan.arguments).decode()
        item = Item(
            id=self._out.new_id("item"), type="function_call", status="in_progress",
            name=plan.name, call_id=self._out.new_id("call"), content_type="",
        )  # fmt: skip
        self._add(item)
        item.arguments, item.announcement = arguments, plan.announcement
        common: dict[str, Any] = {
            "response_id": self.id,
            "item_id": item.id,
            "call_id": item.call_id,
        }
        self._out.send(events.FunctionCallArgumentsDelta(**common, delta=arguments))
        self._out.send(
            events.FunctionCallArgumentsDone(**common, name=item.name, arguments=arguments)
        )
        item.status = "completed"
        self._close_item(item)
        self.finish("completed")

    def _write(self, plan: Say, item: Item, now: float) -> None:
        for index, sentence in enumerate(plan.sentences):
            piece = sentence if index == 0 else " " + sentence
            item.text += piece
            self._send_part(events.TextDelta, delta=piece)
        self._end_message(now)

    def _end_message(self, now: float) -> None:
        """End, or close the announcement and wait for an objection before the call."""
        if self._announced is None:
            self.finish("completed")
            return
        self._close_message("completed")
        self._item = None
        self._next_due = max(self._played_until, now) + OBJECTION_S

    def _open_message(self, content_type: str, part: str, field: str) -> Item:
        item = Item(
            id=self._out.new_id("item"), role="assistant", status="in_progress",
            content_type=content_type,
        )  # fmt: skip
        self._item = item
        self._concerned.append(item.id)
        self._add(item)
        self._send_part(events.ContentPartAdded, part={"type": part, field: ""})
        return item

    def _close_message(self, status: str) -> None:
        item = self._item
        assert item is not None
        said = item.memory()
        if item.content_type == "output_audio":
            self._send_part(events.AudioDone)
            self._send_part(events.TranscriptDone, transcript=said)
            part = {"type": "audio", "transcript": said}
        else:
            self._send_part(events.TextDone, text=said)
            part = {"type": "text", "text": said}
        self._send_part(events.ContentPartDone, part=part)
        item.status = "completed" if status == "completed" else "incomplete"
        self._close_item(item)

    def _add(self, item: Item) -> None:
        self._out.send(events.OutputItemAdded(response_id=self.id, item=item.wire()))
        if self._conversation is not None:
            previous = self._conversation.add(item)
            self._out.send(events.ItemAdded(item=item.wire(), previous_item_id=previous))

    def _close_item(self, item: Item) -> None:
        if self._conversation is not None and item.id in self._conversation:
            previous = self._conversation.before(item.id)
            self._out.send(events.ItemDone(item=item.wire(), previous_item_id=previous))
        self._out.send(events.OutputItemDone(response_id=self.id, item=item.wire()))
        self._output.append(item.wire())
        self._written += Tokens.written(item)

    def _send_part(self, kind: type[events._PartEvent], **fields: Any) -> None:
        assert self._item is not None
        self._out.send(kind(response_id=self.id, item_id=self._item.id, **fields))

    def _wire(self, status: str, details: Json | None) -> events.Response:
        used = usage(self._read, self._written) if status != "in_progress" else None
        return events.Response(
            id=self.id,
            status=status,
            status_details=details,
            output=list(self._output),
            metadata=self._metadata,
            usage=used,
            conversation_id=self._conversation_id,
        )


def _cut(pcm: bytes) -> list[bytes]:
    """Pieces of `DELTA_BYTES`; the last one includes the remainder."""
    whole = max(1, len(pcm) // DELTA_BYTES)
    pieces = [pcm[i * DELTA_BYTES : (i + 1) * DELTA_BYTES] for i in range(whole - 1)]
    return [*pieces, pcm[(whole - 1) * DELTA_BYTES :]]
