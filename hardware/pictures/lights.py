"""Pictures of each state, drawn from the patterns of the LEDs.

Each shows four lights that move as on the device, and four seconds of brightness. The panel is
dark, where LEDs are most visible, on light and on dark pages.
"""

import math
from collections.abc import Iterator

from parleyd.core.states import Indication
from parleyd.lights import Colour
from parleyd.lights.patterns import LED_PATTERNS, animated, brightness, colour
from parleyd.lights.terminal import on_screen

WIDTH, HEIGHT = 620, 84
SHOWN_S = 4.0
FRAME_S = 0.02  # like the player
DECIDED_S = 0.5  # longest duration of a barge-in (hearing.decision_window_ms)
PAUSE_S = 1.5  # before the picture of a barge-in repeats, so that it does not flicker constantly

ONE_LED, RGB_LED, HAT, RING = 46.0, 112.0, 190.0, 286.0  # horizontal positions
CURVE_LEFT, CURVE_RIGHT, CURVE_TOP, BASELINE = 356, 596, 18, 58
ANY_HUE = "#ffe9c4"  # one LED may have any colour: only its rhythm matters

STYLE = """\
text{font:10px ui-sans-serif,system-ui,Helvetica,Arial,sans-serif;fill:#8b949e;text-anchor:middle}
.panel{fill:#10141b;stroke:#30363d}
.board{fill:#171d26;stroke:#2c343f}
.off{fill:#242b36;stroke:#3a4452}
.axis{stroke:#3a4452}"""


def pictures() -> dict[str, str]:
    """Return file names and SVG texts, one picture for each state."""
    return {f"lights/{shown}.svg": _picture(shown) for shown in Indication}


def _picture(shown: Indication) -> str:
    look = LED_PATTERNS[shown]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{shown}: {look.colour_name}, {look.rhythm}</title>",
        f"<style>{STYLE}{_keyframes(shown)}</style>",
        f'<rect class="panel" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>',
        *_boards(),
        *_labels(),
        *_lit(shown),
        *_curve(shown),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


# --- the lights ---------------------------------------------------------------------------


def _boards() -> Iterator[str]:
    """Yield the dark lights."""
    yield f'<rect class="board" x="{HAT - 36:g}" y="18" width="72" height="34" rx="5"/>'
    yield (
        f'<circle cx="{RING:g}" cy="35" r="23" fill="none" stroke="#171d26" stroke-width="11"/>'
        f'<circle cx="{RING:g}" cy="35" r="28.5" fill="none" stroke="#2c343f"/>'
        f'<circle cx="{RING:g}" cy="35" r="17.5" fill="none" stroke="#2c343f"/>'
    )
    for x in (ONE_LED, RGB_LED):
        yield f'<circle class="off" cx="{x:g}" cy="35" r="9"/>'
    for x, y, size in _chips():
        yield _chip(x, y, size, 'class="off"')


def _labels() -> Iterator[str]:
    for x, text in (
        (ONE_LED, "one LED"),
        (RGB_LED, "RGB LED"),
        (HAT, "HAT, 3 APA102"),
        (RING, "ring of 12"),
    ):
        yield f'<text x="{x:g}" y="76">{text}</text>'


def _lit(shown: Indication) -> Iterator[str]:
    """Yield the lights at full brightness, in one group whose opacity is the pattern."""
    if shown is Indication.IDLE:
        return
    hue = _css(LED_PATTERNS[shown].hue)
    for name, fill in (("any", ANY_HUE), ("hue", hue)):
        yield (
            f'<radialGradient id="{name}"><stop offset="0" stop-color="{fill}" stop-opacity=".6"/>'
            f'<stop offset="1" stop-color="{fill}" stop-opacity="0"/></radialGradient>'
        )
    yield f'<g class="lit" opacity="{_seen(max(colour(shown, 0.0, 0.0)))}">'
    for x, name, fill in ((ONE_LED, "any", ANY_HUE), (RGB_LED, "hue", hue)):
        yield f'<circle cx="{x:g}" cy="35" r="27" fill="url(#{name})"/>'
        yield f'<circle cx="{x:g}" cy="35" r="9" fill="{fill}"/>'
        yield f'<circle cx="{x:g}" cy="35" r="4" fill="#fff" opacity=".55"/>'
    for x, y, size in _chips():
        yield f'<circle cx="{x:g}" cy="{y}" r="{1.9 * size:.1f}" fill="url(#hue)"/>'
        yield _chip(x, y, size, f'fill="{hue}"')
        yield _chip(x, y, size * 0.45, 'fill="#fff" opacity=".55"')
    yield "</g>"


