"""User skills: the Python files of a folder. A broken one is logged by file and line and skipped.

Whatever a file does on import, in a signature or with a name, the other files are loaded. Only
what Python itself cannot stop gets through: `os._exit`, a crash in C, or a call that blocks in C
while it holds the interpreter's lock.
"""

import asyncio
import hashlib
import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from parleyd.printable import printable
from parleyd.skills import Skill, is_skill, place, trust
from parleyd.skills.trust import Untrusted
from parleyd.skills.wording import message
from parleyd.skills.workers import Busy, Workers
from parleyd.system import atomic_file
from parleyd.system.repeats import MOST_LISTED, ONE_OF_A_LIST

LOADED_WITHIN_S = 10.0  # per file; a Pi imports a large library in a few seconds
AFTER_HANGS_S = 1.0  # per file, once other files have used up one file's time limit
LONGEST_FILE = 1 << 20  # bytes of source
MOST_SKILLS = 100  # servers accept 128 functions; Parley has ten, and remote servers add theirs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SkillFile:
    """The outcome of one file."""

    digest: bytes
    """Of the source that ran; empty if none ran, or if it did not end."""
    skills: tuple[Skill, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """All files of a folder."""

    skills: tuple[Skill, ...] = ()
    problems: tuple[str, ...] = ()
    new_problems: tuple[str, ...] = ()
    """Those that are not among the problems of the previous load."""
    files: Mapping[Path, SkillFile] = field(default_factory=dict)


async def load(
    folder: Path, taken: Collection[str], timeout_s: float = LOADED_WITHIN_S
) -> list[Skill]:
    """Load all skills of all ``*.py`` files in `folder`, by file name; log the problems.

    Never raises. See `examine`.
    """
    loaded = await examine(folder, taken, timeout_s)
    report(loaded, folder)
    return list(loaded.skills)


def report(loaded: Loaded, folder: Path) -> None:
    """Log one line for each problem, and one for all skills."""
    for problem in loaded.problems[:MOST_LISTED]:
        log.error("skill left out: %s", problem, extra=ONE_OF_A_LIST)
    if (more := len(loaded.problems) - MOST_LISTED) > 0:
        log.error("%d more problems with skills: run `parley check` to see them", more)
    if loaded.skills:
        names = ", ".join(skill.name for skill in loaded.skills)
        log.info("skills of %s: %s", _shown(folder), names)


async def examine(
    folder: Path,
    taken: Collection[str],
    timeout_s: float = LOADED_WITHIN_S,
    before: Loaded = Loaded(),
) -> Loaded:
    """Run all ``*.py`` files in `folder`, by file name, and collect skills and problems.

    Never raises. The files run on a thread, one after the other; a file that takes longer than
    `timeout_s` is abandoned. `taken`: names already in use; each name is used once. A file that
    loaded without problems `before` and has not changed does not run again: it may hold an
    exclusive resource, such as a pin or a port.
    """
    found: dict[str, Skill] = {}
    files: dict[Path, SkillFile] = {}
    patience_s = timeout_s
    paths, problems = await asyncio.to_thread(_files, folder)
    for path in paths:
        allowed_s = max(patience_s, min(timeout_s, AFTER_HANGS_S))
        try:
            file = await Workers(1).run(
                lambda path=path: _load(path, before.files.get(path)),  # type: ignore[misc]
                allowed_s,
                abandon=True,
            )
        except TimeoutError:
            patience_s -= allowed_s
            late = f"{_shown(path)}: took more than {allowed_s:g} s to load"
            file = SkillFile(b"", (), (late,))
        except Busy:
            file = SkillFile(b"", (), (f"{_shown(path)}: no thread is left to load it",))
        except Exception as error:  # the rim: a user's error that cannot be inspected
            strange = f"{_shown(path)}: its error cannot be shown ({message(error)})"
            file = SkillFile(b"", (), (strange,))
        files[path] = file
        problems += file.problems
        for skill in file.skills:
            if skill.name in taken or skill.name in found:
                problems.append(f"{skill.place}: there is a skill {skill.name} already")
            elif len(found) >= MOST_SKILLS:
                problems.append(f"{skill.place}: there are {MOST_SKILLS} skills already")
            else:
                found[skill.name] = skill
    new = tuple(problem for problem in problems if problem not in before.problems)
    return Loaded(tuple(found.values()), tuple(problems), new, files)


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """The files of the folder, and the reasons why it cannot be read."""
    if folder == Path():  # skills.folder = "": the current folder may be anyone's
        return [], []
    try:
        trust.check(folder)
        return sorted(path for path in folder.iterdir() if path.suffix == ".py"), []
    except FileNotFoundError:
        return [], []
    except Untrusted as error:
        return [], [f"{printable(str(error))}; run `parley doctor`"]
    except OSError as error:
        return [], [f"{_shown(folder)} cannot be read ({error.strerror})"]


def _load(path: Path, before: SkillFile | None) -> SkillFile:
    """Run one file and collect its skills and its problems; runs each file only once."""
    digest = b""
    try:
        source = _source(path)
        digest = hashlib.sha256(source).digest()
        if before is not None and before.digest == digest and not before.problems:
            return before
        module = _run(path, source)
        things = list(vars(module).values())
    except BaseException as error:  # the rim of a user's code, including sys.exit
        return SkillFile(digest, (), (_problem(path, error),))
    skills: dict[int, Skill] = {}
    problems: list[str] = []
    for thing in things:
        if id(thing) in skills:  # another name for the same object
            continue
        try:
            if not _of_file(thing, path):
                continue
            problems.extend(_methods(thing))
            if is_skill(thing):
                skills[id(thing)] = Skill.of(thing, blocking=True)
        except BaseException as error:  # the rim again: attributes and types run code as well
            kind = "" if isinstance(error, TypeError) else f"{type(error).__name__}: "
            where = place(thing)  # may be in a decorator's own file
            where = where if where.startswith(_shown(path)) else _shown(path)
            problems.append(f"{where}: {kind}{message(error)}")
    return SkillFile(digest, tuple(skills.values()), tuple(problems))


def _run(path: Path, source: bytes) -> ModuleType:
    name = _module_name(path)
    code = compile(source, str(path), "exec", dont_inherit=True)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look it up here
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _module_name(path: Path) -> str:
    return f"parley_skills_{path.stem}"


def _source(path: Path) -> bytes:
    """Read the source that was checked: open the file once, and use no bytecode cache."""
    trust.check(path)
    return atomic_file.read(path, LONGEST_FILE, lambda opened: trust.check_open(opened, path))


def _of_file(thing: object, path: Path) -> bool:
    """Whether this file defines it, and does not import it: its module's name may have changed."""
    if isinstance(thing, type):
        return getattr(thing, "__module__", None) == _module_name(path)
    if not is_skill(thing):
        return False
    code = getattr(inspect.unwrap(thing), "__code__", None)  # type: ignore[arg-type]
    return code is None or code.co_filename == str(path)


def _methods(thing: object) -> list[str]:
    """Problems of skills defined in a class: without an object, they cannot be called."""
    if not isinstance(thing, type):
        return []
    marked = [member for member in vars(thing).values() if is_skill(member)]
    return [
        f"{place(member)}: {thing.__name__}.{member.__name__} is defined in a class, "
        "a skill must be a function of the file itself"
        for member in marked
    ]


def _problem(path: Path, error: BaseException) -> str:
    """``file:line: what``: the last line of this file that led to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{_shown(path)}:{error.lineno}: {message(SyntaxError(error.msg))}"
    if isinstance(error, Untrusted):
        return f"{printable(str(error))}; run `parley doctor`"
    if isinstance(error, OSError) and error.__traceback__ is not None and not _ran(path, error):
        return f"{_shown(path)}: cannot be read ({error.strerror})"
    lines = _ran(path, error)
    where = f"{_shown(path)}:{lines[-1]}" if lines else _shown(path)
    return f"{where}: {type(error).__name__}: {message(error)}"


def _ran(path: Path, error: BaseException) -> list[int]:
    """The lines of this file that were running at the error, the innermost last."""
    walked = traceback.walk_tb(error.__traceback__)
    return [line for frame, line in walked if frame.f_code.co_filename == str(path)]


def _shown(path: Path) -> str:
    return printable(str(path))
