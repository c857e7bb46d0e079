"""The realtime session without I/O: fed with server events, asked what to send.

Like a protocol object of a sans-I/O library it has no socket and no clock: `receive`
takes what came, the commands say what the speaker wants, `to_send` hands out what must
go to the server (in order) and every call returns the news for the speaker.

Two rules carry it. A response is *dead* from the moment it was interrupted: whatever
still comes for it is dropped. And there is never more than one `response.create` under
way: the next one waits until the response before it is done.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec
import numpy as np

from parleyd import config
from parleyd.playout import Heard
from parleyd.realtime import events as ev
from parleyd.realtime.history import History
from parleyd.realtime.refusals import Refusal, Remedy, understand
from parleyd.realtime.settings import session_settings
from parleyd.units import SERVER_RATE_HZ, Frames, frames_to_ms

SHORTEST_COMMIT_MS = 120  # servers refuse less than 100 ms; a little more than that
WAITING_AUDIO_S = 30  # what a user can say before a slow connection is ready
CREATED_WITHIN_S = 5.0  # response.created after response.create; seen: well under a second
CANCELLED_WITHIN_S = 3.0  # response.done after response.cancel; some servers never send it
COMMITTED_WITHIN_S = 1.0  # committed after speech_stopped; they come together
CREATE_TRIES = 3  # how often "already has an active response" is believed
REMEMBERED_DEAD = 256  # dead response ids; late deltas come within seconds

UNKNOWN = ""  # stands for the id of an active response that the server never announced to us
TURN_KEY = "parley_turn"  # in a response's metadata: which of our creates it answers


# --- news for the speaker ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The server accepted our configuration; audio that waited goes out now."""


@dataclass(frozen=True, slots=True)
class UserStarted:
    """The server hears the user."""


@dataclass(frozen=True, slots=True)
class UserStopped:
    """The server heard the user's end of turn."""


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """Speech of the living reply: int16 mono at 24 kHz."""

    item_id: str
    content_index: int
    frames: Frames


@dataclass(frozen=True, slots=True)
class ReplyPartDone:
    """No more audio for this part of the living reply."""

    item_id: str
    content_index: int


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The living reply is complete; `failure` says in words why there is nothing (more)."""

    failure: str = ""


@dataclass(frozen=True, slots=True)
class SkillCalled:
    """The model calls a function of ours."""

    call_id: str
    name: str
    arguments: ev.Json


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the log must hold; with RECONNECT or FATAL the link must act."""

    remedy: Remedy
    text: str


News = (
    Ready | UserStarted | UserStopped | ReplyAudio | ReplyPartDone | ReplyDone
    | SkillCalled | Trouble
)  # fmt: skip


@dataclass(slots=True)
class _Create:
    """A `response.create` that the server has not answered yet."""

    token: str
    deadline: float
    cancelled: bool = False  # interrupted before response.created told its id


@dataclass(slots=True)
class _Active:
    """The response that the server is generating."""

    response_id: str
    cancel_deadline: float | None = None


