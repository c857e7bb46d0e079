"""The dispatcher: hands each effect of the core to the function that acts on it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from parleyd.app.announcer import Announcer
from parleyd.app.effect_log import log_fault, write_log_event
from parleyd.core.events import (
    AlarmDismissed,
    CallSkill,
    EchoPathLearned,
    Effect,
    InputEvent,
    LogEvent,
    OpenMicrophone,
    OwnSpeech,
    RecognizeAlarmCommand,
    RecognizeAnswer,
    Reconnect,
    RecordTurn,
    RenewConnection,
    ReportXruns,
    RequestAnswered,
    Send,
    SetConnectionWanted,
    Show,
    SkillDone,
    SpeechSynthesized,
    SynthesizeSpeech,
    WakeClaimed,
    WakeLevelsLearned,
)
from parleyd.hearing.fuse import ComponentFault
from parleyd.realtime.connection import RealtimeConnection
from parleyd.skills.registry import SkillRegistry
from parleyd.system.tasks import failed

log = logging.getLogger(__name__)

Handlers = Mapping[type[Any], Callable[[Any], None]]
"""For each type of effect the function that acts on it."""


class EffectHost:
    """The handlers that differ between the daemon and the simulation.

    Each is called on the event loop and returns at once. Here log events and faults are logged and
    all else is ignored.
    """

    def log(self, event: LogEvent) -> None:
        """Write a line of the log."""
        write_log_event(event)

    def fault(self, fault: ComponentFault) -> None:
        """A part of hearing failed."""
        log_fault(fault)

    def show(self, show: Show) -> None:
        """Show this to people."""

    def recognize_alarm_command(self, recognize: RecognizeAlarmCommand) -> None:
        """Recognize a command spoken into a ringing alarm; post `AlarmCommandRecognized`."""

    def recognize_answer(self, asked: RecognizeAnswer) -> None:
        """Recognize the answer to a question for permission; post `AnswerRecognized`."""

    def alarm_dismissed(self, stopped: AlarmDismissed) -> None:
        """These alarms are over."""

    def open_microphone(self, opening: OpenMicrophone) -> None:
        """End the time for which the user closed the microphone."""

    def keep_echo_path(self, learned: EchoPathLearned) -> None:
        """Save this over a restart."""

    def record_turn(self, turn: RecordTurn) -> None:
        """Save the recording of the turn that has ended."""

    def report_xruns(self, xruns: ReportXruns) -> None:
        """Count lost sound, log it and show it in the status."""

    def request_answered(self, answered: RequestAnswered) -> None:
        """Answer the program that made this request."""

    def share_claim(self, claimed: WakeClaimed) -> None:
        """Send the claim to the other speakers of the group."""

    def share_speech(self, speech: OwnSpeech) -> None:
        """Let the other speakers of the group know when this one speaks."""

    def keep_wake_levels(self, learned: WakeLevelsLearned) -> None:
        """Save them over a restart."""


class EffectDispatcher:
    """Dispatches effects, on the event loop.

    `post` hands an event to the core, wherever that runs.
    """

    def __init__(
        self,
        connection: RealtimeConnection,
        skills: SkillRegistry,
        post: Callable[[InputEvent], None],
        host: EffectHost,
        announcer: Announcer | None = None,
    ) -> None:
        self._connection = connection
        self._skills = skills
        self._post = post
        self._announcer = announcer or Announcer()
        self._tasks: set[asyncio.Task[None]] = set()
        self.handlers: Handlers = {
            Send: self._send,
            Reconnect: self._reconnect,
            RenewConnection: self._renew,
            SetConnectionWanted: self._connect,
            CallSkill: self._call_skill,
            SynthesizeSpeech: self._speak,
            Show: host.show,
            LogEvent: host.log,
            ComponentFault: host.fault,
            RecognizeAlarmCommand: host.recognize_alarm_command,
            RecognizeAnswer: host.recognize_answer,
            AlarmDismissed: host.alarm_dismissed,
            OpenMicrophone: host.open_microphone,
            EchoPathLearned: host.keep_echo_path,
            RecordTurn: host.record_turn,
            ReportXruns: host.report_xruns,
            RequestAnswered: host.request_answered,
            WakeClaimed: host.share_claim,
            OwnSpeech: host.share_speech,
            WakeLevelsLearned: host.keep_wake_levels,
        }

    def dispatch(self, effects: Sequence[Effect]) -> None:
        """Act on effects, in order; returns at once."""
        for effect in effects:
            self.handlers[type(effect)](effect)

    # --- the connection -----------------------------------------------------------------

    def _send(self, send: Send) -> None:
        self._connection.send(send.event)

    def _reconnect(self, reconnect: Reconnect) -> None:
        self._connection.reconnect(reconnect.reason, fatal=reconnect.fatal, later=reconnect.later)

    def _renew(self, renew: RenewConnection) -> None:
        self._connection.renew(renew.reason)

    def _connect(self, connect: SetConnectionWanted) -> None:
        self._connection.set_wanted(connect.wanted)

    # --- skills and the offline voice ---------------------------------------------------

    def _call_skill(self, call: CallSkill) -> None:
        self._begin(self._run_skill(call))

    async def _run_skill(self, call: CallSkill) -> None:
        outcome = await self._skills.call(call.name, call.arguments, guarded=call.guarded)
        self._post(SkillDone(call.call_id, outcome.output, outcome.after))

    def _speak(self, speak: SynthesizeSpeech) -> None:
        self._begin(self._synthesize(speak))

    async def _synthesize(self, speak: SynthesizeSpeech) -> None:
        frames = None
        try:
            frames = await asyncio.to_thread(self._announcer.say, speak.words)
        except Exception:  # the voice is native code; without it the answer is no
            log.exception("the offline voice failed")
        self._post(SpeechSynthesized(speak.number, frames))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failed(task)
