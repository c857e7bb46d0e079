"""The realtime session without I/O: it takes server events and returns the events to send.

Like a protocol object of a sans-I/O library it has no socket and no clock. `receive` takes an
event of the server, the other methods take the speaker's commands, and each returns session events
for the speaker. `to_send` returns the events for the server, in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from parleyd import config
from parleyd.config.servers import Profile, profile
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime import formats, transcription
from parleyd.realtime.auto_response import AutoResponse
from parleyd.realtime.formats import ReplyDecoder, TurnEncoder
from parleyd.realtime.guards import Guard
from parleyd.realtime.history import History
from parleyd.realtime.mcp_calls import McpToolListing, labels
from parleyd.realtime.outbox import Outbox
from parleyd.realtime.permission import Permissions, PermissionState, services
from parleyd.realtime.reply_audio import AudioParts
from parleyd.realtime.response_chain import ResponseChain
from parleyd.realtime.responses import Responses
from parleyd.realtime.server_errors import ErrorAction, classify_error
from parleyd.realtime.session_events import (
    AnswerHeard,
    NothingTranscribed,
    Ready,
    ReplyDone,
    ServerProblem,
    SessionEvent,
    UserStarted,
    UserStopped,
)
from parleyd.realtime.session_setup import SessionSetup
from parleyd.realtime.side_speech import SideSpeech
from parleyd.realtime.truncation import Truncations
from parleyd.realtime.turn_input import TurnInput
from parleyd.realtime.usage import ContextWindow
from parleyd.units import SERVER_RATE_HZ, Frames


@dataclass(slots=True)
class RealtimeSession:
    """One conversation over any number of sockets; owned by the audio thread.

    Composes the parts of the protocol: setup, the user's turn, the answer and its audio, and the
    history for a new socket.
    """

    realtime: config.RealtimeConfig
    turn: config.TurnConfig
    tools: Sequence[ev.Json] = field(default=(), repr=False)  # may contain keys of remote servers

    _profile: Profile = field(init=False)
    _outbox: Outbox = field(default_factory=Outbox)
    _setup: SessionSetup = field(init=False)
    _input: TurnInput = field(init=False)
    _answer: ResponseChain = field(init=False)
    _audio: AudioParts = field(init=False)
    _permissions: Permissions = field(init=False)
    _history: History = field(init=False)
    _context: ContextWindow = field(init=False)
    _side: SideSpeech = field(init=False)
    _truncations: Truncations = field(default_factory=Truncations)
    _transcribes: bool = True  # no transcription failure was reported yet
    _talked_at: float = 0.0
    _known: bool = False  # the present socket's server knows a part of the conversation

    def __post_init__(self) -> None:
        server = self._profile = profile(self.realtime.server)
        outbox, decoder, encoder = self._outbox, ReplyDecoder(), TurnEncoder()
        auto = AutoResponse(server, self.turn.response_timeout_s)
        self._side = SideSpeech(server.side_speech, outbox)
        self._setup = SessionSetup(
            self.realtime, self.turn, self.tools, outbox, decoder, encoder, auto
        )
        local = self.turn.detection == "local"
        self._input = TurnInput(outbox, encoder, auto, clears=server.clears, local=local)
        self._history = History(self.realtime.context_tokens // 2)  # the rest is for new turns
        self._context = ContextWindow(self.realtime.context_tokens)
        self._audio = AudioParts(decoder, self._context)
        self._permissions = Permissions(services(self.tools), here=not server.mcp)
        self._answer = ResponseChain(
            server,
            outbox,
            self._setup,
            self._input,
            auto,
            Responses(self.turn.response_timeout_s),
            self._permissions,
            McpToolListing(len(labels(self.tools))),
            self._context,
            self._audio,
        )

    @property
    def ready(self) -> bool:
        """The server has accepted the configuration."""
        return self._outbox.ready

    @property
    def working(self) -> bool:
        """Whether the reply waits for functions or remote tools; each has a separate time limit."""
        return self._answer.working

    @property
    def awaiting(self) -> bool:
        """Whether the server owes an answer, or the rest of one."""
        return self._answer.awaiting

    @property
    def side_speech_due(self) -> bool:
        """Whether a text is to be spoken outside the conversation: a socket is needed."""
        return self._side.due

    @property
    def asks(self) -> bool:
        """The reply ended with a question for permission: only a clear yes in the next turn
        grants it."""
        return self._permissions.stage is PermissionState.ANSWER

    @property
    def answer_stays_here(self) -> bool:
        """The user's turn is an answer that only the device hears: it finds its end, too."""
        return self._permissions.hears_here

    def forgets(self, now: float) -> str:
        """Why the server's conversation must be replaced by a new one in a quiet moment; "" if
        not. With any server, only a new socket forgets all of it."""
        if not (self.ready and self._known):
            return ""
        if now - self._talked_at >= self.realtime.forget_after_min * 60:
            return f"the conversation ended {self.realtime.forget_after_min:g} minutes ago"
        if self._context.full and not self._setup.limits_context:
            return f"the conversation has grown beyond {self.realtime.context_tokens} tokens"
        return ""

    # --- the socket -------------------------------------------------------------------

    def opened(self) -> None:
        """A new socket: drop everything of the previous one except the history."""
        self.lost()

    def lost(self) -> list[SessionEvent]:
        """The socket is gone: none of its responses will continue.

        A turn that the user spoke while connecting, and its reply, wait for the next socket.
        """
        living = self._answer.living
        self._answer.lost()
        self._side.lost()
        self._setup.lost()
        self._input.lost()
        self._outbox.lost()
        self._truncations.forget()
        self._history.lost()
        self._known = False
        refused = self._permissions.forget()
        return [*refused, *([ReplyDone("the connection was lost")] if living else [])]

    def to_send(self) -> list[ev.ClientEvent]:
        """The events for the server, in this order; each is returned once."""
        return self._outbox.take()

    def offer(
        self, tools: Sequence[ev.Json], guards: Mapping[str, Guard], instructions: str
    ) -> None:
        """These functions and instructions come in addition to the own ones, from now on.

        The guards hold at once. The server learns the rest in the next session or by `renew`.
        """
        self._answer.guards = guards
        self._setup.offer(tools, instructions)

    def renew(self) -> None:
        """No turn is open: tell the server the newest functions, if it does not know them."""
        if self._setup.stale and self.ready and not self.awaiting:
            self._setup.renew()

    # --- commands of the speaker ------------------------------------------------------

    def begin_input(self) -> None:
        """A new turn of the user begins: the server drops older audio."""
        self._input.begin()

    def append(self, frames: Frames) -> None:
        """Send microphone audio: int16 mono at 24 kHz, in order.

        Before the session is ready it waits; beyond `WAITING_AUDIO_S` the newest is dropped.
        """
        if self._permissions.hears_here:
            return
        taken = self._input.append(frames)
        self._context.listened(taken / SERVER_RATE_HZ)

    def ask_for_reply(self, now: float) -> list[SessionEvent]:
        """The user's turn has ended: commit it unless the server does, then create once.

        In server turn mode the server commits by itself; the create waits for that.
        """
        self._history.close(self._audio.sounded)
        self._answer.begin_turn()
        if self._permissions.hears_here:
            self._permissions.answered()
            self._audio.begin_turn()
            self._talks(now)
            return [AnswerHeard(self._permissions.verdict_number)]
        if not self._input.end(now):
            return [ReplyDone("nothing was said")]
        events = self._answer.decide(self._permissions.answered(), now)
        self._history.asked(now)
        self._audio.begin_turn()
        self._talks(now)
        self._answer.want(now)
        return events

    def interrupt(self, heard: Sequence[PlaybackProgress], now: float) -> list[SessionEvent]:
        """Barge-in: abandon the living reply, and report the heard part to the server.

        `heard`: the parts that were received and not heard to their end.
        """
        self._input.interrupt()
        self._answer.interrupt(now)
        for part in heard:
            if part.heard_ms > 0:
                self.truncate(part)
            elif self._profile.truncates:
                self._outbox.say(ev.DeleteItem(item_id=part.item_id))
        self._history.cut(self._audio.shares(heard), self._audio.sounded)
        self._tell_history()
        self._talks(now)
        return self._answer.decide(self._permissions.interrupt(), now)

    def rest(self, now: float) -> list[SessionEvent]:
        """The conversation is over: an open question for permission counts as refused."""
        self._history.rest()
        self._talks(now)
        return self._answer.decide(self._permissions.rest(), now)

    def question_begins(self, number: int) -> bool:
        """The offline voice has spoken a question for permission; False if it is no longer valid
        and must not be played."""
        return self._permissions.read(number)

    def question_heard(self) -> bool:
        """The reply was heard to its end; True if it was a question for permission."""
        return self._permissions.heard()

    def answer_recognized(self, number: int, now: float, *, yes: bool) -> list[SessionEvent]:
        """The answer of this number was recognised on the device."""
        return self._answer.answer_recognized(number, now, yes=yes)

    def question_failed(self, reason: str, now: float) -> list[SessionEvent]:
        """The user cannot hear the question: it is refused, and the model may say so."""
        return self._answer.question_failed(reason, now)

    def stop_generating(self, now: float) -> None:
        """There is no room for more of this reply: cancel the rest, and play the received part."""
        self._answer.stop_generating(now)

    def truncate(self, heard: PlaybackProgress) -> None:
        """Report to the server where the heard part of an item ends."""
        if not self._profile.truncates:
            return
        event = ev.TruncateItem(
            item_id=heard.item_id, content_index=heard.content_index, audio_end_ms=heard.heard_ms
        )
        self._outbox.say(event)
        self._truncations.sent(event)

    def heard_out(self) -> None:
        """The reply was heard to its end."""
        self._history.close(self._audio.sounded)
        self._tell_history()

    def take_transcripts(self) -> list[tuple[str, str]]:
        """The transcripts since the last call: speaker ("user", "assistant") and words; for a
        reply, only the words that were heard, once it has ended."""
        return self._history.take_new()

    def say_aside(self, number: int, words: str, now: float) -> None:
        """Have the model speak a text outside the conversation; `SideSpeechDone` follows."""
        self._side.ask(number, words, now)

    def stop_asides(self, reason: str) -> None:
        """Nothing that was to be spoken outside the conversation is wanted any more."""
        self._side.stop(reason)

    def owes(self, call_id: str) -> bool:
        """Whether the result of this call is due: its response was not interrupted."""
        return self._answer.calls.owed(call_id)

    def skill_done(
        self, call_id: str, output: str, now: float, *, reply: bool = True
    ) -> list[SessionEvent]:
        """A function has returned. When all functions of a response have returned, the model
        continues if it must respond to one of them (`reply`)."""
        return self._answer.skill_done(call_id, output, now, reply=reply)

    # --- server events ----------------------------------------------------------------

    def receive(self, event: ev.ServerEvent, now: float) -> list[SessionEvent]:
        """Take one event of the server; unknown kinds are filtered out earlier."""
        if (aside := self._side.receive(event)) is not None:
            return aside
        match event:
            case ev.SessionCreated():
                self._setup.created(now)
            case ev.SessionUpdated():
                return self._confirmed(event.session, now)
            case ev.ServerError():
                return self._refused(event.error, now)
            case ev.SpeechStarted():
                self._input.speech_started()
                return [*self._answer.cut_off(now), UserStarted()]
            case ev.SpeechStopped():
                self._input.speech_stopped(event.item_id, now)
                return [UserStopped()]
            case ev.AudioCommitted():
                self._committed(event.item_id, now)
            case ev.InputTranscript():
                final = event.status != "in_progress"
                self._history.user(event.item_id, event.transcript, now, final=final)
                wordless = final and not transcription.has_words(event.transcript)
                return [NothingTranscribed()] if wordless else []
            case ev.InputTranscriptFailed():
                return self._transcript_failed(event)
            case ev.TranscriptDelta():
                if (number := self._answer.number(event.response_id, now)) is not None:
                    self._audio.names.complete(event)
                    self._history.assistant((number, event.item_id), event.delta)
            case _:
                return self._answer.receive(event, now)
        return []

    def poll(self, now: float) -> list[SessionEvent]:
        """At every period: act on everything that is overdue."""
        self._history.forget(now - self.realtime.forget_after_min * 60)
        self._input.poll(now, wanted=self._answer.responses.wanted)
        events = self._answer.poll(now)
        events += self._setup.overdue(now)
        self._answer.create(now)
        if self._side.open:
            audio = self._audio.decoder.format
            events += self._side.poll(now, free=not self.awaiting, audio=audio)
        return events

    def _confirmed(self, session: ev.Json, now: float) -> list[SessionEvent]:
        """The server describes the session, which may differ from the requested one."""
        if self.ready and not formats.names_any(session):
            self._setup.confirmed_partly(session)
            return []
        if (problem := self._setup.unplayable(session)) is not None:
            return [problem]
        events: list[SessionEvent] = [*self._setup.confirmed(session)]
        return events if self.ready else [*events, *self._become_ready(session, now)]

    def _become_ready(self, session: ev.Json, now: float) -> list[SessionEvent]:
        self._outbox.become_ready()
        left_out = self._setup.accepted(session)
        if self._answer.responses.wanted:
            self._history.adopt()  # its audio follows
        self._history.forget(now - self.realtime.forget_after_min * 60)
        self._tell_history()
        self._outbox.send_waiting()
        self._input.ready(now)
        self._answer.listing.begins(now)
        self._answer.create(now)
        return [Ready(), *left_out]

    def _committed(self, item_id: str | None, now: float) -> None:
        """The user's turn became an item of the conversation."""
        if item_id is not None:
            self._history.committed(item_id, now)
        self._permissions.said(item_id)
        self._input.committed(item_id, now)
        self._answer.create(now)

    def _transcript_failed(self, event: ev.InputTranscriptFailed) -> list[SessionEvent]:
        if event.error.code == transcription.UNINTELLIGIBLE:
            return [NothingTranscribed()]
        if not self._transcribes:
            return []
        self._transcribes = False
        return [ServerProblem(ErrorAction.IGNORE, transcription.failure(event.error))]

    def _tell_history(self) -> None:
        """Send the part of the conversation that the user heard and the server does not know."""
        if self.ready:
            for item in self._history.untold():
                self._outbox.send(ev.CreateItem(item=item))
                self._known = True

    def _talks(self, now: float) -> None:
        self._talked_at = now
        self._known = self._known or self.ready

    # --- errors -----------------------------------------------------------------------

    def _refused(self, error: ev.ErrorDetail, now: float) -> list[SessionEvent]:
        refusal = classify_error(error)
        if self._side.refused(error, refusal.text):
            return []
        if setup := self._setup.refused(error, refusal):
            return [*setup]
        events: list[SessionEvent] = []
        responses = self._answer.responses
        match refusal.action:
            case ErrorAction.IGNORE:
                pass
            case ErrorAction.NOTHING_TO_CANCEL:
                responses.nothing_to_cancel()
            case ErrorAction.CREATE_LATER:
                if responses.refused(now):
                    events = [ServerProblem(ErrorAction.CLIENT_ERROR, refusal.text)]
                    events += [ReplyDone("the server is still busy with another answer")]
            case ErrorAction.DROP_TURN:
                events = self._turn_refused(now)
            case ErrorAction.TRUNCATE_AT:
                self._outbox.say_if(self._truncations.again(error.event_id, refusal.audio_ms))
            case _:
                events = [ServerProblem(refusal.action, refusal.text)]
                self._setup.objected(refusal, now)
                events += self._answer.refused(error, refusal, now)
        self._answer.create(now)
        return events

    def _turn_refused(self, now: float) -> list[SessionEvent]:
        """The server has too little audio of this turn: there is nothing to answer."""
        if self.turn.detection != "local" or not self.awaiting:
            return []  # with server turns: the server committed before we did
        return [*self.interrupt([], now), ReplyDone("the server received no speech")]
