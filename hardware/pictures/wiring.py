"""Wiring plans: the 40-pin header in the middle, the parts left and right."""

from collections.abc import Iterator, Sequence
from itertools import chain

from hardware.pictures import boards
from hardware.pictures.boards import Board, Part, Wire

WIDTH, ROW, TOP = 900, 22, 46
HEIGHT = TOP + 20 * ROW + 14
LEFT_PIN, RIGHT_PIN = 438, 462
NAME_WIDTH = 52  # for the name beside each pin; wires begin after it
PART_WIDTH, PART_MARGIN = 190, 20
TITLE, TERMINAL, NOTE, FOOT = 28, 20, 15, 10  # heights within a part

STYLE = """\
text{font:12px ui-sans-serif,system-ui,Helvetica,Arial,sans-serif;fill:#c9d1d9}
.panel{fill:#10141b;stroke:#30363d}
.part{fill:#1b222c;stroke:#3a4452}
.title{font-weight:600;fill:#f0f3f6}
.note{font-size:11px;fill:#8b949e}
.unused{fill:#59636e}
.header{fill:#1b222c;stroke:#3a4452}
.hat{fill:#15301f;stroke:#2f6f46}
.number{font-size:9px;text-anchor:middle;fill:#10141b;font-weight:600}
.wire{fill:none;stroke-width:2.2;stroke-linecap:round}
.under{fill:none;stroke:#10141b;stroke-width:6}
.through{font-size:10px;text-anchor:middle;fill:#10141b;font-weight:600}"""


def pictures() -> dict[str, str]:
    """Return file names and SVG texts, one picture for each board."""
    return {f"boards/{name}.svg": _picture(boards.board(name)) for name in boards.names()}


def table(name: str) -> str:
    """Return the same plan as a Markdown table."""
    board, pins = boards.board(name), boards.header()
    lines = ["| part | terminal | pin of the header | through |", "|---|---|---|---|"]
    for part in (*board.left, *board.right):
        for wire in part.wires:
            pin = f"{wire.pin}, {pins[wire.pin]}"
            lines.append(f"| {part.name} | {wire.terminal} | {pin} | {wire.through} |")
    return "\n".join(lines)


def _picture(board: Board) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>Wiring of {board.name}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="panel" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>',
        *_header(board),
    ]
    for parts, is_left in ((board.left, True), (board.right, False)):
        for part, top in zip(parts, _tops(parts), strict=True):
            lines += [*_wires(part, top, is_left), *_part(part, top, is_left)]
    lines += [*_pins(board), "</svg>"]
    return "\n".join(lines) + "\n"


# --- the header ---------------------------------------------------------------------------


