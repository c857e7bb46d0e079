"""Texts of others in messages: on one line, short, and nothing that a terminal would obey."""

from parleyd.printable import printable

LONGEST = 60


def shown(value: object) -> str:
    """A value as it would be written in Python, cut where it is long."""
    text = printable(repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def named(name: str) -> str:
    """A name as it stands in the file, if it is one word; else as `shown`."""
    plain = printable(name) == name and name.strip() == name and 0 < len(name) <= LONGEST
    return name if plain else shown(name)
