"""The book of skills: declares them, calls them, and answers the model whatever happens."""

import asyncio
import inspect
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from parleyd.boundary import Then
from parleyd.realtime.events import Json
from parleyd.skills import Outcome, Skill
from parleyd.skills.workers import Busy, Workers

LONGEST_OUTPUT = 8000  # characters: two thousand tokens; a page of text is not for the ear anyway

log = logging.getLogger(__name__)


class SkillBook:
    """All skills of a speaker; lives on the event loop."""

    def __init__(self, skills: Sequence[Skill], within_s: float = 5.0) -> None:
        self._skills = {skill.name: skill for skill in skills}
        self._within_s = within_s
        self._workers = Workers()

    def declarations(self) -> list[Json]:
        """The tools for the server's session."""
        return [skill.declaration() for skill in self._skills.values()]

    async def call(self, name: str, arguments: Json) -> Outcome:
        """Run a skill; never raises, and ends within the time limit.

        Whatever goes wrong is told to the model in words; what is not the model's fault is
        logged, with its traceback and without its arguments, which are what somebody said.
        """
        skill = self._skills.get(name)
        if skill is None:
            return _told(
                f"There is no function {name}; there are {', '.join(sorted(self._skills))}."
            )
        try:
            bound = skill.bind(arguments)
        except ValueError as error:
            return _told(f"{name} was called with wrong arguments: {error}.")
        try:
            return _outcome(await self._run(skill, bound))
        except TimeoutError:
            log.warning("the skill %s took more than %g s", name, self._within_s)
            return _told(f"{name} did not answer within {self._within_s:g} seconds.")
        except Busy:
            log.warning("the skill %s was not called: others have not come back", name)
            return _told("Too many functions are still running; try again later.")
        except ValueError as error:
            return _told(f"That did not work: {str(error).rstrip('.')}.")
        except Exception as error:  # the rim of a skill: whoever wrote it
            log.exception("the skill %s failed", name)
            return _told(f"{name} failed: {type(error).__name__}: {error}"[:500])

    async def _run(self, skill: Skill, bound: dict[str, Any]) -> Any:
        if not skill.blocking:
            returned = skill.function(**bound)
            if not inspect.isawaitable(returned):
                return returned
            async with asyncio.timeout(self._within_s):
                return await returned
        return await self._workers.run(lambda: _call(skill, bound, self._within_s), self._within_s)


def _call(skill: Skill, bound: dict[str, Any], within_s: float) -> Any:
    """On a thread; async functions get an event loop of their own, so they can't block ours."""
    if not inspect.iscoroutinefunction(skill.function):
        return skill.function(**bound)

    async def run() -> Any:
        async with asyncio.timeout(within_s):
            return await skill.function(**bound)

    return asyncio.run(run())


def _outcome(returned: Any) -> Outcome:
    """What a skill returned, as text: JSON where it is no text."""
    if isinstance(returned, Outcome):
        return returned
    if returned is None:
        return _told("Done.")
    text = returned if isinstance(returned, str) else msgspec.json.encode(returned).decode()
    if len(text) > LONGEST_OUTPUT:
        text = text[:LONGEST_OUTPUT] + " ... (the rest was left out)"
    return _told(text)


def _told(text: str) -> Outcome:
    return Outcome(text, Then.REPLY)
