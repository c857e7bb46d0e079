"""The LEDs and buttons of a simulated GPIO chip (the kernel's gpio-sim), from outside."""

import contextlib
import math
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from parleyd.lights import Colour
from tests.bench.device.watching import come_first

POLL_S = 0.001  # the pulse width modulation of lgpio has a period of 10 ms
RETRY_S = 0.1
RGB = (17, 27, 22)  # the defaults of [lights]
PUSH, MUTE = 23, 24


class Pins:
    """Reads output lines and sets input lines. Raises `OSError` while the chip is absent."""

    def level(self, line: int) -> bool:
        """Return whether the line is high."""
        return self.path(line, "value").read_text().strip() == "1"

    def pull(self, line: int, *, up: bool) -> None:
        """Release a button or switch (up), or press it."""
        self.path(line, "pull").write_text("pull-up" if up else "pull-down")

    def press(self) -> None:
        """Press the push button for 100 ms; blocks for another 100 ms after the release."""
        self.pull(PUSH, up=False)
        time.sleep(0.1)
        self.pull(PUSH, up=True)
        time.sleep(0.1)

    def path(self, line: int, name: str) -> Path:
        """Return the path of a line's attribute; looked up each time, as the chip may reappear."""
        lines = Path("/sys/devices/platform").glob(f"gpio-sim.*/gpiochip*/sim_gpio{line}/{name}")
        path = next(iter(lines), None)
        if path is None:
            raise FileNotFoundError("no simulated GPIO chip: run tests/vm/pi.sh")
        return path


class Lamp:
    """Watches the three lines of the RGB LED on a thread; a context manager."""

    def __init__(self, pins: Pins) -> None:
        self._pins = pins
        self._ending = threading.Event()
        self._levels: list[tuple[float, tuple[bool, ...]]] = []
        self._thread = threading.Thread(target=self._run, name="lamp", daemon=True)

    def __enter__(self) -> "Lamp":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def first(self, lit: Callable[[Sequence[bool]], bool], since: float) -> float | None:
        """Return the first time after `since` (monotonic) at which `lit` holds; None: never.

        `lit` receives (red, green, blue).
        """
        return next((at for at, levels in list(self._levels) if at >= since and lit(levels)), None)

    def forget(self, before: float = math.inf) -> None:
        """Drop samples taken before that time."""
        old = sum(at < before for at, _ in self._levels)
        del self._levels[:old]

    def colour(self, begins_at: float, ends_at: float) -> Colour:
        """Return the share of the time for which each part was lit."""
        seen = [levels for at, levels in list(self._levels) if begins_at <= at <= ends_at]
        if not seen:
            raise AssertionError("the LED was not sampled in that time")
        red, green, blue = (sum(part) / len(seen) for part in zip(*seen, strict=True))
        return Colour(red, green, blue)

    def _run(self) -> None:
        come_first()
        while not self._ending.is_set():
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                paths = [self._pins.path(line, "value") for line in RGB]
                self._watch([stack.enter_context(path.open("rb")).fileno() for path in paths])
            self._ending.wait(RETRY_S)

    def _watch(self, files: Sequence[int]) -> None:
        chance = random.Random(1)
        while not self._ending.is_set():
            levels = tuple(os.pread(file, 1, 0) == b"1" for file in files)
            self._levels.append((time.monotonic(), levels))
            time.sleep(chance.uniform(0.2, 1.8) * POLL_S)  # not synchronous with the LED's pulses
