"""The player on an event loop with virtual time."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from datetime import time
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from parleyd import config
from parleyd.core.states import Indication
from parleyd.errors import LightsError
from parleyd.lights import Colour
from parleyd.lights.dimming import Dimming
from parleyd.lights.gpio import RgbLed
from parleyd.lights.patterns import colour
from parleyd.lights.player import LightPlayer

FRAME_S = 0.02
STILL_S = 10.0

BRIGHT = config.LightsConfig(brightness=1.0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer as soon as no callback is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and timers:
            self.now = max(self.now, timers[0].when())
        super()._run_once()  # type: ignore[misc]


class Recorder:
    """A light that records each colour with its time."""

    def __init__(self) -> None:
        self.shown: list[tuple[float, Colour]] = []
        self.closed = 0
        self.fails = False

    def show(self, colour: Colour) -> None:
        if self.fails:
            raise OSError("gone")
        self.shown.append((asyncio.get_running_loop().time(), colour))

    def changes(self) -> list[tuple[float, Colour]]:
        return [next(group) for _, group in itertools.groupby(self.shown, key=lambda s: s[1])]

    def close(self) -> None:
        self.closed += 1


Scene = Callable[[LightPlayer], Coroutine[Any, Any, None]]


def play(
    output: Any,
    scene: Scene,
    lights: config.LightsConfig = BRIGHT,
    local: Callable[[], time] = lambda: time(12),
    reopen: Callable[[], Any] | None = None,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        player = LightPlayer(output, Dimming(lights), loop.time, local, reopen)
        task = asyncio.create_task(player.run())
        await asyncio.sleep(0)
        await scene(player)
        task.cancel()
        await asyncio.wait([task])

    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_player_writes_a_constant_light_only_every_10_s() -> None:
    async def scene(player: LightPlayer) -> None:
        await asyncio.sleep(3600)
        player.show(Indication.MUTED)
        await asyncio.sleep(3600)

    light = Recorder()
    play(light, scene)
    assert light.changes() == [
        (0.0, colour(Indication.IDLE, 0, 0)),
        (3600.0, colour(Indication.MUTED, 0, 0)),
    ]
    assert len(light.shown) <= 2 + 7200 / STILL_S
    assert light.closed == 1


def test_player_writes_an_animated_light_50_times_a_second() -> None:
    async def scene(player: LightPlayer) -> None:
        player.show(Indication.LISTENING)
        await asyncio.sleep(1)

    light = Recorder()
    play(light, scene)
    assert 49 <= len(light.shown) <= 52
    for at, shown in light.shown[1:]:
        assert shown == colour(Indication.LISTENING, at, 0.0)


def test_player_shows_a_change_at_once_from_its_start() -> None:
    async def scene(player: LightPlayer) -> None:
        player.show(Indication.THINKING)
        await asyncio.sleep(1.0 + FRAME_S / 3)
        player.show(Indication.ERROR)
        await asyncio.sleep(0.01)

    light = Recorder()
    play(light, scene)
    assert light.shown[-1] == (1.0 + FRAME_S / 3, Colour(1.0, 0.0, 0.0))


def test_player_same_state_again_does_not_restart_it() -> None:
    async def scene(player: LightPlayer) -> None:
        for _ in range(20):
            player.show(Indication.OFFLINE)
            await asyncio.sleep(0.1)

    light = Recorder()
    play(light, scene)
    lit = [at for at, shown in light.shown if max(shown) > 0]
    assert max(lit) < 0.2


def test_player_dims_at_night_and_follows_a_changed_clock() -> None:
    clock = [time(21, 59)]

    async def scene(player: LightPlayer) -> None:
        player.show(Indication.MUTED)
        for moment in (time(22, 0), time(12, 0), time(3, 30)):
            await asyncio.sleep(STILL_S)
            clock[0] = moment
        await asyncio.sleep(STILL_S)

    light = Recorder()
    settings = config.LightsConfig(brightness=0.5, night="22:00-07:00", night_brightness=0.25)
    play(light, scene, settings, local=lambda: clock[0])
    red = [shown.red for _, shown in light.changes()[1:]]
    assert red == pytest.approx([0.2, 0.1, 0.2, 0.1])


def test_player_with_a_failed_light_logs_closes_it_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(player: LightPlayer) -> None:
        light.fails = True
        player.show(Indication.MUTED)
        await asyncio.sleep(1)

    light = Recorder()
    play(light, scene)
    assert light.closed == 1
    assert "continues without" in caplog.text
    assert caplog.records[0].exc_info is not None


def test_player_reopens_a_failed_light_with_the_current_state(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = Recorder(), Recorder()
    tries: list[float] = []

    def reopen() -> Recorder:
        tries.append(asyncio.get_running_loop().time())
        if len(tries) < 7:
            raise LightsError("GPIO busy")
        return second

    async def scene(player: LightPlayer) -> None:
        await asyncio.sleep(10.0)
        first.fails = True
        player.show(Indication.MUTED)
        await asyncio.sleep(60.0)

    caplog.set_level("INFO")
    play(first, scene, reopen=reopen)
    assert tries == [10.5, 11.5, 13.5, 17.5, 25.5, 33.5, 41.5]
    assert first.closed == second.closed == 1
    assert second.changes() == [(41.5, Colour(0.4, 0.0, 0.0))]
    assert [r.levelname for r in caplog.records] == ["ERROR", "INFO"]


def test_player_opens_a_busy_light_later() -> None:
    light = Recorder()

    async def scene(player: LightPlayer) -> None:
        player.show(Indication.MUTED)
        await asyncio.sleep(2.0)

    play(None, scene, reopen=lambda: light)
    assert light.changes() == [(0.5, Colour(0.4, 0.0, 0.0))]


def test_player_error_reaches_the_pins_as_three_blinks(pins: MockFactory) -> None:
    async def scene(player: LightPlayer) -> None:
        player.show(Indication.ERROR)
        await asyncio.sleep(2.0 - FRAME_S)

    settings = config.LightsConfig(
        output="rgb", red_pin=5, green_pin=6, blue_pin=13, brightness=1.0
    )
    play(RgbLed(settings), scene)
    assert [s.state for s in pins.pin(5).states] == [0, 1, 0, 1, 0, 1, 0]
    assert [s.state for s in pins.pin(6).states] == [0]
