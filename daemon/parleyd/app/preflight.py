"""Checks beyond the configuration file: wake words, keys, skills. All mistakes at once.

A start runs them, a reload before it touches the running parts, and `parley check`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msgspec import structs

from parleyd import config
from parleyd.app import earcon_files, hooks
from parleyd.app.server_address import server_address
from parleyd.config.servers import OPENAI, profile
from parleyd.errors import ConfigError, ParleyError, WakeActivationError, WakeError
from parleyd.lights import factory as lights
from parleyd.playback.cues import Cue
from parleyd.skills import loading, mcp
from parleyd.skills.built_in import BUILT_IN
from parleyd.skills.loading import Loaded
from parleyd.units import Frames
from parleyd.wake import WakeEngine
from parleyd.wake import factory as wake

log = logging.getLogger(__name__)

WAKE_KEY = "PICOVOICE_ACCESS_KEY"

Held = Callable[[str], bool]
"""Whether the service finds this key, although this process's environment lacks it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a mistake in the configuration can spoil, made; the caller owns them."""

    engine: WakeEngine
    skills: Loaded
    sounds: Mapping[Cue, Frames]
    """The owner's sounds."""


@dataclass(frozen=True, slots=True)
class Running:
    """The working parts that a reload must not lose by a mistake."""

    skills: Loaded
    lights: config.LightsConfig


async def prepare(
    settings: config.Config,
    environ: Mapping[str, str],
    *,
    running: Running | None = None,
) -> Parts:
    """Make the parts of a configuration, on other threads; the skills' files are run.

    A start continues without skills that cannot be loaded and lights that cannot be driven, and
    with Parley's own sounds in place of files that cannot be read.
    A reload, which has `running`, would lose those that work: there they are mistakes.

    Raises `ConfigError` with every mistake, and `WakeActivationError`, which may pass.
    """
    problems = list(_keys(settings, environ))
    engine, found = await asyncio.to_thread(_wake, settings.wake, environ)
    problems += found
    folder = Path(settings.skills.folder)
    before = Loaded() if running is None else running.skills
    skills = await loading.examine(folder, BUILT_IN, before=before)
    sounds, unread = await asyncio.to_thread(earcon_files.load, settings.earcons)
    if running is None:
        for problem in unread:
            log.error("%s; Parley's own sound is played instead", problem)
    else:
        problems += unread
        problems += [f"skill: {problem}" for problem in skills.new_problems]
        if running.lights != settings.lights and (obstacle := lights.obstacle(settings.lights)):
            problems.append(obstacle)
        problems += hooks.obstacles(settings.hooks).values()
    if problems or engine is None:
        if engine is not None:
            engine.close()
        raise ConfigError(problems)
    return Parts(engine, skills, sounds)


async def once_more(settings: config.Config, environ: Mapping[str, str], skills: Loaded) -> Parts:
    """Make the parts of a configuration that ran before. Raises as `prepare` does."""
    engine, problems = await asyncio.to_thread(_wake, settings.wake, environ)
    if engine is None:
        raise ConfigError(problems)
    sounds, _ = await asyncio.to_thread(earcon_files.load, settings.earcons)
    return Parts(engine, skills, sounds)


def load(path: Path | None, environ: Mapping[str, str]) -> config.Config:
    """Read the file for a start. Raises `ConfigError` with the mistakes of file and parts."""
    try:
        return config.load(path)
    except ConfigError as error:
        others = asyncio.run(_others(error, environ, lambda name: False, skills=False))
        raise ConfigError([*error.problems, *others]) from None


async def load_and_prepare(
    path: Path | None, environ: Mapping[str, str], running: Running
) -> tuple[config.Config, Parts]:
    """Read the file and make its parts, for a reload. Raises as `prepare` does."""
    try:
        settings = config.load(path)
    except ConfigError as error:
        others = await _others(error, environ, lambda name: False, skills=False)
        raise ConfigError([*error.problems, *others]) from None
    return settings, await prepare(settings, environ, running=running)


