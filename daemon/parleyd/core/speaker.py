"""The core: one object that owns all state of a conversation and does no I/O.

`handle` takes an event, `tick` takes one period of the sound card; all effects come out of
`tick`, as one `Step`. One thread calls both. The same inputs give the same outputs: the
simulated room and the audio thread drive the same object.
"""

from collections.abc import Sequence

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.core import indicator, log_events
from parleyd.core.alarm_ringer import Bell
from parleyd.core.alarm_sound import Ringing
from parleyd.core.dialogue import Dialogue
from parleyd.core.events import (
    ButtonPressed,
    CardBack,
    CardLost,
    Effect,
    Greet,
    Happening,
    MicPeriod,
    MuteSwitched,
    Note,
    OpenMicrophone,
    Ring,
    SetVolume,
    Show,
    Step,
    Understood,
    WakeRenewed,
)
from parleyd.core.hearing_monitor import HearingMonitor
from parleyd.core.indicator import Situation
from parleyd.core.states import State
from parleyd.core.turn import Event
from parleyd.hearing import HeardPeriod
from parleyd.hearing.barge_in import BargeInDecision
from parleyd.hearing.echo_path import EchoMemory
from parleyd.hearing.endpointing import Speech
from parleyd.hearing.front_end import Ears, Percept
from parleyd.playback import earcons
from parleyd.playback.lead import Lead
from parleyd.playback.reply_player import Mouth
from parleyd.realtime.events import Json
from parleyd.wake import WakeEngine


