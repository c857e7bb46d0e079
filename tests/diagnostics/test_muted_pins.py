"""`parley doctor` respects the mute switch: it does not open a muted microphone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from pulse_rig import PulseRig

from parleyd import config
from parleyd.alsa.sound_card import Card
from parleyd.diagnostics import sound_checks
from parleyd.diagnostics.findings import Finding
from parleyd.units import Frames
from tests.diagnostics.noisy_room import noise

AUDIO = config.AudioConfig(capture="mic", playback="speaker")


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    try:
        yield Device.pin_factory
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = before


@pytest.fixture(autouse=True)
def _room(rig: PulseRig, tmp_path: Path) -> Iterator[None]:
    with noise(tmp_path, -50):
        yield


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A record of each opening of the microphone."""
    noted: list[str] = []
    really = Card.open_capture

    def noting(card: Card) -> None:
        noted.append("mic")
        really(card)

    monkeypatch.setattr(Card, "open_capture", noting)
    return noted


def microphone(buttons: config.ButtonsConfig, *, served: bool = False) -> Finding:
    found = {f.check: f for f in sound_checks.sound(AUDIO, served=served, buttons=buttons)}
    return found["microphone"]


@pytest.mark.parametrize("open_means_muted", [True, False])
def test_sound_opens_the_microphone_only_if_not_muted(
    open_means_muted: bool, rig: PulseRig, pins: MockFactory, opened: list[str]
) -> None:
    buttons = config.ButtonsConfig(mute_pin=24, mute_closed_means_muted=not open_means_muted)
    finding = microphone(buttons)  # an open contact
    assert finding.level == "ok"
    assert opened == ([] if open_means_muted else ["mic"])
    assert ("the mute switch is on" in finding.text) is open_means_muted


def test_sound_closes_the_microphone_when_the_switch_closes_meanwhile(
    rig: PulseRig, pins: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the recording is judged."""
    pin = pins.pin(24)
    read = Card.read
    count = 0

    def turning(card: Card) -> Frames | None:
        nonlocal count
        count += 1
        if count == 20:
            pin.drive_low()
        return read(card)

    monkeypatch.setattr(Card, "read", turning)
    monkeypatch.setattr(sound_checks, "judge", lambda frames: pytest.fail("it was judged"))
    found = microphone(config.ButtonsConfig(mute_pin=24, mute_closed_means_muted=True))
    assert found.text == "is closed: the mute switch was closed meanwhile"
    assert count < 40
    assert rig.open_microphones() == 0


def test_sound_leaves_the_microphone_to_the_running_service(
    rig: PulseRig, opened: list[str]
) -> None:
    assert "left to the service" in microphone(config.ButtonsConfig(mute_pin=24), served=True).text
    assert opened == []


def test_sound_with_an_unreadable_switch_keeps_it_closed(
    rig: PulseRig, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    finding = microphone(config.ButtonsConfig(mute_pin=24))
    assert finding.level == "warn"
    assert "mute switch on GPIO 24 cannot be read" in finding.text
    assert opened == []
