"""The daemon: signals, the service manager, and one configuration after the other."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
from enum import Enum, auto
from pathlib import Path

from parleyd import config
from parleyd.app import preflight, start_report
from parleyd.app.assembly import Assembly, ProcessState, assembled
from parleyd.app.control_desk import ControlDesk
from parleyd.app.preflight import Parts, Running
from parleyd.app.service_status import ServiceStatus
from parleyd.control.place import own_place
from parleyd.errors import ConfigError, ParleyError
from parleyd.host.systemd import Notifier
from parleyd.skills.loading import Loaded
from parleyd.skills.store import Store
from parleyd.system import atomic_file
from parleyd.system.paths import state_folder
from parleyd.system.repeats import MOST_LISTED, ONE_OF_A_LIST

SWITCH_S = 0.0005  # of threads; Python's own 5 ms, times four busy skills, are two periods

log = logging.getLogger("parleyd")


class _End(Enum):
    """Why a configuration ended."""

    STOP = auto()
    RELOAD = auto()
    FAILED = auto()


class Daemon:
    """The process, from its start to its end."""

    def __init__(
        self, path: Path | None, settings: config.Config, patient: bool, metered: bool = False
    ) -> None:
        """`patient`: without a sound card, wait for one instead of ending."""
        self._path = path
        self._settings = settings
        self._patient = patient
        self._metered = metered
        self._notifier = Notifier()
        self._status = ServiceStatus(self._notifier)
        self._end: asyncio.Future[_End]
        self._stopped = False  # for good: a reload that is under way changes nothing of it
        self._assembly: Assembly | None = None
        self._loaded = Loaded()  # the user's skills as they run
        self._good: config.Config | None = None  # has run; a reload that fails returns to it
        self._new: Parts | None = None  # of the configuration that comes next
        self._had_card = False  # when the newest reload began
        self._reading: asyncio.Task[None] | None = None
        self._read_once_more = False  # SIGHUP came while the file was read

    async def run(self) -> int:
        """Serve until a signal ends it; returns the exit status.

        Raises `ParleyError` where another process uses the same state folder.
        """
        folder = state_folder(os.environ)
        log.info("%s", start_report.of_process(self._path, folder))
        with atomic_file.held(folder):
            desk = ControlDesk(own_place(os.environ), self._status)
            process = ProcessState(
                notifier=self._notifier,
                status=self._status,
                store=Store(folder / "skills.json"),
                on_failure=self._failed,
                desk=desk,
                metered=self._metered,
            )
            with desk.open():
                return await self._run(process)

    async def _run(self, process: ProcessState) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        while True:
            self._end = loop.create_future()
            end = await self._serve(process)
            if end is None:
                continue
            self._assembly = None
            gc.unfreeze()
            gc.collect()  # the parts refer to each other; soxr reports those that remain at exit
            if self._stopped or end is not _End.RELOAD:
                return 1 if end is _End.FAILED else 0
            logging.getLogger().setLevel(self._settings.log.level.upper())

    async def _serve(self, process: ProcessState) -> _End | None:
        """Serve with the newest configuration; None if it cannot run and an older one did."""
        settings, parts, self._new = self._settings, self._new, None
        required = self._card_is_required(settings.audio)
        async with contextlib.AsyncExitStack() as stack:
            try:
                self._assembly = await stack.enter_async_context(
                    assembled(settings, process, parts, card_required=required)
                )
            except Exception as error:  # the rim of a configuration: the one before still works
                if self._good is None or self._stopped:
                    raise
                _log_mistakes(error)
                await self._go_back()
                return None
            if self._good is not None:
                log.info("configuration reloaded")
            log.info("%s", start_report.of_configuration(settings, os.environ))
            self._good, self._loaded = settings, self._assembly.skills
            self._notifier.ready(self._status.line)
            self._patient = True  # a running speaker is not ended by a reload without card
            end = await self._end
            if end is not _End.RELOAD:
                self._notifier.stopping()
        return end

    def _card_is_required(self, audio: config.AudioConfig) -> bool:
        """Whether a missing card is a mistake.

        A service waits for its card; but a reload that replaces a card that works by another
        must find that one.
        """
        changed = self._good is not None and self._good.audio != audio
        return not self._patient or (changed and self._had_card)

    async def _go_back(self) -> None:
        """To the configuration that ran last, unless a newer one was read meanwhile."""
        good, self._good = self._good, None
        if good is None or self._new is not None:
            return
        parts = await preflight.once_more(good, os.environ, self._loaded)
        if self._new is None:
            self._settings, self._new = good, parts
        else:
            parts.engine.close()

    # --- the ends of a configuration ----------------------------------------------------

    def _stop(self) -> None:
        self._stopped = True
        if self._assembly is not None:
            self._assembly.audio_thread.stop()  # first of all: silence
        self._finish(_End.STOP)

    def _failed(self, error: Exception) -> None:
        log.error("%s", error)
        self._status.fail(error)
        self._finish(_End.FAILED)

    def _reload(self) -> None:
        self._notifier.reloading()
        self._read_once_more = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_again())

    async def _read_again(self) -> None:
        """Make the parts of the new configuration beside those that run; change to it if all
        of them can be made."""
        while self._read_once_more:
            self._read_once_more = False
            try:
                settings, parts = await preflight.load_and_prepare(
                    self._path, os.environ, Running(self._loaded, self._settings.lights)
                )
            except Exception as error:  # the rim: no mistake in a file may end what runs
                _log_mistakes(error)
                self._notifier.ready(self._status.line)
                continue
            if self._new is not None:
                self._new.engine.close()
            self._settings, self._new = settings, parts
            self._had_card = self._assembly is not None and self._assembly.audio_thread.has_card
            self._finish(_End.RELOAD)

    def _finish(self, end: _End) -> None:
        if not self._end.done():
            self._end.set_result(end)


def _log_mistakes(error: Exception) -> None:
    """One line for each mistake; a traceback only for an unforeseen error."""
    if not isinstance(error, ParleyError):
        log.error("configuration not reloaded", exc_info=error)
    problems = error.problems if isinstance(error, ConfigError) else [str(error)]
    for problem in problems[:MOST_LISTED]:
        log.error("configuration not reloaded: %s", problem, extra=ONE_OF_A_LIST)
    if (more := len(problems) - MOST_LISTED) > 0:
        log.error("configuration not reloaded: %d mistakes more, `parley check` has them", more)
