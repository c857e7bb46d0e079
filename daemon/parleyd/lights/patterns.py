"""The light pattern of each state: pure functions of state and time.

The colours follow the Home Assistant Voice Preview Edition where possible: dark while idle,
blue while listening, red for a muted microphone and for faults. Every state also has its own
rhythm, so a single-colour LED shows all states, also to users who do not distinguish red
from green.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from parleyd.core.states import Indication
from parleyd.lights import Colour


class LedPattern(NamedTuple):
    """One state's entry in the table of LED meanings."""

    hue: Colour
    """The colour at full brightness; its strongest part is 1.0."""

    brightness: Callable[[float], float]
    """Maps the seconds since the state began to 0.0..1.0."""

    animated: bool
    """Whether the brightness changes while the state lasts."""

    colour_name: str
    rhythm: str
    """A description for the table in hardware/lights.md."""


def colour(indication: Indication, now: float, since: float) -> Colour:
    """Return the light at `now` of a state shown since `since` (seconds, one monotonic clock)."""
    red, green, blue = LED_PATTERNS[indication].hue
    level = brightness(indication, now, since)
    return Colour(red * level, green * level, blue * level)


def brightness(indication: Indication, now: float, since: float) -> float:
    """Return the light of a single LED: 0.0..1.0, the strongest part of `colour`."""
    return LED_PATTERNS[indication].brightness(max(0.0, now - since))


def animated(indication: Indication) -> bool:
    """Return whether the light changes while the state lasts."""
    return LED_PATTERNS[indication].animated


def _steady(level: float) -> Callable[[float], float]:
    return lambda _: level


def _pulse(period_s: float, lowest: float) -> Callable[[float], float]:
    """A raised cosine between `lowest` and 1.0; it starts at 1.0, so a change is visible."""
    return lambda t: lowest + (1 - lowest) * (0.5 + 0.5 * math.cos(math.tau * t / period_s))


def _blinks(count: int, on_s: float, period_s: float) -> Callable[[float], float]:
    """`count` blinks of `on_s`, with gaps of `on_s`, at the start of each period."""

    def level(t: float) -> float:
        slot = int(t % period_s / on_s)
        return 1.0 if slot % 2 == 0 and slot < 2 * count else 0.0

    return level


_RED = Colour(1.0, 0.0, 0.0)

LED_PATTERNS: Mapping[Indication, LedPattern] = {
    Indication.IDLE: LedPattern(Colour(0.0, 0.0, 0.0), _steady(0.0), False, "dark", "off"),
    Indication.LISTENING: LedPattern(
        Colour(0.0, 0.25, 1.0), _pulse(2.4, 0.3), True, "blue", "breathes slowly, never dark"
    ),
    Indication.THINKING: LedPattern(
        Colour(0.5, 0.0, 1.0), _pulse(0.8, 0.0), True, "violet", "pulses quickly, to dark"
    ),
    Indication.SPEAKING: LedPattern(
        Colour(0.0, 1.0, 0.4), _pulse(0.4, 0.4), True, "green", "ripples fast, never dark"
    ),
    # no pattern flashes more than three times a second (WCAG 2.3.1, photosensitive epilepsy);
    # this one is faster, but lasts only for hearing.decision_window_ms, half a second
    Indication.BARGE_IN: LedPattern(
        Colour(1.0, 1.0, 1.0), _blinks(1, 0.1, 0.2), True, "white", "flickers fast"
    ),
    Indication.RINGING: LedPattern(
        Colour(0.0, 1.0, 1.0),
        _blinks(1, 0.2, 0.4),
        True,
        "cyan",
        "blinks evenly, five times in 2 s",
    ),
    # dimmed, because it may stay on all night
    Indication.MUTED: LedPattern(_RED, _steady(0.4), False, "red", "steady"),
    Indication.OFFLINE: LedPattern(
        Colour(1.0, 0.45, 0.0), _blinks(1, 0.2, 2.0), True, "amber", "one short flash in 2 s"
    ),
    Indication.ERROR: LedPattern(_RED, _blinks(3, 0.15, 2.0), True, "red", "three blinks, a pause"),
}