@dataclass(slots=True)
class Session:
    """One conversation over any number of sockets; owned by the audio thread."""

    realtime: config.Realtime
    turn: config.Turn
    tools: Sequence[ev.Json] = ()

    ready: bool = False
    _out: list[ev.ClientEvent] = field(default_factory=list)
    _waiting: deque[ev.ClientEvent] = field(default_factory=deque)  # until the session is ready
    _waiting_frames: int = 0
    _ids: "count[int]" = field(default_factory=lambda: count(1))
    _appended_frames: int = 0  # since the last commit or clear

    _create: _Create | None = None
    _active: _Active | None = None
    _wanted: bool = False  # a reply is to be created as soon as it may
    _commit_deadline: float | None = None  # the server is about to commit; create after that
    _committed_item: str | None = None
    _tries: int = 0
    _dead: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _calls: dict[str, bool] = field(default_factory=dict)  # call id -> its response lives
    _seen_calls: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _truncates: dict[str, ev.TruncateItem] = field(default_factory=dict)  # by event id
    _odd_byte: dict[str, bytes] = field(default_factory=dict)
    _history: History = field(default_factory=History)

    # --- the socket -------------------------------------------------------------------

    def opened(self) -> None:
        """A new socket: everything of the old one is gone, but not what was said."""
        self.lost()

    def lost(self) -> list[News]:
        """The socket is gone: no response of it will ever go on.

        A turn that was said while connecting, and waits for its reply, goes on waiting.
        """
        living = self._living
        self.ready = False
        if self._active is not None:
            self._bury(self._active.response_id)
        self._create = self._active = None
        self._calls.clear()
        self._truncates.clear()
        self._odd_byte.clear()
        self._out.clear()
        self._appended_frames = 0
        return [ReplyDone("the connection was lost")] if living else []

    def to_send(self) -> list[ev.ClientEvent]:
        """What must go to the server now, in this order; each event is returned once."""
        out, self._out = self._out, []
        return out

    # --- what the speaker wants -------------------------------------------------------

    def begin_input(self) -> None:
        """A new turn of the user begins: what the server still has of an older one is void."""
        self._waiting.clear()
        self._waiting_frames = 0
        self._say(ev.ClearAudio())
        self._appended_frames = 0

    def append(self, frames: Frames) -> None:
        """Microphone audio: int16 mono at 24 kHz, in order. Waits while connecting, at most
        `WAITING_AUDIO_S`; beyond that the newest is dropped, because the beginning of a
        sentence is worth more than its end."""
        if len(frames) == 0:
            return
        if not self.ready:
            if self._waiting_frames + len(frames) > WAITING_AUDIO_S * SERVER_RATE_HZ:
                return
            self._waiting_frames += len(frames)
        self._appended_frames += len(frames)
        self._say(ev.AppendAudio(audio=frames.astype("<i2").tobytes()))

    def abandon_input(self) -> None:
        """Nobody will ask for an answer to what was sent."""
        self.begin_input()

    def ask_for_reply(self, now: float) -> list[News]:
        """The user's turn has ended: commit it where the server does not, then create once.

        In server turn mode the server commits by itself; the create waits for that.
        """
        self._wanted = True
        self._tries = 0
        self._history.close()
        if self.turn.detection == "local":
            if frames_to_ms(self._appended_frames, SERVER_RATE_HZ) < SHORTEST_COMMIT_MS:
                self._wanted = False
                return [ReplyDone("nothing was said")]
            self._commit()
        elif self._commit_deadline is None and self._appended_frames:
            self._commit_deadline = now + COMMITTED_WITHIN_S
        self._try_create(now)
        return []

    def interrupt(self, heard: Sequence[Heard], now: float) -> None:
        """Barge-in: nothing of the living reply may go on, the server learns what was heard.

        `heard`: the parts that were received and not heard to their end.
        """
        self._wanted = False
        self._commit_deadline = None
        if self._create is not None:
            self._create.cancelled = True
        if self._active is not None and self._active.response_id not in self._dead:
            self._cancel(now)
        for call_id in self._calls:
            self._calls[call_id] = False
        for part in heard:
            if part.heard_ms > 0:
                self._truncate(part.item_id, part.content_index, part.heard_ms)
            else:
                self._say(ev.DeleteItem(item_id=part.item_id))
        self._history.cut({p.item_id: p.heard_ms / max(p.received_ms, 1) for p in heard})

    def stop_generating(self, now: float) -> None:
        """We can take no more of this reply: what came is played, what comes is dropped."""
        if self._active is not None and self._active.response_id not in self._dead:
            self._cancel(now)

    def truncate(self, heard: Heard) -> None:
        """Tell the server that an item ends where it was heard."""
        self._truncate(heard.item_id, heard.content_index, heard.heard_ms)

    def skill_done(self, call_id: str, output: str, now: float) -> None:
        """A function's result; when all of a response's are in, the model goes on."""
        lives = self._calls.pop(call_id, None)
        if lives is None:
            return
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self._say(ev.CreateItem(item=item))
        if lives and not any(self._calls.values()):
            self._wanted = True
            self._try_create(now)

    # --- what the server says ---------------------------------------------------------

    def receive(self, event: ev.ServerEvent, now: float) -> list[News]:
        """Take one event of the server; unknown kinds were sorted out before."""
        match event:
            case ev.SessionCreated():
                self._configure()
            case ev.SessionUpdated() if not self.ready:
                return self._become_ready(now)
            case ev.ServerError():
                return self._refused(event.error, now)
            case ev.SpeechStarted():
                return [UserStarted()]
            case ev.SpeechStopped():
                if event.item_id is None or event.item_id != self._committed_item:
                    self._commit_deadline = now + COMMITTED_WITHIN_S
                return [UserStopped()]
            case ev.AudioCommitted():
                self._committed_item = event.item_id
                self._appended_frames = 0
                self._commit_deadline = None
                self._try_create(now)
            case ev.InputTranscript():
                self._history.user(event.transcript)
            case ev.ResponseCreated():
                self._response_created(event.response, now)
            case ev.AudioDelta() if self._alive(event.response_id):
                return self._audio(event)
            case ev.AudioDone() if self._alive(event.response_id):
                return [ReplyPartDone(event.item_id, event.content_index)]
            case ev.TranscriptDelta() if self._alive(event.response_id):
                self._history.assistant(event.item_id, event.delta)
            case ev.OutputItemDone() if self._alive(event.response_id):
                return self._function_call(event.item)
            case ev.ResponseDone():
                return self._response_done(event.response, now)
        return []

    def poll(self, now: float) -> list[News]:
        """Called at every heartbeat: what should have come by now and did not."""
        if self._commit_deadline is not None and now >= self._commit_deadline:
            self._commit_deadline = None
            if self._wanted:  # a server that never says committed, or never heard an end
                self._commit()
                self._try_create(now)
        if self._create is not None and now >= self._create.deadline:
            interrupted = self._create.cancelled
            self._create = None
            self._try_create(now)
            if not interrupted:
                return [ReplyDone("the server did not begin an answer")]
        deadline = self._active.cancel_deadline if self._active is not None else None
        if deadline is not None and now >= deadline:
            self._active = None  # a server that never says that the cancelled one is done
            self._try_create(now)
        return []

    @property
    def awaiting(self) -> bool:
        """The server owes us something: an answer, or the rest of one."""
        return self._wanted or self._living

    # --- inside: the session ----------------------------------------------------------

    def _configure(self) -> None:
        self._send(ev.SessionUpdate(session=session_settings(self.realtime, self.turn, self.tools)))

    def _become_ready(self, now: float) -> list[News]:
        self.ready = True
        for item in self._history.items():
            self._send(ev.CreateItem(item=item))
        while self._waiting:
            self._send(self._waiting.popleft())
        self._waiting_frames = 0
        self._try_create(now)
        return [Ready()]

    def _say(self, event: ev.ClientEvent) -> None:
        """Send now, or as soon as the session is ready."""
        if self.ready:
            self._send(event)
        elif isinstance(event, ev.AppendAudio | ev.CommitAudio | ev.ClearAudio):
            self._waiting.append(event)  # else: about items that the next socket will not know

    def _send(self, event: ev.ClientEvent) -> None:
        event.event_id = f"parley_{next(self._ids)}"
        self._out.append(event)

    # --- inside: creating and cancelling ----------------------------------------------

    def _commit(self) -> None:
        self._say(ev.CommitAudio())
        self._appended_frames = 0

    def _try_create(self, now: float) -> None:
        """The one place where a response is asked for."""
        blocked = self._create or self._active or self._commit_deadline is not None
        if not self._wanted or blocked or not self.ready:
            return
        self._wanted = False
        token = str(next(self._ids))
        self._create = _Create(token, now + CREATED_WITHIN_S)
        self._send(ev.CreateResponse(response={"metadata": {TURN_KEY: token}}))

    def _response_created(self, response: ev.Response, now: float) -> None:
        ours = (response.metadata or {}).get(TURN_KEY)
        create, self._create = self._create, None
        if create is None and self._wanted and ours is None:
            self._wanted = False  # a server that answers by itself: take it as our answer
        elif create is None or (ours is not None and ours != create.token):
            self._create = create
            self._bury(response.id)  # nobody asked for it, or nobody does any more
            self._send(ev.CancelResponse(response_id=response.id))
            return
        self._active = _Active(response.id)
        if create is not None and create.cancelled:
            self._cancel(now)

    def _cancel(self, now: float) -> None:
        assert self._active is not None
        self._bury(self._active.response_id)
        self._active.cancel_deadline = now + CANCELLED_WITHIN_S
        self._say(ev.CancelResponse(response_id=self._active.response_id))

    def _response_done(self, response: ev.Response, now: float) -> list[News]:
        dead = response.id in self._dead
        if self._active is None or self._active.response_id not in (response.id, UNKNOWN):
            return []  # late news of an old response never touches the newer one
        known = self._active.response_id == response.id
        self._active = None
        self._tries = 0 if known else self._tries
        news: list[News] = []
        for item in (response.output or []) if known and not dead else []:
            news += self._function_call(item)
        self._try_create(now)
        if known and not dead and not self._living and not self._wanted:
            news += _ended(response)
        return news

    @property
    def _living(self) -> bool:
        """A response of ours is asked for or generated, and was not interrupted."""
        if self._create is not None and not self._create.cancelled:
            return True
        if self._active is not None and self._active.response_id not in self._dead:
            return True
        return any(self._calls.values())

    def _alive(self, response_id: str) -> bool:
        return self._active is not None and (
            self._active.response_id == response_id and response_id not in self._dead
        )

    def _bury(self, response_id: str) -> None:
        self._dead[response_id] = None
        while len(self._dead) > REMEMBERED_DEAD:
            self._dead.popitem(last=False)

    # --- inside: audio, functions, errors ---------------------------------------------

    def _audio(self, event: ev.AudioDelta) -> list[News]:
        data = self._odd_byte.pop(event.item_id, b"") + event.delta
        if len(data) % 2:
            self._odd_byte[event.item_id] = data[-1:]
            data = data[:-1]
        frames = np.frombuffer(data, "<i2").astype(np.int16)
        return [ReplyAudio(event.item_id, event.content_index, frames)] if len(frames) else []

    def _function_call(self, item: ev.Json) -> list[News]:
        call_id = item.get("call_id")
        complete = item.get("type") == "function_call" and item.get("status") == "completed"
        if not complete or not isinstance(call_id, str) or call_id in self._seen_calls:
            return []
        self._seen_calls[call_id] = None
        while len(self._seen_calls) > REMEMBERED_DEAD:
            self._seen_calls.popitem(last=False)
        self._calls[call_id] = True
        return [SkillCalled(call_id, str(item.get("name")), _arguments(item.get("arguments")))]

    def _truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        event = ev.TruncateItem(
            item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms
        )
        self._say(event)
        if event.event_id is not None:
            self._truncates[event.event_id] = event
            while len(self._truncates) > 32:  # a reply has a handful of items
                self._truncates.pop(next(iter(self._truncates)))

    def _refused(self, error: ev.ErrorDetail, now: float) -> list[News]:
        refusal = understand(error)
        match refusal.remedy:
            case Remedy.IGNORE:
                return []
            case Remedy.NOTHING_TO_CANCEL:
                if self._active is not None and self._active.cancel_deadline is not None:
                    self._active = None
                    self._try_create(now)
                return []
            case Remedy.CREATE_LATER:
                return self._create_refused(refusal, now)
            case Remedy.DROP_TURN:
                return self._turn_refused(now)
            case Remedy.TRUNCATE_AT:
                self._truncate_again(error.event_id, refusal.audio_ms)
                return []
            case _:
                return [Trouble(refusal.remedy, refusal.text)]

    def _create_refused(self, refusal: Refusal, now: float) -> list[News]:
        create, self._create = self._create, None
        if create is None or create.cancelled:
            return []
        self._tries += 1
        if self._tries >= CREATE_TRIES:
            return [
                Trouble(Remedy.OUR_FAULT, refusal.text),
                ReplyDone("the server is still busy with another answer"),
            ]
        self._wanted = True
        if self._active is None:  # a response that we do not know blocks it: wait for its end
            self._active = _Active(UNKNOWN, now + CANCELLED_WITHIN_S)
        return []

    def _turn_refused(self, now: float) -> list[News]:
        """The server has too little audio of this turn: there is nothing to answer."""
        if self.turn.detection != "local":
            return []  # the server's own commit was faster than ours
        if not self._living and not self._wanted:
            return []
        self.interrupt([], now)
        return [ReplyDone("the server heard nothing")]

    def _truncate_again(self, event_id: str | None, audio_ms: int | None) -> None:
        if event_id is None and len(self._truncates) == 1:
            event_id = next(iter(self._truncates))  # a server that does not echo ids
        first = self._truncates.pop(event_id, None) if event_id else None
        if first is not None and audio_ms is not None and audio_ms < first.audio_end_ms:
            self._say(
                ev.TruncateItem(
                    item_id=first.item_id,
                    content_index=first.content_index,
                    audio_end_ms=audio_ms,
                )
            )


def _ended(response: ev.Response) -> list[News]:
    """What a response's end means for the speaker; a failure is said in words."""
    if response.status != "failed":
        return [ReplyDone()]
    detail = (response.status_details or {}).get("error")
    try:
        error = msgspec.convert(detail, ev.ErrorDetail)
    except msgspec.ValidationError:
        error = ev.ErrorDetail(message="the answer failed")
    refusal = understand(error)
    return [Trouble(refusal.remedy, refusal.text), ReplyDone(refusal.text)]


def _arguments(text: object) -> ev.Json:
    """A function's arguments; models sometimes write broken JSON, which counts as none."""
    try:
        arguments = msgspec.json.decode(text) if isinstance(text, str) else text
    except msgspec.DecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
