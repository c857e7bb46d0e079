"""Drawings for the guide to a build: the parts, the box from the inside, and its place in a room.

Each is a plan of shapes with shadows, drawn to look like things on a table.
"""

from collections.abc import Iterator

WIDTH = 900

STYLE = """\
text{font:12px ui-sans-serif,system-ui,Helvetica,Arial,sans-serif;fill:#4a3a28}
.title{font-weight:600;font-size:13px;fill:#2b2118}
.note{font-size:11px;fill:#6d5a44}
.on{fill:#f3efe8}
.table{fill:url(#wood)}
.thing{filter:url(#shadow)}
.line{fill:none;stroke:#4a3a28;stroke-width:1.4}
.far{fill:none;stroke:#1f6feb;stroke-width:2;marker-start:url(#end);marker-end:url(#end)}
.wire{fill:none;stroke:#20242a;stroke-width:4;stroke-linecap:round}"""

PAINTS = """\
<linearGradient id="wood" x2="0" y2="1"><stop stop-color="#efe3cf"/><stop offset="1" \
stop-color="#dcc8a8"/></linearGradient>
<linearGradient id="metal" x2="0" y2="1"><stop stop-color="#f4f5f6"/><stop offset="1" \
stop-color="#a4abb3"/></linearGradient>
<linearGradient id="black" x2="0" y2="1"><stop stop-color="#41464d"/><stop offset="1" \
stop-color="#17191c"/></linearGradient>
<linearGradient id="green" x2="1" y2="1"><stop stop-color="#2f8f57"/><stop offset="1" \
stop-color="#17603a"/></linearGradient>
<linearGradient id="box" x2="0" y2="1"><stop stop-color="#c99f6b"/><stop offset="1" \
stop-color="#a2784a"/></linearGradient>
<radialGradient id="cone"><stop stop-color="#8d939a"/><stop offset=".35" stop-color="#30343a"/>\
<stop offset="1" stop-color="#54595f"/></radialGradient>
<radialGradient id="glow"><stop stop-color="#9fd0ff"/><stop offset="1" stop-color="#9fd0ff" \
stop-opacity="0"/></radialGradient>
<filter id="shadow" x="-20%" y="-20%" width="140%" height="150%"><feDropShadow dx="2" dy="4" \
stdDeviation="3" flood-opacity=".35"/></filter>
<marker id="end" viewBox="0 0 10 10" refX="5" refY="5" markerWidth="6" markerHeight="6" \
orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#1f6feb"/></marker>"""


def pictures() -> dict[str, str]:
    """Return file names and SVG texts."""
    return {
        "build/parts.svg": _picture("The parts", 336, _parts()),
        "build/box.svg": _picture("The box from the inside", 360, _inside()),
        "build/place.svg": _picture("A good place in the room", 250, _place()),
    }