class Speaker:
    """One smart speaker: connects hearing, playback, dialogue, alarms and light."""

    def __init__(
        self,
        settings: config.Config,
        wake: WakeEngine | None,
        tools: Sequence[Json] = (),
        memory: EchoMemory | None = None,
    ) -> None:
        """`tools`: declarations of functions. `memory`: the echo path from before a restart."""
        lead = Lead(settings.audio.lead_ms)
        self._ears = Ears(settings, wake, lead)
        if memory is not None:
            self._ears.remember(memory)
        self.heard: HeardPeriod | None = None
        """The result of hearing for the newest period; None while the microphone is closed."""
        self._effects: list[Effect] = []
        self._mouth = Mouth(settings, lead)
        self._monitor = HearingMonitor(self._ears, lead, self._emit)
        self._dialogue = Dialogue(
            settings, self._ears, self._mouth, self._monitor, tools, self._emit
        )
        self._ringing = Ringing(settings.skills.ring_min * 60)
        self._bell = Bell(self._ringing, self._mouth, self._ears, self._emit)
        self._muted = False
        self._why_muted = ""
        self._without_card = ""  # why there is none
        self._shown: Show | None = None

    @property
    def state(self) -> State:
        """Where the turn is; what users see (mute, offline) comes as `Show`."""
        return self._dialogue.state

    @property
    def memory(self) -> EchoMemory | None:
        """The learnt echo path; None while too little was heard."""
        return self._ears.memory()

    @property
    def awaiting_server(self) -> bool:
        """The server owes an answer, or the rest of one: real time must pass."""
        return self._dialogue.awaiting_server

    @property
    def buffered_ms(self) -> int:
        """How much of a reply waits to be played."""
        return self._mouth.buffered_ms

    # --- events -----------------------------------------------------------------------

    def handle(self, event: Happening, now: float) -> None:
        """Take one event; its effects come out of the next `tick`."""
        match event:
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
                self._dialogue.advance(Event.CARD_LOST, now)
                self._mouth.give_up()  # half an earcon on the next card would confuse
            case CardBack():
                self._without_card = ""
                self._ears.reopened(now)
            case SetVolume(percent):
                self._mouth.set_volume(percent)
                self._monitor.volume_changed(percent)
            case Ring():
                self._note("ring")
                self._ringing.add(event, now)
            case Understood(stop):
                self._bell.understood(stop, now)
            case WakeRenewed(engine):
                self._ears.renew_wake_engine(engine)
            case _:
                self._dialogue.handle(event, now)

    def _button(self, now: float) -> None:
        if self._bell.audible:
            self._bell.stop("button")
        elif self.state is State.IDLE and self._muted:
            self._emit(OpenMicrophone())
        elif self.state is not State.IDLE or self._may_listen():
            self._dialogue.advance(Event.BUTTON, now)

    def _greet(self, now: float) -> None:
        if self._without_card:
            return
        self._mouth.play(earcons.greeting())
        if not self._muted:
            self._ears.calibrate(level_dbfs(earcons.greeting()), now)

    def _mute(self, muted: bool, reason: str, now: float) -> None:
        self._why_muted = reason
        if muted and self._muted:
            return  # only the reason has changed
        self._muted = muted
        self._note("mute", muted=muted)
        if muted:
            self._ears.closed()
        self._dialogue.mute(muted, now)
        if muted and self._bell.audible:
            self._bell.resume(now)

    # --- one period -------------------------------------------------------------------

    def tick(self, period: MicPeriod, now: float) -> Step:
        """One period of microphone in, the loudspeaker's next frames and all effects out.

        `now`: the end of the period, in monotonic seconds. The tick that hears the user is
        the tick that silences the loudspeaker.
        """
        self._mouth.heard(period.queued_frames)
        if period.xruns:
            self._monitor.xruns(period.xruns, now)
        talking = self.state in (State.SPEAKING, State.BARGE_IN)
        sounding = talking or self._bell.audible
        attentive = self.state is not State.IDLE or self._bell.audible
        percept = self._ears.listen(period.frames, now, speaking=sounding, attentive=attentive)
        self.heard = percept.heard if percept is not None else None
        if percept is not None:
            self._perceive(percept, now)
        self._dialogue.poll(now)
        self._ring(now)
        return self._step(now)

    def _perceive(self, percept: Percept, now: float) -> None:
        self._dialogue.begin_period(percept.heard)
        if percept.keyword is not None:
            self._bell.stop("wake word")
            if self._may_listen():
                self._dialogue.wake_word(percept.keyword, now)
        if not self._dialogue.settle(percept, now) and percept.decision is not None:
            self._decide(percept.decision, now)
        if self._bell.audible:
            self._bell.overhear(percept.speech is Speech.ENDED, now)
        self._monitor.report(percept, now)
        self._dialogue.end_period(percept, now)

    def _decide(self, decision: BargeInDecision, now: float) -> None:
        self._emit(log_events.of_decision(decision, now))
        if self._bell.audible:
            self._bell.judged(decision, now)
        else:
            self._dialogue.decide(decision.kind, now)

    def _may_listen(self) -> bool:
        """Whether a turn may begin. A refused key makes every turn useless: the user hears that
        at once. A server that refuses for now is tried again by the turn."""
        if self._muted or self._without_card:
            return False
        if self._dialogue.line.refused:
            self._mouth.play(earcons.sorry())
            return False
        return True

    def _ring(self, now: float) -> None:
        if self._without_card:
            return  # the alarm waits for the card
        if self.state is State.IDLE:
            self._bell.ring(now)
        elif self._ringing.impatient(now):
            self._dialogue.advance(Event.ALARM_DUE, now)

    def _step(self, now: float) -> Step:
        dropped, playback = self._mouth.next()
        if dropped is not None:
            self._ears.dropped(dropped)
        self._ears.written(playback)
        if self._monitor.take_faults() and self._bell.audible and not self._ears.deciding:
            self._bell.resume(now)  # the decision about a hold failed with its part
        self._dialogue.count_troubles(now)
        self._show(now)
        self._dialogue.flush()
        effects, self._effects = self._effects, []
        return Step(dropped is not None, playback, effects, self.state)

    def _show(self, now: float) -> None:
        dialogue, line = self._dialogue, self._dialogue.line
        idle = dialogue.state is State.IDLE
        situation = Situation(
            muted=self._muted,
            why_muted=self._why_muted,
            without_card=self._without_card,
            ringing=self._bell.audible,
            refused=line.refused or (line.put_off if idle else ""),
            offline=line.missed,
            turn=dialogue.state,
            dry=dialogue.runs_dry(now),
            remark=dialogue.remark,
            deaf=self._ears.deaf,
            impaired=self._monitor.impaired,
        )
        shown = indicator.shown(situation)
        if shown != self._shown:
            self._shown = shown
            self._emit(shown)

    def _note(self, name: str, **fields: object) -> None:
        self._emit(Note(name, fields))

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)
