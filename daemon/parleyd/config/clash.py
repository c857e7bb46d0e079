"""A problem of a configuration that involves several keys."""

from typing import NamedTuple


class Clash(NamedTuple):
    """A problem, and the keys that it involves."""

    keys: tuple[str, ...]
    """``section.key`` of each key that the check uses."""
    problem: str
