"""The mute switch on a whole daemon: nothing opens the microphone while the switch is on.

The daemon runs in this process, with gpiozero's mock pins and the real alsa-lib, so that tests
can move the switch and record every opened capture, even a short one.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from daemon_process import RIG_CARDS
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin
from pulse_rig import PulseRig
from waiting import until

from parleyd import config
from parleyd.alsa import pcm, sound_card
from parleyd.app.daemon import Daemon
from parleyd.control.link import linked
from parleyd.control.replies import MeasuredReply
from parleyd.control.requests import MeasureRequest
from parleyd.core.events import AlarmDue
from parleyd.errors import ControlError
from parleyd.skills.store import Store

WITHIN_S = 120.0  # generous: the machine may be loaded
RED, GREEN, BLUE, PUSH, MUTE = 17, 27, 22, 23, 24

CONFIG = f"""{RIG_CARDS}
[realtime]
server = "compatible"
url = "ws://127.0.0.1:9/"
[lights]
output = "rgb"
[buttons]
push_pin = 23
mute_pin = 24
"""


SWEEPS = MeasureRequest(what="sweeps", volumes=(40,))


class WiredPin(MockPWMPin):
    """A pin that a closed contact holds low, with any pull."""

    closed: ClassVar[set[str]] = set()

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self.info.name in self.closed:
            self.drive_low()


class Desk:
    """The button, the switch and the LED from outside."""

    def __init__(self, factory: MockFactory) -> None:
        self._factory = factory

    def switch(self, on: bool) -> None:
        WiredPin.closed = {f"GPIO{MUTE}"} if on else set()
        pin = self._factory.pin(MUTE)
        (pin.drive_low if on else pin.drive_high)()

    def press(self) -> None:
        self._factory.pin(PUSH).drive_low()
        self._factory.pin(PUSH).drive_high()

    def light(self) -> list[float]:
        return [self._factory.pin(number).state for number in (RED, GREEN, BLUE)]


@pytest.fixture
def desk() -> Iterator[Desk]:
    before, Device.pin_factory = Device.pin_factory, MockFactory(pin_class=WiredPin)
    try:
        yield Desk(Device.pin_factory)
    finally:
        WiredPin.closed = set()
        Device.pin_factory.reset()
        Device.pin_factory = before


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each capture device that was opened."""
    opened: list[str] = []
    really = pcm.open_pcm

    def noting(key: str, name: str, direction: pcm.Direction, *more: int) -> object:
        if direction == "PCM_CAPTURE":
            opened.append(name)
        return really(key, name, direction, *more)

    monkeypatch.setattr(sound_card, "open_pcm", noting)
    return opened


class Manager:
    """Stands in for systemd: receives the daemon's notifications."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        path = os.path.relpath(folder / "notify")  # the path of a socket has at most 107 bytes
        self._socket.bind(path)
        patch.setenv("NOTIFY_SOCKET", os.path.abspath(path))

    async def wait(self, line: str) -> None:
        """Wait for a notification that starts with `line`."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WITHIN_S):
            while True:
                told = (await loop.sock_recv(self._socket, 4096)).decode()
                if any(part.startswith(line) for part in told.splitlines()):
                    return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    manager = Manager(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    yield manager
    manager.close()


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[Daemon]:
    """Run a daemon that ends with the context, as by `systemctl stop`."""
    daemon = Daemon(path, config.load(path), True)
    task = asyncio.create_task(daemon.run())
    try:
        yield daemon
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(task, WITHIN_S) == 0


async def periods(daemon: Daemon, count: int) -> None:
    """Wait for a number of periods of the audio thread, in which it handles all events."""
    assert daemon._assembly is not None
    audio_thread = daemon._assembly.audio_thread
    end = audio_thread.periods + count
    await until(lambda: audio_thread.periods >= end, WITHIN_S)


def test_no_path_opens_the_microphone_while_the_switch_is_on(
    own_rig: PulseRig,
    desk: Desk,
    captures: list[str],
    manager: Manager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sound_card, "STALL_S", WITHIN_S)
    path = tmp_path / "parley.toml"
    path.write_text(CONFIG)
    kept = tmp_path / "state/parley/skills.json"
    Store(kept).keep(muted_until=time.time() + 2)
    desk.switch(on=True)

    async def nothing_opened(daemon: Daemon) -> None:
        await periods(daemon, 10)
        assert captures == []
        assert await asyncio.to_thread(own_rig.open_microphones) == 0

    async def scene() -> None:
        async with running(path) as daemon:
            # a start
            await manager.wait("STATUS=muted")
            await nothing_opened(daemon)
            # the end of a timed mute by voice
            await until(lambda: Store(kept).kept.muted_until == 0.0, WITHIN_S)
            await nothing_opened(daemon)
            # the button, which ends a timed mute
            desk.press()
            await nothing_opened(daemon)
            # a calibration
            async with linked() as link:
                for request in (MeasureRequest(what="word"), SWEEPS):
                    with pytest.raises(ControlError, match="closed"):
                        await link.ask(request, MeasuredReply)
            await nothing_opened(daemon)
            # a new configuration
            os.kill(os.getpid(), signal.SIGHUP)
            await manager.wait("READY=1")
            await manager.wait("STATUS=muted")
            await nothing_opened(daemon)
            # a card that is lost while an alarm rings, and returns
            assert daemon._assembly is not None
            audio_thread = daemon._assembly.audio_thread
            own_rig.kill()
            audio_thread._queue.post(AlarmDue("tea"))
            await until(lambda: isinstance(audio_thread._card, sound_card.Card) is False, WITHIN_S)
            await asyncio.to_thread(own_rig.restart)
            await until(lambda: isinstance(audio_thread._card, sound_card.Card), WITHIN_S)
            await nothing_opened(daemon)
        async with running(path) as daemon:
            # another start; then the control: the switch opens the microphone and closes it again
            await manager.wait("STATUS=muted")
            await nothing_opened(daemon)
            desk.switch(on=False)
            await until(lambda: own_rig.open_microphones() == 1, WITHIN_S)
            assert captures == ["mic"]
            # ... also during a calibration
            async with linked() as link:
                measuring = asyncio.create_task(link.ask(SWEEPS, MeasuredReply, WITHIN_S))
                await periods(daemon, 20)
                desk.switch(on=True)
                with pytest.raises(ControlError, match="closed"):
                    await measuring
            await manager.wait("STATUS=muted")
            await until(lambda: own_rig.open_microphones() == 0, WITHIN_S)
            await until(lambda: desk.light()[0] > 0, WITHIN_S)
            assert desk.light()[1:] == [0, 0]
            assert captures == ["mic"]

    asyncio.run(scene())


def test_status_counts_xruns(
    rig: PulseRig,
    desk: Desk,
    manager: Manager,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "parley.toml"
    path.write_text(CONFIG)
    desk.switch(on=True)

    async def scene() -> None:
        async with running(path) as daemon:
            await manager.wait("STATUS=muted")
            assert daemon._assembly is not None
            daemon._assembly.audio_thread._card.xruns += 3
            await manager.wait("STATUS=muted, 3 xruns")
            os.kill(os.getpid(), signal.SIGHUP)  # counted since the start, not since the reload
            await manager.wait("STATUS=muted, 3 xruns")

    asyncio.run(scene())
    fields = [record.fields for record in caplog.records if record.message == "xrun"]  # type: ignore[attr-defined]
    assert [(f["count"], f["total"]) for f in fields] == [(3, 3)]
