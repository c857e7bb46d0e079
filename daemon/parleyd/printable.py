"""Make text of any origin safe for a terminal or a log line."""

LINE_CHARS = 2000  # the longest line; an explanation for the user has 300

# invisible characters that Unicode counts as letters and marks (Default_Ignorable_Code_Point)
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(
    map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)


def printable(text: str, most: int = LINE_CHARS) -> str:
    """Return `text` as one line, with escapes for all invisible characters.

    Escaped are line breaks, control and zero-width characters, and changes of the writing
    direction. A text of more than `most` characters is cut, and its length is appended.
    """
    cut = text[:most]
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(map(_shown, cut))
    return cut if len(text) <= most else f"{cut}... ({len(text):,} characters)"


def _shown(character: str) -> str:
    if character.isprintable() and character not in _INVISIBLE:
        return character
    if character.isspace() and character not in "\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "  # spaces of other widths
    return character.encode("unicode_escape").decode()


LONGEST = 60


def shown(value: object) -> str:
    """Return a value in Python's notation, shortened to `LONGEST` characters."""
    text = printable(repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def named(name: str) -> str:
    """Return a name unchanged if it is short and printable, else like `shown`."""
    plain = printable(name) == name and name.strip() == name and 0 < len(name) <= LONGEST
    return name if plain else shown(name)