def _picture(title: str, height: int, shapes: Iterator[str]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{PAINTS}</defs>",
        f'<rect class="table" width="{WIDTH}" height="{height}" rx="10"/>',
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


# --- the pictures -------------------------------------------------------------------------


def _parts() -> Iterator[str]:
    yield from _thing(40, 40, _pi(), "1  Raspberry Pi", "3, 4, 5 or Zero 2 W", 215, 162)
    yield from _thing(300, 60, _card(), "2  microSD card", "8 GB or more", 64, 130)
    yield from _thing(420, 52, _supply(), "3  power supply", "the maker's own", 110, 138)
    yield from _thing(590, 55, _stick(), "4  USB sound card", "one for both directions", 110, 135)
    yield from _thing(770, 40, _speaker(42), "5  loudspeaker", "active, 3.5 mm plug", 84, 150)
    yield from _thing(80, 232, _capsule(), "6  microphone", "electret, 3.5 mm plug", 90, 70)
    yield from _thing(250, 232, _led(), "7  RGB LED, 3 × 330 Ω", "common cathode", 100, 70)
    yield from _thing(440, 232, _button(), "8  push button", "optional", 60, 70)
    yield from _thing(600, 232, _switch(), "9  mute switch", "optional", 70, 70)
    yield from _thing(760, 232, _cables(), "10  jumper wires", "female to female", 100, 70)


def _inside() -> Iterator[str]:
    yield '<rect class="thing" x="90" y="50" width="560" height="250" rx="8" fill="url(#box)"/>'
    yield '<rect x="104" y="64" width="532" height="222" rx="4" fill="#e9d6b8"/>'
    yield from _moved(120, 110, _speaker(62))
    yield from _moved(300, 140, _pi(0.75))
    yield from _moved(478, 168, _stick(0.8))
    yield '<path class="wire" d="M562 180C596 176 600 130 600 66"/>'
    yield '<path class="wire" d="M244 172C275 268 560 292 562 204"/>'
    yield from _moved(576, 34, _microphone())
    yield '<rect x="548" y="64" width="104" height="18" fill="#6b747d" rx="3"/>'
    yield '<circle cx="330" cy="57" r="20" fill="url(#glow)"/>'
    yield '<circle cx="330" cy="57" r="6" fill="#58a6ff"/>'
    yield '<path class="far" d="M186 26H586"/>'
    yield '<text class="title" x="386" y="20" text-anchor="middle">as far as the box allows</text>'
    yield from _label(668, 60, "microphone in the wall,", "its hole to the outside")
    yield from _label(668, 104, "foam around it:", "no sound from inside the box")
    yield from _label(668, 160, "loudspeaker at the other end,", "facing you, not the microphone")
    yield from _label(668, 216, "sound card and Pi", "on rubber: nothing rattles")
    yield from _label(90, 326, "LED where everyone can see it;", "button and switch on the top")
    yield from _label(350, 326, "a mark on the mute switch", "at the position that closes it")


def _place() -> Iterator[str]:
    yield '<rect x="60" y="210" width="620" height="14" fill="url(#box)" class="thing"/>'
    yield '<rect x="60" y="20" width="620" height="190" fill="#f6efe2"/>'
    yield '<rect class="thing" x="88" y="96" width="170" height="100" rx="4" fill="url(#black)"/>'
    yield '<text class="on" x="173" y="150" text-anchor="middle">television</text>'
    yield from _moved(430, 150, _closed_box())
    yield '<path class="far" d="M264 184H424"/>'
    yield '<text class="title" x="344" y="174" text-anchor="middle">far away</text>'
    yield '<path class="far" d="M534 184H676"/>'
    yield '<text class="title" x="606" y="174" text-anchor="middle">20 cm</text>'
    yield from _label(696, 60, "Not in a corner or a niche:", "walls make the echo longer.")
    yield from _label(696, 116, "Not beside a fan or kettle,", "nor at the television's speaker.")
    yield from _label(696, 172, "At the height of your head", "when you sit, 1 to 3 m away.")


# --- the things, each with its corner at the origin -----------------------------------------


def _pi(scale: float = 1.0) -> Iterator[str]:
    yield f'<g transform="scale({scale:g})">'
    yield '<rect width="215" height="140" rx="10" fill="url(#green)"/>'
    for x, y in ((10, 10), (172, 10), (10, 130), (172, 130)):
        yield f'<circle cx="{x}" cy="{y}" r="5" fill="#e8e0c8"/><circle cx="{x}" cy="{y}" r="2.6"/>'
    yield '<rect x="22" y="5" width="140" height="14" fill="#1d2126"/>'
    for pin in range(40):
        x, y = 25 + 7 * (pin // 2), 8 + 6 * (pin % 2)
        yield f'<rect x="{x}" y="{y}" width="3" height="3" fill="#d9b75c"/>'
    yield '<rect x="66" y="48" width="44" height="44" rx="3" fill="url(#metal)"/>'
    yield '<rect x="124" y="52" width="30" height="34" rx="2" fill="url(#black)"/>'
    for y in (24, 62, 100):
        yield f'<rect x="180" y="{y}" width="40" height="30" rx="2" fill="url(#metal)"/>'
    yield '<rect x="18" y="126" width="24" height="16" rx="3" fill="url(#metal)"/>'
    yield '<rect x="60" y="128" width="30" height="14" fill="url(#metal)"/></g>'


def _card() -> Iterator[str]:
    yield '<path d="M0 0H46L64 18V84H0z" fill="url(#black)"/>'
    yield '<rect x="8" y="34" width="48" height="30" rx="3" fill="#c94f3d"/>'


def _supply() -> Iterator[str]:
    yield '<rect width="64" height="84" rx="10" fill="url(#black)"/>'
    yield '<rect x="16" y="-14" width="7" height="16" fill="url(#metal)"/>'
    yield '<rect x="41" y="-14" width="7" height="16" fill="url(#metal)"/>'
    yield '<path class="wire" d="M32 84C32 110 96 96 96 60V36"/>'
    yield '<rect x="86" y="14" width="20" height="24" rx="4" fill="url(#metal)"/>'


def _stick(scale: float = 1.0) -> Iterator[str]:
    yield f'<g transform="scale({scale:g})">'
    yield '<rect x="28" width="72" height="50" rx="9" fill="url(#black)"/>'
    yield '<rect y="10" width="30" height="30" rx="2" fill="url(#metal)"/>'
    yield '<circle cx="96" cy="15" r="8" fill="#e7799b"/><circle cx="96" cy="15" r="3"/>'
    yield '<circle cx="96" cy="37" r="8" fill="#69c27d"/><circle cx="96" cy="37" r="3"/></g>'


def _speaker(radius: int) -> Iterator[str]:
    yield f'<g transform="translate({radius} {radius})">'
    yield f'<circle r="{radius}" fill="url(#metal)"/><circle r="{radius - 6}" fill="url(#cone)"/>'
    yield f'<circle r="{radius // 3}" fill="url(#black)"/></g>'


def _capsule() -> Iterator[str]:
    yield '<path class="wire" d="M30 20C60 44 70 0 90 22"/>'
    yield '<circle cx="20" cy="20" r="20" fill="url(#metal)"/>'
    yield '<circle cx="20" cy="20" r="13" fill="url(#black)"/>'


def _microphone() -> Iterator[str]:
    yield '<circle cx="24" cy="24" r="17" fill="url(#metal)"/>'
    yield '<circle cx="24" cy="24" r="11" fill="url(#black)"/>'


def _led() -> Iterator[str]:
    for x in (12, 18, 24, 30):
        yield f'<path class="line" d="M{x} 26V{50 - abs(21 - x) // 2}"/>'
    yield '<path d="M8 28V14a13 13 0 0 1 26 0V28z" fill="#e9f4ff" stroke="#9fb4c8"/>'
    for y in (6, 22, 38):
        yield f'<path class="line" d="M48 {y + 4}H104"/>'
        yield f'<rect x="60" y="{y}" width="32" height="8" rx="4" fill="#d8c49a"/>'
        for x, hue in ((66, "#e8831d"), (73, "#e8831d"), (80, "#8a5a2b")):
            yield f'<rect x="{x}" y="{y}" width="3" height="8" fill="{hue}"/>'


def _button() -> Iterator[str]:
    yield '<rect width="44" height="44" rx="6" fill="url(#black)"/>'
    yield '<circle cx="22" cy="22" r="14" fill="#c94f3d"/>'


def _switch() -> Iterator[str]:
    yield '<rect y="8" width="64" height="28" rx="5" fill="url(#black)"/>'
    yield '<rect x="8" y="14" width="26" height="16" rx="3" fill="url(#metal)"/>'


def _cables() -> Iterator[str]:
    for number, hue in enumerate(("#c94f3d", "#2f8f57", "#1f6feb", "#20242a")):
        y = 4 + 11 * number
        yield (
            f'<path d="M6 {y}C40 {y + 14} 60 {y - 14} 96 {y}" fill="none" stroke="{hue}" '
            'stroke-width="4"/>'
        )
        for x in (0, 90):
            yield f'<rect x="{x}" y="{y - 3}" width="12" height="6"/>'


def _closed_box() -> Iterator[str]:
    yield '<rect width="98" height="60" rx="6" fill="url(#box)"/>'
    yield '<circle cx="28" cy="32" r="19" fill="url(#cone)"/>'
    yield '<circle cx="86" cy="12" r="3"/>'
    yield '<circle cx="62" cy="14" r="12" fill="url(#glow)"/>'
    yield '<circle cx="62" cy="14" r="4" fill="#58a6ff"/>'


# --- helpers ------------------------------------------------------------------------------


def _moved(x: float, y: float, shapes: Iterator[str]) -> Iterator[str]:
    yield f'<g class="thing" transform="translate({x:g} {y:g})">'
    yield from shapes
    yield "</g>"


def _thing(
    x: int, y: int, shapes: Iterator[str], name: str, note: str, width: int, height: int
) -> Iterator[str]:
    """Yield a thing with its name and a note below it."""
    yield from _moved(x, y, shapes)
    middle, below = x + width / 2, y + height
    for look, text, line in (("title", name, below), ("note", note, below + 16)):
        yield f'<text class="{look}" x="{middle:g}" y="{line}" text-anchor="middle">{text}</text>'


def _label(x: int, y: int, first: str, second: str) -> Iterator[str]:
    yield f'<text class="title" x="{x}" y="{y}">{first}</text>'
    yield f'<text x="{x}" y="{y + 16}">{second}</text>'
