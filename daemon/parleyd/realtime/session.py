"""The realtime session without I/O: fed with server events, asked what to send.

Like a protocol object of a sans-I/O library it has no socket and no clock: `receive`
takes what came, the commands say what the speaker wants, `to_send` hands out what must
go to the server (in order) and every call returns the news for the speaker.
"""

from collections import Counter, deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec

from parleyd import config
from parleyd.config.servers import Profile, profile
from parleyd.playback.playout import Heard
from parleyd.realtime import events as ev
from parleyd.realtime import formats, transcription
from parleyd.realtime.auto_response import AutoResponse
from parleyd.realtime.endings import (
    SPEAK,
    about_a_message,
    claims_sound,
    messages,
    only_messages,
    reason,
    shortfall,
    takes_no_settings,
)
from parleyd.realtime.function_calls import Calls
from parleyd.realtime.history import History
from parleyd.realtime.mcp_calls import Listing, RemoteCalls, labels
from parleyd.realtime.naming import ItemNames
from parleyd.realtime.negotiation import Negotiation
from parleyd.realtime.permission import Permissions, Stage, services
from parleyd.realtime.responses import NAMELESS, Ending, Responses
from parleyd.realtime.server_errors import Refusal, Remedy, may_pass, understand
from parleyd.realtime.session_events import (
    CutOff,
    News,
    Permission,
    Ready,
    ReplyAudio,
    ReplyDone,
    ReplyPartDone,
    Trouble,
    UserStarted,
    UserStopped,
)
from parleyd.realtime.settings import session_settings
from parleyd.realtime.truncation import Truncations
from parleyd.realtime.usage import Context, Usage
from parleyd.units import SERVER_RATE_HZ, Frames, frames_to_ms

SHORTEST_COMMIT_MS = 120  # servers refuse less than 100 ms; a little more than that
WAITING_AUDIO_S = 30  # what a user can say before a slow connection is ready
COMMITTED_WITHIN_S = 1.0  # committed after speech_stopped; they come together
CONFIGURED_WITHIN_S = 60.0  # session.updated after session.update; small machines load models
MOST_CONFIGURED_S = 300.0  # that wait, doubled after each socket that was given up
OBJECTED_WITHIN_S = 3.0  # the same, when the server has complained meanwhile
CUT_OFF_HEARD_S = 0.5  # speech_started after a cancelled response; else the user said nothing


