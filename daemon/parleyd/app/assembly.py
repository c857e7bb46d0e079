"""The composition root: builds the parts of one configuration and runs them.

Parts are built in the order of their dependencies. The event queue is the first, so that
everything that posts events can do so from its first moment.
"""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from parleyd import config
from parleyd.alsa import mixer
from parleyd.alsa.protocol import NullCard
from parleyd.alsa.sound_card import Card
from parleyd.app import preflight
from parleyd.app.audio_thread import AudioThread
from parleyd.app.control_desk import ControlDesk
from parleyd.app.control_requests import Controls
from parleyd.app.daemon_effects import DaemonEffects
from parleyd.app.echo_path_file import EchoPathFile
from parleyd.app.effect_dispatcher import EffectDispatcher
from parleyd.app.event_queue import EventQueue
from parleyd.app.hooks import Hooks
from parleyd.app.measurements import Measurements
from parleyd.app.measuring_core import MeasuringCore
from parleyd.app.microphone_gate import MicrophoneGate
from parleyd.app.preflight import Parts
from parleyd.app.quiet_hours import QuietHours
from parleyd.app.server_address import server_address, server_name
from parleyd.app.service_status import ServiceStatus
from parleyd.app.skill_runtime import SkillRuntime
from parleyd.app.supervision import Run, running
from parleyd.app.threads import on_loop
from parleyd.app.turn_recorder import TurnRecorder
from parleyd.app.wake_engines import WakeEngines
from parleyd.app.wake_levels_file import WakeLevelsFile
from parleyd.app.watchdog import feed_watchdog
from parleyd.core.events import ButtonPressed, Effect, PlayStartupSound, ToolsChanged
from parleyd.core.group import GroupMemory
from parleyd.core.speaker import SmartSpeaker
from parleyd.diagnostics.meter import Meter
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.errors import AudioError, LightsError
from parleyd.host import scheduling
from parleyd.host.buttons import Buttons
from parleyd.host.systemd import Notifier
from parleyd.lights import factory as lights
from parleyd.lights import off
from parleyd.lights.dimming import Dimming
from parleyd.lights.player import LightPlayer
from parleyd.playback.cues import Cues
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.realtime.events import Json
from parleyd.skills import loading, mcp
from parleyd.skills.built_in import BUILT_IN
from parleyd.skills.loading import Loaded
from parleyd.skills.mute import Mute
from parleyd.skills.store import Store
from parleyd.system.daily_span import DailySpan
from parleyd.system.memory import release_free_memory
from parleyd.system.paths import state_folder

if TYPE_CHECKING:
    from parleyd.mcp.servers import McpServers

log = logging.getLogger("parleyd")


@dataclass(slots=True)
class ProcessState:
    """Everything that outlives a reload; one for each process."""

    notifier: Notifier
    status: ServiceStatus
    store: Store
    """Holds changes that could not be written, too."""
    on_failure: Callable[[Exception], None]
    """Called on the event loop when the audio thread has ended by itself."""
    desk: ControlDesk
    metered: bool = False
    """Whether a level meter is drawn on stderr."""
    queue: EventQueue = field(default_factory=EventQueue)
    """Of the configuration that runs, or else of the next one."""
    mute: Mute | None = None
    """How long the user wants a closed microphone, even if it could not be written."""
    greeted: bool = False
    """The start was heard: a reload is silent."""

    def end_queue(self, queue: EventQueue) -> None:
        """The core of this queue ends: a press from now on waits for the next core.

        May be called twice.
        """
        if self.queue is queue:
            self.queue = EventQueue()
            queue.end(self.queue)


@dataclass(frozen=True, slots=True)
class Assembly:
    """The running parts that the daemon itself uses."""

    audio_thread: AudioThread
    skills: Loaded
    """The user's skills."""


