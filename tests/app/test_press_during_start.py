"""A press of the push button at every stage of a start and of a reload reaches the core, once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from waiting import until

from parleyd import config
from parleyd.app import audio_thread, daemon
from parleyd.app.daemon import Daemon
from parleyd.core.events import ButtonPressed, Happening
from parleyd.core.speaker import Speaker
from parleyd.wake import factory as wake

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
    (daemon, "open_card"),
    (wake, "create"),
    (daemon.mcp, "declarations"),  # type: ignore[attr-defined]
    (daemon, "Link"),
    (daemon, "EchoFile"),
    (daemon, "Switchboard"),
    (daemon, "Speaker"),
    (daemon, "Heartbeat"),
    (daemon.gc, "freeze"),  # type: ignore[attr-defined]
    (audio_thread.Heartbeat, "start"),
    (audio_thread.Heartbeat, "stop"),
]


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    try:
        yield Device.pin_factory
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = before


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Happening]:
    """The presses that reached a core."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    reached: list[Happening] = []
    really = Speaker.handle

    def handle(speaker: Speaker, event: Happening, now: float) -> None:
        if isinstance(event, ButtonPressed):
            reached.append(event)
        really(speaker, event, now)

    monkeypatch.setattr(Speaker, "handle", handle)
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
    pressed: list[Happening],
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
        daemon = Daemon(None, settings, True)
        daemon._end = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(owner, name, before(getattr(owner, name), press))
        async with daemon._set_up(settings):
            if name != "stop":
                await until(lambda: len(pressed) == 1, WITHIN_S)
        async with daemon._set_up(settings):
            await until(
                lambda: len(pressed) == 1, WITHIN_S
            )  # a press while it stopped waits for this one
            await asyncio.sleep(0.06)  # contacts bounce for 50 ms
            pins.pin(PUSH).drive_low()
            await until(lambda: len(pressed) == 2, WITHIN_S)

    asyncio.run(life())
    assert presses == [1]


def test_switch_moved_at_each_stage_of_a_start_is_obeyed(
    pins: MockFactory, pressed: list[Happening], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.parse(CONFIG.replace("[buttons]", "[buttons]\nmute_pin = 24"))
    moves = 0

    def move() -> None:
        nonlocal moves
        moves += 1
        pin = pins.pin(24)
        (pin.drive_low if moves % 2 else pin.drive_high)()

    async def life() -> None:
        daemon = Daemon(None, settings, True)
        daemon._end = asyncio.get_running_loop().create_future()
        for owner, name in STAGES[:-1]:
            monkeypatch.setattr(owner, name, before(getattr(owner, name), move))
        async with daemon._set_up(settings):
            heart = daemon._heartbeat
            assert heart is not None
            await until(lambda: heart.beats > 5, WITHIN_S)
            assert heart._muted is (moves % 2 == 1)
            assert daemon._mute is not None
            assert daemon._mute.switch is (moves % 2 == 1)

    asyncio.run(life())
    assert moves >= len(STAGES) - 1
