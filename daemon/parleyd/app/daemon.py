"""The daemon: puts core and adapters together and keeps them together."""

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum, auto
from pathlib import Path

import msgspec

from parleyd import config
from parleyd.alsa import mixer
from parleyd.alsa.protocol import NoCard
from parleyd.alsa.sound_card import Card
from parleyd.app import preflight
from parleyd.app.audio_thread import Heartbeat
from parleyd.app.echo_path_file import EchoFile
from parleyd.app.effect_dispatcher import Switchboard, log_note
from parleyd.app.event_queue import EventQueue
from parleyd.app.preflight import Parts, Running
from parleyd.app.server_address import server_address
from parleyd.app.skill_runtime import Skillset
from parleyd.app.supervision import running
from parleyd.app.turn_recorder import Keeper
from parleyd.app.wake_engines import WakeEngines
from parleyd.app.xrun_counter import Dropouts
from parleyd.core.events import ButtonPressed, Greet, MicPeriod, Note, Show, Step
from parleyd.core.speaker import Speaker
from parleyd.core.states import Shown
from parleyd.diagnostics.meter import Meter
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.errors import AudioError, ConfigError, LightsError, ParleyError
from parleyd.hearing.front_end import WAKE_ENGINE
from parleyd.hearing.fuse import Fault
from parleyd.host import scheduling
from parleyd.host.buttons import Buttons
from parleyd.host.systemd import Notifier
from parleyd.lights import factory as lights
from parleyd.lights import off
from parleyd.lights.dimming import Dimming
from parleyd.lights.player import Player
from parleyd.realtime.connection import Address, Link
from parleyd.skills import loading, mcp
from parleyd.skills.loading import Loaded
from parleyd.skills.mute import Mute
from parleyd.skills.store import Store
from parleyd.system import atomic_file
from parleyd.system.paths import state_folder
from parleyd.system.repeats import MOST_LISTED, ONE_OF_A_LIST

SWITCH_S = 0.0005  # of threads; Python's own 5 ms, times four busy skills, are two heartbeats
STUCK_S = 2.0  # no heartbeat for so long: the watchdog is not fed any more

Watcher = Callable[[MicPeriod, Step], None]
"""Looks at each beat, on the audio thread."""

log = logging.getLogger("parleyd")


class _End(Enum):
    """Why a set-up ended."""

    STOP = auto()
    RELOAD = auto()
    FAILED = auto()


