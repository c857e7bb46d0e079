"""The outputs on gpiozero's mock pins and on a text buffer as the terminal."""

import io

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from parleyd import config
from parleyd.errors import LightsError
from parleyd.lights import Colour
from parleyd.lights.factory import create
from parleyd.lights.gpio import Led, RgbLed
from parleyd.lights.terminal import TerminalLight

DARK = Colour(0.0, 0.0, 0.0)
AMBER = Colour(1.0, 0.5, 0.0)


def lights(**changes: object) -> config.LightsConfig:
    return config.LightsConfig(**{"output": "led", **changes})  # type: ignore[arg-type]


def test_led_shows_the_strongest_part_of_a_colour(pins: MockFactory) -> None:
    led = Led(lights(led_pin=5))
    led.show(AMBER)
    led.show(Colour(0.0, 0.0, 0.4))
    led.show(DARK)
    assert [round(s.state, 3) for s in pins.pin(5).states] == [0.0, 1.0, 0.4, 0.0]


def test_rgb_led_shows_each_part_on_its_pin(pins: MockFactory) -> None:
    led = RgbLed(lights(red_pin=5, green_pin=6, blue_pin=13))
    led.show(AMBER)
    assert [round(pins.pin(n).state, 2) for n in (5, 6, 13)] == [1.0, 0.5, 0.0]


def test_led_active_low_is_dark_while_the_pin_is_high(pins: MockFactory) -> None:
    led = Led(lights(led_pin=5, active_high=False))
    assert pins.pin(5).state == 1
    led.show(AMBER)
    assert pins.pin(5).state == 0


def test_led_does_not_write_an_unchanged_colour(pins: MockFactory) -> None:
    led = Led(lights(led_pin=5))
    for _ in range(3):
        led.show(AMBER)
    assert len(pins.pin(5).states) == 2


def test_rgb_led_close_goes_dark_and_frees_the_pins(pins: MockFactory) -> None:
    led = RgbLed(lights(red_pin=5, green_pin=6, blue_pin=13))
    led.show(AMBER)
    led.close()
    led.close()
    assert [pins.pin(n).function for n in (5, 6, 13)] == ["input"] * 3
    assert pins.pin(5).states[-1].state == 0
    Led(lights(led_pin=5)).close()


def test_rgb_led_with_a_busy_pin_raises_and_frees_the_others(pins: MockFactory) -> None:
    holder = Led(lights(led_pin=13))
    with pytest.raises(LightsError, match="pins cannot be driven"):
        RgbLed(lights(red_pin=5, green_pin=6, blue_pin=13))
    holder.close()
    Led(lights(led_pin=5)).close()


@pytest.mark.parametrize("output", ["led", "rgb"])
def test_create_without_gpio_raises_with_the_pin(
    output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    with pytest.raises(LightsError) as error:
        create(lights(output=output))
    for part in ("GPIO 17" if output == "rgb" else "led_pin = 17", "Raspberry Pi", "runs without"):
        assert part in str(error.value)


def test_create_opens_the_configured_output(pins: MockFactory) -> None:
    assert create(config.LightsConfig()) is None
    assert isinstance(create(lights(led_pin=5)), Led)
    assert isinstance(create(lights(output="rgb", red_pin=6)), RgbLed)


def test_create_terminal_without_a_terminal_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(LightsError, match="standard error is not a terminal"):
        create(lights(output="terminal"))
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert isinstance(create(lights(output="terminal")), TerminalLight)


def test_terminal_draws_one_dot_per_change_and_cleans_up() -> None:
    stream = io.StringIO()
    light = TerminalLight(stream)
    light.show(Colour(1.0, 0.0, 0.0))
    light.show(Colour(1.0, 0.0, 0.0))
    assert stream.getvalue() == "\r\x1b[38;2;255;0;0m●\x1b[0m\r"
    light.close()
    light.close()
    assert stream.getvalue().endswith("●\x1b[0m\r\r\x1b[K")
