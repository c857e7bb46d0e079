"""The core: one object that owns all state of a conversation and does no I/O.

`handle` takes what the world says, `tick` takes one heartbeat of the sound card; what
is to be done comes out of `tick` alone, as one `Step`. Both are called by one thread.
The same inputs give the same outputs: the room simulator and the ALSA thread drive the
same object.
"""

from collections.abc import Sequence

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.core import indicator, log_events
from parleyd.core.alarm_ringer import Bell
from parleyd.core.alarm_sound import Ringing
from parleyd.core.connection_policy import Line
from parleyd.core.events import (
    ButtonPressed,
    CallSkill,
    CardBack,
    CardLost,
    Connect,
    Effect,
    Expires,
    Greet,
    Happening,
    Learnt,
    LinkDown,
    LinkUp,
    MicPeriod,
    MuteSwitched,
    Note,
    OpenMicrophone,
    Reconnect,
    Ring,
    Send,
    SetVolume,
    Show,
    SkillDone,
    Speak,
    Spoken,
    Step,
    Then,
    Understood,
    WakeRenewed,
)
from parleyd.core.follow_ups import FollowUps
from parleyd.core.indicator import Situation
from parleyd.core.states import State
from parleyd.core.troubles import Troubles
from parleyd.core.turn import Action, Event, Turn, TurnEvent
from parleyd.core.turn_metrics import TurnLog
from parleyd.core.uplink import Uplink
from parleyd.hearing import HeardPeriod
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.hearing.echo_path import EchoMemory
from parleyd.hearing.endpointing import Speech
from parleyd.hearing.front_end import Ears, Percept
from parleyd.playback import earcons
from parleyd.playback.lead import Lead
from parleyd.playback.reply_player import Mouth
from parleyd.realtime import session_events as rt
from parleyd.realtime.events import Json, ServerEvent
from parleyd.realtime.server_errors import Remedy
from parleyd.realtime.session import Session
from parleyd.units import SERVER_RATE_HZ, Frames
from parleyd.wake import WakeEngine

KEEP_EVERY_S = 600.0  # what hearing learnt: memory cards wear, and rooms change slowly
LONGEST_QUESTION_S = 40.0  # for permission: `read_aloud` lets half a minute through
_AFTER_REPLY = ("reply_finished", "question_asked")  # events by which a reply that ends is followed
SILENCE_S = 20.0  # at the end of what came of a reply: no more of it is waited for
STOP_WORDS = ("stop",)  # keywords that end a reply instead of beginning a turn


