"""A simulated realtime server that misbehaves at random: one object for each socket."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import numpy as np

from parleyd.config import Config
from parleyd.config.servers import profile
from parleyd.realtime import events as ev
from parleyd.realtime.responses import TURN_KEY
from parleyd.units import SERVER_RATE_HZ
from tests.soak.oracle import Violation
from tests.soak.sounds import LONGEST_S, Sound

VOICE = 1000  # the hearing stand-in passes a user's voice at a higher level
DELTA_FRAMES = SERVER_RATE_HZ // 5
NEVER = math.inf  # seconds until an event that never arrives
SKILLS = ("set_timer", "set_volume", "say_again", "goodbye")
HARMLESS = (
    "response_cancel_not_active",
    "item_truncate_invalid_item_id",
    "item_delete_invalid_item_id",
    "unknown_parameter",
    "rate_limits",
)


class Clock(Protocol):
    """The part of the world that a server needs."""

    now: float
    random: Random
    friendly: bool
    """No faults are simulated now."""

    def after(self, delay_s: float, then: Callable[[], None]) -> None: ...

    def count(self) -> int: ...


@dataclass(eq=False)
class Answer:
    """One response from the server's point of view."""

    number: int
    create: int | None
    metadata: dict[str, Any] | None
    items: list[Sound] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    @property
    def id(self) -> str:
        return f"resp_{self.number}"


