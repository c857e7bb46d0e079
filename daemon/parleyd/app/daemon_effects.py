"""The daemon's handlers of effects: lights, status line, skills and files."""

import logging
import time

from parleyd.app.control_desk import ControlDesk
from parleyd.app.echo_path_file import EchoPathFile
from parleyd.app.effect_dispatcher import EffectHost
from parleyd.app.service_status import ServiceStatus
from parleyd.app.skill_runtime import SkillRuntime
from parleyd.app.threads import in_background
from parleyd.app.turn_recorder import TurnRecorder
from parleyd.app.wake_engines import WakeEngines
from parleyd.app.wake_levels_file import WakeLevelsFile
from parleyd.core.events import (
    AlarmDismissed,
    EchoPathLearned,
    OpenMicrophone,
    OwnSpeech,
    RecognizeAlarmCommand,
    RecognizeAnswer,
    RecordTurn,
    ReportXruns,
    RequestAnswered,
    Show,
    WakeClaimed,
    WakeLevelsLearned,
)
from parleyd.hearing.front_end import WAKE_ENGINE
from parleyd.hearing.fuse import ComponentFault
from parleyd.lights.player import LightPlayer

log = logging.getLogger("parleyd")


class DaemonEffects(EffectHost):
    """Hands effects to the parts of one configuration. On the event loop; returns at once."""

    def __init__(
        self,
        status: ServiceStatus,
        skills: SkillRuntime,
        engines: WakeEngines,
        echo_path_file: EchoPathFile,
        lights: LightPlayer | None,
        recorder: TurnRecorder | None,
        desk: ControlDesk,
        wake_levels_file: WakeLevelsFile,
    ) -> None:
        """Without `lights` or a `recorder`, their effects are ignored."""
        self._desk, self._wake_levels_file = desk, wake_levels_file
        self._status, self._skills, self._engines = status, skills, engines
        self._echo_path_file, self._lights, self._recorder = echo_path_file, lights, recorder

    def show(self, show: Show) -> None:
        """Set the status line and the lights."""
        self._status.show(show)
        if self._lights is not None:
            self._lights.show(show.indication)

    def request_answered(self, answered: RequestAnswered) -> None:
        """Answer the program that made this request."""
        self._desk.requests.answered(answered)

    def share_claim(self, claimed: WakeClaimed) -> None:
        """Publish it at the control socket, where `parley mqtt` takes it to the broker."""
        self._desk.events.share_claim(claimed)

    def share_speech(self, speech: OwnSpeech) -> None:
        """As `share_claim`."""
        self._desk.events.share_speech(speech)

    def keep_wake_levels(self, learned: WakeLevelsLearned) -> None:
        """Save them on a worker thread."""
        in_background(self._wake_levels_file.save, learned.levels)

    def fault(self, fault: ComponentFault) -> None:
        """Log it, and load another wake-word engine: the core, which reads no files, cannot."""
        super().fault(fault)
        if fault.part == WAKE_ENGINE:
            in_background(self._engines.renew)

    def recognize_alarm_command(self, recognize: RecognizeAlarmCommand) -> None:
        """Recognize the command in a process beside this one."""
        self._skills.alarm_listener.recognize(recognize)

    def recognize_answer(self, asked: RecognizeAnswer) -> None:
        """Recognize the answer in a process beside this one."""
        self._skills.answer_listener.recognize(asked)

    def alarm_dismissed(self, stopped: AlarmDismissed) -> None:
        """Take the alarms off the list of those that ring."""
        self._skills.alarm_dismissed(stopped.ring_ids)

    def open_microphone(self, opening: OpenMicrophone) -> None:
        """End the time for which the user closed the microphone; the switch may keep it closed."""
        self._skills.mute.reopen()

    def keep_echo_path(self, learned: EchoPathLearned) -> None:
        """Save it on a worker thread."""
        in_background(self._echo_path_file.save, learned.echo_path)

    def record_turn(self, turn: RecordTurn) -> None:
        """Save the turn on a worker thread, if `log.record_turns` asks for recordings."""
        if self._recorder is not None:
            in_background(_save, self._recorder)

    def report_xruns(self, xruns: ReportXruns) -> None:
        """Count them over reloads."""
        self._status.add_xruns(xruns.count, time.monotonic())


def _save(recorder: TurnRecorder) -> None:
    try:
        log.info("turn kept in %s", recorder.save())
    except OSError as error:
        log.warning("the turn could not be kept (%s): check the state directory", error)
