"""The button and the switch through the real gpiozero on its mock pins."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from gpiozero import LED, Device
from gpiozero.pins.mock import MockFactory, MockPin

from parleyd import config
from parleyd.host.buttons import Buttons
from parleyd.host.pin_input import PinInput

pytestmark = pytest.mark.slow

QUIET_S = 0.05

PUSH, MUTE = 23, 24
WITHIN_S = 20.0  # the limit of a wait that takes 0.1 s on an idle machine


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    try:
        yield Device.pin_factory
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = before


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close all inputs, so no input of one test opens its pin in the next test."""
    yield
    while Desk.made:
        Desk.made.pop().buttons.close()


class Desk:
    """Buttons, their reports, and a clock that stands still."""

    made: ClassVar[list["Desk"]] = []

    def __init__(self, **settings: object) -> None:
        self.made.append(self)
        self.now = 100.0
        self.presses: list[float] = []
        self.mutes: list[bool] = []
        self.buttons = Buttons(
            config.ButtonsConfig(**settings),  # type: ignore[arg-type]
            on_press=lambda: self.presses.append(self.now),
            on_mute=self.mutes.append,
            clock=lambda: self.now,
        )


def bounce(desk: Desk, pins: MockFactory, closed: bool) -> None:
    """Close or open a contact with bounces that are 1 ms apart."""
    for level in (closed, not closed, closed, not closed, closed):
        (pins.pin(PUSH).drive_low if level else pins.pin(PUSH).drive_high)()
        desk.now += 0.001


