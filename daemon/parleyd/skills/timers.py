"""Kitchen timers: set by voice, rung by the speaker. Time is an argument."""

from dataclasses import dataclass

from parleyd.realtime.events import Json
from parleyd.skills import Skill, whole_number

LONGEST_S = 24 * 3600
MOST = 16  # more at once is a model gone wild


@dataclass(frozen=True, slots=True)
class Timer:
    """One running timer; `due` on the caller's monotonic clock."""

    name: str
    due: float


class Timers:
    """The running timers, in memory."""

    def __init__(self) -> None:
        self._running: list[Timer] = []

    def due(self, now: float) -> list[Timer]:
        """The timers whose time has come; each is returned once."""
        over = [timer for timer in self._running if timer.due <= now]
        self._running = [timer for timer in self._running if timer.due > now]
        return over

    def skills(self) -> list[Skill]:
        """Set one, cancel all."""
        return [
            Skill(
                "set_timer",
                "Set a kitchen timer that rings on this speaker.",
                {
                    "properties": {
                        "seconds": {"type": "integer", "minimum": 1, "maximum": LONGEST_S},
                        "name": {"type": "string", "description": "what it is for, if said"},
                    },
                    "required": ["seconds"],
                },
                self._set,
            ),
            Skill("cancel_timers", "Cancel all timers.", {"properties": {}}, self._cancel),
        ]

    def _set(self, arguments: Json, now: float) -> str:
        if len(self._running) >= MOST:
            raise ValueError(f"there are {MOST} timers already, cancel them first")
        seconds = whole_number(arguments, "seconds", 1, LONGEST_S)
        name = str(arguments.get("name") or "")[:60]
        self._running.append(Timer(name, now + seconds))
        return f"The timer{' for ' + name if name else ''} rings in {seconds} seconds."

    def _cancel(self, arguments: Json, now: float) -> str:
        count = len(self._running)
        self._running.clear()
        return f"{count} timer{'s are' if count != 1 else ' is'} cancelled."