def _row_y(pin: int) -> float:
    return TOP + ROW * ((pin - 1) // 2 + 0.5)


def _pin_x(pin: int) -> float:
    return LEFT_PIN if pin % 2 else RIGHT_PIN


def _header(board: Board) -> Iterator[str]:
    middle = (LEFT_PIN + RIGHT_PIN) / 2
    what = f"{board.hat}, on the header" if board.hat else "header of the Raspberry Pi"
    look = "hat" if board.hat else "header"
    yield f'<text x="{middle:g}" y="24" text-anchor="middle" class="title">{what}</text>'
    yield (
        f'<rect class="{look}" x="{LEFT_PIN - 15}" y="{TOP}" rx="6" '
        f'width="{RIGHT_PIN - LEFT_PIN + 30}" height="{20 * ROW}"/>'
    )


def _pins(board: Board) -> Iterator[str]:
    """Yield numbers and names, above the wires; used pins have the colour of their wire."""
    parts = (*board.left, *board.right)
    hues = {wire.pin: wire.hue for wire in chain.from_iterable(part.wires for part in parts)}
    for pin, name in boards.header().items():
        x, y, used = _pin_x(pin), _row_y(pin), pin in hues
        yield f'<circle cx="{x:g}" cy="{y:g}" r="8" fill="{hues.get(pin, "#3a4452")}"/>'
        yield f'<text class="number" x="{x:g}" y="{y + 3:g}">{pin}</text>'
        look = "" if used else ' class="unused"'
        anchor, beside = ("end", x - 20) if pin % 2 else ("start", x + 20)
        yield f'<text x="{beside:g}" y="{y + 4:g}" text-anchor="{anchor}"{look}>{name}</text>'


# --- parts and wires ----------------------------------------------------------------------


def _height(part: Part) -> float:
    return TITLE + TERMINAL * len(part.wires) + NOTE * len(part.note) + FOOT


def _tops(parts: Sequence[Part]) -> list[float]:
    """Return the top of each part, as near to its pins as possible, all within the panel."""
    tops: list[float] = []
    lowest = float(TOP)
    for part in parts:
        rows = [_row_y(wire.pin) for wire in part.wires] or [HEIGHT]
        top = max(lowest, sum(rows) / len(rows) - _height(part) / 2)
        tops.append(top)
        lowest = top + _height(part) + 16
    excess = max(0.0, lowest - 16 - (HEIGHT - 14))
    for index in range(len(tops) - 1, -1, -1):
        tops[index] -= excess
        if index and tops[index] < tops[index - 1] + _height(parts[index - 1]) + 16:
            excess = tops[index - 1] + _height(parts[index - 1]) + 16 - tops[index]
        else:
            break
    return tops


def _part(part: Part, top: float, is_left: bool) -> Iterator[str]:
    x = PART_MARGIN if is_left else WIDTH - PART_MARGIN - PART_WIDTH
    yield (
        f'<rect class="part" x="{x}" y="{top:g}" width="{PART_WIDTH}" '
        f'height="{_height(part):g}" rx="8"/>'
    )
    yield f'<text class="title" x="{x + 12}" y="{top + 18:g}">{part.name}</text>'
    edge, anchor, inside = (
        (x + PART_WIDTH, "end", x + PART_WIDTH - 14) if is_left else (x, "start", x + 14)
    )
    for wire, y in zip(part.wires, _terminals(part, top), strict=True):
        yield f'<circle cx="{edge}" cy="{y:g}" r="4.5" fill="{wire.hue}"/>'
        yield f'<text x="{inside}" y="{y + 4:g}" text-anchor="{anchor}">{wire.terminal}</text>'
    for above, line in enumerate(reversed(part.note)):
        y = top + _height(part) - FOOT - NOTE * above
        yield f'<text class="note" x="{x + 12}" y="{y:g}">{line}</text>'


def _terminals(part: Part, top: float) -> list[float]:
    return [top + TITLE + TERMINAL * (index + 0.5) for index in range(len(part.wires))]


def _wires(part: Part, top: float, is_left: bool) -> Iterator[str]:
    """Yield wires from terminals to the pins' names, or between two rows to the other side."""
    for wire, end_y in zip(part.wires, _terminals(part, top), strict=True):
        yield from _wire(wire, end_y, is_left)


def _wire(wire: Wire, end_y: float, is_left: bool) -> Iterator[str]:
    away = -1 if is_left else 1
    near_x = (LEFT_PIN if is_left else RIGHT_PIN) + away * (20 + NAME_WIDTH)
    end_x = PART_MARGIN + PART_WIDTH if is_left else WIDTH - PART_MARGIN - PART_WIDTH
    x, y = _pin_x(wire.pin), _row_y(wire.pin)
    crosses = (wire.pin % 2 == 1) != is_left
    if crosses:
        # to the left below the pin's row, to the right above it: so no two wires overlap
        between = y + ROW / 2 if is_left else y - ROW / 2
        path = f"M{x:g},{y:g}V{between:g}H{near_x:g}"
        y = between
    else:
        path = f"M{near_x:g},{y:g}"
    bend = (near_x + end_x) / 2
    path += f"C{bend:g},{y:g} {bend:g},{end_y:g} {end_x:g},{end_y:g}"
    yield f'<path class="under" d="{path}"/>'
    yield f'<path class="wire" d="{path}" stroke="{wire.hue}"/>'
    if wire.through:
        middle = end_x - away * 36
        yield (
            f'<rect x="{middle - 21:g}" y="{end_y - 8:g}" width="42" height="16" rx="3" '
            f'fill="{wire.hue}"/>'
        )
        yield f'<text class="through" x="{middle:g}" y="{end_y + 3.5:g}">{wire.through}</text>'
