"""The server's half of one realtime conversation, without socket, clock or thread.

Text frames go in, and events and requests for work come out, in order. The driver carries out
the work (`Recognize`, `Synthesize`) and reports the results; `now` is monotonic seconds and is
used only for pacing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatchmethod
from typing import Any

from parleyd.embedded import answering, api_error, decoding, grammar
from parleyd.embedded.actions import EngineOutbox, Output, Recognize
from parleyd.embedded.api_error import ApiError
from parleyd.embedded.conversation import Conversation
from parleyd.embedded.items import Item, read_item
from parleyd.embedded.limits import (
    MOST_ANSWER_TOKENS,
    MOST_RECOGNITIONS,
    MOST_RESPONSES,
    MOST_UTTERANCE_BYTES,
)
from parleyd.embedded.listening import (
    Detector,
    Listener,
    TurnBegan,
    TurnEnded,
    TurnEvent,
    TurnPaused,
    TurnResumed,
)
from parleyd.embedded.recognition import NO_CONFIDENCE, RecognitionResult
from parleyd.embedded.response import ResponseGenerator
from parleyd.embedded.session import SessionSettings
from parleyd.realtime import events
from parleyd.realtime.events import ClientEvent, Json
from parleyd.units import SERVER_RATE_HZ, Frames

LEAST_COMMIT_MS = 100  # the service refuses less
TOO_MANY = RecognitionResult(
    "", NO_CONFIDENCE, failed="Too many utterances are waiting for recognition."
)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options that differ between connections."""

    model: str = "parley-offline"
    pace: float | None = None
    """The speed of outgoing audio relative to real time; None: as fast as it is made."""


