"""The dispatcher: hands each effect of the core to the function that acts on it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from parleyd.app.announcer import Announcer
from parleyd.app.effect_log import log_fault, log_note
from parleyd.core.events import (
    CallSkill,
    Connect,
    Effect,
    Happening,
    Learnt,
    Note,
    OpenMicrophone,
    Reconnect,
    RecordTurn,
    Renew,
    ReportXruns,
    RingStopped,
    Send,
    Show,
    SkillDone,
    Speak,
    Spoken,
    Understand,
)
from parleyd.hearing.fuse import Fault
from parleyd.realtime.connection import Link
from parleyd.skills.registry import SkillBook
from parleyd.system.tasks import failed

log = logging.getLogger(__name__)

Handlers = Mapping[type[Any], Callable[[Any], None]]
"""For each type of effect the function that acts on it."""


class EffectHost:
    """The handlers that differ between the daemon and the simulation.

    Each is called on the event loop and returns at once. Here notes and faults are logged and
    all else is ignored.
    """

    def note(self, note: Note) -> None:
        """Write a line of the log."""
        log_note(note)

    def fault(self, fault: Fault) -> None:
        """A part of hearing failed."""
        log_fault(fault)

    def show(self, show: Show) -> None:
        """Show this to people."""

    def understand(self, understand: Understand) -> None:
        """Recognize a command that was spoken into a ringing alarm; post `Understood`."""

    def ring_stopped(self, stopped: RingStopped) -> None:
        """These alarms are over."""

    def open_microphone(self, opening: OpenMicrophone) -> None:
        """End the time for which the user closed the microphone."""

    def keep_echo_path(self, learnt: Learnt) -> None:
        """Save this over a restart."""

    def record_turn(self, turn: RecordTurn) -> None:
        """Save the recording of the turn that has ended."""

    def report_xruns(self, xruns: ReportXruns) -> None:
        """Count lost sound, log it and show it in the status."""


class Switchboard:
    """Dispatches effects, on the event loop.

    `post` hands an event to the core, wherever that runs.
    """

    def __init__(
        self,
        link: Link,
        skills: SkillBook,
        post: Callable[[Happening], None],
        host: EffectHost,
        announcer: Announcer | None = None,
    ) -> None:
        self._link = link
        self._skills = skills
        self._post = post
        self._announcer = announcer or Announcer()
        self._tasks: set[asyncio.Task[None]] = set()
        self.handlers: Handlers = {
            Send: self._send,
            Reconnect: self._reconnect,
            Renew: self._renew,
            Connect: self._connect,
            CallSkill: self._call_skill,
            Speak: self._speak,
            Show: host.show,
            Note: host.note,
            Fault: host.fault,
            Understand: host.understand,
            RingStopped: host.ring_stopped,
            OpenMicrophone: host.open_microphone,
            Learnt: host.keep_echo_path,
            RecordTurn: host.record_turn,
            ReportXruns: host.report_xruns,
        }

    def carry(self, effects: Sequence[Effect]) -> None:
        """Act on effects, in order; returns at once."""
        for effect in effects:
            self.handlers[type(effect)](effect)

    # --- the connection -----------------------------------------------------------------

    def _send(self, send: Send) -> None:
        self._link.send(send.event)

    def _reconnect(self, reconnect: Reconnect) -> None:
        self._link.reconnect(reconnect.reason, fatal=reconnect.fatal, later=reconnect.later)

    def _renew(self, renew: Renew) -> None:
        self._link.renew(renew.reason)

    def _connect(self, connect: Connect) -> None:
        self._link.want(connect.wanted)

    # --- skills and the offline voice ---------------------------------------------------

    def _call_skill(self, call: CallSkill) -> None:
        self._begin(self._run_skill(call))

    async def _run_skill(self, call: CallSkill) -> None:
        outcome = await self._skills.call(call.name, call.arguments)
        self._post(SkillDone(call.call_id, outcome.output, outcome.then))

    def _speak(self, speak: Speak) -> None:
        self._begin(self._synthesize(speak))

    async def _synthesize(self, speak: Speak) -> None:
        frames = None
        try:
            frames = await asyncio.to_thread(self._announcer.say, speak.words)
        except Exception:  # the voice is native code; without it the answer is no
            log.exception("the offline voice failed")
        self._post(Spoken(speak.number, frames))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failed(task)
