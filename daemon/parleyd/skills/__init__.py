"""Skills: the functions that the model may call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parleyd.realtime.events import Json


@dataclass(frozen=True, slots=True)
class Skill:
    """One function: what the model is told of it, and what it does.

    `run` gets the arguments that the model wrote (not checked by anybody) and returns a
    text for the model; a ValueError's text goes to the model as well. It must not block.
    """

    name: str
    description: str
    parameters: Json
    run: Callable[[Json, float], str]


class SkillBook:
    """All skills of a speaker; lives on the event loop."""

    def __init__(self, skills: Sequence[Skill]) -> None:
        self._skills = {skill.name: skill for skill in skills}

    def tools(self) -> list[Json]:
        """The declarations for the server's session."""
        return [
            {
                "type": "function",
                "name": skill.name,
                "description": skill.description,
                "parameters": {"type": "object", **skill.parameters},
            }
            for skill in self._skills.values()
        ]

    def call(self, name: str, arguments: Json, now: float) -> str:
        """Run a skill; whatever goes wrong is told to the model in words."""
        skill = self._skills.get(name)
        if skill is None:
            return f"There is no function {name}; there are {', '.join(sorted(self._skills))}."
        try:
            return skill.run(arguments, now)
        except (ValueError, TypeError, KeyError) as error:
            return f"That did not work: {error}."


def whole_number(arguments: Json, key: str, low: int, high: int) -> int:
    """A whole number the model wrote, checked. Raises ValueError with what is allowed."""
    value = arguments.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"{key} must be a whole number, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{key} must be from {low} to {high}, not {value}")
    return int(value)