def check(path: Path, environ: Mapping[str, str], held: Held) -> None:
    """Check the file and all parts, and free the parts. Raises `ConfigError` with every mistake."""
    try:
        wrong = ConfigError((), config.load(path))
    except ConfigError as error:
        wrong = error
    others = asyncio.run(_others(wrong, environ, held, skills=True))
    if problems := [*wrong.problems, *others]:
        raise ConfigError(problems)


async def _others(
    error: ConfigError, environ: Mapping[str, str], held: Held, *, skills: bool
) -> list[str]:
    """The mistakes outside the file, as far as the file can be read."""
    settings = error.readable
    if not isinstance(settings, config.Config):
        return []
    problems = [
        problem
        for section, problem in _keys_of(settings, environ, held)
        if not error.spoils(section)
    ]
    by_key = settings.wake.engine != "micro" and held(WAKE_KEY)
    if not error.spoils("wake") and not by_key:
        try:
            engine, found = await asyncio.to_thread(_wake, settings.wake, environ)
        except WakeActivationError:
            engine, found = None, []  # not a mistake in the file
        problems += found
        if engine is not None:
            engine.close()
    if skills and not error.spoils("skills.folder"):
        loaded = await loading.examine(Path(settings.skills.folder), BUILT_IN)
        problems += [f"skill: {problem}" for problem in loaded.problems]
    if skills and not error.spoils("earcons"):
        problems += (await asyncio.to_thread(earcon_files.load, settings.earcons))[1]
    if skills and not error.spoils("hooks"):
        problems += hooks.obstacles(settings.hooks).values()
    return problems


# --- wake words -----------------------------------------------------------------------------


def _wake(
    settings: config.WakeConfig, environ: Mapping[str, str]
) -> tuple[WakeEngine | None, list[str]]:
    """The engine, or a reason for each wake word. Raises `WakeActivationError`."""
    try:
        key = config.secret(WAKE_KEY, environ)
    except ConfigError as error:
        return None, list(error.problems)
    try:
        return wake.create(settings, key), []
    except WakeActivationError:
        raise
    except Exception as error:  # the rim: models come from anywhere
        problems = [_in_words(error)]
    for word in settings.keywords if len(settings.keywords) > 1 else ():
        try:
            wake.create(structs.replace(settings, keywords=(word,)), key).close()
        except Exception as error:  # the same rim
            problems.append(_in_words(error))
    return None, list(dict.fromkeys(problems))


def _in_words(error: Exception) -> str:
    text = str(error) if isinstance(error, WakeError) else f"{type(error).__name__}: {error}"
    return f"wake.{'keywords' if 'model' in text else 'engine'}: {' '.join(text.split())}"


# --- keys -----------------------------------------------------------------------------------


def _keys(settings: config.Config, environ: Mapping[str, str]) -> Iterator[str]:
    for _, problem in _keys_of(settings, environ, lambda name: False):
        yield problem


def _keys_of(
    settings: config.Config, environ: Mapping[str, str], held: Held
) -> Iterator[tuple[str, str]]:
    """Each key that is missing or malformed, and the section that needs it."""
    realtime = settings.realtime
    needed = OPENAI if realtime.server == "auto" else profile(realtime.server)
    if not held(needed.key):
        for problem in _problems(lambda: server_address(realtime, environ)):
            yield "realtime", problem
    for server in settings.skills.mcp:
        if not held(server.key):
            for problem in _problems(partial(_mcp_key, server, environ)):
                yield "skills.mcp", problem
    if any(server.where == "here" for server in settings.skills.mcp):
        for problem in _problems(_check_package):
            yield "skills.mcp", problem


def _check_package() -> None:
    from parleyd.mcp.servers import check_package  # of no use to most speakers

    check_package()


def _mcp_key(server: config.McpServerConfig, environ: Mapping[str, str]) -> None:
    if server.where == "here":
        from parleyd.mcp.servers import opening

        opening(server, "", environ)
    else:
        mcp.declarations([server], environ)


def _problems(attempt: Callable[[], object]) -> list[str]:
    try:
        attempt()
    except ConfigError as error:
        return list(error.problems)
    except ParleyError as error:
        return [str(error)]
    return []
