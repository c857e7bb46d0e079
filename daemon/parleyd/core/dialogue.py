"""The dialogue with the model: whose turn it is, what is sent, and what becomes of the reply."""

from collections.abc import Callable, Sequence

from parleyd import config
from parleyd.core.connection_policy import Line
from parleyd.core.events import (
    CallSkill,
    Connect,
    Effect,
    Expires,
    LinkDown,
    LinkUp,
    Note,
    Send,
    SkillDone,
    Spoken,
)
from parleyd.core.follow_ups import FollowUps
from parleyd.core.hearing_monitor import HearingMonitor
from parleyd.core.reply import Reply
from parleyd.core.states import State
from parleyd.core.troubles import Troubles
from parleyd.core.turn import Action, Event, Turn, TurnEvent
from parleyd.core.uplink import Uplink
from parleyd.hearing import HeardPeriod
from parleyd.hearing.barge_in import Decision
from parleyd.hearing.endpointing import Speech
from parleyd.hearing.front_end import Ears, Percept
from parleyd.playback import earcons
from parleyd.playback.reply_player import Mouth
from parleyd.realtime import session_events as rt
from parleyd.realtime.events import Json, ServerEvent
from parleyd.realtime.session import Session

STOP_WORDS = ("stop",)  # keywords that end a reply instead of beginning a turn
_ANSWERING = (State.THINKING, State.SPEAKING, State.BARGE_IN)
_AFTER_REPLY = (Event.REPLY_FINISHED, Event.QUESTION_ASKED)  # a turn begins where a reply ended

DialogueEvent = ServerEvent | LinkUp | LinkDown | Expires | SkillDone | Spoken