@contextlib.asynccontextmanager
async def assembled(
    settings: config.Config,
    process: ProcessState,
    parts: Parts | None = None,
    *,
    card_required: bool = False,
) -> AsyncIterator[Assembly]:
    """Run everything that one configuration asks for; undo it at the end.

    `parts` were made of this configuration; without them they are made here. Without
    `card_required` a missing sound card is waited for. At the end, playback stops first (drop).

    Raises `ConfigError` for mistakes, other `ParleyError`s for obstacles that may pass.
    """
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        if parts is not None:
            stack.callback(parts.engine.close)
        controls = _controls(settings, process, stack)
        queue, runtime, gate = controls.queue, controls.runtime, controls.gate
        if parts is None:
            parts = await preflight.prepare(settings, os.environ)
            stack.callback(parts.engine.close)
        loading.report(parts.skills, Path(settings.skills.folder))
        servers = _mcp_servers(settings, parts.skills, queue)
        skills = await runtime.book(parts.skills.skills, servers)
        engines = WakeEngines(parts.engine, settings.wake, os.environ, queue.post)
        stack.callback(engines.close)

        card = _first_card(settings.audio, card_required)
        stack.callback(card.close)
        if card_required and not gate.closed:
            card.open_capture()  # here, so that a missing microphone is reported at once
        address = await stack.enter_async_context(_server(settings.realtime))
        connection = _connection(settings, address, queue)
        tools = [*skills.declarations(), *_remote_tools(settings)]
        player = _light_player(settings.lights)
        recorder = _recorder(settings)
        folder = state_folder(os.environ)
        echo_path_file = EchoPathFile(folder / "echo.npz", settings.audio)
        wake_levels_file = WakeLevelsFile(folder / "wake_levels.json", settings.audio)
        grouped = bool(settings.group.name)

        speaker = SmartSpeaker(
            _at_volume(settings, runtime.volume.percent),
            parts.engine,
            tools,
            echo_path_file.load(),
            GroupMemory(secrets.token_hex(4), wake_levels_file.load()) if grouped else None,
            Cues(settings.earcons, parts.sounds),
        )
        desk = process.desk
        host = DaemonEffects(
            *(process.status, runtime, engines, echo_path_file, player, recorder),
            *(desk, wake_levels_file),
        )
        dispatcher = EffectDispatcher(connection, skills, queue.post, host)
        hooks = Hooks(settings.hooks)
        meter = Meter(speaker, loop) if process.metered else None
        core = MeasuringCore(speaker)
        audio_thread = AudioThread(
            card,
            core,
            queue,
            gate,
            on_effects=on_loop(loop, partial(_take_effects, dispatcher, desk, hooks)),
            on_error=on_loop(loop, process.on_failure),
            watchers=[
                *(watcher.observe for watcher in (recorder, meter) if watcher is not None),
                desk.levels.watcher(speaker),
                *([desk.group_watcher(queue.post)] if grouped else []),
            ],
            reopen=partial(open_card, settings.audio),
            priority=settings.audio.priority,
        )
        stack.callback(_keep_echo_path, speaker, echo_path_file)
        measurements = Measurements(core, settings)
        stack.callback(measurements.give_up)
        stack.callback(audio_thread.stop)
        stack.callback(process.end_queue, queue)  # first, so that no press goes to an ending core
        served = Controls(
            queue,
            runtime,
            gate,
            server_name(settings.realtime, os.environ),
            lambda: connection.link,
            DailySpan(settings.home.quiet_hours),
            measurements,
            grouped,
        )
        stack.enter_context(desk.serving(served))
        _start(audio_thread, settings.audio.priority)
        desk.ask_for(min(scheduling.LOOP, settings.audio.priority))
        if settings.audio.boot_chime and not process.greeted:
            queue.post(PlayStartupSound())
        process.greeted = True

        tasks: dict[str, Run] = {
            "connection": connection.run,
            "skills": runtime.run,
            "hooks": hooks.run,
            "watchdog": partial(feed_watchdog, process.notifier, audio_thread),
        }
        if player is not None:
            tasks["lights"] = player.run
        if settings.home.quiet_hours:
            tasks["quiet_hours"] = QuietHours(settings.home.quiet_hours, runtime.quiet_hours).run
        if servers is not None:
            tasks["mcp"] = servers.run
        await stack.enter_async_context(running(**tasks))
        yield Assembly(audio_thread, parts.skills)


@dataclass(frozen=True, slots=True)
class _Controls:
    """The parts through which the user and the skills reach the core."""

    queue: EventQueue
    runtime: SkillRuntime
    gate: MicrophoneGate


def _controls(
    settings: config.Config, process: ProcessState, stack: contextlib.AsyncExitStack
) -> _Controls:
    """Built before everything that takes time to load, so that no press is lost meanwhile."""
    loop = asyncio.get_running_loop()
    queue = process.queue
    stack.callback(process.end_queue, queue)
    runtime = SkillRuntime(settings, process.store, queue.post, mute=process.mute)
    process.mute = runtime.mute
    stack.push_async_callback(runtime.settle)
    buttons = Buttons(
        settings.buttons,
        on_press=partial(queue.post, ButtonPressed()),
        on_mute=on_loop(loop, runtime.mute.switched),
    )
    stack.callback(buttons.close)
    return _Controls(queue, runtime, MicrophoneGate(buttons, runtime.mute))


