"""Recognizes "stop", and longer commands, while an alarm rings: offline, whatever the server."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from parleyd.core.events import AlarmCommandRecognized, InputEvent, RecognizeAlarmCommand
from parleyd.embedded import grammar
from parleyd.embedded.worker import RecognitionWorker
from parleyd.hearing import alarm_stop
from parleyd.skills.timers import Timers
from parleyd.system.tasks import failed

STOPS = ("stop", "cancel_timer", "cancel_all")  # "stop", "be quiet"; "turn off the alarm", ...

log = logging.getLogger(__name__)


class AlarmCommandListener:
    """Recognizes on the event loop; its process (30 MB) runs while an alarm rings."""

    def __init__(self, post: Callable[[InputEvent], None], timers: Timers) -> None:
        """`timers`: what rings, and what else such a command may be about."""
        self._post, self._timers = post, timers
        self._worker = RecognitionWorker()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """An alarm begins to ring: start the recognizer. Returns at once."""
        self._begin(self._prepare())

    def recognize(self, command: RecognizeAlarmCommand) -> None:
        """Post `AlarmCommandRecognized` soon. Returns at once."""
        self._begin(self._recognize(command))

    def rest(self) -> None:
        """No alarm rings any more. Returns at once."""
        self._resting = self._begin(self._worker.close())

    async def close(self) -> None:
        """End all tasks and the process; at the end of a configuration."""
        for task in self._tasks:
            if task is not self._resting:  # or its process would remain
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._worker.close()

    async def _prepare(self) -> None:
        heard = await self._worker.recognize(b"")
        if heard.failed:
            log.warning("an alarm can be stopped by button and wake word only: %s", heard.failed)

    async def _recognize(self, command: RecognizeAlarmCommand) -> None:
        frames, meant = command.frames, command.ring_ids
        stop = await asyncio.to_thread(alarm_stop.is_stop, frames, command.in_vain)
        if not stop:
            heard = await self._worker.recognize(frames.tobytes())
            found = grammar.match(heard.words)
            if found is not None and found[0] in STOPS:
                ends = await self._ends(found[1].get("label", ""), meant)
                stop, meant = bool(ends), ends or meant
        self._post(AlarmCommandRecognized(stop, meant))

    async def _ends(self, name: str, ring_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Return those of the alarms that a command with this name ends, all if it has none.

        "Cancel the pasta timer" means the pasta: it may ring beside others, or not ring yet, and is
        cancelled then. If no timer has the name, those that ring without one are meant.
        """
        if not name:
            return ring_ids
        names = {alarm.id: alarm.name for alarm in self._timers.ringing(ring_ids)}
        called = tuple(number for number, own in names.items() if _singular(own) == _singular(name))
        if called:
            return called
        waiting = [
            a.name for a, _ in self._timers.waiting() if _singular(a.name) == _singular(name)
        ]
        if not waiting:
            return tuple(number for number in ring_ids if not names.get(number))
        try:
            log.info("while another rings: %s", await self._timers.cancel_timers(waiting[0]))
        except ValueError as error:  # several have the name
            log.info("while another rings: %s", error)
        return ()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failed(task)


def _singular(name: str) -> str:
    """The recogniser may take eggs for an egg."""
    return name.lower().rstrip("s")
