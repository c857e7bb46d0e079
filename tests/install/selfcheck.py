"""Checks an installed Parley on this machine: run it with the Python of the installation.

    /opt/parley/venv/bin/python selfcheck.py

Needs no sound card, network, key, pytest or checkout. Prints a line for each check with its
seconds; exits with 1 if a check fails.
"""

import asyncio
import importlib
import json
import pkgutil
import platform
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

import parleyd
from parleyd.audio import level_dbfs
from parleyd.config import Config, WakeConfig
from parleyd.demo.scenes import SCENES
from parleyd.demo.stage import Stage
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.errors import OfflineSpeechError, SceneError
from parleyd.hearing.echo_control import EchoControl
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.units import MIC_PERIOD_FRAMES
from parleyd.wake import factory

NEEDS_A_CARD = {"loudspeaker", "microphone"}
SCENES_PLAYED = 3  # wake word and question, a follow-up, an interruption
ATTEMPTS = 3
LEAST_CANCELLED_DB = 20.0  # for a linear path without noise; 40 and more are usual
CONNECTED_WITHIN_S = 60.0


def every_module_is_imported() -> str:
    """Import all modules of Parley and of its dependencies; those of an optional set (the folder
    has its name) only where it is installed."""
    extras = metadata.metadata("parleyd").get_all("Provides-Extra") or []
    names = [module.name for module in pkgutil.walk_packages(parleyd.__path__, "parleyd.")]
    for name in names:
        if name == "parleyd.__main__":
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if name.split(".")[1] not in extras or str(error.name).startswith("parleyd"):
                raise
    sources = {}
    for requirement in metadata.requires("parleyd") or []:
        if "extra ==" in requirement or "lgpio" in requirement:
            continue
        package = re.split(r"[^\w.-]", requirement)[0]
        importlib.import_module(
            {"pyalsaaudio": "alsaaudio", "systemd-python": "systemd.daemon"}.get(
                package, package.replace("-", "_")
            )
        )
        found = metadata.distribution(package)
        sources[package] = found.version + ("" if _in_venv(found) else " (Debian's)")
    if platform.machine() == "aarch64":
        import lgpio

        where = "" if str(lgpio.__file__).startswith(sys.prefix) else " (the system's)"
        sources["lgpio"] = metadata.version("lgpio") + where
    return f"{len(names)} modules; " + ", ".join(f"{k} {v}" for k, v in sources.items())


def the_doctor_finds_only_what_is_missing() -> str:
    """`parley doctor --offline`: only the sound card fails; every finding has a remedy."""
    parley = [sys.executable, str(Path(sys.prefix) / "bin/parley")]
    doctor = [*parley, "doctor", "--offline", "--json"]  # the key of a test is no key
    report = json.loads(subprocess.run(doctor, stdout=subprocess.PIPE, check=False).stdout)
    findings = report["findings"]
    failing = {finding["check"] for finding in findings if finding["level"] == "fail"}
    assert failing <= NEEDS_A_CARD, f"fails: {findings}"
    assert report["healthy"] == (not failing)
    lost = [f for f in findings if f["level"] != "ok" and not f["remedy"]]
    assert not lost, f"without a remedy: {lost}"
    return ", ".join(f"{finding['check']} {finding['level']}" for finding in findings)


def the_wake_word_is_heard() -> str:
    """Run the engine of the default configuration on a synthetic voice."""
    engine = factory.create(WakeConfig(), None)
    silence = np.zeros(8000, np.int16)
    clip = np.concatenate([silence, synthesize("hey jarvis"), silence])
    cut = len(clip) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES
    periods = clip[:cut].reshape(-1, MIC_PERIOD_FRAMES)
    began = time.perf_counter()
    found = [engine.process(period) for period in periods]
    each_ms = (time.perf_counter() - began) / len(periods) * 1000
    assert "hey_jarvis" in found, "the word was not detected"
    assert not any(found[:50]), "a word was detected in silence"
    return f"{engine.name} detected hey_jarvis; {each_ms:.2f} ms for each 10 ms"


def the_echo_is_cancelled() -> str:
    """Run the whole echo control on a voice that returns after 60 ms."""
    spoken = np.tile(synthesize("There was once a lighthouse keeper who lived alone.", "slt"), 3)
    cut = len(spoken) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES
    echo = np.concatenate([np.zeros(960, np.int16), spoken // 2])[:cut]
    hearing = EchoControl(Config().hearing)
    cleaned, took_s = [], []
    for index in range(0, cut, MIC_PERIOD_FRAMES):
        part = slice(index, index + MIC_PERIOD_FRAMES)
        began = time.perf_counter()
        cleaned.append(hearing.process(echo[part], spoken[part], index / 16_000).cleaned)
        took_s.append(time.perf_counter() - began)
    half = cut // 2
    removed_db = level_dbfs(echo[half:]) - level_dbfs(np.concatenate(cleaned)[half:])
    assert removed_db > LEAST_CANCELLED_DB, f"only {removed_db:.0f} dB of the echo were removed"
    return f"{removed_db:.0f} dB removed; {np.median(took_s) * 1000:.1f} ms for each 10 ms"


def a_conversation_is_held() -> str:
    """Hold a conversation: embedded server, WebSocket, wake word, speech, an interruption.

    The server needs real time: on an emulated processor it may sometimes be too slow.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return asyncio.run(_converse())
        except (SceneError, OfflineSpeechError) as error:
            print(f"retrying: {error}")
    return asyncio.run(_converse())


async def _converse() -> str:
    server = EmbeddedServer()
    began = time.perf_counter()
    settings = Config()
    room = Room(seed=1, echo_gain_db=-12, loudspeaker_rate_hz=settings.audio.playback_rate_hz)
    try:
        address = ServerAddress.embedded(await server.start())
        ready_s = time.perf_counter() - began
        engine = factory.create(settings.wake, None)
        rehearsal = SimulatedSpeaker(settings, address, engine, room=room)
        stage = Stage(rehearsal, lambda words: None)
        rehearsal.on_moment = stage.answers.take
        async with rehearsal.connected():
            await stage.until_ready(within_s=CONNECTED_WITHIN_S)
            for scene in SCENES[:SCENES_PLAYED]:
                await scene.play(stage)
    finally:
        await server.stop()
    said = "; ".join(answer.words.strip() for answer in stage.heard if answer.words)
    return f"server ready after {ready_s:.1f} s; its answer: {said:.100}"


def _in_venv(distribution: metadata.Distribution) -> bool:
    return (
        Path(str(distribution.locate_file(""))).resolve().is_relative_to(Path(sys.prefix).resolve())
    )


CHECKS: tuple[Callable[[], str], ...] = (
    every_module_is_imported,
    the_doctor_finds_only_what_is_missing,
    the_wake_word_is_heard,
    the_echo_is_cancelled,
    a_conversation_is_held,
)


def main() -> int:
    failed = 0
    for check in CHECKS:
        began = time.perf_counter()
        try:
            verdict, text = "ok", check()
        except Exception as error:  # the rim of a check: any error is a result
            traceback.print_exc()
            verdict, text = "FAILED", f"{type(error).__name__}: {error}"
            failed += 1
        took_s = time.perf_counter() - began
        print(f"{verdict:<6}  {check.__name__.replace('_', ' ')} ({took_s:.1f} s): {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
