"""How loud the voice is."""

from collections.abc import Callable

from parleyd.realtime.events import Json
from parleyd.skills import Skill, whole_number

STEP_PERCENT = 10
LOWEST_PERCENT = 5  # quieter than that nobody could hear how to make it louder again


class Volume:
    """The volume in percent; `apply` is called with every new one."""

    def __init__(self, percent: int, apply: Callable[[int], None]) -> None:
        self.percent = percent
        self._apply = apply

    def skills(self) -> list[Skill]:
        """Set it, or change it by steps."""
        return [
            Skill(
                "set_volume",
                "Set the loudness of this speaker.",
                {
                    "properties": {"percent": {"type": "integer", "minimum": 0, "maximum": 100}},
                    "required": ["percent"],
                },
                self._set,
            ),
            Skill(
                "change_volume",
                "Make this speaker louder (positive steps) or quieter (negative steps).",
                {
                    "properties": {"steps": {"type": "integer", "minimum": -10, "maximum": 10}},
                    "required": ["steps"],
                },
                self._change,
            ),
        ]

    def _set(self, arguments: Json, now: float) -> str:
        return self._to(whole_number(arguments, "percent", 0, 100))

    def _change(self, arguments: Json, now: float) -> str:
        return self._to(self.percent + STEP_PERCENT * whole_number(arguments, "steps", -10, 10))

    def _to(self, percent: int) -> str:
        self.percent = min(100, max(LOWEST_PERCENT, percent))
        self._apply(self.percent)
        return f"The volume is {self.percent} percent now."
