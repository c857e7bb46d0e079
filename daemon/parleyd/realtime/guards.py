"""Functions that need the user's spoken yes before they run; pure."""

from collections.abc import Callable
from dataclasses import dataclass

from parleyd.realtime.events import Json


@dataclass(frozen=True, slots=True)
class Guard:
    """One function: the question names its service and its tool."""

    service: str
    tool: str
    asks: Callable[[Json], bool]
    """Whether a call with these arguments needs a yes. Pure, and called by the audio thread."""