def open_card(audio: config.AudioConfig) -> Card:
    """The sound card, its own volume set. Raises `AudioError`."""
    card = Card(audio)
    mixer.set_once(audio)
    return card


def _first_card(audio: config.AudioConfig, required: bool) -> Card | NullCard:
    try:
        return open_card(audio)
    except AudioError as error:
        if required:
            raise
        log.error("%s", error)
        return NullCard(str(error))


@contextlib.asynccontextmanager
async def _server(realtime: config.RealtimeConfig) -> AsyncIterator[ServerAddress]:
    """The address of the realtime server; the embedded one runs inside the block."""
    address = server_address(realtime, os.environ)
    if address is not None:
        yield address
        return
    if realtime.server == "auto":
        log.info("no OPENAI_API_KEY: using the embedded server, which knows commands only")
    embedded = EmbeddedServer()
    url = await embedded.start()
    try:
        async with running(embedded=embedded.keep_alive):
            yield ServerAddress.embedded(url)
    finally:
        await embedded.stop()


def _connection(
    settings: config.Config, address: ServerAddress, queue: EventQueue
) -> RealtimeConnection:
    return RealtimeConnection(
        address,
        queue.post,
        warm=settings.realtime.connection == "warm",
        crowded=queue.is_crowded,
        response_timeout_s=settings.turn.response_timeout_s,
    )


def _remote_tools(settings: config.Config) -> list[Json]:
    """Declarations of the remote MCP servers; the embedded server cannot call them."""
    remote = mcp.declarations(settings.skills.mcp, os.environ)
    if remote and server_address(settings.realtime, os.environ) is None:
        log.warning("skills.mcp: the embedded server calls no remote servers")
        return []
    return remote


def _mcp_servers(settings: config.Config, own: Loaded, queue: EventQueue) -> "McpServers | None":
    """The MCP servers that Parley calls; None without any."""
    if not any(server.where == "here" for server in settings.skills.mcp):
        return None
    from parleyd.mcp.servers import McpServers  # of no use to most speakers

    taken = {*BUILT_IN, *(skill.name for skill in own.skills)}

    def changed() -> None:
        tools, guards = servers.declarations(), servers.guards()
        queue.post(ToolsChanged(tools, guards, servers.instructions()))

    servers = McpServers(settings, taken, changed)
    return servers


def _light_player(settings: config.LightsConfig) -> LightPlayer | None:
    """The lights, tried again later if they are busy now; None without lights."""
    if settings.output == "none":
        return None
    off.remember(settings)
    create = partial(lights.create, settings)
    output = None
    try:
        output = create()
    except LightsError as error:
        log.warning("%s", error)
        if settings.output == "terminal":
            return None
    return LightPlayer(output, Dimming(settings), reopen=create)


def _recorder(settings: config.Config) -> TurnRecorder | None:
    keep = settings.log.record_turns
    if keep == 0:
        return None
    folder = state_folder(os.environ) / "turns"
    log.warning("log.record_turns = %d: the newest turns are recorded in %s", keep, folder)
    return TurnRecorder(folder, keep, settings.audio.playback_rate_hz)


def _at_volume(settings: config.Config, percent: int) -> config.Config:
    return structs.replace(settings, audio=structs.replace(settings.audio, volume=percent))


def _start(audio_thread: AudioThread, priority: int) -> None:
    """Start the audio thread, and raise the priority of this one, the event loop's, below it."""
    gc.collect()
    release_free_memory()  # of the start: 3 MB
    gc.freeze()  # 40,000 objects: each full collection would stop the audio thread for them
    audio_thread.start()
    # a refusal is logged by the audio thread, which asks for more than this
    scheduling.ask_for(min(scheduling.LOOP, priority))


def _take_effects(
    dispatcher: EffectDispatcher, desk: ControlDesk, hooks: Hooks, effects: Sequence[Effect]
) -> None:
    dispatcher.dispatch(effects)
    desk.events.observe(effects)
    hooks.observe(effects)


def _keep_echo_path(speaker: SmartSpeaker, echo_path_file: EchoPathFile) -> None:
    """At the end, when the audio thread no longer uses the speaker."""
    if speaker.echo_path is not None:
        echo_path_file.save(speaker.echo_path)