class Dialogue:
    """Drives turn, session, uplink and reply; owned by the audio thread, deterministic.

    All effects go to `emit`, in order. Times are monotonic seconds.
    """

    def __init__(
        self,
        settings: config.Config,
        ears: Ears,
        mouth: Mouth,
        monitor: HearingMonitor,
        tools: Sequence[Json],
        emit: Callable[[Effect], None],
    ) -> None:
        self._settings = settings
        self._ears, self._mouth, self._monitor, self._emit = ears, mouth, monitor, emit
        self._turn = Turn(settings.turn, settings.hearing)
        self._session = Session(settings.realtime, settings.turn, tools)
        self._uplink = Uplink(ears, self._session)
        self._reply = Reply(mouth, self._session, self._uplink, emit)
        self._follow_ups = FollowUps(settings.turn.follow_up_turns)
        self._troubles = Troubles()
        self.line = Line(settings.realtime.connection)
        self._actions = {
            Action.CHIME: self._chime,
            Action.LOW_TONE: lambda now: mouth.play(earcons.low_tone()),
            Action.SORRY_TONE: lambda now: mouth.play(earcons.sorry()),
            Action.LISTEN: self._listen,
            Action.LISTEN_ON: lambda now: self._uplink.go_on(),
            Action.LISTEN_FROM_ONSET: self._listen_from_onset,
            Action.STOP_LISTENING: lambda now: self._uplink.give_up(),
            Action.ASK_FOR_REPLY: self._ask_for_reply,
            Action.HOLD: lambda now: self._reply.hold(ears.onset, now),
            Action.RESUME: self._resume,
            Action.INTERRUPT: self._interrupt,
        }
        self._muted = False
        self._remark = ""
        self._began: tuple[TurnEvent | None, float] = (None, 0.0)  # the turn: by what, and when

    @property
    def state(self) -> State:
        """Where the turn is."""
        return self._turn.state

    @property
    def remark(self) -> str:
        """Why the last turn got no answer, or the next needs the wake word; else ""."""
        return self._remark

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
            case LinkUp():
                self._session.opened()
                self.line.opened(now)
            case LinkDown(reason, fatal, later):
                self.line.down(reason, fatal, later)
                self._lost(now)
            case Expires(in_s):
                self.line.expires(in_s, now)
            case SkillDone():
                self._take(self._reply.skill_done(event, now), now)
            case Spoken(number, frames):
                self._take(self._reply.question_spoken(number, frames, now), now)

    def mute(self, muted: bool, now: float) -> None:
        """The microphone was closed or opened."""
        self._muted = muted
        if muted:
            self.advance(Event.MUTED, now)

    def advance(self, event: TurnEvent, now: float) -> None:
        """Take one event of the turn, and do what its row of the table asks for."""
        before = self._turn.state
        actions = self._turn.handle(event, now)
        after = self._turn.state
        if after is State.LISTENING is not before:
            self._began = (event, now)
            called = event in (Event.WAKE_WORD, Event.BUTTON)
            if called or before is not State.THINKING:  # else the same turn continues
                self._follow_ups.begin(called=called)
        if Action.ASK_FOR_REPLY in actions:
            self._follow_ups.asked(endless=event is Event.TIME_UP)
        if before is not after:
            self._note("state", before=str(before), after=str(after), event=event.name.lower())
            self._entered(after, before, now)
        for action in actions:
            self._actions[action](now)
        ended = after is State.IDLE or (before is not after and after is State.LISTENING)
        if ended and before in _ANSWERING:
            self._reply.report()

    # --- one period of the microphone, in this order ----------------------------------

    def begin_period(self, heard: HeardPeriod) -> None:
        """One period was heard; the turn that begins in it has it in its pre-roll."""
        if self._turn.state is State.LISTENING:
            self._follow_ups.hear(heard)
        self._uplink.begin_period()

    def wake_word(self, keyword: str, now: float) -> None:
        """The wake word, or a stop word, was heard."""
        self._note("wake", keyword=keyword, state=str(self._turn.state))
        if self._turn.state is State.LISTENING:  # the turn that is open counts as called
            self._follow_ups.begin(called=True)
        self.advance(Event.STOP_WORD if keyword in STOP_WORDS else Event.WAKE_WORD, now)

    def settle(self, percept: Percept, now: float) -> bool:
        """True while a new turn looks for its beginning: decisions belong to that."""
        if not self._uplink.settles:
            return False
        before_end_ms = self._uplink.settle(percept, now)
        if before_end_ms:
            self._note("spoke_early", before_end_ms=before_end_ms)
        return True

    def decide(self, decision: Decision, now: float) -> None:
        """Barge-in holds, interrupts or resumes the reply."""
        if decision is Decision.INTERRUPT and self._follow_ups.over:
            self.advance(self._wake_word_needed(), now)
        else:
            self.advance(decision, now)

    def end_period(self, percept: Percept, now: float) -> None:
        """Follow the user's speech, and send the period if the uplink still sends."""
        local = self._settings.turn.detection == "local" or not self._session.ready
        if percept.speech is not None and local:
            ended = percept.speech is Speech.ENDED
            self.advance(Event.TURN_ENDED if ended else Event.USER_SPOKE, now)
        self._uplink.end_period(percept.heard.cleaned)

    # --- at every period --------------------------------------------------------------

    def poll(self, now: float) -> None:
        """Follow the reply, the session, the connection and the deadline of the turn."""
        if self._session.working:
            self._turn.wait_on(now)
        progress = self._reply.progress(self._turn.state, now)
        if progress is Event.REPLY_FINISHED:
            progress = self._finished()
        if progress is not None:
            self.advance(progress, now)
        self._take(self._session.poll(now), now)
        self._keep_line(now)
        if self._turn.time_is_up(now):
            self._time_is_up(now)

    def count_troubles(self, now: float) -> None:
        """Log how often each of the server's errors was repeated in the second that has ended."""
        for note in self._troubles.counts(now):
            self._emit(note)

    def flush(self) -> None:
        """Emit everything for the server, and the transcripts before that if they are wanted."""
        if self._settings.log.transcripts:
            for who, words in self._session.take_transcripts():
                self._note("transcript", who=who, words=" ".join(words.split()))
        for event in self._session.to_send():
            self._emit(Send(event))

    def _finished(self) -> Event:
        """The reply was heard to its end: may the user speak next without the wake word?"""
        able = self.line.up and not self._muted
        if self._session.question_heard():
            asked = able and self._mouth.audible
            return Event.QUESTION_ASKED if asked else Event.REPLY_FINISHED_LAST
        if not able or self._reply.ends_talk or self._settings.turn.follow_up_s <= 0:
            return Event.REPLY_FINISHED_LAST
        return self._wake_word_needed() if self._follow_ups.over else Event.REPLY_FINISHED

    def _wake_word_needed(self) -> Event:
        """The talk ends here; light, low tone and log say that it needs the wake word again."""
        self._remark = f"say the wake word to continue: {self._follow_ups.over}"
        self._note("follow_ups_over", turns=self._follow_ups.turns, reason=self._follow_ups.over)
        return Event.FOLLOW_UPS_OVER

    def _time_is_up(self, now: float) -> None:
        within_s = self._settings.turn.answer_within_s
        if self._turn.state is State.THINKING:
            self._failed(f"no answer came within {within_s:g} s (turn.answer_within_s)")
        elif self._turn.state is State.SPEAKING:
            self._failed("the rest of the answer did not come")
        self.advance(Event.TIME_UP, now)

    def _failed(self, reason: str) -> None:
        self._note("reply_failed", reason=reason)
        self._remark = reason

    # --- the session and its connection -----------------------------------------------

    def _take(self, news: Sequence[rt.News], now: float) -> None:
        for item in news:
            match item:
                case rt.Ready():
                    self.line.ready()
                    self._note("ready")
                case rt.UserStarted():
                    self.advance(Event.USER_SPOKE, now)
                case rt.UserStopped():
                    self.advance(Event.TURN_ENDED, now)
                case rt.CutOff():
                    self.advance(Event.CUT_OFF, now)
                case rt.ReplyAudio():
                    if self._turn.state in _ANSWERING:
                        self._reply_failed(self._reply.receive(item, now), now)
                case rt.ReplyPartDone(item_id, content_index, response):
                    self._mouth.part_done(item_id, content_index, response)
                case rt.ReplyDone(failure):
                    self._reply_failed(self._reply.end(failure), now)
                case rt.SkillCalled(call_id, name, arguments):
                    self._emit(CallSkill(call_id, name, arguments))
                case rt.PermissionQuestion():
                    self._take(self._reply.ask_permission(item, self._muted, now), now)
                case rt.Permission(_, server, tool, granted, reason):
                    why = {"reason": reason} if reason else {}
                    self._note("permission", server=server, tool=tool, granted=granted, **why)
                case rt.Used(turn, tokens):
                    self._reply.spent(turn, tokens)
                case rt.Trouble(remedy, text):
                    for effect in self._troubles.take(remedy, text, now):
                        self._emit(effect)

    def _reply_failed(self, reason: str, now: float) -> None:
        if reason:
            self._failed(reason)
            self.advance(Event.REPLY_FAILED, now)

    def _keep_line(self, now: float) -> None:
        idle = self._turn.state is State.IDLE
        effect = self.line.next(idle, now, self._session.forgets(now))
        if effect is not None:
            self._note("line", ask=type(effect).__name__.lower(), state=str(self._turn.state))
            self._emit(effect)
            if effect != Connect(True):
                self._lost(now)

    def _lost(self, now: float) -> None:
        self._take(self._session.lost(), now)
        self.advance(Event.LINK_LOST, now)

    # --- what the turn asks for -------------------------------------------------------

    def _entered(self, state: State, before: State, now: float) -> None:
        match state:
            case State.SPEAKING:
                if before is State.THINKING:  # else playback resumes after a hold
                    self._ears.arm(now)
            case State.IDLE:
                self._monitor.save_echo_path(now)
                self._uplink.close()
                self._ears.disarm()
                self._take(self._session.rest(now), now)
            case State.LISTENING:
                self._remark = ""
                self._ears.disarm()
            case State.THINKING | State.BARGE_IN:
                pass

    def _chime(self, now: float) -> None:
        if self._settings.wake.chime:
            self._mouth.play(earcons.chime())

    def _listen(self, now: float) -> None:
        event, _ = self._began
        if event in _AFTER_REPLY:
            self._uplink.begin_after_reply(now)
            return
        before_ms = self._settings.wake.preroll_ms if event is Event.WAKE_WORD else 0
        self._uplink.begin(before_ms, speaking=False)

    def _listen_from_onset(self, now: float) -> None:
        before_ms = (now - self._ears.onset) * 1000 + self._settings.hearing.preroll_ms
        self._uplink.begin(before_ms, speaking=True)

    def _ask_for_reply(self, now: float) -> None:
        event, began = self._began
        begun_by = event.name.lower() if event is not None else ""
        self._take(self._reply.ask(begun_by, began, self._ears.voiced_at, now), now)

    def _resume(self, now: float) -> None:
        self._reply.resume()
        self._ears.rearm(now)

    def _interrupt(self, now: float) -> None:
        begun = self._reply.begun
        given_up = self._reply.interrupt(now)
        self._take(self._session.interrupt(given_up.unheard, now), now)
        if begun:
            items = len(given_up.unheard)
            self._note("interrupted", heard_ms=given_up.heard_ms, items=items)

    def _note(self, name: str, **fields: object) -> None:
        self._emit(Note(name, fields))
