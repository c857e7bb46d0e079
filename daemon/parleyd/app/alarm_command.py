"""Recognizes "stop", and longer commands, while an alarm rings: offline, whatever the server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import msgspec

from parleyd.core.events import (
    AlarmCommandRecognized,
    InputEvent,
    RecognizeAlarmCommand,
    SpeechRequested,
)
from parleyd.embedded import grammar
from parleyd.embedded.confirmation import confirm
from parleyd.embedded.intents import answer, snooze_arguments
from parleyd.embedded.plans import Call, IntentContext
from parleyd.embedded.recognition import RecognitionResult
from parleyd.embedded.worker import RecognitionWorker
from parleyd.hearing import alarm_stop
from parleyd.skills.alarms import Alarm
from parleyd.skills.timers import Timers
from parleyd.skills.wanted import Wanted
from parleyd.system.tasks import failed
from parleyd.units import Frames

_ALL = ("stop", "ring_off")  # "stop", "be quiet", "turn it off", "I'm awake"
STOPS = (*_ALL, "cancel_timer", "cancel_all", "cancel_at")  # "turn off the alarm", ...
"""Intents that end what rings, if they mean it."""
_UNASKED = 0  # the number of speech without a request

log = logging.getLogger(__name__)


class AlarmCommandListener:
    """Recognizes on the event loop; its process (100 MB) runs while an alarm rings."""

    def __init__(
        self,
        post: Callable[[InputEvent], None],
        timers: Timers,
        speak: Callable[[str], Awaitable[Frames | None]] | None = None,
    ) -> None:
        """`timers`: what rings, and what else such a command may be about.

        `speak`: the offline voice, which confirms a snooze.
        """
        self._post, self._timers, self._speak = post, timers, speak
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
        again = ""
        if not stop:
            heard = await self._worker.recognize(frames.tobytes())
            again = await snoozed(heard, self._timers, meant)
            ends = meant if again else await obey(heard, self._timers, meant)
            stop, meant = bool(ends), ends or meant
        self._post(AlarmCommandRecognized(stop, meant))
        if again and self._speak is not None:
            said = await self._speak(again)
            if said is not None:
                self._post(SpeechRequested(_UNASKED, said))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failed(task)


async def snoozed(heard: RecognitionResult, timers: Timers, ring_ids: tuple[int, ...]) -> str:
    """Let the alarms ring again later if the words ask for it; the confirmation, or ""."""
    intent, slots = grammar.match(heard.words) or ("", {})
    if intent != "snooze":
        return ""
    try:
        told = await timers.snooze_ringing(ring_ids, **snooze_arguments(slots))
    except ValueError as error:
        log.warning("the alarm rings on: %s", error)
        return ""
    return " ".join(confirm("snooze", "", told, timers.local_time))


async def obey(
    heard: RecognitionResult, timers: Timers, ring_ids: tuple[int, ...]
) -> tuple[int, ...]:
    """Return those of the alarms that ring which the words end.

    "Cancel the pasta timer" means the pasta: it may ring beside others, or not ring yet, and is
    cancelled then.
    """
    intent, _ = grammar.match(heard.words) or ("", {})
    if intent not in STOPS:
        return ()
    if intent in _ALL:
        return ring_ids
    tools = frozenset({"cancel_timers"})
    context = IntentContext(timers.local_time, tools, spoken=True, sure=heard.sure)
    plan = answer(heard.words, context)
    call = plan if isinstance(plan, Call) else plan.offer
    if call is None:
        return ()
    wanted = msgspec.convert(call.arguments, Wanted)
    waiting = [alarm for alarm, _ in timers.waiting()]
    ends = ended(wanted, timers.ringing(ring_ids), waiting)
    if wanted.name:  # as it was given, "eggs" for the egg
        names = [alarm.name for alarm in waiting if _fits(wanted, alarm)]
        wanted = msgspec.structs.replace(wanted, name=(names or [wanted.name])[0])
    if not ends and call is plan:  # not a question
        try:
            gone = await timers.cancel_timers(**msgspec.structs.asdict(wanted))
            log.info("while another rings: %s", gone)
        except ValueError as error:
            log.info("while another rings, nothing is cancelled: %s", error)
    return ends


def ended(wanted: Wanted, ringing: Sequence[Alarm], waiting: Sequence[Alarm]) -> tuple[int, ...]:
    """The ids of those that ring which a cancel means; none: it is about others.

    "Alarm" is also said of a timer that rings: one that waits is cancelled by its hour or day only.
    """
    meant = [alarm for alarm in ringing if _fits(wanted, alarm)]
    another = any(_fits(wanted, alarm) for alarm in waiting)
    if not meant and wanted.name and not another:
        meant = [alarm for alarm in ringing if alarm.timer and not alarm.name]
    elif not meant and not wanted.name and not wanted.told:
        meant = [] if another and wanted.kind == "timer" else list(ringing)
    return tuple(alarm.id for alarm in meant)


def _fits(wanted: Wanted, alarm: Alarm) -> bool:
    """The recogniser may take eggs for an egg."""
    replace = msgspec.structs.replace
    return replace(wanted, name=_singular(wanted.name)).fits(
        replace(alarm, name=_singular(alarm.name))
    )


def _singular(name: str) -> str:
    return name.lower().rstrip("s")
