"""The part of gpiozero 2.0 that Parley and its tests use; after its documentation."""

from collections.abc import Callable

from gpiozero.devices import Device as Device
from gpiozero.mixins import HoldThread
from gpiozero.pins import Factory, Pin

class GPIOZeroError(Exception): ...
class GPIODeviceError(GPIOZeroError): ...
class GPIODeviceClosed(GPIODeviceError): ...
class GPIOPinInUse(GPIODeviceError): ...

class Button(Device):
    _pin: Pin | None  # None when it is closed
    _hold_thread: HoldThread | None
    when_pressed: Callable[[], object] | None
    when_released: Callable[[], object] | None
    def __init__(
        self,
        pin: int | str | None = None,
        *,
        pull_up: bool | None = True,
        active_state: bool | None = None,
        bounce_time: float | None = None,  # seconds
        hold_time: float = 1,
        hold_repeat: bool = False,
        pin_factory: Factory | None = None,
    ) -> None: ...
    @property
    def is_pressed(self) -> bool: ...
    # Called on the thread of the pin factory; `ticks` depends on the factory.
    def _pin_changed(self, ticks: float, state: float) -> None: ...

class LED(Device):
    def __init__(
        self,
        pin: int | str | None = None,
        *,
        active_high: bool = True,
        initial_value: bool | None = False,
        pin_factory: Factory | None = None,
    ) -> None: ...

class PWMLED(Device):
    value: float
    def __init__(
        self,
        pin: int | str | None = None,
        *,
        active_high: bool = True,
        initial_value: float | None = 0,
        frequency: int = 100,
        pin_factory: Factory | None = None,
    ) -> None: ...
    def off(self) -> None: ...