class Server:
    """The server end of one socket; `down` sends a client an event, `close` ends the socket."""

    def __init__(
        self,
        clock: Clock,
        settings: Config,
        down: Callable[[ev.ServerEvent, Answer | Sound | None], None],
        close: Callable[[int, str], None],
    ) -> None:
        self._clock, self._down, self._close = clock, down, close
        self._profile = profile(settings.realtime.server)
        self._local = settings.turn.detection == "local"
        self._silence_s = settings.turn.silence_ms / 1000
        self._active: Answer | None = None
        self._buffered_s = 0.0
        self._voice_s = 0.0  # of the current turn
        self._silent_s = 0.0
        self._speech = False
        self._calls: set[str] = set()
        self._answers: dict[str, Answer] = {}
        self.open = True
        self._configured_once = False
        self._told_before = ""  # role of the previous history message on a new socket
        session: dict[str, Any] = {"id": f"sess_{clock.count()}"}
        self._say(ev.SessionCreated(session=session))
        if self._odds(0.01):
            clock.after(self._between(1, 40), lambda: clock.friendly or close(1001, "going away"))  # type: ignore[arg-type,func-returns-value]

    # --- client events ------------------------------------------------------------------

    def receive(self, event: ev.ClientEvent) -> None:
        """Handle one client event; events arrive in order."""
        if not self.open:
            return
        match event:
            case ev.SessionUpdate():
                self._configured(event)
            case ev.AppendAudio(audio=audio):
                self._hear(audio)
            case ev.CommitAudio():
                self._commit(event)
            case ev.ClearAudio():
                self._buffered_s = self._voice_s = 0.0
                self._speech = False
                self._say(ev.AudioCleared())
            case ev.CreateResponse():
                self._create(event)
            case ev.CancelResponse():
                self._cancel(event)
            case ev.TruncateItem():
                self._truncate(event)
            case ev.DeleteItem(item_id=item_id):
                self._say(ev.ItemDeleted(item_id=item_id))
            case ev.CreateItem(item=item):
                self._item(item)

    def _configured(self, event: ev.SessionUpdate) -> None:
        if self._odds(0.02):
            return  # no reply: the client closes the socket after a timeout
        updated = ev.SessionUpdated(session=event.session)
        self._configured_once = True
        self._clock.after(self._between(0.0, 0.5), lambda: self._say(updated))

    def _item(self, item: dict[str, Any]) -> None:
        call_id = item.get("call_id")
        if item["type"] == "function_call_output":
            if call_id not in self._calls:
                raise Violation(f"{call_id} is answered, but is not open on this socket")
            self._calls.discard(str(call_id))
        if item["type"] == "message":
            if item["role"] == "assistant" and self._told_before != "user":
                raise Violation("the history has an answer without its question")
            self._told_before = str(item["role"])
        self._say(ev.ItemAdded(item={**item, "id": f"item_{self._clock.count()}"}))

    # --- hearing ------------------------------------------------------------------------

    def _hear(self, audio: bytes) -> None:
        frames = np.frombuffer(audio, "<i2")
        length_s = len(frames) / SERVER_RATE_HZ
        self._buffered_s += length_s
        if self._local:
            return
        if np.abs(frames).max(initial=0) > VOICE:
            self._voice_s += length_s
            self._silent_s = 0.0
            if not self._speech and self._voice_s > 0.1:
                self._speech = True
                self._cut_off()
                self._item_id = f"user_{self._clock.count()}"
                self._say(ev.SpeechStarted(item_id=self._item_id))
        elif self._speech:
            self._silent_s += length_s
            if self._silent_s >= self._silence_s:
                self._speech = False
                self._voice_s = 0.0
                self._end_turn()

    def _end_turn(self) -> None:
        self._say(ev.SpeechStopped(item_id=self._item_id))
        if self._odds(0.03):
            return  # the commit is never confirmed
        committed = ev.AudioCommitted(item_id=self._item_id)
        self._buffered_s = 0.0
        self._clock.after(self._between(0.0, 0.1), lambda: self._say(committed))
        if self._profile.answers:
            self._clock.after(self._between(0.1, 0.8), lambda: self._begin(None, None))

    def _cut_off(self) -> None:
        """End the answer on user speech, as some servers do against their configuration."""
        answer = self._active
        if answer is None or not self._profile.interrupts:
            return
        self._active, answer.over = None, True
        details = {"type": "cancelled", "reason": "turn_detected"}
        done = ev.Response(id=answer.id, status="cancelled", status_details=details)
        self._clock.after(self._between(0, 0.3), lambda: self._say(ev.ResponseDone(response=done)))

    def _commit(self, event: ev.CommitAudio) -> None:
        if self._buffered_s < 0.1:
            self._error("input_audio_buffer_commit_empty", "buffer too small", event)
            return
        self._buffered_s = 0.0
        item_id = f"user_{self._clock.count()}"
        self._say(ev.AudioCommitted(item_id=item_id))
        self._say(ev.InputTranscript(item_id=item_id, transcript="What is it?"))

    # --- answering ----------------------------------------------------------------------

    def _create(self, event: ev.CreateResponse) -> None:
        assert isinstance(event.response, dict)
        metadata = event.response["metadata"]
        if self._odds(0.02) and self._active is None:
            self._begin(None, None)  # an unrequested response
        if self._active is not None:
            code = "conversation_already_has_active_response"
            self._error(code, "Conversation already has an active response", event)
        elif self._odds(0.02):
            code = self._clock.random.choice(("rate_limit_exceeded", "server_error"))
            self._error(code, "busy", event)
        elif self._odds(0.02):
            pass  # ignore it
        else:
            self._begin(metadata, int(metadata[TURN_KEY]))

    def _begin(self, metadata: dict[str, Any] | None, create: int | None) -> None:
        if self._active is not None or not self.open:
            return
        if self._odds(0.1):
            metadata = None
        answer = Answer(self._clock.count(), create, metadata)
        self._active = answer
        self._answers[answer.id] = answer
        while len(self._answers) > 64:
            del self._answers[next(iter(self._answers))]
        self._walk(answer, self._generate(answer))

    def _walk(self, answer: Answer, script: Iterator[float]) -> None:
        if answer.over or not self.open:
            return
        delay_s = next(script, None)
        if delay_s is not None and delay_s != NEVER:
            self._clock.after(delay_s, lambda: self._walk(answer, script))

    def _generate(self, answer: Answer) -> Iterator[float]:
        yield self._between(0.05, 0.8) if not self._odds(0.02) else 6.0
        response = ev.Response(id=answer.id, status="in_progress", metadata=answer.metadata)
        self._say(ev.ResponseCreated(response=response), answer)
        status = "completed"
        yield self._between(0.05, 1.0)
        if self._clock.random.random() < 0.15:
            answer.calls = [self._call() for _ in range(self._clock.random.choice((1, 1, 2)))]
        if not answer.calls or self._odds(0.3):
            yield from self._talk(answer)
        for call in answer.calls:
            self._calls.add(call["call_id"])
            self._say(ev.OutputItemDone(response_id=answer.id, item=call))
            yield self._between(0.0, 0.3)
        error = None
        if self._odds(0.03):
            status = "failed"
            code = self._clock.random.choice(("rate_limit_exceeded", "server_error"))
            error = {"type": "failed", "error": {"code": code, "message": "no"}}
        self._finish(answer, status, error)

    def _talk(self, answer: Answer) -> Iterator[float]:
        random = self._clock.random
        if self._odds(0.03):
            return  # an empty response
        pace = random.choice((0.02, 0.2, 0.8, 1.0, 1.15)) if not self._clock.friendly else 0.2
        lost_at = self._between(0, 4) if self._odds(0.02) else None
        calm = self._clock.friendly  # a friendly server sends no answer beyond the playback buffer
        for index in range(1 if calm else random.choice((1, 1, 1, 2, 3))):
            longest_s = 8.0 if calm else random.choice((2.0, 5.0, LONGEST_S))
            length = int(self._between(0.2, longest_s) * SERVER_RATE_HZ)
            number = self._clock.count()
            sound = Sound(f"item_{number}", number, length, answer.number, index)
            answer.items.append(sound)
            yield from self._speak(answer, sound, pace, lost_at)
            if not self._odds(0.03):
                self._say(ev.AudioDone(response_id=answer.id, item_id=sound.name), sound)
            yield self._between(0.0, 0.5)

    def _speak(
        self, answer: Answer, sound: Sound, pace: float, lost_at: float | None
    ) -> Iterator[float]:
        at = 0
        odd = self._odds(0.1)
        data = sound.frames(0, sound.length).astype("<i2").tobytes()
        while at < len(data):
            end = min(at + 2 * DELTA_FRAMES + (1 if odd else 0), len(data))
            self._say(
                ev.AudioDelta(response_id=answer.id, item_id=sound.name, delta=data[at:end]), sound
            )
            text = ev.TranscriptDelta(response_id=answer.id, item_id=sound.name, delta="and so on ")
            self._say(text)
            if lost_at is not None and at > lost_at * 48_000:
                yield NEVER
            yield 2.0 if self._odds(0.002) else pace * (end - at) / 48_000
            at = end

    def _finish(self, answer: Answer, status: str, details: dict[str, Any] | None = None) -> None:
        answer.over = True
        if self._active is answer:
            self._active = None
        if self._odds(0.04 if self._profile.ends else 0.5):
            return  # its response.done is lost
        done = ev.Response(
            id=answer.id, status=status, status_details=details, output=answer.calls or None
        )
        self._say(ev.ResponseDone(response=done))

    def _call(self) -> dict[str, Any]:
        name = self._clock.random.choice(SKILLS)
        return {
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{self._clock.count()}",
            "name": name,
            "arguments": json.dumps({"percent": 20}) if not self._odds(0.1) else "{broken",
        }

    # --- interruptions ------------------------------------------------------------------

    def _cancel(self, event: ev.CancelResponse) -> None:
        answer = self._active
        if answer is None or event.response_id not in (None, answer.id):
            self._error("response_cancel_not_active", "no active response found", event)
            self._late(event.response_id)
            return
        answer.over, self._active = True, None
        if self._odds(0.1):
            self._error("response_cancel_not_active", "no active response found", event)
        if self._odds(0.05):
            self._late(answer.id)
            return  # response.done never arrives
        done = ev.Response(
            id=answer.id,
            status="cancelled" if not self._odds(0.2) else "completed",
            status_details={"type": "cancelled", "reason": "client_cancelled"},
            output=answer.calls or None,
        )
        if self._odds(0.3):
            self._late(answer.id)
        self._clock.after(
            self._between(0.0, 0.6), lambda: self._say(ev.ResponseDone(response=done))
        )
        self._late(answer.id)

    def _late(self, response_id: str | None) -> None:
        """Send deltas of a response that has ended for the client."""
        answer = self._answers.get(response_id or "")
        if answer is None or not answer.items or not self._odds(0.7):
            return
        sound = answer.items[-1]
        delta = sound.frames(sound.sent, sound.sent + DELTA_FRAMES).astype("<i2").tobytes()
        for _ in range(self._clock.random.randint(1, 4)):
            event = ev.AudioDelta(response_id=answer.id, item_id=sound.name, delta=delta)
            self._clock.after(self._between(0.0, 2.0), lambda e=event: self._say(e))  # type: ignore[misc]

    def _truncate(self, event: ev.TruncateItem) -> None:
        if self._odds(0.1):
            has = int(event.audio_end_ms * self._clock.random.random())
            text = f"Audio content of {has}ms is already shorter than {event.audio_end_ms}ms"
            self._error("invalid_value", text, event)
        elif self._odds(0.05):
            text = "Only model output audio messages can be truncated"
            self._error("unsupported_content_type", text, event)
        elif self._odds(0.05):
            self._error("item_truncate_invalid_item_id", "no such item", event)
        else:
            self._say(
                ev.ItemTruncated(
                    item_id=event.item_id, content_index=0, audio_end_ms=event.audio_end_ms
                )
            )

    # --- faults at any time -------------------------------------------------------------

    def misbehave(self) -> None:
        """Do something that a server may do at any time."""
        random = self._clock.random
        match random.randrange(8):
            case 0 if self._configured_once:  # earlier, the error would refer to the configuration
                self._error(random.choice(HARMLESS), "", None)
            case 1:
                self._close(1000, "")
            case 2:
                self._error("session_expired", "60 minutes", None)
                self._clock.after(0.05, lambda: self._close(1001, ""))
            case 3:
                self._begin(None, None)
            case 4:
                over = [answer.id for answer in self._answers.values() if answer.over]
                if over:
                    done = ev.Response(id=random.choice(over), status="completed")
                    self._say(ev.ResponseDone(response=done))
            case 5 if not self._local:
                self._say(ev.SpeechStarted(item_id="ghost"))
            case 6 if not self._local:
                self._say(ev.SpeechStopped(item_id="ghost"))
            case _:
                self._error("rate_limit_exceeded", "slow down", None)

    # --- helpers ------------------------------------------------------------------------

    def _error(self, code: str, text: str, cause: ev.ClientEvent | None) -> None:
        event_id = cause.event_id if cause is not None and not self._odds(0.3) else None
        in_type = self._odds(0.2)
        detail = ev.ErrorDetail(
            type=code if in_type else "invalid_request_error",
            code=None if in_type else code,
            message=text,
            event_id=event_id,
        )
        self._say(ev.ServerError(error=detail))

    def _say(self, event: ev.ServerEvent, about: Answer | Sound | None = None) -> None:
        if self.open:
            self._down(event, about)

    def _odds(self, chance: float) -> bool:
        return not self._clock.friendly and self._clock.random.random() < chance

    def _between(self, low: float, high: float) -> float:
        return self._clock.random.uniform(low, high)

    _item_id = ""
