"""A whole daemon without a card: it shows its closed microphone with the reason."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin
from waiting import until

from parleyd import config
from parleyd.app.assembly import ProcessState, assembled
from parleyd.core.events import ButtonPressed
from tests.app.assembling import process_state

pytestmark = pytest.mark.slow

WITHIN_S = 60.0
CONFIG = """
[buttons]
push_pin = 23
mute_pin = 24
[lights]
output = "rgb"
[audio]
capture = "hw:9"
playback = "hw:9"
boot_chime = false
priority = 0
[realtime]
server = "compatible"
url = "ws://127.0.0.1:9/"
"""
RED = 17


class BusyPin(MockPWMPin):
    """A pin that may be busy or fail to be read."""

    busy: ClassVar[set[int]] = set()
    broken: ClassVar[bool] = False

    def __init__(self, factory: Any, info: Any) -> None:
        if int(info.name[4:]) in self.busy:
            raise OSError(16, "GPIO busy")
        super().__init__(factory, info)

    def _get_state(self) -> Any:
        if self.broken and self.info.name == "GPIO24":
            raise OSError(19, "No such device")
        return super()._get_state()


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    before, Device.pin_factory = Device.pin_factory, MockFactory(pin_class=BusyPin)
    try:
        yield Device.pin_factory
    finally:
        BusyPin.busy.clear()
        BusyPin.broken = False
        Device.pin_factory.reset()
        Device.pin_factory = before


SETTINGS = config.parse(CONFIG)


async def status(of: ProcessState, beginning: str) -> None:
    try:
        await until(lambda: of.status.line.startswith(beginning), WITHIN_S)
    except TimeoutError:
        pytest.fail(f"the status is {of.status.line!r}")


def test_busy_switch_is_shown_as_muted_with_the_reason(pins: MockFactory, tmp_path: Path) -> None:
    async def life() -> None:
        BusyPin.busy.add(24)
        process = process_state(tmp_path)
        async with assembled(SETTINGS, process) as running:
            await status(process, "muted: buttons.mute_pin = 24: ")
            assert "GPIO busy" in process.status.line
            assert running.audio_thread._muted is True
            await until(lambda: pins.pin(RED).state > 0, WITHIN_S)  # the red LED is lit
            BusyPin.busy.clear()
            await status(process, "error: ")  # the next indication: there is no card
            BusyPin.broken = True  # a failure while the daemon runs
            await status(process, "muted: buttons.mute_pin = 24: the pin cannot be read")
            BusyPin.broken = False
            await status(process, "error: ")
            pins.pin(24).drive_low()
            await status(process, "muted")
            assert process.status.line == "muted"  # the switch needs no reason

    asyncio.run(life())


def test_mute_by_voice_survives_a_failing_switch(pins: MockFactory, tmp_path: Path) -> None:
    async def life() -> None:
        process = process_state(tmp_path)
        async with assembled(SETTINGS, process):
            await status(process, "error: ")
            assert process.mute is not None
            process.mute.mute_microphone(10)
            await status(process, "muted: closed by voice; the push button opens it")
            BusyPin.broken = True
            await status(process, "muted: buttons.mute_pin = 24: ")
            BusyPin.broken = False
            await status(process, "muted: closed by voice")

    asyncio.run(life())


@pytest.mark.parametrize("jump_s", [-1e9, -3600.0, 3600.0, 1e9])
def test_mute_by_voice_survives_a_reload_after_a_clock_change(
    jump_s: float, pins: MockFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def life() -> None:
        process = process_state(tmp_path)
        async with assembled(SETTINGS, process):
            assert process.mute is not None
            process.mute.mute_microphone(10)
            await status(process, "muted: closed by voice")
        now = time.time() + jump_s
        monkeypatch.setattr(time, "time", lambda: now)
        for restarted in (process, process_state(tmp_path)):  # a reload, then a new process
            async with assembled(SETTINGS, restarted) as running:
                audio_thread = running.audio_thread
                await until(lambda audio_thread=audio_thread: audio_thread.periods > 5, WITHIN_S)  # type: ignore[misc]
                assert audio_thread._muted is True
                assert restarted.status.line.startswith("muted")
        async with assembled(SETTINGS, restarted):
            restarted.queue.post(ButtonPressed())
            await status(restarted, "error: ")

    asyncio.run(life())
