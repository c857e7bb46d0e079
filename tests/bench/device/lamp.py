"""The LEDs and buttons of a simulated GPIO chip (the kernel's gpio-sim), seen from outside."""

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from parleyd.lights import Colour

POLL_S = 0.001  # the pulse width modulation of lgpio has a period of 10 ms
RGB = (17, 27, 22)  # the defaults of [lights]
PUSH, MUTE = 23, 24


class Pins:
    """Reads output lines and moves input lines. Raises `FileNotFoundError` without gpio-sim."""

    def __init__(self) -> None:
        lines = sorted(Path("/sys/devices/platform").glob("gpio-sim.*/gpiochip*/sim_gpio0"))
        if not lines:
            raise FileNotFoundError("no simulated GPIO chip: modprobe gpio-sim and configure it")
        self._chip = lines[0].parent

    def level(self, line: int) -> bool:
        """Whether it is high."""
        return self._file(line, "value").read_text().strip() == "1"

    def pull(self, line: int, *, up: bool) -> None:
        """Let go of a button (up), or press it."""
        self._file(line, "pull").write_text("pull-up" if up else "pull-down")

    def press(self) -> None:
        """The push button, for 100 ms."""
        self.pull(PUSH, up=False)
        time.sleep(0.1)
        self.pull(PUSH, up=True)

    def _file(self, line: int, name: str) -> Path:
        return self._chip / f"sim_gpio{line}" / name

    def open(self, line: int) -> int:
        """A descriptor whose first byte is the level."""
        return os.open(self._file(line, "value"), os.O_RDONLY)


class Lamp:
    """Watches the three lines of the RGB LED on a thread; a context manager."""

    def __init__(self, pins: Pins) -> None:
        self._files = [pins.open(line) for line in RGB]
        self._ending = threading.Event()
        self._levels: list[tuple[float, tuple[bool, ...]]] = []
        self._thread = threading.Thread(target=self._watch, name="lamp", daemon=True)

    def __enter__(self) -> "Lamp":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        for file in self._files:
            os.close(file)

    def first(self, lit: Callable[[Sequence[bool]], bool], since: float) -> float | None:
        """When, after `since` (monotonic), (red, green, blue) were first so; None: never."""
        return next((at for at, levels in list(self._levels) if at >= since and lit(levels)), None)

    def forget(self, before: float = math.inf) -> None:
        """What was seen before that time."""
        old = sum(at < before for at, _ in self._levels)
        del self._levels[:old]

    def colour(self, begins_at: float, ends_at: float) -> Colour:
        """The share of the time that each part was lit."""
        seen = [levels for at, levels in list(self._levels) if begins_at <= at <= ends_at]
        if not seen:
            raise AssertionError("the LED was not watched in that time")
        red, green, blue = (sum(part) / len(seen) for part in zip(*seen, strict=True))
        return Colour(red, green, blue)

    def _watch(self) -> None:
        while not self._ending.is_set():
            levels = tuple(os.pread(file, 1, 0) == b"1" for file in self._files)
            self._levels.append((time.monotonic(), levels))
            time.sleep(POLL_S)
