"""User skills: Python files of a folder; a broken one is told by file and line, and left out."""

import asyncio
import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from parleyd.skills import Skill, is_skill
from parleyd.skills.workers import Busy, Workers

LOADED_WITHIN_S = 10.0  # of each file; a Pi imports a large library in a few seconds
LONGEST_NAME = 64  # letters, what servers take

log = logging.getLogger(__name__)


async def load(
    folder: Path, taken: Collection[str], within_s: float = LOADED_WITHIN_S
) -> list[Skill]:
    """All skills of all ``*.py`` files in `folder`, by file name; problems go to the log.

    Never raises. The files run on threads: one that hangs is left behind after `within_s`.
    `taken`: names that are in use; a name is given once.
    """
    found: dict[str, Skill] = {}
    workers = Workers()
    for path in await asyncio.to_thread(_files, folder):
        try:
            skills, problems = await workers.run(lambda path=path: _load(path), within_s)  # type: ignore[misc]
        except TimeoutError:
            skills, problems = [], [f"{path}: took more than {within_s:g} s to load"]
        except Busy:
            skills, problems = [], [f"{path}: was not loaded, because others did not end"]
        for skill in skills:
            if skill.name in taken or skill.name in found:
                where = f"{path}:{_line(skill.function)}"
                problems.append(f"{where}: there is a skill {skill.name} already")
            else:
                found[skill.name] = skill
        for problem in problems:
            log.error("skill left out: %s", problem)
    if found:
        log.info("skills of %s: %s", folder, ", ".join(found))
    return list(found.values())


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".py")
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("skills left out: %s cannot be read (%s)", folder, error.strerror)
        return []


def _load(path: Path) -> tuple[list[Skill], list[str]]:
    """Run one file and collect its skills and its problems."""
    try:
        module = _run(path)
    except BaseException as error:  # the rim of somebody else's code, sys.exit and all
        return [], [_problem(path, error)]
    skills: list[Skill] = []
    problems: list[str] = []
    for function in vars(module).values():
        if not is_skill(function) or function.__module__ != module.__name__:
            continue
        try:
            skills.append(_skill(function))
        except TypeError as error:
            problems.append(f"{path}:{_line(function)}: {error}")
    return skills, problems


def _run(path: Path) -> ModuleType:
    name = f"parley_skills_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and type hints look for it
    spec.loader.exec_module(module)
    return module


def _skill(function: Any) -> Skill:
    skill = Skill.of(function, blocking=True)
    if not skill.name.isascii() or len(skill.name) > LONGEST_NAME:
        raise TypeError(f"{skill.name}: a name has at most {LONGEST_NAME} ASCII letters")
    return skill


def _line(function: Any) -> int:
    return int(inspect.unwrap(function).__code__.co_firstlineno)


def _problem(path: Path, error: BaseException) -> str:
    """``file:line: what``: the last line of the file itself that led to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{where}: {type(error).__name__}: {error}"
