"""The dialogue with the model: whose turn it is, what is sent, and what becomes of the reply."""

from collections.abc import Callable, Sequence

from parleyd import config
from parleyd.core.announcements import Announcements
from parleyd.core.answer_audio import AnswerAudio
from parleyd.core.connection_policy import ConnectionPolicy
from parleyd.core.cue_player import CuePlayer
from parleyd.core.events import (
    AnswerRecognized,
    CallSkill,
    ConnectionDown,
    ConnectionUp,
    DialogueEvent,
    Effect,
    LogEvent,
    ModelSpeechRequested,
    RecognizeAnswer,
    Reconnect,
    RenewConnection,
    RequestAnswered,
    RequestRefusal,
    Send,
    SessionExpiry,
    SetConnectionWanted,
    SkillDone,
    SpeechRequested,
    SpeechSynthesized,
    ToolsChanged,
)
from parleyd.core.follow_ups import FollowUps
from parleyd.core.hearing_monitor import HearingMonitor
from parleyd.core.reply import Reply
from parleyd.core.server_problems import ServerProblems
from parleyd.core.states import State
from parleyd.core.talking_room import TalkingRoom
from parleyd.core.turn import TurnAction, TurnEvent, TurnStateMachine, TurnTrigger
from parleyd.core.uplink import Uplink
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.barge_in import Decision
from parleyd.hearing.endpointing import SpeechBoundary
from parleyd.hearing.front_end import AudioFrontEnd, FrontEndResult
from parleyd.playback.cues import Cue
from parleyd.playback.reply_player import ReplyPlayer
from parleyd.realtime import session_events as rt
from parleyd.realtime.events import Json, ServerEvent
from parleyd.realtime.session import RealtimeSession

STOP_WORDS = ("stop",)  # keywords that end a reply instead of beginning a turn
_ASKS = {SetConnectionWanted: "connect", RenewConnection: "renew", Reconnect: "reconnect"}
_ANSWERING = (State.THINKING, State.SPEAKING, State.BARGE_IN)
_INTERRUPTIONS: tuple[TurnEvent, ...] = (Decision.INTERRUPT, TurnTrigger.CUT_OFF)
_CALLS = (TurnTrigger.WAKE_WORD, TurnTrigger.BUTTON, TurnTrigger.LISTEN_COMMAND)
_AFTER_REPLY = (
    TurnTrigger.REPLY_FINISHED,
    TurnTrigger.QUESTION_ASKED,
)  # a turn begins where a reply ended


