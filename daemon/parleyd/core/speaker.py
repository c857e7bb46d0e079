"""The core: one object that owns all state of a conversation and does no I/O.

`handle` takes an event, `tick` takes one period of the sound card; all effects come out of
`tick`, as one `TickResult`. One thread calls both. The same inputs give the same outputs: the
simulated room and the audio thread drive the same object.
"""

from collections.abc import Sequence

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.core import indicator, log_events
from parleyd.core.alarm_ringer import AlarmRinger
from parleyd.core.alarm_sound import AlarmSound
from parleyd.core.announcements import Announcements
from parleyd.core.arbitration import Ruling
from parleyd.core.cue_player import CuePlayer
from parleyd.core.dialogue import STOP_WORDS, Dialogue
from parleyd.core.events import (
    AlarmCommandRecognized,
    AlarmDue,
    ButtonPressed,
    CardBack,
    CardLost,
    Effect,
    InputEvent,
    ListenRequested,
    LogEvent,
    MicPeriod,
    MuteSwitched,
    OpenMicrophone,
    PlayStartupSound,
    QuietHoursChanged,
    RequestAnswered,
    RequestRefusal,
    SetVolume,
    Show,
    SpeechRequested,
    StopRequested,
    TickResult,
    WakeRenewed,
)
from parleyd.core.group import GroupMember, GroupMemory
from parleyd.core.group_events import ClaimHeard, GroupReached, PeerSpeaks
from parleyd.core.hearing_monitor import HearingMonitor
from parleyd.core.indicator import IndicatorInputs
from parleyd.core.loudness import Loudness
from parleyd.core.states import State
from parleyd.core.turn import TurnTrigger
from parleyd.hearing import HearingReadings
from parleyd.hearing.barge_in import BargeInDecision
from parleyd.hearing.echo_path import EchoPath
from parleyd.hearing.endpointing import SpeechBoundary
from parleyd.hearing.front_end import AudioFrontEnd, FrontEndResult
from parleyd.hearing.wake_level import LOOKS_BACK_MS, wake_level_dbfs
from parleyd.playback import earcons
from parleyd.playback.cues import Cue, Cues
from parleyd.playback.lead import PlaybackLead
from parleyd.playback.reply_player import ReplyPlayer
from parleyd.realtime.events import Json
from parleyd.wake import WakeEngine


