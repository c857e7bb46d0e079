"""A press or switch move at any stage of a start or reload reaches the core exactly once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from waiting import until

from parleyd import config
from parleyd.app import assembly, audio_thread
from parleyd.app.assembly import ProcessState, assembled
from parleyd.core.events import ButtonPressed, InputEvent
from parleyd.core.speaker import SmartSpeaker
from parleyd.host.buttons import Buttons
from parleyd.skills.mute import Mute
from parleyd.wake import factory as wake
from tests.app.assembling import process_state

pytestmark = pytest.mark.slow

PUSH = 23
WITHIN_S = 60.0
CONFIG = """
[buttons]
push_pin = 23
[audio]
capture = "hw:9"
playback = "hw:9"
boot_chime = false
priority = 0
[realtime]
server = "compatible"
url = "ws://127.0.0.1:9/"
"""

STAGES = [
    (assembly, "open_card"),
    (wake, "create"),
    (assembly.mcp, "declarations"),  # type: ignore[attr-defined]
    (assembly, "RealtimeConnection"),
    (assembly, "EchoPathFile"),
    (assembly, "EffectDispatcher"),
    (assembly, "SmartSpeaker"),
    (assembly, "AudioThread"),
    (assembly.gc, "freeze"),  # type: ignore[attr-defined]
    (audio_thread.AudioThread, "start"),
    (audio_thread.AudioThread, "stop"),
    (assembly, "_keep_echo_path"),
    (Buttons, "close"),
]
AT_THE_END = ("stop", "_keep_echo_path", "close")


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    try:
        yield Device.pin_factory
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = before


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProcessState:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return process_state(tmp_path)


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> list[InputEvent]:
    """The button presses that reached a core."""
    reached: list[InputEvent] = []
    really = SmartSpeaker.handle

    def handle(speaker: SmartSpeaker, event: InputEvent, now: float) -> None:
        if isinstance(event, ButtonPressed):
            reached.append(event)
        really(speaker, event, now)

    monkeypatch.setattr(SmartSpeaker, "handle", handle)
    return reached


def before(call: Callable[..., Any], action: Callable[[], None]) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        action()
        return call(*arguments, **named)

    return wrapped


@pytest.mark.parametrize(("owner", "name"), STAGES, ids=[name for _, name in STAGES])
def test_press_at_each_stage_of_a_start_reaches_the_core(
    owner: Any,
    name: str,
    pins: MockFactory,
    process: ProcessState,
    pressed: list[InputEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config.parse(CONFIG)
    presses: list[int] = []

    def press() -> None:
        if not presses:
            presses.append(1)
            pins.pin(PUSH).drive_low()
            pins.pin(PUSH).drive_high()

    async def life() -> None:
        monkeypatch.setattr(owner, name, before(getattr(owner, name), press))
        async with assembled(settings, process):
            if name not in AT_THE_END:
                await until(lambda: len(pressed) == 1, WITHIN_S)
        if name in AT_THE_END:
            assert pressed == []  # this press is for the next core
        async with assembled(settings, process):
            await until(lambda: len(pressed) == 1, WITHIN_S)
            await asyncio.sleep(0.06)  # contacts bounce for 50 ms
            pins.pin(PUSH).drive_low()
            await until(lambda: len(pressed) == 2, WITHIN_S)

    asyncio.run(life())
    assert presses == [1]


def test_press_during_a_failing_set_up_reaches_the_next_core(
    pins: MockFactory,
    process: ProcessState,
    pressed: list[InputEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config.parse(CONFIG)

    def fail(*arguments: Any) -> None:
        pins.pin(PUSH).drive_low()
        raise ZeroDivisionError

    async def life() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(assembly, "SmartSpeaker", fail)
            with pytest.raises(ZeroDivisionError):
                await assembled(settings, process).__aenter__()
        async with assembled(settings, process):
            await until(lambda: len(pressed) == 1, WITHIN_S)

    asyncio.run(life())


def test_edges_after_the_end_of_the_loop_raise_nothing(
    pins: MockFactory, process: ProcessState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library calls back until the pins are free, and a late call may still be running."""
    settings = config.parse(CONFIG.replace("[buttons]", "[buttons]\nmute_pin = 24"))
    callbacks: list[Callable[[], object]] = []
    really = assembly.Buttons  # type: ignore[attr-defined]

    def spied(*arguments: Any, on_press: Any, on_mute: Any) -> Any:
        callbacks[:] = [on_press, lambda: on_mute(True)]
        return really(*arguments, on_press=on_press, on_mute=on_mute)

    monkeypatch.setattr(assembly, "Buttons", spied)

    async def life() -> None:
        async with assembled(settings, process):
            pass

    asyncio.run(life())
    for call in callbacks:
        call()
    assert process.queue.take() == ButtonPressed()  # for the next core, if there is one


def test_switch_moved_at_each_stage_of_a_start_is_obeyed(
    pins: MockFactory, process: ProcessState, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.parse(CONFIG.replace("[buttons]", "[buttons]\nmute_pin = 24"))
    moves = 0

    def move() -> None:
        nonlocal moves
        moves += 1
        pin = pins.pin(24)
        (pin.drive_low if moves % 2 else pin.drive_high)()

    async def life() -> None:
        for owner, name in STAGES[: -len(AT_THE_END)]:
            monkeypatch.setattr(owner, name, before(getattr(owner, name), move))
        async with assembled(settings, process) as running:
            audio_thread = running.audio_thread
            await until(lambda: audio_thread.periods > 5, WITHIN_S)
            assert audio_thread._muted is (moves % 2 == 1)
            assert process.mute is not None
            assert process.mute.switch is (moves % 2 == 1)

    asyncio.run(life())
    assert moves >= len(STAGES) - len(AT_THE_END)


@pytest.mark.parametrize("closed_means_muted", [True, False])
def test_switch_moved_while_no_pin_is_watched_is_obeyed(
    closed_means_muted: bool, pins: MockFactory, process: ProcessState
) -> None:
    """Between two configurations no callback reports the move of the contact."""
    keys = f"mute_pin = 24\nmute_closed_means_muted = {str(closed_means_muted).lower()}"
    settings = config.parse(CONFIG.replace("[buttons]", f"[buttons]\n{keys}"))

    async def life() -> None:
        async with assembled(settings, process) as running:
            audio_thread = running.audio_thread
            await until(lambda: audio_thread.periods > 5, WITHIN_S)
            pins.pin(24).drive_low()
            await until(lambda: audio_thread._muted is closed_means_muted, WITHIN_S)
            mute = process.mute
            assert isinstance(mute, Mute)
            await until(lambda: mute.switch is closed_means_muted, WITHIN_S)
        pins.pin(24).drive_high()
        async with assembled(settings, process) as running:
            audio_thread = running.audio_thread
            await until(lambda: audio_thread.periods > 5, WITHIN_S)
            assert audio_thread._muted is not closed_means_muted

    asyncio.run(life())