def test_push_that_bounces_is_one_press_at_its_first_edge(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    bounce(desk, pins, closed=True)
    assert desk.presses == [100.0]


def test_push_release_that_bounces_is_not_a_press(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    bounce(desk, pins, closed=True)
    desk.now += 3.0
    bounce(desk, pins, closed=False)
    assert len(desk.presses) == 1


def test_push_after_a_quiet_contact_counts_again(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    for _ in range(5):
        bounce(desk, pins, closed=True)
        desk.now += QUIET_S
        bounce(desk, pins, closed=False)
        desk.now += QUIET_S
    assert len(desk.presses) == 5


@pytest.mark.parametrize("closed_means_muted", [True, False])
def test_switch_reports_each_change_but_not_the_first_position(
    pins: MockFactory, closed_means_muted: bool
) -> None:
    desk = Desk(mute_pin=MUTE, mute_closed_means_muted=closed_means_muted)
    assert desk.buttons.muted is not closed_means_muted  # open, by the pull-up
    assert desk.mutes == []
    pins.pin(MUTE).drive_low()
    assert desk.buttons.muted is closed_means_muted
    pins.pin(MUTE).drive_high()
    assert desk.mutes == [closed_means_muted, not closed_means_muted]


def test_switch_that_bounces_ends_with_the_true_position(pins: MockFactory) -> None:
    desk = Desk(mute_pin=MUTE)
    for _ in range(3):
        pins.pin(MUTE).drive_low()
        pins.pin(MUTE).drive_high()
    pins.pin(MUTE).drive_low()
    assert desk.mutes[-1] is desk.buttons.muted is True


def test_buttons_without_pins_are_unmuted_and_need_no_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    desk = Desk()
    assert desk.buttons.muted is False
    desk.buttons.close()


def test_buttons_close_frees_the_pins_and_may_be_called_twice(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH, mute_pin=MUTE)
    desk.buttons.close()
    desk.buttons.close()
    pins.pin(PUSH).drive_low()
    assert desk.presses == []
    Desk(push_pin=PUSH, mute_pin=MUTE).buttons.close()


# --- a pin that cannot be read ---------------------------------------------------------------


def waited(condition: Callable[[], bool]) -> bool:
    """Return whether the condition became true; a pin is first tried again after 50 ms."""
    deadline = time.monotonic() + WITHIN_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


class BusyPin(MockPin):
    """A pin like lgpio's: claiming it raises lgpio's own error while another process holds it.

    A contact in `wired` is closed, whatever the pull of the pin.
    """

    busy: ClassVar[set[int]] = set()
    wired: ClassVar[set[int]] = set()

    def __init__(self, factory: Any, info: Any) -> None:
        if int(info.name[4:]) in self.busy:
            raise lgpio_error("GPIO busy")
        super().__init__(factory, info)

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if int(self.info.name[4:]) in self.wired:
            self.drive_low()


class lgpio_error(Exception):  # the library spells it lgpio.error
    """lgpio's only error, which has no other base (lgpio.py: class error(Exception))."""


@pytest.fixture
def busy() -> Iterator[set[int]]:
    """The pins that another process holds."""
    before, Device.pin_factory = Device.pin_factory, MockFactory(pin_class=BusyPin)
    try:
        yield BusyPin.busy
    finally:
        BusyPin.busy.clear()
        BusyPin.wired.clear()
        Device.pin_factory.reset()
        Device.pin_factory = before


def mock_pin(number: int) -> MockPin:
    factory = Device.pin_factory
    assert isinstance(factory, MockFactory)
    return factory.pin(number)


def test_switch_with_a_busy_pin_is_muted_until_it_is_free(busy: set[int]) -> None:
    busy.add(MUTE)
    desk = Desk(mute_pin=MUTE)
    assert desk.buttons.muted is True
    assert "buttons.mute_pin = 24" in desk.buttons.mute_trouble
    assert "GPIO busy" in desk.buttons.mute_trouble
    assert "The microphone is closed until the mute switch can be read" in desk.buttons.mute_trouble
    busy.clear()
    assert waited(lambda: desk.buttons.muted is False)
    assert desk.buttons.mute_trouble == ""
    assert desk.mutes == []  # the first position is not reported
    mock_pin(MUTE).drive_low()
    assert desk.buttons.muted is True
    assert desk.mutes == [True]
    desk.buttons.close()


def test_switch_that_is_on_stays_muted_when_it_can_be_read(busy: set[int]) -> None:
    busy.add(MUTE)
    desk = Desk(mute_pin=MUTE, mute_closed_means_muted=False)
    busy.clear()
    assert waited(lambda: desk.buttons.mute_trouble == "")
    assert desk.buttons.muted is True  # the open contact means muted
    assert desk.mutes == []
    desk.buttons.close()


@pytest.mark.parametrize("taken", [PUSH, MUTE])
def test_buttons_with_one_busy_pin_still_read_the_other(taken: int, busy: set[int]) -> None:
    busy.add(taken)
    desk = Desk(push_pin=PUSH, mute_pin=MUTE)
    if taken == PUSH:
        assert desk.buttons.muted is False
        mock_pin(MUTE).drive_low()
        assert desk.buttons.muted is True
        assert "push_pin = 23" in desk.buttons.push_trouble
    else:
        assert desk.buttons.muted is True
        mock_pin(PUSH).drive_low()
        assert desk.presses == [100.0]
    busy.clear()
    assert waited(lambda: not desk.buttons.push_trouble and not desk.buttons.mute_trouble)
    desk.now += 1.0
    mock_pin(PUSH).drive_high()
    desk.now += 1.0
    mock_pin(PUSH).drive_low()
    assert desk.presses[-1] == 102.0
    desk.buttons.close()


def test_switch_on_the_pin_of_a_led_is_read_once_it_is_free(pins: MockFactory) -> None:
    led = LED(MUTE)
    desk = Desk(mute_pin=MUTE)
    assert desk.buttons.muted is True
    assert "already in use" in desk.buttons.mute_trouble
    led.close()
    assert waited(lambda: desk.buttons.muted is False)
    desk.buttons.close()


@pytest.mark.parametrize(
    "error",
    [
        lgpio_error("bad read"),
        OSError(19, "No such device"),
        RuntimeError("Failed to add edge detection"),
        TypeError("unsupported operand type(s) for &: 'NoneType' and 'int'"),
        AssertionError(),
    ],
)
def test_switch_that_fails_while_running_is_muted(
    error: Exception, pins: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(mute_pin=MUTE)
    assert desk.buttons.muted is False

    def fails(pin: object) -> bool:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(MockPin, "_get_state", fails)
        assert desk.buttons.muted is True
        assert "the pin cannot be read" in desk.buttons.mute_trouble
        assert (str(error) or "AssertionError") in desk.buttons.mute_trouble
    assert waited(lambda: desk.buttons.muted is False)
    assert desk.mutes == []  # not moved: a mute period that the user asked for by voice continues
    pins.pin(MUTE).drive_low()
    assert desk.mutes == [True]
    desk.buttons.close()


@pytest.mark.usefixtures("busy")
def test_switch_moved_while_it_could_not_be_read_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(mute_pin=MUTE)
    with monkeypatch.context() as patch:
        patch.setattr(MockPin, "_get_state", lambda pin: 1 / 0)
        assert desk.buttons.muted is True
        BusyPin.wired.add(MUTE)
        assert waited(lambda: bool(desk.buttons.mute_trouble))
    assert waited(lambda: desk.mutes == [True])
    assert desk.buttons.muted is True
    desk.buttons.close()


def test_pin_trouble_is_logged_once(busy: set[int], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    busy.add(MUTE)
    contact = PinInput("buttons.mute_pin", MUTE, on_edge=lambda closed: None)
    for _ in range(5):
        contact._try()
    busy.clear()
    contact._try()
    assert [r.levelname for r in caplog.records] == ["ERROR", "INFO"]
    assert "can be read again" in caplog.text
    contact.close()


def test_pin_pauses_between_tries_grow_to_two_seconds(busy: set[int]) -> None:
    busy.add(MUTE)
    contact = PinInput("buttons.mute_pin", MUTE, on_edge=lambda closed: None)
    contact._try()
    pauses_s = []
    for troubled_s in (0.0, 2.0, 16.0, 3600.0):
        contact._troubled_since = time.monotonic() - troubled_s
        pauses_s.append(contact._pause_s())
    assert pauses_s == pytest.approx([0.05, 0.125, 1.0, 2.0], abs=0.001)


@pytest.mark.parametrize("missing", ["gpiozero", "lgpio", "chip"])
def test_buttons_without_gpio_are_muted_with_a_reason(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    if missing == "chip":
        monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    else:
        monkeypatch.setitem(sys.modules, missing, None)
    desk = Desk(push_pin=PUSH, mute_pin=MUTE)
    assert desk.buttons.muted is True
    assert "Parley runs without it" in desk.buttons.push_trouble
    assert "microphone is closed until" in desk.buttons.mute_trouble
    if missing != "chip":
        assert missing in desk.buttons.mute_trouble
    desk.buttons.close()


def test_pin_callback_that_raises_keeps_the_library_alive(
    pins: MockFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """lgpio calls every callback from one thread, which ends at the first exception."""
    desk = Desk(push_pin=PUSH)
    desk.presses = None  # type: ignore[assignment]  # like a name that is not assigned yet
    pins.pin(PUSH).drive_low()
    assert caplog.records[0].exc_info is not None
    pins.pin(PUSH).drive_high()
    desk.presses, desk.now = [], 200.0
    pins.pin(PUSH).drive_low()
    assert desk.presses == [200.0]
    desk.buttons.close()


def test_pin_edge_during_close_raises_nothing(pins: MockFactory) -> None:
    desk = Desk(push_pin=PUSH)
    contact = desk.buttons._push_input
    assert contact is not None
    device = contact.device
    assert device is not None
    assert device._hold_thread is not None
    device._hold_thread.stop()
    device._hold_thread = None  # as gpiozero does before it removes the callback
    pins.pin(PUSH).drive_low()
    desk.buttons.close()


def test_buttons_close_of_a_missing_chip_raises_nothing(
    pins: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(push_pin=PUSH, mute_pin=MUTE)
    monkeypatch.setattr(MockPin, "close", lambda pin: 1 / 0)
    desk.buttons.close()
    desk.buttons.close()