def _chips() -> Iterator[tuple[float, float, float]]:
    """Yield centre and edge of each addressable LED: three on the HAT, twelve on the ring."""
    for step in (-1, 0, 1):
        yield HAT + 22.0 * step, 35.0, 10.0
    for hour in range(12):
        angle = math.tau * hour / 12
        yield round(RING + 23 * math.sin(angle), 1), round(35 - 23 * math.cos(angle), 1), 6.0


def _chip(x: float, y: float, edge: float, look: str) -> str:
    return (
        f'<rect x="{x - edge / 2:.1f}" y="{y - edge / 2:.1f}" width="{edge:.1f}" '
        f'height="{edge:.1f}" rx="1.5" {look}/>'
    )


# --- time ---------------------------------------------------------------------------------


def _keyframes(shown: Indication) -> str:
    """Return CSS that animates the opacity like the brightness of the pattern."""
    if not animated(shown):
        return ""
    over_s = DECIDED_S + PAUSE_S if shown is Indication.BARGE_IN else _period_s(shown)
    frames = round(over_s / FRAME_S)
    steps: list[tuple[int, float]] = []
    for frame in range(frames):
        level = _level(shown, frame * FRAME_S)
        if len(steps) < 2 or not steps[-1][1] == steps[-2][1] == level:
            steps.append((frame, level))
        else:
            steps[-1] = (frame, level)
    rules = "".join(f"{100 * f / frames:.5g}%{{opacity:{level:g}}}" for f, level in steps)
    end = f"100%{{opacity:{steps[0][1]:g}}}"
    return (
        f"\n@keyframes pattern{{{rules}{end}}}"
        f"\n.lit{{animation:pattern {over_s:g}s step-end infinite}}"
        "\n@media (prefers-reduced-motion:reduce){.lit{animation:none}}"
    )


def _period_s(shown: Indication) -> float:
    """Return the period of the pattern."""
    levels = [_level(shown, frame * FRAME_S) for frame in range(1000)]
    return next(n for n in range(1, 500) if levels[n:] == levels[:-n]) * FRAME_S


def _curve(shown: Indication) -> Iterator[str]:
    """Yield the perceived brightness over `SHOWN_S`."""
    second = (CURVE_RIGHT - CURVE_LEFT) / SHOWN_S
    frames = round(SHOWN_S / FRAME_S)
    path = [f"M{CURVE_LEFT},{BASELINE}"]
    for frame in range(frames):
        y = BASELINE - _level(shown, frame * FRAME_S) * (BASELINE - CURVE_TOP)
        left, right = (CURVE_LEFT + (frame + n) * FRAME_S * second for n in (0, 1))
        height = f"{y:.4g}"
        if path[-1].endswith(f",{height}"):
            path[-1] = f"L{right:.4g},{height}"
        else:
            path += [f"L{left:.4g},{height}", f"L{right:.4g},{height}"]
    path.append(f"L{CURVE_RIGHT},{BASELINE}Z")
    fill = _css(LED_PATTERNS[shown].hue)
    if shown is not Indication.IDLE:
        yield f'<path d="{"".join(path)}" fill="{fill}" opacity=".9"/>'
    yield f'<path class="axis" d="M{CURVE_LEFT},{BASELINE}H{CURVE_RIGHT}"/>'
    for tick in range(round(SHOWN_S) + 1):
        x = CURVE_LEFT + tick * second
        unit = " s" if tick == SHOWN_S else ""
        yield f'<path class="axis" d="M{x:g},{BASELINE}v4"/>'
        yield f'<text x="{x:g}" y="76">{tick}{unit}</text>'


def _level(shown: Indication, t: float) -> float:
    """Return the perceived brightness at `t`, 0..1; dark in a picture's pause."""
    t += FRAME_S / 1000  # an edge of the pattern may coincide with a frame
    if shown is Indication.BARGE_IN and t >= DECIDED_S:
        return 0.0
    return _seen(brightness(shown, t, 0.0))


def _seen(linear: float) -> float:
    return round(on_screen(Colour(linear, linear, linear))[0] / 255, 2)


def _css(hue: Colour) -> str:
    red, green, blue = on_screen(hue)
    return f"#{red:02x}{green:02x}{blue:02x}"