class Dialogue:
    """Drives turn, session, uplink and reply; owned by the audio thread, deterministic.

    All effects go to `emit`, in order. Times are monotonic seconds.
    """

    def __init__(
        self,
        settings: config.Config,
        front_end: AudioFrontEnd,
        player: ReplyPlayer,
        monitor: HearingMonitor,
        announcements: Announcements,
        cues: CuePlayer,
        tools: Sequence[Json],
        emit: Callable[[Effect], None],
    ) -> None:
        self._settings = settings
        self._front_end, self._player, self._monitor, self._emit = front_end, player, monitor, emit
        self._announcements, self._cues = announcements, cues
        self._turn = TurnStateMachine(settings.turn, settings.hearing)
        self._session = RealtimeSession(settings.realtime, settings.turn, tools)
        self._uplink = Uplink(front_end, self._session)
        self._reply = Reply(player, self._session, self._uplink, emit)
        self._follow_ups = FollowUps(settings.turn.follow_up_turns)
        self._room = TalkingRoom()
        self._answer = AnswerAudio(front_end)
        self._problems = ServerProblems()
        self.connection = ConnectionPolicy(settings.realtime.connection)
        self._actions = {
            TurnAction.CHIME: self._chime,
            TurnAction.HEARD_CUE: lambda now: cues.play(Cue.HEARD),
            TurnAction.FOLLOW_UP_CUE: self._may_go_on,
            TurnAction.LOW_TONE: lambda now: cues.play(Cue.ENDED),
            TurnAction.SORRY_TONE: self._sorry,
            TurnAction.LISTEN: self._listen,
            TurnAction.LISTEN_ON: lambda now: self._uplink.resume(),
            TurnAction.LISTEN_FROM_ONSET: self._listen_from_onset,
            TurnAction.STOP_LISTENING: lambda now: self._uplink.abandon(),
            TurnAction.ASK_FOR_REPLY: self._ask_for_reply,
            TurnAction.HOLD: lambda now: self._reply.hold(front_end.onset, now),
            TurnAction.RESUME: self._resume,
            TurnAction.INTERRUPT: self._interrupt,
        }
        self._muted = False
        self._remark = ""
        self._began: tuple[TurnEvent | None, float] = (None, 0.0)  # the turn: by what, and when
        self._held: set[TurnTrigger | TurnAction] | None = None  # waits for `release`
        self._held_wake: LogEvent | None = None
        self.others_speak = False
        """Other speakers are audible, set by the owner: no turn begins or waits without a call."""

    @property
    def state(self) -> State:
        """Where the turn is."""
        return self._turn.state

    @property
    def remark(self) -> str:
        """Why the last turn got no answer, or the next needs the wake word; else ""."""
        return self._remark

    @property
    def impaired(self) -> str:
        """Why no voice interrupts in this conversation; "" if one does."""
        return self._room.over

    @property
    def awaiting_server(self) -> bool:
        """The server owes an answer, or the rest of one."""
        return self._session.awaiting

    def runs_dry(self, now: float) -> bool:
        """A reply is being played, and the rest of it is late."""
        return self._turn.runs_dry(now)

    # --- events in --------------------------------------------------------------------

    def handle(self, event: DialogueEvent, now: float) -> None:
        """Take one event from the server, its connection, a skill or the offline voice."""
        match event:
            case ServerEvent():
                self._take(self._session.receive(event, now), now)
            case ConnectionUp():
                self._session.opened()
                self.connection.opened(now)
            case ConnectionDown(reason, fatal, later):
                self.connection.down(reason, fatal, later)
                self._lost(now)
            case SessionExpiry(in_s):
                self.connection.expires(in_s, now)
            case SkillDone():
                self._take(self._reply.skill_done(event, now), now)
            case SpeechSynthesized(number, frames):
                self._take(self._reply.question_spoken(number, frames, now), now)
            case ToolsChanged(tools, guards, instructions):
                self._session.offer(tools, guards, instructions)
            case AnswerRecognized(number, yes):
                self._take(self._session.answer_recognized(number, now, yes=yes), now)
            case ModelSpeechRequested(number, words):
                if refused := self.connection.refused:
                    self._emit(RequestAnswered(number, RequestRefusal.SERVER, refused))
                else:
                    self._session.say_aside(number, words, now)

    def mute(self, muted: bool, now: float) -> None:
        """The microphone was closed or opened."""
        self._muted = muted
        if muted:
            self.advance(TurnTrigger.MUTED, now)

    def stop(self, now: float) -> None:
        """A program ends the turn, and everything that was to be spoken outside it."""
        self._session.stop_asides("it was ended by a command")
        self.advance(TurnTrigger.STOP_COMMAND, now)

    def hold(self) -> None:
        """From before the wake word on: its chime and the end of its turn wait for `release`.

        So does its log event: programs act on it, and this may not be their room.
        """
        self._held, self._held_wake = set(), None

    def release(self, now: float) -> None:
        """The turn is this speaker's: do what has waited."""
        if self._held is None:
            return
        held, self._held = self._held, None
        if self._held_wake is not None:
            self._emit(self._held_wake)
        if TurnAction.CHIME in held:
            self._chime(now)
        if TurnTrigger.TURN_ENDED in held:
            self.advance(TurnTrigger.TURN_ENDED, now)

    def advance(self, event: TurnEvent, now: float) -> None:
        """Take one event of the turn, and do what its row of the table asks for."""
        if self._held is not None and self._waits(event):
            return
        before = self._turn.state
        actions = self._turn.handle(event, now)
        after = self._turn.state
        self._answer.follow(event, now)
        if after is State.LISTENING is not before:
            self._began = (event, now)
            called = event in _CALLS
            if called or before is not State.THINKING:  # else the same turn continues
                self._follow_ups.begin(called=called)
                self._front_end.turn_begins(now, called=called)
                if self._room.turn_begins(now, interrupts=event in _INTERRUPTIONS):
                    self._room_talks()
        if TurnAction.ASK_FOR_REPLY in actions:
            self._follow_ups.asked(endless=event is TurnTrigger.TIME_UP)
            self._room.turn_ended()
            if self._front_end.turn_ended(now, called=self._follow_ups.called):
                self._in_vain()
        if before is not after:
            self._log_event("state", before=str(before), after=str(after), event=event.name.lower())
            self._entered(after, before, now)
        for action in actions:
            self._actions[action](now)
        ended = after is State.IDLE or (before is not after and after is State.LISTENING)
        if ended and before in _ANSWERING:
            self._reply.report()

    def _waits(self, event: TurnEvent) -> bool:
        """Whether this event waits for `release`, while the turn is held."""
        assert self._held is not None
        if event is TurnTrigger.USER_SPOKE:
            self._held.discard(TurnTrigger.TURN_ENDED)
        if event is TurnTrigger.TURN_ENDED:
            self._held.add(event)
        return event is TurnTrigger.TURN_ENDED

    # --- one period of the microphone, in this order ----------------------------------

    def begin_period(self, heard: ProcessedPeriod) -> None:
        """One period was heard; the turn that begins in it has it in its pre-roll."""
        if self._turn.state is State.LISTENING:
            self._follow_ups.hear(heard)
        self._uplink.begin_period()

    def wake_word(self, keyword: str, now: float) -> None:
        """The wake word, or a stop word, was heard."""
        wake = LogEvent("wake", {"keyword": keyword, "state": str(self._turn.state)})
        if self._held is None:
            self._emit(wake)
        else:
            self._held_wake = wake
        if self._turn.state is State.LISTENING:  # the turn that is open counts as called
            self._follow_ups.begin(called=True)
            self._front_end.turn_begins(now, called=True)
        self.advance(TurnTrigger.STOP_WORD if keyword in STOP_WORDS else TurnTrigger.WAKE_WORD, now)

    def stop_word(self, now: float) -> None:
        """The user has said "stop" to a reply: it ends, and no turn begins."""
        if self._turn.state is not State.IDLE:
            self._log_event("stop_word", state=str(self._turn.state))
            self.advance(TurnTrigger.STOP_WORD, now)

    def settle(self, result: FrontEndResult, now: float) -> bool:
        """True while a new turn looks for its beginning: decisions belong to that."""
        if not self._uplink.settles:
            return False
        before_end_ms = self._uplink.settle(result, now)
        if before_end_ms:
            self._log_event("spoke_early", before_end_ms=before_end_ms)
        return True

    def decide(self, decision: Decision, now: float) -> None:
        """Barge-in holds, interrupts or resumes the reply."""
        if decision is Decision.INTERRUPT and self._over:
            self.advance(self._wake_word_needed(), now)
        else:
            self.advance(decision, now)

    def end_period(self, result: FrontEndResult, now: float) -> None:
        """Follow the user's speech, and send the period if the uplink still sends."""
        local = self._settings.turn.detection == "local" or not self._session.ready
        local = local or self._session.answer_stays_here
        if result.speech is not None and local:
            ended = result.speech is SpeechBoundary.ENDED
            self.advance(TurnTrigger.TURN_ENDED if ended else TurnTrigger.USER_SPOKE, now)
        self._uplink.end_period(result.heard.cleaned, user=result.user)

    # --- at every period --------------------------------------------------------------

    def poll(self, now: float) -> None:
        """Follow the reply, the session, the connection and the deadline of the turn."""
        if self._session.working:
            self._turn.wait_on(now)
        if self.others_speak and self._turn.awaits_follow_up and not self._follow_ups.called:
            self._remark = "say the wake word to continue: another speaker speaks"
            self.advance(TurnTrigger.STOOD_DOWN, now)
        progress = self._reply.progress(self._turn.state, now)
        if progress is TurnTrigger.REPLY_FINISHED:
            progress = self._finished()
        if progress is not None:
            self.advance(progress, now)
        self._take(self._session.poll(now), now)
        self._keep_connection(now)
        if self._turn.state is State.IDLE:
            self._session.renew()
        if self._turn.time_is_up(now):
            self._time_is_up(now)

    def count_problems(self, now: float) -> None:
        """Log how often each of the server's errors was repeated in the second that has ended."""
        for log_event in self._problems.counts(now):
            self._emit(log_event)

    def flush(self) -> None:
        """Emit everything for the server, and the transcripts before that if they are wanted."""
        if self._settings.log.transcripts:
            for who, words in self._session.take_transcripts():
                self._log_event("transcript", who=who, words=" ".join(words.split()))
        for event in self._session.to_send():
            self._emit(Send(event))

    def _finished(self) -> TurnTrigger:
        """The reply was heard to its end: may the user speak next without the wake word?"""
        able = self.connection.up and not self._muted
        if self._session.question_heard():
            asked = able and self._player.audible
            return TurnTrigger.QUESTION_ASKED if asked else TurnTrigger.REPLY_FINISHED_LAST
        able = able and not self.others_speak
        if not able or self._reply.ends_talk or self._settings.turn.follow_up_s <= 0:
            return TurnTrigger.REPLY_FINISHED_LAST
        return self._wake_word_needed() if self._over else TurnTrigger.REPLY_FINISHED

    @property
    def _over(self) -> str:
        return self._room.over or self._follow_ups.over

    def _in_vain(self) -> None:
        """The newest turn brought no words for Parley."""
        if self._room.in_vain():
            self._room_talks()

    def _room_talks(self) -> None:
        self._front_end.only_wake_word = True
        self._log_event("room_talks", means=self._room.over)

    def _wake_word_needed(self) -> TurnTrigger:
        """The talk ends here; light, low tone and log say that it needs the wake word again."""
        self._remark = f"say the wake word to continue: {self._over}"
        self._log_event("follow_ups_over", turns=self._follow_ups.turns, reason=self._over)
        return TurnTrigger.FOLLOW_UPS_OVER

    def _time_is_up(self, now: float) -> None:
        timeout_s = self._settings.turn.response_timeout_s
        if self._turn.state is State.THINKING:
            self._failed(f"no answer came within {timeout_s:g} s (turn.response_timeout_s)")
        elif self._turn.state is State.SPEAKING:
            self._failed("the rest of the answer did not come")
        self.advance(TurnTrigger.TIME_UP, now)

    def _failed(self, reason: str) -> None:
        self._log_event("reply_failed", reason=reason)
        self._remark = reason

    # --- the session and its connection -----------------------------------------------

    def _take(self, events: Sequence[rt.SessionEvent], now: float) -> None:
        for item in events:
            match item:
                case rt.Ready():
                    self.connection.ready()
                    self._log_event("ready")
                case rt.UserStarted():
                    self.advance(TurnTrigger.USER_SPOKE, now)
                case rt.UserStopped():
                    self.advance(TurnTrigger.TURN_ENDED, now)
                case rt.NothingTranscribed():
                    self._in_vain()
                case rt.CutOff():
                    self.advance(TurnTrigger.CUT_OFF, now)
                case rt.ReplyAudio():
                    if self._turn.state in _ANSWERING:
                        self._reply_failed(self._reply.receive(item, now), now)
                case rt.ReplyPartDone(item_id, content_index, response):
                    self._player.part_done(item_id, content_index, response)
                case rt.ReplyDone(failure):
                    self._reply_failed(self._reply.end(failure), now)
                case rt.SkillCalled(call_id, name, arguments, guarded):
                    self._emit(CallSkill(call_id, name, arguments, guarded))
                case rt.PermissionQuestion():
                    self._take(self._reply.ask_permission(item, self._muted, now), now)
                case rt.AnswerHeard(number):
                    self._judge(number, now)
                case rt.Permission(_, server, tool, granted, reason):
                    why = {"reason": reason} if reason else {}
                    self._log_event("permission", server=server, tool=tool, granted=granted, **why)
                case rt.Used(turn, tokens):
                    self._reply.spent(turn, tokens)
                case rt.SideSpeechDone(number, frames, reason, stopped):
                    if frames is None:
                        refusal = RequestRefusal.STOPPED if stopped else RequestRefusal.VOICE
                        self._emit(RequestAnswered(number, refusal, reason))
                    else:
                        self._announcements.add(SpeechRequested(number, frames), now)
                case rt.ServerProblem(action, text):
                    for effect in self._problems.take(action, text, now):
                        self._emit(effect)

    def _judge(self, number: int, now: float) -> None:
        """Have the answer to a question for permission recognised on the device."""
        self._uplink.silence()  # the server gets nothing of it, and not its last sound either
        frames = self._answer.utterance(now)
        if frames is None:
            self._take(self._session.answer_recognized(number, now, yes=False), now)
        else:
            self._emit(RecognizeAnswer(number, frames))

    def _reply_failed(self, reason: str, now: float) -> None:
        if reason:
            self._failed(reason)
            self.advance(TurnTrigger.REPLY_FAILED, now)

    def _keep_connection(self, now: float) -> None:
        idle = self._turn.state is State.IDLE and not self._session.side_speech_due
        effect = self.connection.next(idle, now, self._session.forgets(now) if idle else "")
        if effect is not None:
            self._log_event("connection", ask=_ASKS[type(effect)], state=str(self._turn.state))
            self._emit(effect)
            if effect != SetConnectionWanted(True):
                self._lost(now)

    def _lost(self, now: float) -> None:
        self._take(self._session.lost(), now)
        self.advance(TurnTrigger.CONNECTION_LOST, now)

    # --- what the turn asks for -------------------------------------------------------

    def _entered(self, state: State, before: State, now: float) -> None:
        match state:
            case State.SPEAKING:
                if before is State.THINKING:  # else playback resumes after a hold
                    self._front_end.arm(now)
                    self._room.reply_begins(now)
            case State.IDLE:
                self._held = None
                self._front_end.rest()
                self._room.rest()
                self._monitor.save_echo_path(now)
                self._uplink.close()
                self._front_end.disarm()
                self._take(self._session.rest(now), now)
            case State.LISTENING:
                self._remark = ""
                self._front_end.disarm()
            case State.THINKING | State.BARGE_IN:
                pass

    def _chime(self, now: float) -> None:
        if self._held is not None:
            self._held.add(TurnAction.CHIME)
        else:
            self._cues.play(Cue.WAKE)

    def _sorry(self, now: float) -> None:
        self._cues.play(Cue.ERROR if self.connection.up else Cue.OFFLINE)

    def _may_go_on(self, now: float) -> None:
        if not self._front_end.user_speaks:  # a user in mid-sentence needs none
            self._cues.play(Cue.FOLLOW_UP)

    def _listen(self, now: float) -> None:
        event, _ = self._began
        if event in _AFTER_REPLY:
            self._uplink.begin_after_reply(now)
            return
        before_ms = self._settings.wake.preroll_ms if event is TurnTrigger.WAKE_WORD else 0
        self._uplink.begin(before_ms, speaking=False)

    def _listen_from_onset(self, now: float) -> None:
        before_ms = (now - self._front_end.onset) * 1000 + self._settings.hearing.preroll_ms
        self._uplink.begin(before_ms, speaking=True)

    def _ask_for_reply(self, now: float) -> None:
        event, began = self._began
        begun_by = event.name.lower() if event is not None else ""
        self._take(self._reply.ask(begun_by, began, self._front_end.voiced_at, now), now)

    def _resume(self, now: float) -> None:
        self._reply.resume()
        self._front_end.rearm(now)

    def _interrupt(self, now: float) -> None:
        begun = self._reply.begun
        interrupted = self._reply.interrupt(now)
        self._take(self._session.interrupt(interrupted.unheard, now), now)
        if begun:
            items = len(interrupted.unheard)
            self._log_event("interrupted", heard_ms=interrupted.heard_ms, items=items)

    def _log_event(self, name: str, **fields: object) -> None:
        self._emit(LogEvent(name, fields))