class Engine:
    """One connection's conversation; call it from one thread. No method blocks or raises."""

    def __init__(
        self,
        options: EngineOptions,
        *,
        new_detector: Callable[[], Detector],
        local_time: Callable[[], datetime],
        tag: str = "",
    ) -> None:
        self._options = options
        self._local_time = local_time
        self._out = EngineOutbox(tag)
        self._session = SessionSettings(self._out.new_id("sess"), options.model)
        self._conversation = Conversation()
        self._conversation_id = self._out.new_id("conv")
        self._listener = Listener(new_detector)
        self._listener.configure(self._session.turn_detection)
        self._turn_item_id = ""
        self._early_job: int | None = None
        self._early: RecognitionResult | None = None
        self._recognizing: dict[int, Item] = {}
        self._responses: list[ResponseGenerator] = []
        self._sources: dict[str, list[Item]] = {}
        self._voice_locked = False

    def open(self) -> list[Output]:
        """The first event of a new connection."""
        self._out.send(events.SessionCreated(session=self._session.wire()))
        return self._out.drain()

    def receive(self, frame: decoding.Frame, now: float) -> list[Output]:
        """Handle one message of the client: carry it out or refuse it as a whole."""
        self._listener.prepare()
        try:
            self._handle(decoding.read(frame), now)
        except ApiError as refused:
            self._out.refuse(refused.detail(decoding.event_id(frame)))
        return self._finish()

    def recognized(self, job: int, heard: RecognitionResult, now: float) -> list[Output]:
        """Take the result of `Recognize`; late or forgotten jobs are ignored."""
        if job == self._early_job:
            self._early = heard
            self._listener.understood(grammar.match(heard.words) is not None)
        item = self._recognizing.pop(job, None)
        if item is not None:
            self._set_heard(item, heard, now)
        return self._finish()

    def synthesized(self, job: int, frames: Frames | None, now: float) -> list[Output]:
        """Take the audio of `Synthesize` (24 kHz), or None when it failed."""
        for response in tuple(self._responses):
            response.synthesized(job, frames, now)
        return self._finish()

    def advance(self, now: float) -> list[Output]:
        """Send the output that is due by now."""
        for response in tuple(self._responses):
            response.advance(now)
        return self._finish()

    def due(self) -> float | None:
        """When to call `advance` next; None while there is nothing to wait for."""
        dues = [due for response in self._responses if (due := response.due()) is not None]
        return min(dues, default=None)

    def _finish(self) -> list[Output]:
        for response in [r for r in self._responses if r.done]:
            self._responses.remove(response)
            self._sources.pop(response.id, None)
        output = self._out.drain()
        if any(isinstance(event, events.AudioDelta) for event in output):
            self._voice_locked = True
        return output

    # --- client events ----------------------------------------------------------------

    @singledispatchmethod
    def _handle(self, event: ClientEvent, now: float) -> None:
        raise NotImplementedError(event)  # decoding.read lets only the types below through

    @_handle.register
    def _(self, event: events.SessionUpdate, now: float) -> None:
        before = self._session.turn_detection
        self._session.update(event.session, voice_locked=self._voice_locked)
        if self._session.turn_detection != before:
            self._forget_early()
            self._listener.configure(self._session.turn_detection)
        self._out.send(events.SessionUpdated(session=self._session.wire()))

    @_handle.register
    def _(self, event: events.AppendAudio, now: float) -> None:
        for turn_event in self._listener.append(event.audio):
            self._on_turn(turn_event, now)

    @_handle.register
    def _(self, event: events.CommitAudio, now: float) -> None:
        ready_ms = self._listener.committable_ms()
        if ready_ms < LEAST_COMMIT_MS:
            raise api_error.commit_too_small(ready_ms)
        item_id = self._turn_item_id if self._listener.speaking else self._out.new_id("item")
        self._forget_early()
        self._commit(item_id, self._listener.take(), None, now)

    @_handle.register
    def _(self, event: events.ClearAudio, now: float) -> None:
        self._listener.clear()
        self._forget_early()
        self._out.send(events.AudioCleared())

    @_handle.register
    def _(self, event: events.CreateItem, now: float) -> None:
        item = read_item(event.item, self._out.new_id("item"))
        previous = self._conversation.add(item, event.previous_item_id)
        if item.role == "user":
            self._withdraw()
        self._announce(item, previous)
        if item.content_type == "input_audio":
            self._recognize(item, now)

    @_handle.register
    def _(self, event: events.RetrieveItem, now: float) -> None:
        self._out.send(events.ItemRetrieved(item=self._conversation.retrieve(event.item_id)))

    @_handle.register
    def _(self, event: events.TruncateItem, now: float) -> None:
        self._conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)
        self._withdraw(event.item_id)
        self._out.send(
            events.ItemTruncated(
                item_id=event.item_id,
                content_index=event.content_index,
                audio_end_ms=event.audio_end_ms,
            )
        )

    @_handle.register
    def _(self, event: events.DeleteItem, now: float) -> None:
        self._conversation.delete(event.item_id)
        self._withdraw(event.item_id)
        self._out.send(events.ItemDeleted(item_id=event.item_id))

    @_handle.register
    def _(self, event: events.CreateResponse, now: float) -> None:
        self._respond(event.response if isinstance(event.response, dict) else {}, now)

    @_handle.register
    def _(self, event: events.CancelResponse, now: float) -> None:
        if event.response_id is None:
            response = self._active()
        else:
            response = next((r for r in self._responses if r.id == event.response_id), None)
        if response is None:
            raise api_error.nothing_to_cancel()
        response.finish("cancelled", "client_cancelled")

    # --- turns --------------------------------------------------------------------------

    def _on_turn(self, event: TurnEvent, now: float) -> None:
        detection = self._session.turn_detection
        assert detection is not None
        match event:
            case TurnBegan(start_ms):
                self._turn_item_id = self._out.new_id("item")
                self._out.send(
                    events.SpeechStarted(audio_start_ms=start_ms, item_id=self._turn_item_id)
                )
                active = self._active()
                if detection.interrupt_response and active is not None:
                    active.finish("cancelled", "turn_detected")
                self._withdraw()
            case TurnPaused(pcm):
                self._early_job = self._out.ask(lambda job: Recognize(job, _newest(pcm)))
            case TurnResumed():
                self._forget_early()
            case TurnEnded(end_ms, pcm):
                item_id = self._turn_item_id
                self._out.send(events.SpeechStopped(audio_end_ms=end_ms, item_id=item_id))
                job, heard, self._early_job, self._early = self._early_job, self._early, None, None
                item = self._commit(item_id, pcm, job, now)
                if job is not None and heard is not None:
                    del self._recognizing[job]
                    self._set_heard(item, heard, now)
                if detection.create_response:
                    try:
                        self._respond({}, now)
                    except ApiError as refused:
                        self._out.refuse(refused.detail(None))

    def _commit(self, item_id: str, pcm: bytes, job: int | None, now: float) -> Item:
        """Make the user's item from audio; `job` is a recognition already running."""
        item = Item(id=item_id, role="user", content_type="input_audio")
        item.add_audio(pcm)
        previous = self._conversation.add(item)
        self._withdraw()
        self._out.send(events.AudioCommitted(item_id=item_id, previous_item_id=previous))
        self._announce(item, previous)
        if job is None:
            self._recognize(item, now)
        else:
            self._recognizing[job] = item
        return item

    def _announce(self, item: Item, previous: str | None) -> None:
        self._out.send(events.ItemAdded(item=item.wire(), previous_item_id=previous))
        self._out.send(events.ItemDone(item=item.wire(), previous_item_id=previous))
        self._conversation.shed_audio()

    def _recognize(self, item: Item, now: float) -> None:
        if len(self._recognizing) >= MOST_RECOGNITIONS:
            self._set_heard(item, TOO_MANY, now)
            return
        pcm = _newest(item.pcm)
        self._recognizing[self._out.ask(lambda job: Recognize(job, pcm))] = item

    def _forget_early(self) -> None:
        if self._early_job is not None and self._early is None:
            self._out.forget(self._early_job)
        self._early_job, self._early = None, None

    def _set_heard(self, item: Item, heard: RecognitionResult, now: float) -> None:
        item.heard = heard
        if self._session.transcribes and item.id in self._conversation:
            self._out.send(_transcript(item, heard))
        for response in self._responses:
            if response.waiting_for is item:
                self._begin(response, now)

    # --- responses ----------------------------------------------------------------------

    def _active(self) -> ResponseGenerator | None:
        """The response in progress in the conversation, if any."""
        return next((r for r in self._responses if r.in_conversation and not r.done), None)

    def _withdraw(self, item_id: str = "") -> None:
        """Drop the announced calls of all responses, or those that this item belongs to."""
        for response in self._responses:
            response.withdraw(item_id)

    def _respond(self, override: Json, now: float) -> None:
        settings = self._session.response_settings(override)
        in_conversation = override.get("conversation") != "none"
        active = self._active()
        if in_conversation and active is not None:
            raise api_error.response_active(active.id)
        if len(self._responses) >= MOST_RESPONSES:
            raise api_error.response_active(self._responses[0].id)
        given_input = override.get("input")
        source = self._source(given_input) if given_input is not None else None
        response = ResponseGenerator(
            self._out,
            self._conversation if in_conversation else None,
            conversation_id=self._conversation_id if in_conversation else None,
            audio=settings["output_modalities"] != ["text"],
            speed=self._session.speed,
            pace=self._options.pace,
            metadata=override.get("metadata"),
            tools=_tool_names(settings),
            most_tokens=_most_tokens(settings["max_output_tokens"]),
        )
        self._responses.append(response)
        if source is not None:
            self._sources[response.id] = source
            for item in source:
                if item.content_type == "input_audio" and item.heard is None:
                    self._recognize(item, now)
        self._hear_again(source if source is not None else list(self._conversation), now)
        self._begin(response, now)

    def _hear_again(self, items: list[Item], now: float) -> None:
        """Repeat failed recognitions: the client is asking again."""
        for item in answering.unanswered(items):
            if item.heard is not None and item.heard.failed and item.pcm:
                item.heard = None
                self._recognize(item, now)

    def _source(self, raw_items: list[Json]) -> list[Item]:
        """The items of a response with separate context."""
        items = []
        for raw in raw_items:
            if raw.get("type") == "item_reference":
                item = self._conversation.get(str(raw.get("id")))
                if item is None:
                    raise api_error.unknown_item("reference", "referencing", str(raw.get("id")))
                items.append(item)
            else:
                items.append(read_item(raw, self._out.new_id("item")))
        return items

    def _begin(self, response: ResponseGenerator, now: float) -> None:
        """Answer once all the user's audio is recognised."""
        items = self._sources.get(response.id)
        if items is None:
            items = list(self._conversation)
        response.waiting_for = answering.awaited(items)
        if response.waiting_for is not None:
            return
        plan, answered = answering.plan(items, self._local_time(), response.tools, now)
        if answered is not None and answered.heard is not None and answered.heard.failed:
            response.finish("failed", error=answered.heard.failed)
        else:
            response.begin(plan, answered, now)
            if self._listener.speaking:
                response.withdraw()


def _newest(pcm: bytes | bytearray) -> bytes:
    """The newest part of an utterance; only this part is recognised."""
    return bytes(pcm[-MOST_UTTERANCE_BYTES:])


def _most_tokens(setting: int | str) -> int:
    return min(setting, MOST_ANSWER_TOKENS) if isinstance(setting, int) else MOST_ANSWER_TOKENS


def _tool_names(settings: Json) -> frozenset[str]:
    if settings["tool_choice"] == "none":
        return frozenset()
    tools: list[dict[str, Any]] = settings["tools"]
    return frozenset(tool["name"] for tool in tools if tool["type"] == "function")


def _transcript(item: Item, heard: RecognitionResult) -> events.ServerEvent:
    if heard.failed:
        error = events.TranscriptionFailure(type="server_error", message=heard.failed)
        return events.InputTranscriptFailed(item_id=item.id, error=error)
    usage = {"type": "duration", "seconds": item.frames / SERVER_RATE_HZ}
    return events.InputTranscript(item_id=item.id, transcript=heard.words, usage=usage)
