"""The lights of a killed daemon are switched off, with any configuration."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from gpiozero import PWMLED
from gpiozero.pins.mock import MockFactory

from parleyd import config
from parleyd.cli.main import parley
from parleyd.lights import Colour, off
from parleyd.lights.apa102 import Apa102
from parleyd.lights.apa102 import encode as apa102
from parleyd.lights.ws2812 import encode as ws2812

SPI = "/dev/spidev0.0"


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of the SPI device /dev/spidev0.0."""
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: 0)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    device = tmp_path / "spidev0.0"
    device.touch()
    really = os.open

    def opened(path: str, *more: int, **named: int) -> int:
        return really(device if path == SPI else path, *more, **named)

    monkeypatch.setattr(os, "open", opened)
    return device


def lights_off(folder: Path, text: str) -> Result:
    path = folder / "parley.toml"
    path.write_text(text)
    return CliRunner().invoke(parley, ["lights-off", "--config", str(path)])


def of(output: str = "apa102", rest: str = "leds = 3") -> str:
    return f'[lights]\noutput = "{output}"\nspi_device = "{SPI}"\n{rest}\n'


def test_lights_off_darkens_the_chain_of_a_killed_process(chain: Path, tmp_path: Path) -> None:
    light = Apa102(config.LightsConfig(output="apa102", spi_device=SPI, leds=3))
    light.show(Colour(1.0, 0.0, 0.0))
    os.close(light._device or 0)  # like SIGKILL: without a last write
    assert chain.read_bytes() == apa102(255, 0, 0, 3)
    chain.write_bytes(b"")
    assert lights_off(tmp_path, of()).exit_code == 0
    assert chain.read_bytes() == apa102(0, 0, 0, 3)


def test_lights_off_darkens_a_ws2812_chain(chain: Path, tmp_path: Path) -> None:
    assert lights_off(tmp_path, of("ws2812", "leds = 12")).exit_code == 0
    assert chain.read_bytes() == ws2812(0, 0, 0, 12)


@pytest.mark.parametrize(
    ("output", "numbers"), [("led", [5]), ("rgb", [6, 13, 19])], ids=["led", "rgb"]
)
@pytest.mark.parametrize("active_high", [True, False])
def test_lights_off_darkens_gpio_pins(
    output: str, numbers: list[int], active_high: bool, pins: MockFactory, tmp_path: Path
) -> None:
    for number in numbers:
        pins.pin(number).function = "output"
        pins.pin(number).state = active_high  # lit
        pins.pin(number).clear_states()
    text = (
        f'[lights]\noutput = "{output}"\nled_pin = 5\nred_pin = 6\ngreen_pin = 13\n'
        f"blue_pin = 19\nactive_high = {str(active_high).lower()}\n"
    )
    assert lights_off(tmp_path, text).exit_code == 0
    for number in numbers:
        lit, dark, *_ = (state.state for state in pins.pin(number).states)
        assert (lit, dark) == ((1, 0) if active_high else (0, 1))
        assert pins.pin(number).function == "input"  # freed


@pytest.mark.parametrize(
    "broken",
    [
        "[wake]\nkeywords = []\n",
        "[audio\nvolume = 3\n",
        "nonsense\n",
        "[turn]\nsilence_ms = 'long'\n[nobody]\nx = 1\n",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_lights_off_reads_the_valid_lines_of_a_broken_config(
    broken: str, first: bool, chain: Path, tmp_path: Path
) -> None:
    lights = of(rest="leds = 5\nbrightness = 7\nnight = ")
    assert lights_off(tmp_path, broken + lights if first else lights + broken).exit_code == 0
    assert chain.read_bytes() == apa102(0, 0, 0, 5)


def test_to_darken_of_a_broken_config_uses_its_board(tmp_path: Path) -> None:
    text = 'board = "respeaker-2mic"\n[wake]\nkeywords = 3\n[lights]\nleds = 2\n'
    path = tmp_path / "parley.toml"
    path.write_text(text)
    found = off.to_darken(path, {})
    assert (found.output, found.leds) == ("apa102", 2)


@pytest.mark.parametrize(
    "text", ["", "\x00\xff", "[" * 5000, "[lights]\noutput = 'led'\nled_pin = 99"]
)
def test_lights_off_with_an_unreadable_config_exits_0(
    text: str, pins: MockFactory, tmp_path: Path
) -> None:
    assert lights_off(tmp_path, text).exit_code == 0


def test_lights_off_without_a_config_exits_0(tmp_path: Path) -> None:
    result = CliRunner().invoke(parley, ["lights-off", "--config", str(tmp_path / "none")])
    assert result.exit_code == 0


def test_lights_off_darkens_the_saved_lights_not_the_config(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    off.remember(config.LightsConfig(output="apa102", spi_device=SPI, leds=7))
    assert lights_off(tmp_path, '[lights]\noutput = "none"\n').exit_code == 0
    assert chain.read_bytes() == apa102(0, 0, 0, 7)


def test_lights_off_with_a_damaged_saved_file_uses_the_config(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    (tmp_path / off.FILE).write_bytes(b'{"output":"lase')
    assert lights_off(tmp_path, of()).exit_code == 0
    assert chain.read_bytes() == apa102(0, 0, 0, 3)


def test_lights_off_with_a_busy_pin_reports_one_line(pins: MockFactory, tmp_path: Path) -> None:
    holder = PWMLED(5)
    path = tmp_path / "parley.toml"
    path.write_text('[lights]\noutput = "led"\nled_pin = 5\n')
    result = CliRunner().invoke(parley, ["lights-off", "--config", str(path)])
    holder.close()
    assert "pins cannot be driven" in str(result.exception)


def test_lights_off_command_of_the_unit_runs(tmp_path: Path) -> None:
    unit = Path(__file__).parents[2] / "systemd/parleyd.service"
    (line,) = [s for s in unit.read_text().splitlines() if s.startswith("ExecStopPost=")]
    program, *arguments = line.removeprefix("ExecStopPost=-").split()
    assert program.endswith("/parley")
    path = tmp_path / "parley.toml"
    path.write_text('[lights]\noutput = "led"\n')
    arguments[arguments.index("--config") + 1] = str(path)
    ended = subprocess.run(
        [sys.executable, "-m", "parleyd", *arguments],
        env={
            **os.environ,
            "GPIOZERO_PIN_FACTORY": "mock",
            "GPIOZERO_MOCK_PIN_CLASS": "mockpwmpin",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
