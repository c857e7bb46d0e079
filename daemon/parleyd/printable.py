"""Text of any origin as it may reach a terminal or a log line."""

LINE_CHARS = 2000  # of one line; an explanation for people has 300

# Invisible characters that Unicode counts as letters and marks (Default_Ignorable_Code_Point)
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(
    map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)


def printable(text: str, most: int = LINE_CHARS) -> str:
    """One line in which line breaks, control and zero-width characters, changes of the writing
    direction and other invisible characters are shown as escapes.

    A text of more than `most` characters is cut, and its length is appended.
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
    """A value as it would be written in Python, cut where it is long."""
    text = printable(repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def named(name: str) -> str:
    """A name as it stands in the file, if it is one word; else as `shown`."""
    plain = printable(name) == name and name.strip() == name and 0 < len(name) <= LONGEST
    return name if plain else shown(name)
