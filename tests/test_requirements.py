"""The locked versions in daemon/requirements are those of this environment.

`tests/versions` skips this file: its environments have other versions on purpose.
"""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "daemon/requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = PROJECT["build-system"]["requires"]
DEPENDENCIES = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
ENTRY = re.compile(
    r"^([\w.-]+)==(\S+)(?: ; (.+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.M
)
LOCK = "run python3 daemon/requirements/lock.py and ./install.sh --test, and commit the files"


class Locked:
    """One requirement file."""

    def __init__(self, name: str) -> None:
        self.text = (FOLDER / f"{name}.txt").read_text()
        entries = list(ENTRY.finditer(self.text))
        self.versions = {e[1]: e[2] for e in entries}
        self.everywhere = {e[1] for e in entries if e[3] is None}
        unread = ENTRY.sub("", re.sub(r"^#.*", "", self.text, flags=re.M)).strip()
        assert not unread, f"{name}.txt: {unread}"


def needed(requirements: list[str]) -> dict[str, str]:
    """Return the installed version of each applicable requirement and of its requirements."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            installed = metadata.distribution(name)
            versions[name] = installed.version
            waiting += [(Requirement(line), extra) for line in installed.requires or []]
    versions.pop("parleyd", None)
    return versions


@pytest.mark.parametrize(
    ("requirements", "files"),
    [
        (BUILD, ("build",)),
        (DEPENDENCIES, ("build", "runtime")),
        (DEPENDENCIES + EXTRAS["plots"], ("build", "runtime", "plots")),
        (DEPENDENCIES + EXTRAS["mqtt"], ("build", "runtime", "mqtt")),
        (DEPENDENCIES + EXTRAS["page"], ("build", "runtime", "page")),
        (DEPENDENCIES + EXTRAS["mcp"], ("build", "runtime", "mcp")),
        (
            DEPENDENCIES + EXTRAS["test"],
            ("build", "runtime", "plots", "mqtt", "page", "mcp", "test"),
        ),
    ],
    ids=["build", "runtime", "plots", "mqtt", "page", "mcp", "test"],
)
def test_locked_versions_are_installed(requirements: list[str], files: tuple[str, ...]) -> None:
    """Each set is complete: a fresh installation needs no package that it does not name."""
    locked: dict[str, str] = {}
    for file in files:
        locked |= Locked(file).versions
    differing = {
        name: (locked.get(name), version)
        for name, version in needed(requirements).items()
        if locked.get(name) != version
    }
    assert not differing, f"locked and installed differ: {differing}; {LOCK}"


def test_locked_packages_are_all_needed() -> None:
    wanted = set(needed(BUILD + DEPENDENCIES + EXTRAS["test"]))
    everywhere = set().union(*(Locked(f.stem).everywhere for f in FOLDER.glob("*.txt")))
    assert everywhere - wanted == set(), LOCK


def test_locked_packages_are_named_once() -> None:
    """But two optional sets may need the same one, and neither relies on the other."""
    names = [n for name in ("build", "runtime", "test") for n in Locked(name).versions]
    optional = [Locked(name).versions for name in ("plots", "mqtt", "page", "mcp")]
    names += {name for versions in optional for name in versions}
    assert len(names) == len(set(names))
    versions = {pair for versions in optional for pair in versions.items()}
    assert len(versions) == len({name for name, _ in versions})


@pytest.mark.parametrize("tool", ["ruff", "mypy", "import-linter"])
def test_tools_that_judge_the_code_are_pinned(tool: str) -> None:
    """A newer linter finds new faults in old code: it is upgraded by a commit."""
    (specifier,) = (r.specifier for r in map(Requirement, EXTRAS["test"]) if r.name == tool)
    assert str(specifier) == f"=={Locked('test').versions[tool]}"
