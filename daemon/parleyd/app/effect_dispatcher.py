"""The switchboard: carries the core's effects to whoever acts on them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence

from parleyd.app.announcer import Announcer
from parleyd.core.events import (
    CallSkill,
    Connect,
    Effect,
    Happening,
    Learnt,
    Note,
    OpenMicrophone,
    Reconnect,
    Renew,
    RingStopped,
    Send,
    Show,
    SkillDone,
    Speak,
    Spoken,
    Understand,
)
from parleyd.hearing.echo_path import EchoMemory
from parleyd.hearing.fuse import Fault
from parleyd.realtime.connection import Link
from parleyd.skills.registry import SkillBook
from parleyd.system.tasks import failed
from parleyd.units import Frames

log = logging.getLogger("parleyd.turns")

LOUD_NOTES = dict.fromkeys(
    [
        *("trouble", "ring_full", "xrun", "longer_lead", "half_duplex", "not_heard", "too_loud"),
        "no_sound",
    ],
    logging.WARNING,
)


class Switchboard:
    """Lives on the event loop; `post` hands an event to the core, wherever that runs."""

    def __init__(
        self,
        link: Link,
        skills: SkillBook,
        post: Callable[[Happening], None],
        *,
        on_ring_stopped: Callable[[Sequence[int]], None],
        on_understand: Callable[[Frames], None] = lambda frames: None,
        on_open_microphone: Callable[[], None] = lambda: None,
        on_learnt: Callable[[EchoMemory], None] = lambda memory: None,
        on_fault: Callable[[Fault], None] = lambda fault: None,
        on_show: Callable[[Show], None] = lambda show: None,
        on_note: Callable[[Note], None] | None = None,
        announcer: Announcer | None = None,
    ) -> None:
        self._link = link
        self._skills = skills
        self._post = post
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcer = announcer or Announcer()
        self._on_ring_stopped = on_ring_stopped
        self._on_understand = on_understand
        self._on_open_microphone = on_open_microphone
        self._on_learnt = on_learnt
        self._on_fault = on_fault
        self._on_show = on_show
        self._on_note = on_note or log_note

    def carry(self, effects: Sequence[Effect]) -> None:
        """Act on effects, in order; returns at once."""
        for effect in effects:
            match effect:
                case Send(event):
                    self._link.send(event)
                case Show():
                    self._on_show(effect)
                case Note():
                    self._on_note(effect)
                case CallSkill():
                    self._begin(self._call(effect))
                case Speak():
                    self._begin(self._speak(effect))
                case Understand(frames):
                    self._on_understand(frames)
                case RingStopped(ring_ids):
                    self._on_ring_stopped(ring_ids)
                case OpenMicrophone():
                    self._on_open_microphone()
                case Learnt(memory):
                    self._on_learnt(memory)
                case Fault():
                    log_fault(effect)
                    self._on_fault(effect)
                case Reconnect(reason, fatal, later):
                    self._link.reconnect(reason, fatal=fatal, later=later)
                case Renew(reason):
                    self._link.renew(reason)
                case Connect(wanted):
                    self._link.want(wanted)

    async def _call(self, call: CallSkill) -> None:
        outcome = await self._skills.call(call.name, call.arguments)
        self._post(SkillDone(call.call_id, outcome.output, outcome.then))

    async def _speak(self, speak: Speak) -> None:
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


def log_note(note: Note) -> None:
    """One line for the journal: the note's name, then its numbers, which are fields too."""
    fields = {key: _short(value) for key, value in note.fields.items()}
    log.log(LOUD_NOTES.get(note.name, logging.INFO), note.name, extra={"fields": fields})


def log_fault(fault: Fault) -> None:
    """A part of hearing failed: the traceback once, then a line at 2, 4, 8 ... failures."""
    error = fault.error if not fault.known else None
    if error is None and fault.times & (fault.times - 1):
        return
    fields = {"error": type(fault.error).__name__, "times": fault.times, "means": fault.means}
    line = f"the part {fault.part} failed and was reset"
    log.error(line, exc_info=error, extra={"fields": fields})


def _short(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value
