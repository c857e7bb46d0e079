"""The page's only connection to the daemon: keeps the newest values, carries out requests."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec import to_builtins

from parleyd.control.client import failure
from parleyd.control.link import ControlLink, linked
from parleyd.control.replies import (
    AnyEvent,
    Code,
    Done,
    EventsDropped,
    Fields,
    LevelsMeasured,
    Logged,
    StateChanged,
    StatusReply,
    TimersReply,
    TurnReported,
    TurnsReply,
    VolumeReply,
)
from parleyd.control.requests import (
    ActRequest,
    StatusRequest,
    SubscribeRequest,
    TimersRequest,
    Topic,
    TurnsRequest,
    VolumeRequest,
)
from parleyd.core.states import Indication
from parleyd.errors import ControlError
from parleyd.page.interruption import InterruptionRecorder
from parleyd.page.viewers import Viewers

RETRY_S = 2.0
LOOK_S = 2.0  # between looks at timers and volume while a page is open; there is no event for them
SHORTEST_S = 0.2  # between two looks, whatever happens
MOST_SHOWN_TURNS = 20
TURN_FIELDS = (
    "turn",
    "begun_by",
    "endpoint_ms",
    "first_delta_ms",
    "first_frame_ms",
    "heard_ms",
    "interrupted",
    "onset_to_hold_ms",
    "onset_to_interrupt_ms",
    "false_interruptions",
)
"""All that leaves of a turn, whatever a later version adds to it."""
_ALWAYS: tuple[Topic, ...] = ("state", "turns", "log")
_ANSWERS = (Indication.THINKING, Indication.SPEAKING, Indication.BARGE_IN)

log = logging.getLogger(__name__)


class SpeakerFeed:
    """Follows the daemon, which may come and go; on the event loop.

    The levels are measured only while a page is open or an answer may be interrupted.
    """

    def __init__(self, viewers: Viewers, environ: Mapping[str, str] = os.environ) -> None:
        self._viewers, self._environ = viewers, environ
        self._link: ControlLink | None = None
        self._stale = viewers.changed
        self._recorder = InterruptionRecorder()
        self._turns: list[Fields] = []
        self._status: dict[str, Any] = {}
        self._problem = "connecting to the daemon"
        self._levels_wanted = False
        self._show_nothing()

    async def ask(self, request: ActRequest) -> Done | VolumeReply:
        """Have a request carried out. Raises `ControlError`."""
        if self._link is None:
            raise failure("no_daemon", self._problem)
        try:
            if isinstance(request, VolumeRequest):
                return await self._link.ask(request, VolumeReply)
            return await self._link.ask(request, Done)
        finally:
            self._stale.set()

    async def run(self) -> None:
        """Follow the daemon until cancelled."""
        away = False
        while True:
            try:
                async with self._linked() as link:
                    log.info("connected to the daemon")
                    away = False
                    await self._follow(link)
            except ControlError as error:
                self._problem = str(error)
                if not away:
                    log.warning("the daemon cannot be reached: %s; trying again and again", error)
                    away = True
            self._show_nothing()
            await asyncio.sleep(RETRY_S)

    @contextlib.asynccontextmanager
    async def _linked(self) -> AsyncIterator[ControlLink]:
        async with linked(self._take, self._environ) as link:
            await link.ask(SubscribeRequest(topics=_ALWAYS), Done)
            turns = await link.ask(TurnsRequest(count=MOST_SHOWN_TURNS), TurnsReply)
            self._turns = [shown_turn(fields) for fields in turns.turns]
            self._viewers.put("turns", self._turns)
            self._link, self._levels_wanted = link, False
            try:
                yield link
            finally:
                self._link = None

    async def _follow(self, link: ControlLink) -> None:
        """Look whenever something may have changed, until the daemon has gone."""
        while True:
            self._stale.clear()
            try:
                await self._look(link)
            except ControlError as error:
                if error.code != Code.RELOADING:
                    raise
                self._stale.set()
            else:
                await self._until_stale()
            await asyncio.sleep(SHORTEST_S)

    async def _look(self, link: ControlLink) -> None:
        status = await link.ask(StatusRequest(), StatusReply)
        self._show({**to_builtins(status), "connected": True, "problem": ""})
        timers = await link.ask(TimersRequest(), TimersReply)
        self._viewers.put("timers", [to_builtins(timer) for timer in timers.timers])
        await self._subscribe(link)

    async def _subscribe(self, link: ControlLink) -> None:
        answers = self._status["indication"] in _ANSWERS
        wanted = self._viewers.open or self._recorder.records or answers
        if wanted != self._levels_wanted:
            topics: tuple[Topic, ...] = (*_ALWAYS, "levels") if wanted else _ALWAYS
            await link.ask(SubscribeRequest(topics=topics), Done)
            self._levels_wanted = wanted
            if not wanted:
                self._viewers.put("levels", {})

    async def _until_stale(self) -> None:
        """Wait for a change, or for the next look if a page is open."""
        looks = self._viewers.open or self._recorder.records
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S if looks else None):
                await self._stale.wait()
        if self._recorder.complete(time.monotonic()):
            self._viewers.put("interruption", self._recorder.picture)

    def _take(self, event: AnyEvent | EventsDropped | None) -> None:
        now, new_picture = time.monotonic(), False
        match event:
            case None | EventsDropped():
                self._stale.set()  # the next look finds out
            case StateChanged():
                self._show({**self._status, **to_builtins(event)})
                self._stale.set()
            case LevelsMeasured():
                self._viewers.put("levels", to_builtins(event))
                new_picture = self._recorder.levels(now, event)
            case TurnReported():
                self._turns = [*self._turns, shown_turn(event.fields)][-MOST_SHOWN_TURNS:]
                self._viewers.put("turns", self._turns)
                new_picture = self._recorder.turn(event.fields)
            case Logged():
                new_picture = self._recorder.log_event(now, event.name, event.fields, time.time())
        if new_picture:
            self._viewers.put("interruption", self._recorder.picture)

    def _show(self, status: dict[str, Any]) -> None:
        self._status = status
        self._viewers.put("status", status)

    def _show_nothing(self) -> None:
        self._show({"connected": False, "problem": self._problem})
        self._viewers.put("levels", {})
        self._viewers.put("timers", [])


def shown_turn(fields: Fields) -> Fields:
    """The fields of a turn that leave by the page."""
    return {name: fields[name] for name in TURN_FIELDS if name in fields}