@dataclass(slots=True)
class Session:
    """One conversation over any number of sockets; owned by the audio thread."""

    realtime: config.Realtime
    turn: config.Turn
    tools: Sequence[ev.Json] = field(default=(), repr=False)  # may hold keys of remote servers

    ready: bool = False
    """The server has accepted our configuration."""

    _out: list[ev.ClientEvent] = field(default_factory=list)
    _waiting: deque[ev.ClientEvent] = field(default_factory=deque)  # until the session is ready
    _waiting_frames: int = 0
    _ids: "count[int]" = field(default_factory=lambda: count(1))
    _appended_frames: int = 0  # since the last commit or clear
    _commit_deadline: float | None = None  # the server is about to commit; create after that
    _heard_end: bool = False  # the server detected the end of this turn
    _commits: int = 0  # of ours that the server has not acknowledged
    _create_not_before: float = 0.0  # the server may be about to answer by itself
    _configured_by: float | None = None  # the server owes us session.updated
    _objection: str = ""  # what it said instead
    _patience_s: float = CONFIGURED_WITHIN_S
    _update_id: str | None = None  # of the newest session.update
    _negotiation: Negotiation = field(default_factory=Negotiation)
    _text_only: bool = False  # the server confirmed a session without speech
    _transcribes: bool = True  # no failure of that was reported
    _profile: Profile = field(init=False)
    _committed_item: str | None = None
    _cancelled_by_server_at: float | None = None  # it may have heard the user
    _responses: Responses = field(init=False)
    _auto: AutoResponse = field(init=False)
    _calls: Calls = field(default_factory=Calls)
    _names: ItemNames = field(default_factory=ItemNames)
    _remote: RemoteCalls = field(default_factory=RemoteCalls)
    _listing: Listing = field(init=False)
    _permissions: Permissions = field(init=False)
    _usage: Usage = field(default_factory=Usage)
    _context: Context = field(init=False)
    _truncations: Truncations = field(default_factory=Truncations)
    _decoder: formats.ReplyDecoder = field(default_factory=formats.ReplyDecoder)
    _encoder: formats.TurnEncoder = field(default_factory=formats.TurnEncoder)
    _history: History = field(init=False)
    _sounded: set[tuple[int, str]] = field(default_factory=set)  # items of the turn's responses
    _now: float = 0.0  # at the newest heartbeat
    _talked_at: float = 0.0
    _known: bool = False  # the present socket's server knows something of the conversation

    def __post_init__(self) -> None:
        self._profile = profile(self.realtime.server)
        self._listing = Listing(len(labels(self.tools)))
        self._permissions = Permissions(services(self.tools))
        self._history = History(self.realtime.context_tokens // 2)  # the rest is for the talk
        self._context = Context(self.realtime.context_tokens)
        self._responses = Responses(self.turn.answer_within_s)
        self._auto = AutoResponse(self._profile, self.turn.answer_within_s)

    @property
    def working(self) -> bool:
        """Functions or remote tools run that the reply waits for; each has its own time limit."""
        return self._calls.living or self._remote.living

    @property
    def awaiting(self) -> bool:
        """The server owes us something: an answer, or the rest of one."""
        undecided = self._cancelled_by_server_at is not None
        return self._responses.wanted or self._living or undecided

    @property
    def asks(self) -> bool:
        """The reply ended with a question for permission: only a clear yes in the next turn
        grants it."""
        return self._permissions.stage is Stage.ANSWER

    def forgets(self, now: float) -> str:
        """Why the server's conversation is to be replaced by a new one in a quiet moment; "" when
        it is not. A new socket is the one way that every server has to forget all of it."""
        if not (self.ready and self._known):
            return ""
        if now - self._talked_at >= self.realtime.forget_after_min * 60:
            return f"the conversation ended {self.realtime.forget_after_min:g} minutes ago"
        if self._context.full and not self._negotiation.limits_context:
            return f"the conversation has grown beyond {self.realtime.context_tokens} tokens"
        return ""

    # --- the socket -------------------------------------------------------------------

    def opened(self) -> None:
        """A new socket: everything of the old one is gone, but not what was said."""
        self.lost()

    def lost(self) -> list[News]:
        """The socket is gone: no response of it will ever go on.

        A turn that was said while connecting, and waits for its reply, goes on waiting.
        """
        living = self._living
        self._responses.lost()
        self._remote.interrupt()
        self._listing.forget()
        self.ready = False
        if self._configured_by is not None:
            self._negotiation.lost()
        self._configured_by = None
        self._calls.forget()
        self._truncations.forget()
        self._decoder.reset()
        self._commits = 0
        self._cancelled_by_server_at = None
        self._out.clear()
        self._history.lost()
        self._context.forget()
        self._known = False
        refused = self._permissions.forget()
        return [*refused, *([ReplyDone("the connection was lost")] if living else [])]

    def to_send(self) -> list[ev.ClientEvent]:
        """What must go to the server now, in this order; each event is returned once."""
        out, self._out = self._out, []
        return out

    # --- what the speaker wants -------------------------------------------------------

    def begin_input(self) -> None:
        """A new turn of the user begins: what the server still has of an older one is void."""
        self._waiting.clear()
        self._waiting_frames = 0
        if self._profile.clears:
            self._say(ev.ClearAudio())
        self._encoder.reset()
        self._appended_frames = 0
        self._heard_end = False

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
        self._context.listened(len(frames) / SERVER_RATE_HZ)
        if audio := self._encoder.push(frames):
            self._say(ev.AppendAudio(audio=audio))

    def ask_for_reply(self, now: float) -> list[News]:
        """The user's turn has ended: commit it where the server does not, then create once.

        In server turn mode the server commits by itself; the create waits for that.
        """
        self._history.close(self._sounded)
        self._usage.turns += 1
        if self.turn.detection == "local":
            if frames_to_ms(self._appended_frames, SERVER_RATE_HZ) < SHORTEST_COMMIT_MS:
                return [ReplyDone("nothing was said")]
            self._commit(now)
        elif self._commit_deadline is None and self._appended_frames:
            self._commit_deadline = now + COMMITTED_WITHIN_S
        news = self._decide(self._permissions.answered(), now)
        self._history.asked(now)
        self._sounded.clear()
        self._talks(now)
        self._responses.want()
        self._create(now)
        return news

    def interrupt(self, heard: Sequence[Heard], now: float) -> list[News]:
        """Barge-in: nothing of the living reply may go on, the server learns what was heard.

        `heard`: the parts that were received and not heard to their end.
        """
        self._commit_deadline = self._cancelled_by_server_at = None
        self._say_if(self._responses.interrupt(now))
        self._calls.interrupt()
        self._remote.interrupt()
        for part in heard:
            if part.heard_ms > 0:
                self.truncate(part)
            elif self._profile.truncates:
                self._say(ev.DeleteItem(item_id=part.item_id))
        self._history.cut(self._shares(heard), self._sounded)
        self._tell_history()
        self._talks(now)
        return self._decide(self._permissions.interrupt(), now)

    def rest(self, now: float) -> list[News]:
        """The talk is over: whoever asked for permission gets no yes any more."""
        self._history.rest()
        self._talks(now)
        return self._decide(self._permissions.rest(), now)

    def question_begins(self, number: int) -> bool:
        """The offline voice has a question for permission; False when it is void by now, and must
        not be played."""
        return self._permissions.read(number)

    def question_heard(self) -> bool:
        """The reply was heard to its end; True when that was a question for permission."""
        return self._permissions.heard()

    def question_failed(self, reason: str, now: float) -> list[News]:
        """The user cannot hear the question: refused, and the model may say so."""
        news = self._decide(self._permissions.refuse(reason), now)
        self._responses.want()
        self._create(now)
        return news

    def stop_generating(self, now: float) -> None:
        """We can take no more of this reply: what came is played, what comes is dropped."""
        self._say_if(self._responses.cancel(now))

    def truncate(self, heard: Heard) -> None:
        """Tell the server that an item ends where it was heard."""
        if not self._profile.truncates:
            return
        event = ev.TruncateItem(
            item_id=heard.item_id, content_index=heard.content_index, audio_end_ms=heard.heard_ms
        )
        self._say(event)
        self._truncations.sent(event)

    def heard_out(self) -> None:
        """The reply was heard to its end."""
        self._history.close(self._sounded)
        self._tell_history()

    def take_transcripts(self) -> list[tuple[str, str]]:
        """What was said since the last call: by whom ("user", "assistant"), and the words; of a
        reply those that were heard, when it is over."""
        return self._history.take_new()

    def owes(self, call_id: str) -> bool:
        """The result of this call is awaited: its response was not interrupted."""
        return self._calls.owed(call_id)

    def skill_done(
        self, call_id: str, output: str, now: float, *, reply: bool = True
    ) -> list[News]:
        """A function's result; when all of a response's are in, the model goes on, if one of
        them is for it to answer (`reply`)."""
        server_id = self._calls.call_id(call_id)
        asked, lives = self._calls.done(call_id, reply=reply)
        if not asked:
            return []
        item = {"type": "function_call_output", "call_id": server_id, "output": output}
        self._say(ev.CreateItem(item=item))
        return self._go_on(now) if lives else []

    # --- what the server says ---------------------------------------------------------

    def receive(self, event: ev.ServerEvent, now: float) -> list[News]:
        """Take one event of the server; unknown kinds were sorted out before."""
        match event:
            case ev.SessionCreated():
                self._configure()
                self._configured_by, self._objection = now + self._patience_s, ""
            case ev.SessionUpdated():
                return self._confirmed(event.session, now)
            case ev.ServerError():
                return self._refused(event.error, now)
            case ev.SpeechStarted():
                self._heard_end = False
                return [*self._cut_off(now), UserStarted()]
            case ev.SpeechStopped():
                self._heard_end = True
                if event.item_id is None or event.item_id != self._committed_item:
                    self._commit_deadline = now + COMMITTED_WITHIN_S
                return [UserStopped()]
            case ev.AudioCommitted():
                self._committed(event.item_id, now)
            case ev.InputTranscript():
                final = event.status != "in_progress"
                self._history.user(event.item_id, event.transcript, now, final=final)
            case ev.InputTranscriptFailed() if self._transcribes:
                self._transcribes = False
                return [Trouble(Remedy.IGNORE, transcription.failure(event.error))]
            case ev.ResponseCreated():
                self._begun(event.response, now)
            case ev.AudioDelta():
                return self._audio(event, now)
            case ev.AudioDone():
                return self._audio_done(event, now)
            case ev.TranscriptDelta():
                if (number := self._number(event.response_id, now)) is not None:
                    self._names.complete(event)
                    self._history.assistant((number, event.item_id), event.delta)
            case ev.OutputItemAdded():
                if self._number(event.response_id, now) is not None:
                    self._responses.goes_on()
                    self._calls.announce(event.item)
                    self._names.added(event.item, event.output_index)
                    self._remote.claim(event.item, now, event.output_index)
            case ev.FunctionCallArgumentsDone():
                if self._number(event.response_id, now) is not None:
                    self._may_be_done(now)
                    self._calls.arguments(event)
            case ev.OutputItemDone():
                if self._number(event.response_id, now) is not None:
                    self._may_be_done(now)
                    return self._item_done(event.item, now, event.output_index)
            case ev.ItemAdded():
                self._listing.named(event.item)
            case ev.ItemDone():
                self._listing.named(event.item)
                lives = self._responses.living
                asked = self._permissions.take(event.item, lives=lives, of_response=False)
                return self._decide(asked, now)
            case ev.McpCallBegun():
                self._remote.begun(event.item_id, now)
            case ev.McpCallCompleted() | ev.McpCallFailed():
                return self._go_on(now) if self._remote.ended(event.item_id) else []
            case ev.McpListed():
                self._listing.listed(event.item_id)
                self._create(now)
            case ev.McpNotListed():
                text = self._listing.failed(event.item_id)
                self._create(now)
                return [Trouble(Remedy.OUR_FAULT, text)]
            case ev.ResponseDone():
                return self._response_done(event.response, now)
        return []

    def poll(self, now: float) -> list[News]:
        """Called at every heartbeat: what should have come by now and did not."""
        self._now = now
        self._history.forget(now - self.realtime.forget_after_min * 60)
        if self._commit_deadline is not None and now >= self._commit_deadline:
            self._commit_deadline = None
            wait_s = self._auto.turn_committed(by_us=False) if self._heard_end else 0.0
            if self._responses.wanted and wait_s:
                self._create_not_before = now + wait_s
            elif self._responses.wanted:  # a server that never says committed or hears no end
                self._commit(now)
        self._say_if(self._responses.late_cancel(now))
        news: list[News] = []
        if (failure := self._responses.overdue(now)) is not None:
            news.append(ReplyDone(failure))
        ended = self._responses.ended_silently(now)
        if ended:
            news.append(ReplyDone(ended))
        elif ended is not None or self._remote.overdue(now):
            news += self._go_on(now)
        if self._permissions.overdue(now):
            news += self.question_failed("the offline voice does not answer", now)
        news += self._not_cut_off(now)
        if self._configured_by is not None and now >= self._configured_by:
            news.append(self._not_configured())
        self._create(now)
        return news

    # --- inside -----------------------------------------------------------------------

    @property
    def _living(self) -> bool:
        living = self._responses.living or self._calls.living or self._remote.living
        return living or self._permissions.pending

    def _configure(self) -> None:
        settings = session_settings(self.realtime, self.turn, self.tools)
        update = ev.SessionUpdate(session=self._negotiation.offer(settings))
        self._send(update)
        self._update_id = update.event_id

    def _become_ready(self, session: ev.Json, now: float) -> list[News]:
        self.ready = True
        self._configured_by, self._patience_s = None, CONFIGURED_WITHIN_S
        left_out = self._negotiation.accepted(session)
        if self._responses.wanted:
            self._history.adopt()  # its audio follows
        self._history.forget(now - self.realtime.forget_after_min * 60)
        self._tell_history()
        while self._waiting:
            self._send(self._waiting.popleft())
        self._waiting_frames = 0
        if self._create_not_before > 0:  # that wait begins when the server has the turn
            self._create_not_before = now + self._auto.turn_committed(by_us=True)
        self._listing.begins(now)
        self._create(now)
        return [Ready(), *_without(left_out, "it closed every connection")]

    def _tell_history(self) -> None:
        """What a server does not know of the conversation, and the user heard."""
        if self.ready:
            for item in self._history.untold():
                self._send(ev.CreateItem(item=item))
                self._known = True

    def _shares(self, parts: Sequence[Heard]) -> Mapping[Hashable, float]:
        """How much of each item was heard, 0..1, all its parts together."""
        heard: Counter[tuple[int, str]] = Counter()
        received: Counter[tuple[int, str]] = Counter()
        for part in parts:
            item = (part.response, part.item_id)
            if item not in self._sounded:  # of a response without a number: the newest such item
                same = [known for known in self._sounded if known[1] == part.item_id]
                item = max(same, default=item)
            heard[item] += part.heard_ms
            received[item] += part.received_ms
        return {item: heard[item] / max(received[item], 1) for item in received}

    def _talks(self, now: float) -> None:
        self._talked_at = now
        self._known = self._known or self.ready

    def _create(self, now: float) -> None:
        wait = (
            self._commit_deadline is not None
            or now < self._create_not_before
            or self._calls.living
            or self._remote.living
            or self._listing.waits(now)
            or self._permissions.waits
        )
        if self.ready and not wait:
            create = self._responses.create(now, self._permissions.response())
            if create is not None:
                self._auto.asked()
                self._say(create)
                self._responses.sent(create.event_id)

    def _go_on(self, now: float) -> list[News]:
        """When all that the reply waited for is in, the model goes on, or the reply is over."""
        if not self._responses.living and (question := self._permissions.question(now)):
            return [question]
        if self._living:
            return []
        results = self._calls.complete() | self._remote.complete() | self._permissions.complete()
        if not results and not self._responses.wanted:
            return [ReplyDone()]
        self._responses.want()
        self._create_not_before = 0.0
        self._create(now)
        return []

    def _commit(self, now: float) -> None:
        self._say(ev.CommitAudio())
        self._appended_frames = 0
        self._commits += 1
        self._create_not_before = now + self._auto.turn_committed(by_us=True)

    def _committed(self, item_id: str | None, now: float) -> None:
        """The user's turn has become an item of the conversation."""
        self._committed_item = item_id
        if item_id is not None:
            self._history.committed(item_id, now)
        self._permissions.said(item_id)
        self._appended_frames = 0
        self._commit_deadline = None
        if self._commits:
            self._commits -= 1
        else:
            self._create_not_before = now + self._auto.turn_committed(by_us=False)
        self._create(now)

    def _say(self, event: ev.ClientEvent) -> None:
        """Send now, or as soon as the session is ready."""
        if self._names.unknown_to_server(event):
            return
        if self.ready:
            self._send(event)
        elif isinstance(event, ev.AppendAudio | ev.CommitAudio | ev.ClearAudio):
            self._waiting.append(event)  # else: about items that the next socket will not know

    def _cut_off(self, now: float) -> list[News]:
        """The server hears the user and ends its answer by itself: no cancel is needed yet."""
        if not self._profile.interrupts:
            return []
        self._cancelled_by_server_at = None
        self._responses.cut_off(now)
        return [CutOff()]

    def _may_be_done(self, now: float) -> None:
        if not self._profile.ends:
            self._responses.may_be_done(now)

    def _not_configured(self) -> Trouble:
        """Our configuration was refused as a whole, or the server is stuck."""
        self._configured_by = None
        if not self._objection:
            self._patience_s = min(2 * self._patience_s, MOST_CONFIGURED_S)
            return Trouble(Remedy.RECONNECT, "the server does not accept the session")
        text = f"the server refuses our configuration, check [realtime]: {self._objection}"
        return Trouble(Remedy.LATER, text)

    def _say_if(self, event: ev.ClientEvent | None) -> None:
        if event is not None:
            self._say(event)

    def _send(self, event: ev.ClientEvent) -> None:
        event.event_id = f"parley_{next(self._ids)}"
        self._out.append(event)

    def _begun(self, response: ev.Response, now: float, *, announced: bool = True) -> None:
        """The server begins a response, whether it is announced or not."""
        before, asked = self._responses.newest, self._responses.asked
        self._usage.created(response)
        self._say_if(self._responses.created(response, now, announced=announced))
        if self._responses.newest == before:
            return
        self._decoder.reset()
        self._calls.begin_response()
        self._names.begin_response()
        self._permissions.response_began()
        if not asked:
            self._auto.began_by_itself()

    def _number(self, response_id: str, now: float) -> int | None:
        """The number of the living response that an event belongs to; None for any other."""
        if self._responses.unannounced(response_id):
            self._begun(ev.Response(id=response_id), now, announced=False)
        return self._responses.number(response_id)

    def _response_done(self, response: ev.Response, now: float) -> list[News]:
        if not self._responses.announces and self._responses.unannounced(response.id):
            self._begun(response, now, announced=False)
        if not self._responses.over(response.id) and self._names.have(response.output or []):
            response.id = NAMELESS  # by its items it is the one under way
        ending = self._responses.done(response.id)
        news: list[News] = [*self._usage.done(response)]
        self._context.read(response.usage or {})
        if ending is Ending.LIVING:
            news += [*self._rest_of_audio(), *self._ended(response, now)]
        self._create(now)
        return news

    def _ended(self, response: ev.Response, now: float) -> list[News]:
        """The living response is complete: what follows from it."""
        if self._permissions.stage is Stage.VERDICT:
            decided = self._decide(self._permissions.judged(response), now)
            if question := self._permissions.question(now):
                return [*decided, question]
            self._responses.want()  # what the model says to the answer
            return decided
        output = response.output or []
        news: list[News] = []
        completed = response.status in (None, "completed")
        for index, item in enumerate(output):
            news += self._item_done(item, now, index, calls=not completed)
        if completed:
            news += self._calls.rest(output)
        else:
            news += self._decide(self._permissions.refuse("its answer did not complete"), now)
        if response.status == "cancelled" and self._by_the_user(response, now):
            return [*news, CutOff()] if self._cancelled_by_server_at is None else news
        if response.status == "failed" and not self._calls.living:
            return [*news, *self._failed(response, now)]
        if short := shortfall(response):
            over = ReplyDone(short) if not self._living else Trouble(Remedy.IGNORE, short)
            return [*news, over]
        end = self._go_on(now)
        if end == [ReplyDone()] and only_messages(output) and not self._calls.called:
            end = self._unheard(output, now)
        return [*news, *end]

    def _by_the_user(self, response: ev.Response, now: float) -> bool:
        """The server ended its answer because it heard the user. Some give no reason: with
        nothing to hear yet, the user's speech must be reported soon, or it was not so."""
        if reason(response):
            return reason(response) == "turn_detected"
        if self._profile.interrupts and not self._responses.sounded:
            self._cancelled_by_server_at = now
        return self._profile.interrupts

    def _not_cut_off(self, now: float) -> list[News]:
        at = self._cancelled_by_server_at
        if at is None or now < at + CUT_OFF_HEARD_S:
            return []
        self._cancelled_by_server_at = None
        return [ReplyDone("the server cancelled its answer (no reason given)")]

    def _unheard(self, output: Sequence[ev.Json], now: float) -> list[News]:
        """A complete answer; if it holds no sound, it is asked for once more, to be spoken."""
        if self._responses.sounded:
            return [ReplyDone()]
        if claims_sound(output):
            return [ReplyDone("the server sent the words of its answer and no sound")]
        what = "the server answered in text only" if output else "the server's answer was empty"
        if self._text_only or not self._responses.want_again(now, SPEAK):
            return [ReplyDone(what)]
        if self._profile.truncates:
            for item_id in messages(output):
                self._say(ev.DeleteItem(item_id=item_id))  # the second answer takes its place
        return [Trouble(Remedy.IGNORE, f"{what}: asking once more")]

    def _failed(self, response: ev.Response, now: float) -> list[News]:
        """Why the living response failed, in words; if it may pass, it is asked for once more."""
        error = _error_of(response)
        refusal = understand(error)
        alone = self._permissions.stage is Stage.NONE and not self._remote.living
        if may_pass(error) and alone and self._responses.want_again(now):
            return [Trouble(refusal.remedy, "the server failed to answer: asking once more")]
        return [Trouble(refusal.remedy, refusal.text), ReplyDone(refusal.text)]

    def _item_done(
        self, item: ev.Json, now: float, index: int, *, calls: bool = True
    ) -> list[News]:
        """An output item of the living response. `calls`: run it if it is a function call."""
        if self._permissions.stage is Stage.VERDICT:
            return []
        self._remote.claim(item, now, index)
        asked = self._permissions.take(item, lives=True)
        called = self._calls.take(item) if calls else []
        return [*called, *self._decide(asked, now)]

    def _decide(self, decisions: Sequence[ev.CreateItem | Permission], now: float) -> list[News]:
        """Tell the server what was decided; the news for the log."""
        news: list[News] = []
        for decision in decisions:
            if isinstance(decision, ev.CreateItem):
                self._say(decision)
                continue
            if decision.granted:
                self._remote.permitted(decision.request_id, now)
            news.append(decision)
        return news

    # --- inside: formats and audio ----------------------------------------------------

    def _confirmed(self, session: ev.Json, now: float) -> list[News]:
        """The server says which session it serves; it may differ from the one asked for."""
        output = formats.confirmed(session, "output")
        if not output.known:
            self._configured_by = None
            text = f"the server speaks {output}, which Parley cannot play: choose another server"
            return [Trouble(Remedy.FATAL, text)]
        news: list[News] = []
        if output != self._decoder.format:
            self._decoder.reset()
            self._decoder.format = output
        if output != formats.PCM:
            news.append(Trouble(Remedy.IGNORE, f"the server speaks {output}: it is converted"))
        news += self._confirmed_input(formats.confirmed(session, "input"))
        self._auto.announced(formats.creates_responses(session))
        self._text_only = formats.text_only(session)
        if self._text_only:
            text = "the server's session is set to text: its answers will not be heard"
            news.append(Trouble(Remedy.OUR_FAULT, text))
        return [*news, *(self._become_ready(session, now) if not self.ready else [])]

    def _confirmed_input(self, wanted: formats.AudioFormat) -> list[News]:
        self._encoder.reset()
        self._encoder.format = wanted if wanted.known else formats.PCM
        if wanted == formats.PCM:
            return []
        does = "it is converted" if wanted.known else f"it gets {formats.PCM} all the same"
        return [Trouble(Remedy.IGNORE, f"the server listens to {wanted}: {does}")]

    def _audio(self, event: ev.AudioDelta, now: float) -> list[News]:
        number = self._number(event.response_id, now)
        if number is None or not event.delta:
            return []
        self._names.complete(event)
        self._sounded.add((number, event.item_id))
        self._responses.sounds()
        self._remote.answered(event.output_index)
        part = (number, event.item_id, event.content_index)
        news = self._rest_of_audio() if self._decoder.part not in (None, part) else []
        frames = self._decoder.push(part, event.delta)
        if len(frames):
            self._context.spoke(len(frames) / SERVER_RATE_HZ)
            news.append(ReplyAudio(event.item_id, event.content_index, frames, number))
        return news

    def _audio_done(self, event: ev.AudioDone, now: float) -> list[News]:
        number = self._number(event.response_id, now)
        if number is None:
            return []
        self._names.complete(event)
        self._may_be_done(now)
        news = self._rest_of_audio()
        return [*news, ReplyPartDone(event.item_id, event.content_index, number)]

    def _rest_of_audio(self) -> list[News]:
        """The frames that a conversion still holds."""
        part, frames = self._decoder.part, self._decoder.finish()
        if part is None or len(frames) == 0:
            return []
        number, item_id, content_index = part
        return [ReplyAudio(item_id, content_index, frames, number)]

    # --- inside: errors ---------------------------------------------------------------

    def _refused(self, error: ev.ErrorDetail, now: float) -> list[News]:
        refusal = understand(error)
        news: list[News] = []
        ours = error.event_id in (None, self._update_id)
        if self._configured_by is not None and ours and refusal.remedy is Remedy.OUR_FAULT:
            left_out = self._negotiation.refused(error)
            if left_out:
                self._objection = refusal.text
                self._configure()
                return _without(left_out, refusal.text)
        match refusal.remedy:
            case Remedy.IGNORE:
                pass
            case Remedy.NOTHING_TO_CANCEL:
                self._responses.nothing_to_cancel()
            case Remedy.CREATE_LATER:
                if self._responses.refused(now):
                    news = [Trouble(Remedy.OUR_FAULT, refusal.text)]
                    news += [ReplyDone("the server is still busy with another answer")]
            case Remedy.DROP_TURN:
                news = self._turn_refused(now)
            case Remedy.TRUNCATE_AT:
                self._say_if(self._truncations.again(error.event_id, refusal.audio_ms))
            case _:
                news = [Trouble(refusal.remedy, refusal.text)]
                if self._configured_by is not None and refusal.remedy is Remedy.OUR_FAULT:
                    self._objection = refusal.text
                    self._configured_by = min(self._configured_by, now + OBJECTED_WITHIN_S)
                news += self._answer_refused(error, refusal, now)
        self._create(now)
        return news

    def _answer_refused(self, error: ev.ErrorDetail, refusal: Refusal, now: float) -> list[News]:
        """An error may be all that the server says about the answer that is due."""
        about_it = self._responses.is_create(error.event_id)
        about_it = about_it or str(error.param or "").startswith("response")
        if takes_no_settings(error, about_it) and self._responses.create_plainly():
            return []
        refused = about_it or refusal.remedy is Remedy.BACK_OFF
        if refused and self._responses.create_failed(now, named=about_it):
            return [ReplyDone(refusal.text)]
        if not self._profile.ends and not about_a_message(error):
            self._responses.fails(refusal.text, now)
        return []

    def _turn_refused(self, now: float) -> list[News]:
        """The server has too little audio of this turn: there is nothing to answer."""
        if self.turn.detection != "local" or not self.awaiting:
            return []  # with server turns: the server's own commit was faster than ours
        return [*self.interrupt([], now), ReplyDone("the server heard nothing")]


def _without(fields: str, reason: str) -> list[News]:
    """The log must hold once which optional fields a server does not take."""
    text = f"the server refuses {fields} of the session, which is set up without ({reason})"
    return [Trouble(Remedy.OUR_FAULT, text)] if fields else []


def _error_of(response: ev.Response) -> ev.ErrorDetail:
    """Why a response failed."""
    details = response.status_details
    detail = details.get("error") if isinstance(details, dict) else None
    try:
        return msgspec.convert(detail, ev.ErrorDetail)
    except msgspec.ValidationError:
        return ev.ErrorDetail(message="the answer failed")
