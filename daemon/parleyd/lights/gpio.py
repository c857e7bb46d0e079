"""LEDs on GPIO pins through gpiozero."""

from collections.abc import Sequence

from parleyd import config
from parleyd.lights import Colour
from parleyd.system.gpio_pins import pins

LEVELS = 255  # finer steps are invisible and would only cost writes


class Led:
    """One LED of one colour; its brightness is the strongest part of the colour."""

    def __init__(self, settings: config.LightsConfig) -> None:
        """Raises `LightsError` if the pin cannot be driven."""
        with pins(f"lights.led_pin = {settings.led_pin}"):
            self._pins = _Pins([settings.led_pin], settings)

    def show(self, colour: Colour) -> None:
        """See `LightOutput.show`."""
        self._pins.set([max(colour)])

    def close(self) -> None:
        """See `LightOutput.close`."""
        self._pins.close()


class RgbLed:
    """Three LEDs, or one LED with three colours."""

    def __init__(self, settings: config.LightsConfig) -> None:
        """Raises `LightsError` if a pin cannot be driven."""
        numbers = [settings.red_pin, settings.green_pin, settings.blue_pin]
        with pins(f"lights: GPIO {', '.join(map(str, numbers))}"):
            self._pins = _Pins(numbers, settings)

    def show(self, colour: Colour) -> None:
        """See `LightOutput.show`."""
        self._pins.set(colour)

    def close(self) -> None:
        """See `LightOutput.close`."""
        self._pins.close()


class _Pins:
    """Pins with pulse-width modulation, which are written only when their level changes."""

    def __init__(self, numbers: Sequence[int], settings: config.LightsConfig) -> None:
        from gpiozero import PWMLED

        self._shown = [0] * len(numbers)
        self._leds: list[PWMLED] = []
        try:
            for number in numbers:
                self._leds.append(PWMLED(number, active_high=settings.active_high))
        except BaseException:
            self.close()
            raise

    def set(self, parts: Sequence[float]) -> None:
        for index, led in enumerate(self._leds):
            level = round(parts[index] * LEVELS)
            if level != self._shown[index]:
                self._shown[index] = level
                led.value = level / LEVELS

    def close(self) -> None:
        leds, self._leds = self._leds, []
        for led in leds:
            led.off()
            led.close()
