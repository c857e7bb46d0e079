"""All skills of the daemon, built in or the user's, and their timers."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from parleyd import config
from parleyd.app.alarm_command import AlarmCommandListener
from parleyd.app.announcer import Announcer
from parleyd.app.answer_listener import AnswerListener
from parleyd.core.events import AlarmDue, InputEvent, QuietHoursChanged, SetVolume
from parleyd.skills import Skill, conversation, skills_of
from parleyd.skills.alarms import Alarm, ClockReading
from parleyd.skills.built_in import BUILT_IN
from parleyd.skills.loading import load
from parleyd.skills.mute import Holder, Mute
from parleyd.skills.registry import FunctionSource, SkillRegistry
from parleyd.skills.store import Kept, SavedVolume, Store
from parleyd.skills.timers import Timers, spoken
from parleyd.skills.volume import Volume
from parleyd.units import Frames

LOOK_S = 0.25  # between checks of the timers
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = logging.getLogger(__name__)


class SkillRuntime:
    """The skills of one configuration, on the event loop.

    `close_microphone` is called to close (True) or open the capture device; a caller that
    reads `mute.muted` at each period needs no call. `mute`: the one of the configuration
    before, which knows a change that could not be written.
    """

    def __init__(
        self,
        settings: config.Config,
        store: Store,
        post: Callable[[InputEvent], None],
        close_microphone: Callable[[bool], None] = lambda closed: None,
        mute: Mute | None = None,
    ) -> None:
        self._settings = settings
        self._post = post
        self._store = store
        self._announcer = Announcer()
        self._speaking = asyncio.Lock()  # the voice takes one text at a time
        self._saver = ThreadPoolExecutor(1, "state")  # one: changes are written in order
        self._saving: set[Future[None]] = set()
        percent = _volume(store.latest.loudness, settings.audio.volume)
        self.volume = Volume(percent, self._set_volume, settings.audio.quiet_volume)
        """The last volume, over restarts, unless the configuration has changed since."""
        self.timers = Timers(store.latest.alarms, _now, self._keep_alarms)
        self.alarm_listener = AlarmCommandListener(post, self.timers, self.speak)
        self.answer_listener = AnswerListener(post)
        self.mute = mute if mute is not None else _mute_of(store.kept, close_microphone)
        self.mute.keep = self._keep_mute

    async def book(
        self, own: Sequence[Skill] | None = None, more: FunctionSource | None = None
    ) -> SkillRegistry:
        """The functions that the model may call; `own`: the user's, loaded here if not given."""
        built_in = [
            *skills_of(self.volume),
            *skills_of(self.mute),
            *skills_of(self.timers),
            *skills_of(conversation),
        ]
        if own is None:
            own = await load(Path(self._settings.skills.folder), BUILT_IN)
        return SkillRegistry([*built_in, *own], self._settings.skills.timeout_s, more)

    async def run(self) -> None:
        """Ring due alarms, and open the microphone when its time is over, until cancelled."""
        while True:
            for alarm in self.timers.take_due():
                words = await self._words(alarm)
                self.alarm_listener.prepare()
                self._post(AlarmDue(alarm.name, alarm.id, words))
            self.mute.look()
            await self.timers.save()
            await asyncio.sleep(LOOK_S)

    async def speak(self, text: str) -> Frames | None:
        """The text in the offline voice: int16 at 24 kHz; None if the voice is missing."""
        async with self._speaking:
            return await asyncio.to_thread(self._announcer.say, text)

    async def _words(self, alarm: Alarm) -> Frames | None:
        try:
            return await self.speak(spoken(alarm))
        except Exception:  # the rim of the synthesizer: an alarm rings, with words or without
            log.exception("the alarm rings without words")
            return None

    def quiet_hours(self, quiet: bool) -> None:
        """The quiet hours of the home have begun, or are over: the volume is another."""
        self.volume.quiet_hours(quiet)
        self._post(QuietHoursChanged(quiet))

    def alarm_dismissed(self, ids: Sequence[int]) -> None:
        """These alarms have rung and are over, and no other rings."""
        self.timers.stopped(ids)
        self.alarm_listener.rest()

    async def settle(self) -> None:
        """Wait until all state is written; at the end of a configuration."""
        await self.alarm_listener.close()
        await self.answer_listener.close()
        await asyncio.gather(*map(asyncio.wrap_future, tuple(self._saving)))
        await self.timers.save()

    def _keep_alarms(self, alarms: Sequence[Alarm]) -> None:
        self._store.keep(alarms=tuple(alarms))

    def _set_volume(self, percent: int) -> None:
        self._post(SetVolume(percent))
        configured = self._settings.audio.volume
        day = self.volume.day_percent
        self._keep_soon(loudness=SavedVolume(percent=day, configured=configured))

    def _keep_mute(self, until: float) -> None:
        self._keep_soon(
            muted_until=until,
            muted_for_s=self.mute.asked_s,
            muted_boot=_boot() if until else "",
            muted_ends_s=self.mute.ends or 0.0,
            home_until=until if self.mute.only_home else 0.0,
        )

    def _keep_soon(self, **changes: Any) -> None:
        saving = self._saver.submit(self._keep, **changes)
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)

    def _keep(self, **changes: Any) -> None:
        try:
            self._store.keep(**changes)
        except OSError as error:
            log.warning("a change would not survive a restart: %s", error)


def _mute_of(kept: Kept, close_microphone: Callable[[bool], None]) -> Mute:
    """The saved state; within one boot of the machine, a change of its clock has no effect."""
    same_boot = bool(kept.muted_boot) and kept.muted_boot == _boot()
    ends_s = kept.muted_ends_s  # an end before the request shows a damaged file
    by_home = 0 < kept.home_until == kept.muted_until
    has_end = ends_s > 0 and ends_s >= kept.muted_for_s
    return Mute(
        until=kept.muted_until,
        apply=close_microphone,
        clock=lambda: time.time(),
        elapsed=_since_boot,
        asked_s=kept.muted_for_s,
        ends=ends_s if same_boot and has_end else None,
        by=Holder.HOME if by_home else Holder.PERSON,
    )


def _boot() -> str:
    """The kernel's name for this boot; "" where it has none."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _volume(kept: SavedVolume | None, configured: int) -> int:
    return configured if kept is None or kept.configured != configured else kept.percent


def _now() -> ClockReading:
    time.tzset()  # the owner may have changed the time zone
    return ClockReading(time.time(), _since_boot(), _boot())
