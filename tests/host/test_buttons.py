"""Button and switch through the real gpiozero on its mock pins."""

from collections.abc import Iterator

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from parleyd import config
from parleyd.errors import LightsError
from parleyd.host.buttons import QUIET_S, Buttons

PUSH, MUTE = 23, 24


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    try:
        yield Device.pin_factory
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = before


class Desk:
    """Buttons, what they told, and a clock that stands still."""

    def __init__(self, **settings: object) -> None:
        self.now = 100.0
        self.presses: list[float] = []
        self.mutes: list[bool] = []
        self.buttons = Buttons(
            config.Buttons(**settings),  # type: ignore[arg-type]
            on_press=lambda: self.presses.append(self.now),
            on_mute=self.mutes.append,
            clock=lambda: self.now,
        )


def bounce(desk: Desk, pins: MockFactory, closed: bool) -> None:
    """A contact that closes or opens with three bounces, 1 ms apart."""
    for level in (closed, not closed, closed, not closed, closed):
        (pins.pin(PUSH).drive_low if level else pins.pin(PUSH).drive_high)()
        desk.now += 0.001


def test_a_press_is_told_at_its_first_edge_and_once(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    bounce(desk, pins, closed=True)
    assert desk.presses == [100.0]


def test_a_release_that_bounces_is_no_press(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    bounce(desk, pins, closed=True)
    desk.now += 3.0
    bounce(desk, pins, closed=False)
    assert len(desk.presses) == 1


def test_the_next_press_counts_as_soon_as_the_contact_was_quiet(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    for _ in range(5):
        bounce(desk, pins, closed=True)
        desk.now += QUIET_S
        bounce(desk, pins, closed=False)
        desk.now += QUIET_S
    assert len(desk.presses) == 5


@pytest.mark.parametrize("closed_means_muted", [True, False])
def test_the_switch_tells_its_position_at_start_and_each_change(
    pins: MockFactory, closed_means_muted: bool
) -> None:
    desk = Desk(mute_pin=MUTE, mute_closed_means_muted=closed_means_muted)
    assert desk.buttons.muted is not closed_means_muted  # open, by the pull-up
    assert desk.mutes == []
    pins.pin(MUTE).drive_low()
    assert desk.buttons.muted is closed_means_muted
    pins.pin(MUTE).drive_high()
    assert desk.mutes == [closed_means_muted, not closed_means_muted]


def test_a_switch_that_bounces_ends_with_the_true_position(pins: MockFactory) -> None:
    desk = Desk(mute_pin=MUTE)
    for _ in range(3):
        pins.pin(MUTE).drive_low()
        pins.pin(MUTE).drive_high()
    pins.pin(MUTE).drive_low()
    assert desk.mutes[-1] is desk.buttons.muted is True


def test_without_pins_nothing_is_muted_and_nothing_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    desk = Desk()
    assert desk.buttons.muted is False
    desk.buttons.close()


def test_close_frees_the_pins_and_may_be_called_twice(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH, mute_pin=MUTE)
    desk.buttons.close()
    desk.buttons.close()
    pins.pin(PUSH).drive_low()
    assert desk.presses == []
    Desk(push_pin=PUSH, mute_pin=MUTE).buttons.close()


def test_a_pin_that_is_taken_is_told_and_the_other_is_freed(pins: MockFactory) -> None:
    holder = Desk(mute_pin=MUTE)
    with pytest.raises(LightsError, match=f"buttons.mute_pin = {MUTE}: the pins cannot be driven"):
        Desk(push_pin=PUSH, mute_pin=MUTE)
    holder.buttons.close()
    Desk(push_pin=PUSH, mute_pin=MUTE).buttons.close()


def test_a_machine_without_pins_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    with pytest.raises(LightsError, match=r"push_pin = 23: .* Parley runs without it"):
        Desk(push_pin=PUSH)
