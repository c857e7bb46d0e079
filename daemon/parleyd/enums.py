"""Enums whose members are read many times in each period of the sound card."""

from enum import Enum
from typing import TypeVar

Members = TypeVar("Members", bound=Enum)


def quick(kind: type[Members]) -> type[Members]:
    """Let the class hold its members itself, as every enum does from Python 3.12 on.

    In 3.11 each `State.IDLE` calls code in Python: 750 instructions, for a number 60.
    """
    for name, member in kind.__members__.items():
        type.__setattr__(kind, name, member)
    return kind