class Speaker:
    """Hearing, turn, playout and session of one smart speaker."""

    def __init__(
        self,
        settings: config.Config,
        wake: WakeEngine | None,
        tools: Sequence[Json] = (),
        memory: EchoMemory | None = None,
    ) -> None:
        """`tools`: declarations of functions. `memory`: of the echo, from before a restart."""
        self._settings = settings
        self._lead = Lead(settings.audio.lead_ms)
        self._ears = Ears(settings, wake, self._lead)
        if memory is not None:
            self._ears.remember(memory)
        self._kept_at = float("-inf")
        self.heard: HeardPeriod | None = None
        """What hearing made of the newest period; None while the microphone is closed."""
        self._mouth = Mouth(settings, self._lead)
        self._turn = Turn(settings.turn, settings.hearing)
        self._session = Session(settings.realtime, settings.turn, tools)
        self._uplink = Uplink(self._ears, self._session)
        self._ringing = Ringing(settings.skills.ring_min * 60)
        self._bell = Bell(self._ringing, self._mouth, self._ears, self._emit)
        self._log = TurnLog()
        self._follow_ups = FollowUps(settings.turn.follow_up_turns)
        self._actions = {
            Action.CHIME: self._chime,
            Action.LOW_TONE: lambda now: self._mouth.play(earcons.low_tone()),
            Action.SORRY_TONE: lambda now: self._mouth.play(earcons.sorry()),
            Action.LISTEN: self._listen,
            Action.LISTEN_ON: lambda now: self._uplink.go_on(),
            Action.LISTEN_FROM_ONSET: self._listen_from_onset,
            Action.STOP_LISTENING: lambda now: self._uplink.give_up(),
            Action.ASK_FOR_REPLY: self._ask_for_reply,
            Action.HOLD: self._hold,
            Action.RESUME: self._resume,
            Action.INTERRUPT: self._interrupt,
        }
        self._effects: list[Effect] = []
        self._resting = False  # the model ended the talk: nobody listens after this reply
        self._muted = False
        self._why_muted = ""
        self._without_card = ""  # why there is none
        self._line = Line(settings.realtime.connection)
        self._troubles = Troubles()
        self._shown: Show | None = None
        self._turns = 0
        self._began = ("", 0.0)  # to listen: by which event, and when
        self._preroll_ms = 0.0  # what LISTEN sends of the time before it
        self._impaired = ""  # what does not work because a part of hearing has failed
        self._remark = ""  # why the last turn got no answer; shown until the next one
        self._onset = 0.0  # of the user's speech in the pending or last barge-in

    @property
    def state(self) -> State:
        """Where the turn is; what people see (mute, offline) comes as `Show`."""
        return self._turn.state

    @property
    def memory(self) -> EchoMemory | None:
        """What hearing knows of the echo's path by now; None while too little was heard."""
        return self._ears.memory()

    @property
    def awaiting_server(self) -> bool:
        """A server's answer, or the rest of one, is due: what it takes is real time."""
        return self._session.awaiting

    @property
    def buffered_ms(self) -> int:
        """How much of a reply waits to be played."""
        return self._mouth.buffered_ms

    # --- what the world says ----------------------------------------------------------

    def handle(self, event: Happening, now: float) -> None:
        """Take one event; what follows from it comes out of the next `tick`."""
        match event:
            case ServerEvent():
                self._take_news(self._session.receive(event, now), now)
            case ButtonPressed():
                self._button(now)
            case Greet():
                self._greet(now)
            case MuteSwitched(muted, reason):
                self._mute(muted, reason, now)
            case CardLost(reason, unheard_frames):
                self._without_card = reason
                self._mouth.heard(unheard_frames)
                self._ears.closed()
                self._advance(Event.CARD_LOST, now)
                self._mouth.give_up()  # an earcon's rest would be a riddle on the next card
            case CardBack():
                self._without_card = ""
                self._ears.reopened(now)
            case LinkUp():
                self._session.opened()
                self._line.opened(now)
            case LinkDown(reason, fatal, later):
                self._line.down(reason, fatal, later)
                self._lost(now)
            case Expires(in_s):
                self._line.expires(in_s, now)
            case SkillDone():
                self._skill_done(event, now)
            case SetVolume(percent):
                self._mouth.set_volume(percent)
                if duplex := self._ears.volume_changed(percent):
                    self._emit(log_events.of_duplex(duplex))
            case Ring():
                self._note("ring")
                self._ringing.add(event, now)
            case Understood(stop):
                self._bell.understood(stop, now)
            case WakeRenewed(engine):
                self._ears.renew_wake_engine(engine)
            case Spoken(number, frames):
                self._question_spoken(number, frames, now)

    # --- the heartbeat ----------------------------------------------------------------

    def tick(self, period: MicPeriod, now: float) -> Step:
        """One period of microphone in, the loudspeaker's next frames and all effects out.

        `now`: seconds, monotonic, the end of the period. The tick that hears the user is
        the tick that silences the loudspeaker.
        """
        self._mouth.heard(period.queued_frames)
        if period.xruns:
            self._dropped_out(period.xruns, now)
        talking = self._turn.state in (State.SPEAKING, State.BARGE_IN)
        sounding = talking or self._bell.audible
        attentive = self._turn.state is not State.IDLE or self._bell.audible
        percept = self._ears.listen(period.frames, now, speaking=sounding, attentive=attentive)
        self.heard = percept.heard if percept is not None else None
        if percept is not None:
            self._perceive(percept, now)
        self._follow_reply(now)
        self._take_news(self._session.poll(now), now)
        self._keep_line(now)
        if self._turn.time_is_up(now):
            self._time_is_up(now)
        self._ring(now)
        return self._step(now)

    def _step(self, now: float) -> Step:
        dropped, playback = self._mouth.next()
        if dropped is not None:
            self._ears.dropped(dropped)
        self._ears.written(playback)
        self._take_faults(now)
        for note in self._troubles.counts(now):
            self._emit(note)
        self._show(now)
        if self._settings.log.transcripts:
            for who, words in self._session.take_transcripts():
                self._note("transcript", who=who, words=" ".join(words.split()))
        effects, self._effects = self._effects, []
        effects += [Send(event) for event in self._session.to_send()]
        return Step(dropped is not None, playback, effects, self._turn.state)

    def _take_faults(self, now: float) -> None:
        """Parts of hearing that failed: the log gets the reason, and a hold gets its end."""
        if self._ears.trouble != self._impaired:
            self._impaired = self._ears.trouble
            if not self._impaired:
                self._note("hearing_well")
        faults, self._ears.faults = self._ears.faults, []
        for fault in faults:
            self._emit(fault)
            if self._bell.audible and not self._ears.deciding:
                self._bell.resume(now)  # whoever would have decided is new and knows of no hold

    def _dropped_out(self, xruns: int, now: float) -> None:
        self._ears.glitch(now)
        self._note("xrun", count=xruns)
        if self._lead.dropped_out(now):
            self._emit(log_events.of_lead(self._lead.ms))

    # --- hearing ----------------------------------------------------------------------

    def _perceive(self, percept: Percept, now: float) -> None:
        if self._turn.state is State.LISTENING:
            self._follow_ups.hear(percept.heard)
        sending = self._uplink.sending  # a turn that begins now has this period in its pre-roll
        if not sending:
            self._uplink.kept_back()
        if percept.keyword is not None:
            self._wake_word(percept.keyword, now)
        if self._uplink.settles:
            self._settle(percept, now)
        elif percept.decision is not None:
            self._judged(percept.decision, now)
        if self._bell.audible:
            self._bell.overhear(percept.speech is Speech.ENDED, now)
        if percept.calibrated is not None:
            self._emit(log_events.of_calibrated(percept.calibrated))
            self._keep_memory(now)
        if percept.dead is not None:
            self._emit(log_events.of_microphone(percept.dead))
        if percept.duplex is not None:
            self._emit(log_events.of_duplex(percept.duplex))
        if percept.speech is not None and self._ends_turns_here:
            ended = percept.speech is Speech.ENDED
            self._advance(Event.TURN_ENDED if ended else Event.USER_SPOKE, now)
        if sending and self._uplink.sending:
            self._uplink.push(percept.heard.cleaned)

    def _wake_word(self, keyword: str, now: float) -> None:
        self._bell.stop("wake word")
        if not self._may_listen():
            return
        self._note("wake", keyword=keyword, state=str(self._turn.state))
        if self._turn.state is State.LISTENING:  # it begins no turn, and names the one that waits
            self._follow_ups.begin(called=True)
        self._preroll_ms = self._settings.wake.preroll_ms
        self._advance(Event.STOP_WORD if keyword in STOP_WORDS else Event.WAKE_WORD, now)

    def _settle(self, percept: Percept, now: float) -> None:
        before_end_ms = self._uplink.settle(percept, now)
        if before_end_ms:
            self._note("spoke_early", before_end_ms=before_end_ms)

    def _judged(self, decision: BargeInDecision, now: float) -> None:
        self._onset = decision.onset
        self._emit(log_events.of_decision(decision, now))
        if self._bell.audible:
            self._bell.judged(decision, now)
            return
        event: TurnEvent = decision.kind
        if event is Decision.INTERRUPT and self._follow_ups.over:
            event = self._wake_word_needed()
        self._advance(event, now)

    def _greet(self, now: float) -> None:
        if self._without_card:
            return
        self._mouth.play(earcons.greeting())
        if not self._muted:
            self._ears.calibrate(level_dbfs(earcons.greeting()), now)

    @property
    def _ends_turns_here(self) -> bool:
        """Local ears decide when a turn ends: by configuration, or while no server listens."""
        return self._settings.turn.detection == "local" or not self._session.ready

    def _may_listen(self) -> bool:
        """A refused key makes every turn useless: say so instead of listening. A server that
        refuses for now is tried again by the turn."""
        if self._muted or self._without_card:
            return False
        if self._line.refused:
            self._mouth.play(earcons.sorry())
            return False
        return True

    def _mute(self, muted: bool, reason: str, now: float) -> None:
        self._why_muted = reason
        if muted and self._muted:
            return  # only the reason is another
        self._muted = muted
        self._note("mute", muted=muted)
        if muted:
            self._ears.closed()
            self._advance(Event.MUTED, now)
            if self._bell.audible:
                self._bell.resume(now)

    # --- the button, and what rings ---------------------------------------------------

    def _button(self, now: float) -> None:
        if self._bell.audible:
            self._bell.stop("button")
        elif self._turn.state is State.IDLE and self._muted:
            self._emit(OpenMicrophone())
        elif self._turn.state is not State.IDLE or self._may_listen():
            self._preroll_ms = 0
            self._advance(Event.BUTTON, now)

    def _ring(self, now: float) -> None:
        if self._without_card:
            return  # it would ring for nobody; it does when the card is back
        if self._turn.state is State.IDLE:
            self._bell.ring(now)
        elif self._ringing.impatient(now):
            self._advance(Event.ALARM_DUE, now)

    # --- the reply --------------------------------------------------------------------

    def _take_news(self, news: Sequence[rt.News], now: float) -> None:
        for item in news:
            match item:
                case rt.Ready():
                    self._line.ready()
                    self._note("ready")
                case rt.UserStarted():
                    self._advance(Event.USER_SPOKE, now)
                case rt.UserStopped():
                    self._advance(Event.TURN_ENDED, now)
                case rt.CutOff():
                    self._advance(Event.CUT_OFF, now)
                case rt.ReplyAudio():
                    self._reply_audio(item, now)
                case rt.ReplyPartDone(item_id, content_index, response):
                    self._mouth.part_done(item_id, content_index, response)
                case rt.ReplyDone(failure):
                    self._reply_ended(failure, now)
                case rt.SkillCalled(call_id, name, arguments):
                    self._emit(CallSkill(call_id, name, arguments))
                case rt.PermissionQuestion(number, words):
                    self._ask_permission(number, words, now)
                case rt.Permission(_, server, tool, granted, reason):
                    why = {"reason": reason} if reason else {}
                    self._note("permission", server=server, tool=tool, granted=granted, **why)
                case rt.Used(turn, tokens):
                    self._note("usage", turn=turn, **tokens)
                    if turn == self._log.turn:
                        self._log.spent(tokens)
                case rt.Trouble(remedy, text):
                    self._trouble(remedy, text, now)

    def _reply_audio(self, audio: rt.ReplyAudio, now: float) -> None:
        if self._turn.state not in (State.THINKING, State.SPEAKING, State.BARGE_IN):
            return
        if not self._mouth.begun:
            self._log.first_delta(now)
            self._uplink.silence()  # before the first of it is heard: no echo to the server
        if not self._mouth.say(audio.item_id, audio.content_index, audio.frames, audio.response):
            self._session.stop_generating(now)
            self._note("ring_full", item_id=audio.item_id)
            self._reply_ended("", now)
        elif self._mouth.silent_s >= SILENCE_S:
            self._session.stop_generating(now)
            self._reply_ended(f"nothing but silence came for {SILENCE_S:.0f} s", now)

    def _reply_ended(self, failure: str, now: float) -> None:
        self._mouth.done()
        if not failure and not self._mouth.sounded and not self._resting:
            failure = "the answer was empty"
        if failure and self._mouth.sounded:
            self._note("reply_cut", reason=failure)  # what came of it is heard
        elif failure:
            self._reply_failed(failure)
            self._advance(Event.REPLY_FAILED, now)

    def _reply_failed(self, reason: str) -> None:
        self._note("reply_failed", reason=reason)
        self._remark = reason

    def _time_is_up(self, now: float) -> None:
        within_s = self._settings.turn.answer_within_s
        if self._turn.state is State.THINKING:
            self._reply_failed(f"no answer came within {within_s:g} s (turn.answer_within_s)")
        elif self._turn.state is State.SPEAKING:
            self._reply_failed("the rest of the answer did not come")
        self._advance(Event.TIME_UP, now)

    def _follow_reply(self, now: float) -> None:
        state = self._turn.state
        if state is State.BARGE_IN and self._mouth.finished:
            self._uplink.reply_ended(now)  # a ducked reply plays on; its end waits for the decision
        if state not in (State.THINKING, State.SPEAKING):
            return
        if self._session.working:
            self._turn.wait_on(now)
        heard_ms = self._mouth.heard_ms
        if state is State.THINKING and heard_ms > 0:
            self._log.first_frame(now)
            self._advance(Event.REPLY_AUDIBLE, now)
        elif self._mouth.finished:
            if self._mouth.cut is not None:
                self._session.truncate(self._mouth.cut)
            self._session.heard_out()
            self._log.heard_ms = heard_ms
            self._preroll_ms = 0
            wanted = self._settings.turn.follow_up_s > 0 and not self._muted
            again = wanted and not self._resting and self._line.up
            event = Event.REPLY_FINISHED if again else Event.REPLY_FINISHED_LAST
            if self._session.question_heard():
                able = not self._muted and self._line.up and self._mouth.audible
                event = Event.QUESTION_ASKED if able else Event.REPLY_FINISHED_LAST
            elif again and self._follow_ups.over:
                event = self._wake_word_needed()
            self._advance(event, now)
        elif state is State.SPEAKING and heard_ms > self._log.heard_ms:
            self._log.heard_ms = heard_ms
            self._advance(Event.REPLY_PROGRESSED, now)

    def _skill_done(self, done: SkillDone, now: float) -> None:
        then, output = done.then, done.output
        if self._session.owes(done.call_id):
            self._resting = then is Then.REST
            if then is Then.REPEAT and self._mouth.say_again():
                self._uplink.silence()  # before the first of it is heard, as for a reply
            elif then is Then.REPEAT:
                then, output = Then.REPLY, "Nothing was said yet that could be repeated."
        reply = then is Then.REPLY
        self._take_news(self._session.skill_done(done.call_id, output, now, reply=reply), now)

    def _ask_permission(self, number: int, words: str, now: float) -> None:
        """The question is of use only to a user who hears it and can answer."""
        if self._muted or not self._mouth.audible:
            unheard = "the microphone is closed" if self._muted else "the volume is 0"
            self._take_news(self._session.question_failed(unheard, now), now)
        else:
            self._emit(Speak(number, words))

    def _question_spoken(self, number: int, frames: Frames | None, now: float) -> None:
        """The rest of the reply is the question, in the offline voice."""
        if not self._session.question_begins(number):
            return
        self._uplink.silence()  # before the first of it is heard, as for a reply
        if frames is None or len(frames) == 0:
            failure = "the offline voice is missing"
        elif len(frames) > LONGEST_QUESTION_S * SERVER_RATE_HZ:
            failure = "it takes too long to be read aloud"
        elif not self._mouth.say_own(frames):
            failure = "there is no room to play it"
        else:
            self._mouth.done()
            return
        self._take_news(self._session.question_failed(failure, now), now)

    def _trouble(self, remedy: Remedy, text: str, now: float) -> None:
        if note := self._troubles.note(remedy, text, now):
            self._emit(note)
        if remedy in (Remedy.RECONNECT, Remedy.LATER, Remedy.FATAL):
            fatal, later = remedy is Remedy.FATAL, remedy is Remedy.LATER
            self._emit(Reconnect(text, fatal=fatal, later=later))

    # --- the line ---------------------------------------------------------------------

    def _keep_line(self, now: float) -> None:
        idle = self._turn.state is State.IDLE
        effect = self._line.next(idle, now, self._session.forgets(now))
        if effect is not None:
            self._note("line", ask=type(effect).__name__.lower(), state=str(self._turn.state))
            self._emit(effect)
            if effect != Connect(True):
                self._lost(now)

    def _lost(self, now: float) -> None:
        self._take_news(self._session.lost(), now)
        self._advance(Event.LINK_LOST, now)

    # --- what the turn asks for -------------------------------------------------------

    def _advance(self, event: TurnEvent, now: float) -> None:
        before = self._turn.state
        actions = self._turn.handle(event, now)
        after = self._turn.state
        if after is State.LISTENING is not before:
            self._began = (event.name.lower(), now)
            called = event in (Event.WAKE_WORD, Event.BUTTON)
            if called or before is not State.THINKING:  # else the same turn goes on
                self._follow_ups.begin(called=called)
        if Action.ASK_FOR_REPLY in actions:
            self._follow_ups.asked(endless=event is Event.TIME_UP)
        if before is not after:
            self._note("state", before=str(before), after=str(after), event=event.name.lower())
            self._entered(after, before, now)
        for action in actions:
            self._actions[action](now)
        if after is State.IDLE or (before is not after and after is State.LISTENING):
            self._report(before)

    def _entered(self, state: State, before: State, now: float) -> None:
        match state:
            case State.SPEAKING:
                if before is State.THINKING:  # else the answer goes on where it was held
                    self._ears.arm(now)
            case State.IDLE:
                self._keep_memory(now)
                self._uplink.close()
                self._ears.disarm()
                self._take_news(self._session.rest(now), now)
            case State.LISTENING:
                self._remark = ""
                self._ears.disarm()
            case State.THINKING | State.BARGE_IN:
                pass

    def _report(self, before: State) -> None:
        """One structured line for each turn that got an answer."""
        if before in (State.THINKING, State.SPEAKING, State.BARGE_IN):
            fields = self._log.close()
            if fields is not None:
                self._note("turn", **fields)

    def _chime(self, now: float) -> None:
        if self._settings.wake.chime:
            self._mouth.play(earcons.chime())

    def _listen(self, now: float) -> None:
        if self._began[0] in _AFTER_REPLY:
            self._uplink.begin_after_reply(now)
            return
        self._uplink.begin(self._preroll_ms, speaking=False)

    def _listen_from_onset(self, now: float) -> None:
        before_ms = (now - self._onset) * 1000 + self._settings.hearing.preroll_ms
        self._uplink.begin(before_ms, speaking=True)

    def _ask_for_reply(self, now: float) -> None:
        self._uplink.finish()
        self._resting = False
        self._mouth.begin()
        self._turns += 1
        self._log = TurnLog(turn=self._turns)
        self._log.listening(*self._began)
        self._log.turn_ended(self._voiced_since(self._began[1]), now)
        self._take_news(self._session.ask_for_reply(now), now)

    def _voiced_since(self, began: float) -> float | None:
        """When the user's voice was heard last, if that was in this turn."""
        voiced = self._ears.voiced_at
        return voiced if voiced is not None and voiced >= began else None

    def _hold(self, now: float) -> None:
        self._mouth.hold()
        self._log.held(self._onset, now)

    def _resume(self, now: float) -> None:
        self._mouth.resume()
        self._ears.rearm(now)
        self._log.resumed()

    def _interrupt(self, now: float) -> None:
        begun = self._mouth.begun
        given_up = self._mouth.give_up()
        self._take_news(self._session.interrupt(given_up.unheard, now), now)
        self._log.interrupted(now, given_up.heard_ms)
        if begun:
            items = len(given_up.unheard)
            self._note("interrupted", heard_ms=given_up.heard_ms, items=items)

    def _wake_word_needed(self) -> Event:
        """The talk ends here: light, low tone and log say that it needs the wake word again."""
        self._remark = f"say the wake word to continue: {self._follow_ups.over}"
        self._note("follow_ups_over", turns=self._follow_ups.turns, reason=self._follow_ups.over)
        return Event.FOLLOW_UPS_OVER

    def _keep_memory(self, now: float) -> None:
        memory = self._ears.memory() if now >= self._kept_at + KEEP_EVERY_S else None
        if memory is not None:
            self._kept_at = now
            self._emit(Learnt(memory))

    # --- small things -----------------------------------------------------------------

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def _note(self, name: str, **fields: object) -> None:
        self._emit(Note(name, fields))

    def _show(self, now: float) -> None:
        idle = self._turn.state is State.IDLE
        situation = Situation(
            muted=self._muted,
            why_muted=self._why_muted,
            without_card=self._without_card,
            ringing=self._bell.audible,
            refused=self._line.refused or (self._line.put_off if idle else ""),
            offline=self._line.missed,
            turn=self._turn.state,
            dry=self._turn.runs_dry(now),
            remark=self._remark,
            deaf=self._ears.deaf,
            impaired=self._ears.silent or self._impaired,
        )
        shown = indicator.shown(situation)
        if shown != self._shown:
            self._shown = shown
            self._emit(shown)
