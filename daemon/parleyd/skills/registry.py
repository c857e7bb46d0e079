"""The registry of skills: declares and calls them, and always returns a result to the model."""

import asyncio
import inspect
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from parleyd.core.events import AfterTool
from parleyd.realtime.events import Json
from parleyd.skills import Skill, SkillResult, WrongArguments
from parleyd.skills.results import LONGEST_OUTPUT, ResultError, shortened, valid
from parleyd.skills.results import outcome as _outcome
from parleyd.skills.wording import message
from parleyd.skills.workers import MOST, Busy, Workers

__all__ = ["LONGEST_OUTPUT", "SkillRegistry"]

log = logging.getLogger(__name__)


class FunctionSource(Protocol):
    """Functions that come and go, such as those of MCP servers."""

    def has(self, name: str) -> bool:
        """Whether there is such a function now."""
        ...

    async def call(self, name: str, arguments: Json) -> str:
        """The result in words for the model; never raises, and has a separate time limit."""
        ...


class SkillRegistry:
    """All skills of a speaker; lives on the event loop. `more`: functions besides the skills."""

    def __init__(
        self,
        skills: Sequence[Skill],
        timeout_s: float = 5.0,
        more: FunctionSource | None = None,
    ) -> None:
        self._more = more
        self._skills = {skill.name: skill for skill in skills}
        self._timeout_s = timeout_s
        self._workers = Workers()

    def declarations(self) -> list[Json]:
        """The tools for the server's session."""
        return [skill.declaration() for skill in self._skills.values()]

    async def call(self, name: str, arguments: Json, *, guarded: bool = False) -> SkillResult:
        """Run a skill; never raises, and ends within the time limit.

        `guarded`: the core has checked whether the call needs the user's permission. A function of
        `more` runs only then: the core may not know yet that it has appeared.

        Every failure goes to the model in words. A failure that is not the model's fault is
        also logged, with its place but without its arguments, which may quote the user.
        """
        skill = self._skills.get(name)
        if skill is None and guarded and self._more is not None and self._more.has(name):
            return _told(shortened(await self._more.call(name, arguments)))
        if skill is None:
            return _told(
                f"There is no function {name}; there are {', '.join(sorted(self._skills))}."
            )
        began = time.monotonic()
        try:
            return await self._run(skill, arguments)
        except WrongArguments as error:
            return _told(f"{name} was called with wrong arguments: {message(error)}.")
        except TimeoutError as error:
            if (
                time.monotonic() < began + self._timeout_s
            ):  # the skill's own, such as a connection's
                return _failed(skill, error)
            log.warning("the skill %s took more than %g s", name, self._timeout_s)
            return _told(f"{name} did not answer within {self._timeout_s:g} seconds.")
        except Busy:
            log.warning("skill %s not called: all %d threads are busy", name, MOST)
            return _told("Too many functions are still running; try again later.")
        except ResultError as error:
            log.error("%s: the skill %s %s", skill.place, name, error)
            return _told(f"{name} failed: TypeError: it {error}.")
        except ValueError as error:
            return _told(f"That did not work: {message(error).rstrip('.')}.")
        except Exception as error:  # the rim of a skill, which may be anyone's code
            return _failed(skill, error)

    async def _run(self, skill: Skill, arguments: Json) -> SkillResult:
        if skill.blocking:
            call = partial(_call, skill, arguments, self._timeout_s)
            return await self._workers.run(call, self._timeout_s)
        returned = skill.function(**skill.bind(arguments))
        if not inspect.isawaitable(returned):
            return _outcome(returned)
        async with asyncio.timeout(self._timeout_s):
            return _outcome(await returned)


def _call(skill: Skill, arguments: Json, timeout_s: float) -> SkillResult:
    """Runs on a thread; an async function gets a separate event loop, so it can't block ours."""
    returned = skill.function(**skill.bind(arguments))
    if not inspect.iscoroutine(returned):
        return _outcome(returned)

    async def run() -> Any:
        async with asyncio.timeout(timeout_s):
            return await returned

    return _outcome(asyncio.run(run()))


def _failed(skill: Skill, error: Exception) -> SkillResult:
    log.error("%s: the skill %s failed", skill.place, skill.name, exc_info=error)
    return _told(f"{skill.name} failed: {type(error).__name__}: {message(error)}")


def _told(text: str) -> SkillResult:
    return SkillResult(valid(text), AfterTool.RESPOND)