class Daemon:
    """The process: signals, service manager, and one set-up after the other."""

    def __init__(
        self, path: Path | None, settings: config.Config, patient: bool, metered: bool = False
    ) -> None:
        self._path = path
        self._settings = settings
        self._patient = patient  # without a card: wait for it instead of ending
        self._metered = metered
        self._notifier = Notifier()
        self._end: asyncio.Future[_End]
        self._stopped = False  # for good: a reload that is under way changes nothing of it
        self._heartbeat: Heartbeat | None = None
        self._mute: Mute | None = None  # over reloads, even where it cannot be written
        self._queue = EventQueue()  # of the set-up that runs, or of the one that comes next
        self._status = "starting"
        self._good: config.Config | None = None  # was set up; a reload that fails goes back
        self._new: Parts | None = None  # of the configuration that comes next
        self._had_card = False  # when the newest reload began
        self._loaded = Loaded()  # the user's skills as they run
        self._reading: asyncio.Task[None] | None = None
        self._read_once_more = False  # SIGHUP came while the file was read
        self._greeted = False  # once for each start, not for each configuration
        self._dropouts = Dropouts()
        self._shown = Show(Shown.IDLE)

    async def run(self) -> int:
        """Serve until told to stop; returns the exit status.

        Raises `ParleyError` where another process uses the same state folder.
        """
        with atomic_file.held(state_folder(os.environ)):
            return await self._run()

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        while True:
            self._end = loop.create_future()
            async with contextlib.AsyncExitStack() as stack:
                settings, parts, self._new = self._settings, self._new, None
                try:
                    await stack.enter_async_context(self._set_up(settings, parts))
                except Exception as error:  # the rim of a set-up: the one before still works
                    if self._good is None or self._stopped:
                        raise
                    _not_reloaded(error)
                    await self._go_back()
                    continue
                if self._good is not None:
                    log.info("configuration reloaded")
                self._good = settings
                self._notifier.ready(self._status)
                self._patient = True  # a running speaker is not ended by a reload without card
                end = await self._end
                if end is not _End.RELOAD:
                    self._notifier.stopping()
            gc.unfreeze()
            gc.collect()  # what a set-up leaves behind refers to itself; soxr reports it at exit
            if self._stopped or end is not _End.RELOAD:
                return 1 if end is _End.FAILED else 0
            logging.getLogger().setLevel(self._settings.log.level.upper())

    async def _go_back(self) -> None:
        """To the configuration that was set up last, unless a newer one was read meanwhile."""
        good, self._good = self._good, None
        if good is None or self._new is not None:
            return
        parts = await preflight.once_more(good, os.environ, self._loaded)
        if self._new is None:
            self._settings, self._new = good, parts
        else:
            parts.engine.close()

    # --- signals ----------------------------------------------------------------------

    def _stop(self) -> None:
        self._stopped = True
        if self._heartbeat is not None:
            self._heartbeat.stop()  # first of all: silence
        self._finish(_End.STOP)

    def _reload(self) -> None:
        self._notifier.reloading()
        self._read_once_more = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_again())

    async def _read_again(self) -> None:
        """Make the parts of the new configuration beside what runs, and change to it if all
        of them can be made."""
        while self._read_once_more:
            self._read_once_more = False
            try:
                settings, parts = await preflight.load_and_prepare(
                    self._path, os.environ, Running(self._loaded, self._settings.lights)
                )
            except Exception as error:  # the rim: nothing in a file may end what runs
                _not_reloaded(error)
                self._notifier.ready(self._status)
                continue
            if self._new is not None:
                self._new.engine.close()
            self._settings, self._new = settings, parts
            self._had_card = self._heartbeat is not None and self._heartbeat.has_card
            self._finish(_End.RELOAD)

    def _finish(self, end: _End) -> None:
        if not self._end.done():
            self._end.set_result(end)

    # --- one set-up -------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _set_up(
        self, settings: config.Config, parts: Parts | None = None
    ) -> AsyncIterator[None]:
        """Everything that one configuration asks for, running; undone at the end.

        `parts`: made of it already. Raises `ConfigError` for mistakes, other `ParleyError`s
        for what may pass.
        """
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            if parts is not None:
                stack.callback(parts.engine.close)
            queue = self._queue
            stack.callback(self._leave, queue)
            skillset = Skillset(settings, self._store, queue.post, mute=self._mute)
            self._mute = skillset.mute
            stack.push_async_callback(skillset.settle)
            buttons = self._buttons(
                settings,
                on_press=self._press,
                on_mute=lambda muted: _soon(loop, skillset.mute.switched, muted),
            )
            stack.callback(buttons.close)

            if parts is None:
                parts = await preflight.prepare(settings, os.environ)
                stack.callback(parts.engine.close)
            loading.report(parts.skills, Path(settings.skills.folder))
            skills = await skillset.book(parts.skills.skills)
            engines = WakeEngines(parts.engine, settings.wake, os.environ, queue.post)
            stack.callback(engines.close)
            card = self._card(settings.audio)
            stack.callback(card.close)
            if self._card_is_needed(settings.audio) and not (buttons.muted or skillset.mute.muted):
                card.open_capture()  # here, so that a missing microphone is reported at once
            address = await self._server(settings, stack)
            remote = mcp.declarations(settings.skills.mcp, os.environ)
            if remote and server_address(settings.realtime, os.environ) is None:
                log.warning("skills.mcp: the embedded server calls no remote servers")
                remote = []

            player = self._lights(settings)
            link = Link(
                address,
                queue.post,
                warm=settings.realtime.connection == "warm",
                crowded=lambda: self._heartbeat is not None and self._heartbeat.crowded,
                answer_within_s=settings.turn.answer_within_s,
            )
            keeper = self._keeper(settings)
            echo_file = EchoFile(state_folder(os.environ) / "echo.npz", settings.audio)
            switchboard = Switchboard(
                link,
                skills,
                queue.post,
                on_ring_stopped=skillset.ring_stopped,
                on_understand=skillset.overhearing.understand,
                on_open_microphone=skillset.mute.reopen,
                on_learnt=lambda memory: _in_background(echo_file.save, memory),
                on_fault=lambda fault: _renew(fault, engines),
                on_show=lambda what: self._show(what, player),
                on_note=lambda note: self._note(note, keeper),
            )
            as_loud = _at_volume(settings, skillset.volume_percent)
            tools = [*skills.declarations(), *remote]
            speaker = Speaker(as_loud, parts.engine, tools, echo_file.load())
            watchers = self._watchers(keeper, speaker)
            heartbeat = Heartbeat(
                card,
                speaker,
                on_effects=lambda effects: _soon(loop, switchboard.carry, effects),
                on_error=lambda error: _soon(loop, self._failed, error),
                on_beat=lambda period, step: _watched(watchers, period, step),
                reopen=lambda: open_card(settings.audio),
                switch=lambda: buttons.muted or skillset.mute.muted,
                why_muted=lambda: _why_muted(buttons, skillset.mute),
                priority=settings.audio.priority,
            )
            queue.connect(heartbeat.post)
            self._heartbeat = heartbeat
            gc.collect()
            gc.freeze()  # 40,000 objects: each full collection would stop the audio thread for them
            heartbeat.start()
            # a refusal is told by the heartbeat, which asks for more than this
            scheduling.ask_for(min(scheduling.LOOP, settings.audio.priority))
            stack.callback(_keep_memory, speaker, echo_file)
            stack.callback(self._silence)
            stack.callback(self._leave, queue)
            if settings.audio.boot_chime and not self._greeted:
                queue.post(Greet())
            self._greeted = True
            self._loaded = parts.skills
            await stack.enter_async_context(
                running(
                    link=link.run,
                    skills=skillset.run,
                    watchdog=lambda: self._feed_watchdog(heartbeat),
                    **({"lights": player.run} if player is not None else {}),
                )
            )
            yield

    def _press(self) -> None:
        """The push button; on a thread of the GPIO library, at any time."""
        self._queue.post(ButtonPressed())

    def _leave(self, queue: EventQueue) -> None:
        """This queue's core ends: a press from now on waits for the next one."""
        if self._queue is queue:
            self._queue = EventQueue()

    @functools.cached_property
    def _store(self) -> Store:
        """One for the life of the process: what could not be written is not lost by a reload."""
        return Store(state_folder(os.environ) / "skills.json")

    def _card(self, audio: config.Audio) -> Card | NoCard:
        try:
            return open_card(audio)
        except AudioError as error:
            if self._card_is_needed(audio):
                raise
            log.error("%s", error)
            return NoCard(str(error))

    def _card_is_needed(self, audio: config.Audio) -> bool:
        """Not by a service, which waits; but a reload that names another card than the one
        that works must find it."""
        changed = self._good is not None and self._good.audio != audio
        return not self._patient or (changed and self._had_card)

    async def _server(self, settings: config.Config, stack: contextlib.AsyncExitStack) -> Address:
        address = server_address(settings.realtime, os.environ)
        if address is not None:
            return address
        if settings.realtime.server == "auto":
            log.info("no OPENAI_API_KEY: using the embedded server, which knows commands only")
        embedded = EmbeddedServer()
        url = await embedded.start()
        stack.push_async_callback(embedded.stop)
        await stack.enter_async_context(running(embedded=embedded.keep_alive))
        return Address.embedded(url)

    def _lights(self, settings: config.Config) -> Player | None:
        if settings.lights.output == "none":
            return None
        off.remember(settings.lights)
        output = None
        try:
            output = lights.create(settings.lights)
        except LightsError as error:
            log.warning("%s", error)
            if settings.lights.output == "terminal":
                return None
        dimming = Dimming(settings.lights)
        return Player(output, dimming, reopen=lambda: lights.create(settings.lights))

    def _buttons(
        self,
        settings: config.Config,
        on_press: Callable[[], None],
        on_mute: Callable[[bool], None],
    ) -> Buttons:
        return Buttons(settings.buttons, on_press=on_press, on_mute=on_mute)

    def _keeper(self, settings: config.Config) -> Keeper | None:
        keep = settings.log.keep_turns
        if keep == 0:
            return None
        folder = state_folder(os.environ) / "turns"
        log.warning("log.keep_turns = %d: the newest turns are recorded in %s", keep, folder)
        return Keeper(folder, keep, settings.audio.playback_rate_hz)

    # --- while it runs ----------------------------------------------------------------

    def _show(self, what: Show, player: Player | None) -> None:
        self._shown = what
        self._tell_status()
        if player is not None:
            player.show(what.shown)

    def _note(self, what: Note, keeper: Keeper | None) -> None:
        if what.name == "xrun":
            self._dropped_out(what)
            return
        log_note(what)
        if keeper is not None and what.name == "turn":
            _in_background(_keep, keeper)

    def _watchers(self, keeper: Keeper | None, speaker: Speaker) -> list[Watcher]:
        """What looks at each beat, on the audio thread."""
        watchers: list[Watcher] = [keeper.beat] if keeper is not None else []
        if self._metered:
            watchers.append(Meter(speaker, asyncio.get_running_loop()).beat)
        return watchers

    def _dropped_out(self, xrun: Note) -> None:
        due = self._dropouts.add(int(str(xrun.fields["count"])), time.monotonic())
        if due:
            fields = {"count": due, "total": self._dropouts.total}
            log_note(Note("xrun", {**fields, "means": "the CPU is busy, or audio.lead_ms short"}))
            self._tell_status()

    def _tell_status(self) -> None:
        """``idle``, ``idle, 3 dropouts``, ``error, 3 dropouts: what is wrong``."""
        words = ", ".join(filter(None, [str(self._shown.shown), str(self._dropouts)]))
        self._status = f"{words}: {self._shown.detail}" if self._shown.detail else words
        self._notifier.status(self._status)

    def _failed(self, error: Exception) -> None:
        log.error("%s", error)
        self._notifier.status(f"error: {error}")
        self._finish(_End.FAILED)

    def _silence(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None

    async def _feed_watchdog(self, heartbeat: Heartbeat) -> None:
        """Only while the audio thread beats and this loop turns."""
        interval_s = self._notifier.watchdog_interval_s()
        while interval_s is not None:
            if time.monotonic() - heartbeat.last_beat < STUCK_S:
                self._notifier.watchdog()
            else:
                log.error("the audio thread has not moved for %.0f s", STUCK_S)
            await asyncio.sleep(min(interval_s, 1.0))


def _keep_memory(speaker: Speaker, echo_file: EchoFile) -> None:
    """At the end, when the audio thread has let go of the speaker."""
    if speaker.memory is not None:
        echo_file.save(speaker.memory)


def open_card(audio: config.Audio) -> Card:
    """The sound card, its own volume set. Raises `AudioError`."""
    card = Card(audio)
    mixer.set_once(audio)
    return card


def _at_volume(settings: config.Config, percent: int) -> config.Config:
    audio = msgspec.structs.replace(settings.audio, volume=percent)
    return msgspec.structs.replace(settings, audio=audio)


def _not_reloaded(error: Exception) -> None:
    """One line for each mistake; a traceback only for what nobody foresaw."""
    if not isinstance(error, ParleyError):
        log.error("configuration not reloaded", exc_info=error)
    problems = error.problems if isinstance(error, ConfigError) else [str(error)]
    for problem in problems[:MOST_LISTED]:
        log.error("configuration not reloaded: %s", problem, extra=ONE_OF_A_LIST)
    if (more := len(problems) - MOST_LISTED) > 0:
        log.error("configuration not reloaded: %d mistakes more, `parley check` has them", more)


def _renew(fault: Fault, engines: WakeEngines) -> None:
    """The wake-word engine cannot be reset by the core, which reads no files."""
    if fault.part == WAKE_ENGINE:
        _in_background(engines.renew)


def _why_muted(buttons: Buttons, mute: Mute) -> str:
    """Why the microphone is closed, where the switch alone does not say it."""
    return buttons.mute_trouble or ("" if buttons.muted else mute.reason)


def _watched(watchers: Sequence[Watcher], period: MicPeriod, step: Step) -> None:
    for watch in watchers:
        watch(period, step)


def _in_background(work: Callable[..., None], *arguments: object) -> None:
    """Work that blocks, on another thread; it says by itself what goes wrong."""
    asyncio.get_running_loop().run_in_executor(None, work, *arguments)


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    """From another thread to the event loop; nowhere once the loop has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *arguments)


def _keep(keeper: Keeper) -> None:
    try:
        log.info("turn kept in %s", keeper.save())
    except OSError as error:
        log.warning("the turn could not be kept (%s): check the state directory", error)