class SmartSpeaker:
    """One smart speaker: connects hearing, playback, dialogue, alarms and light."""

    def __init__(
        self,
        settings: config.Config,
        wake: WakeEngine | None,
        tools: Sequence[Json] = (),
        memory: EchoPath | None = None,
        group: GroupMemory | None = None,
        cues: Cues | None = None,
    ) -> None:
        """`tools`: declarations of functions. `memory`: the echo path from before a restart.

        With a `group`, a wake word is answered by one of its speakers. `cues`: with the owner's
        sounds.
        """
        lead = PlaybackLead(settings.audio.lead_ms)
        self._front_end = AudioFrontEnd(settings, wake, lead)
        if memory is not None:
            self._front_end.restore(memory)
        self._effects: list[Effect] = []
        self._player = ReplyPlayer(settings, lead)
        self._monitor = HearingMonitor(self._front_end, lead, self._emit)
        self._loudness = Loudness(settings.audio, self._player, self._monitor)
        cues = cues or Cues(settings.earcons)
        self._cues = CuePlayer(self._player, cues)
        self._announcements = Announcements(self._player, self._emit)
        self._dialogue = Dialogue(
            settings,
            self._front_end,
            self._player,
            self._monitor,
            self._announcements,
            self._cues,
            tools,
            self._emit,
        )
        self._alarm_sound = AlarmSound(settings.skills.alarm_timeout_s, cues.sound(Cue.TIMER))
        self._ringer = AlarmRinger(self._alarm_sound, self._player, self._front_end, self._emit)
        self._group = GroupMember(group, self._emit) if group is not None else None
        self._muted = False
        self._why_muted = ""
        self._without_card = ""  # why there is none
        self._inputs: IndicatorInputs | None = None  # of the newest indication
        self._indication: Show | None = None

    @property
    def state(self) -> State:
        """Where the turn is; what users see (mute, offline) comes as `Show`."""
        return self._dialogue.state

    @property
    def echo_path(self) -> EchoPath | None:
        """The learned echo path; None while too little was heard."""
        return self._front_end.echo_path()

    @property
    def awaiting_server(self) -> bool:
        """The server owes an answer, or the rest of one: real time must pass."""
        return self._dialogue.awaiting_server

    @property
    def engaged(self) -> bool:
        """A turn, an alarm or a text needs the speaker."""
        audible = self._ringer.audible or self._announcements.audible
        return audible or self.state is not State.IDLE

    @property
    def buffered_ms(self) -> int:
        """How much of a reply waits to be played."""
        return self._player.buffered_ms

    def readings(self) -> HearingReadings:
        """The newest values of hearing, for a display."""
        return self._front_end.readings()

    # --- events -----------------------------------------------------------------------

    def handle(self, event: InputEvent, now: float) -> None:
        """Take one event; its effects come out of the next `tick`."""
        match event:
            case ButtonPressed():
                self._button(now)
            case PlayStartupSound():
                self._play_startup_sound(now)
            case MuteSwitched(muted, reason):
                self._mute(muted, reason, now)
            case CardLost(reason, unheard_frames):
                self._without_card = reason
                self._announcements.interrupt("the loss of the sound card")
                self._player.heard(unheard_frames)
                self._front_end.closed()
                self._dialogue.advance(TurnTrigger.CARD_LOST, now)
                self._player.interrupt()  # half an earcon on the next card would confuse
            case CardBack():
                self._without_card = ""
                self._front_end.reopened(now)
            case SetVolume(percent):
                self._loudness.set_volume(percent)
            case QuietHoursChanged(quiet):
                self._loudness.quiet_hours(quiet)
            case AlarmDue():
                self._emit(LogEvent("alarm_due", {}))
                self._announcements.interrupt("an alarm")
                self._alarm_sound.add(event, now)
            case AlarmCommandRecognized(stop, ring_ids):
                self._ringer.command_recognized(stop, now, ring_ids)
            case WakeRenewed(engine):
                self._front_end.renew_wake_engine(engine)
            case ListenRequested(number):
                self._emit(self._listen(number, now))
            case StopRequested(number):
                self._stop(now)
                self._emit(RequestAnswered(number))
            case SpeechRequested():
                self._announcements.add(event, now)
            case ClaimHeard() | PeerSpeaks() | GroupReached():
                if self._group is not None:
                    self._group.handle(event, now)
            case _:
                self._dialogue.handle(event, now)

    def _button(self, now: float) -> None:
        if self._ringer.audible:
            self._ringer.stop("button")
        elif self._announcements.audible:
            self._announcements.stop("the button")
        elif self.state is State.IDLE and self._muted:
            self._emit(OpenMicrophone())
        elif self.state is not State.IDLE or self._may_listen():
            self._dialogue.advance(TurnTrigger.BUTTON, now)

    def _listen(self, number: int, now: float) -> RequestAnswered:
        if self._muted:
            reason = f"the microphone is closed: {self._why_muted or 'the mute switch is on'}"
            return RequestAnswered(number, RequestRefusal.MUTED, reason)
        if self._without_card:
            return RequestAnswered(number, RequestRefusal.NO_CARD, self._without_card)
        if refused := self._dialogue.connection.refused:
            return RequestAnswered(number, RequestRefusal.SERVER, refused)
        self._ringer.stop("command")
        self._announcements.interrupt("a command")
        if self._group is not None:
            self._group.commit()
        self._dialogue.advance(TurnTrigger.LISTEN_COMMAND, now)
        return RequestAnswered(number)

    def _stop(self, now: float) -> None:
        self._ringer.stop("command")
        self._announcements.stop("a command")
        self._dialogue.stop(now)

    def _play_startup_sound(self, now: float) -> None:
        if self._without_card:
            return
        self._player.play(earcons.greeting())
        if not self._muted:
            self._front_end.calibrate(level_dbfs(earcons.greeting()), now)

    def _mute(self, muted: bool, reason: str, now: float) -> None:
        self._why_muted = reason
        if muted and self._muted:
            return  # only the reason has changed
        self._muted = muted
        self._emit(LogEvent("mute", {"muted": muted}))
        if muted:
            self._front_end.closed()
        self._dialogue.mute(muted, now)
        if muted and self._ringer.audible:
            self._ringer.resume(now)
        if not self._without_card:
            self._cues.play_now(Cue.MUTED if muted else Cue.UNMUTED)

    # --- one period -------------------------------------------------------------------

    def tick(self, period: MicPeriod, now: float) -> TickResult:
        """One period of microphone in, the loudspeaker's next frames and all effects out.

        `now`: the end of the period, in monotonic seconds. The tick that hears the user is
        the tick that silences the loudspeaker.
        """
        self._player.heard(period.queued_frames)
        if period.xruns:
            self._monitor.xruns(period.xruns, now)
        talking = self.state in (State.SPEAKING, State.BARGE_IN)
        outside = self._ringer.audible or self._announcements.audible
        if self._group is not None:
            others_speak = self._group.others_speak(now)
            self._front_end.others_speak = self._dialogue.others_speak = others_speak
        sounding, attentive = talking or outside, self.state is not State.IDLE or outside
        result = self._front_end.listen(period.frames, now, speaking=sounding, attentive=attentive)
        if result is not None:
            self._perceive(result, now)
        self._dialogue.poll(now)
        self._ring(now)
        self._loudness.ringing(self._ringer.audible)
        self._announce(now)
        if self._group is not None:
            self._arbitrate(self._group, now)
        return self._step(now)

    def _perceive(self, result: FrontEndResult, now: float) -> None:
        self._dialogue.begin_period(result.heard)
        if result.keyword is not None:
            called = self._ringer.audible or self._announcements.audible
            self._ringer.stop("wake word")
            self._announcements.interrupt("the wake word")
            if self._may_listen() and self._claims(result.keyword, called, now):
                self._dialogue.wake_word(result.keyword, now)
        if result.stop_word:
            self._stop_word(now)
        if not self._dialogue.settle(result, now) and result.decision is not None:
            self._decide(result.decision, now)
        if self._ringer.audible:
            self._ringer.listen(result.speech is SpeechBoundary.ENDED, now)
        self._monitor.report(result, now)
        self._dialogue.end_period(result, now)

    def _claims(self, keyword: str, called: bool, now: float) -> bool:
        """Whether the wake word is this speaker's, as far as is known by now; `called`: the word
        ends an alarm or a text of this speaker."""
        if self._group is None or keyword in STOP_WORDS:
            return True
        firm = called or self.state is not State.IDLE
        level_dbfs = wake_level_dbfs(self._front_end.recent(LOOKS_BACK_MS))
        ruling = self._group.wake_word(level_dbfs, now, firm=firm)
        if ruling is Ruling.HOLD:
            self._dialogue.hold()
        if ruling is Ruling.STAND_DOWN:
            self._effects += self._group.stood_down(now)
        return ruling is not Ruling.STAND_DOWN

    def _arbitrate(self, group: GroupMember, now: float) -> None:
        speaks = self.state in (State.SPEAKING, State.BARGE_IN) or self._announcements.audible
        ruling = group.poll(now, self.state, audible=speaks)
        if ruling is Ruling.STAND_DOWN:
            self._dialogue.advance(TurnTrigger.STOOD_DOWN, now)
            self._effects += group.stood_down(now)
        elif not group.holding:
            self._dialogue.release(now)

    def _stop_word(self, now: float) -> None:
        if self._ringer.audible:
            self._ringer.stop("stop word")
        elif self._announcements.audible:
            self._announcements.stop("the stop word")
        else:
            self._dialogue.stop_word(now)

    def _decide(self, decision: BargeInDecision, now: float) -> None:
        self._emit(log_events.of_decision(decision, now))
        if self._ringer.audible:
            self._ringer.judged(decision, now)
        else:
            self._dialogue.decide(decision.decision, now)

    def _may_listen(self) -> bool:
        """Whether a turn may begin. A refused key makes every turn useless: the user hears that
        at once. A server that refuses for now is tried again by the turn."""
        if self._muted or self._without_card:
            return False
        if self._dialogue.connection.refused:
            self._cues.play(Cue.ERROR)
            return False
        return True

    def _ring(self, now: float) -> None:
        if self._without_card:
            return  # the alarm waits for the card
        if self.state is State.IDLE:
            self._ringer.ring(now)
        elif self._alarm_sound.impatient(now):
            self._dialogue.advance(TurnTrigger.ALARM_DUE, now)

    def _announce(self, now: float) -> None:
        quiet = self.state is State.IDLE and not self._ringer.audible
        self._announcements.poll(now, free=quiet, without_card=self._without_card)

    def _step(self, now: float) -> TickResult:
        dropped, playback = self._player.next()
        if dropped is not None:
            self._front_end.dropped(dropped)
        self._front_end.written(playback)
        if self._monitor.take_faults() and self._ringer.audible and not self._front_end.deciding:
            self._ringer.resume(now)  # the decision about a hold failed with its part
        self._dialogue.count_problems(now)
        self._show(now)
        self._dialogue.flush()
        effects, self._effects = self._effects, []
        return TickResult(dropped is not None, playback, effects, self.state)

    def _show(self, now: float) -> None:
        dialogue, connection = self._dialogue, self._dialogue.connection
        idle = dialogue.state is State.IDLE
        inputs = IndicatorInputs(  # with names of the fields, this takes twice as long
            self._muted,
            self._why_muted,
            self._without_card,
            self._ringer.audible,
            connection.refused or (connection.put_off if idle else ""),
            connection.missed,
            State.SPEAKING if self._announcements.audible else dialogue.state,
            dialogue.runs_dry(now),
            dialogue.remark,
            self._front_end.deaf,
            self._monitor.impaired or dialogue.impaired,
        )
        if inputs == self._inputs:
            return
        self._inputs = inputs
        indication = indicator.select_indication(inputs)
        if indication != self._indication:
            self._indication = indication
            self._emit(indication)

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)
