"""User skills: a broken file is told by file and line, and never in the way of the others."""

import asyncio
from pathlib import Path

import pytest

from parleyd.skills import Skill
from parleyd.skills.book import SkillBook
from parleyd.skills.loading import load

GOOD = '''from __future__ import annotations
import dataclasses
from parleyd.skills import skill
from parleyd.skills.talk import get_time

@dataclasses.dataclass
class Room:
    name: str

def helper() -> str:
    return "lit"

@skill
def light(room: Room, bright: bool = True) -> str:
    """Switch a light."""
    return f"{room.name} {helper()} {bright}"

@skill
async def dark() -> str:
    """All lights off."""
    return "dark"
'''


def loaded(folder: Path, **files: str) -> list[Skill]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return asyncio.run(load(folder, {"set_volume"}, within_s=10.0))


def test_functions_of_a_file_can_be_called(tmp_path: Path) -> None:
    skills = loaded(tmp_path, lights=GOOD)
    assert [skill.name for skill in skills] == ["light", "dark"]
    outcome = asyncio.run(SkillBook(skills).call("light", {"room": {"name": "hall"}}))
    assert outcome.output == "hall lit True"
    assert asyncio.run(SkillBook(skills).call("dark", {})).output == "dark"


BROKEN = {
    "syntax": ("from parleyd.skills import skill\ndef f(:\n", ":2: "),
    "fails": ("import os\n\n\nos.environ['NO_SUCH_THING']\n", ":4: KeyError"),
    "deep": ("def f():\n    return 1 / 0\n\nf()\n", ":2: ZeroDivisionError"),
    "exits": ("import sys\nsys.exit(4)\n", ":2: SystemExit: 4"),
    "missing": ("import no_such_library_at_all\n", ":1: ModuleNotFoundError"),
    "undescribed": (
        "from parleyd.skills import skill\n@skill\ndef f() -> str:\n    return ''\n",
        ":2: f has no docstring",
    ),
    "untyped": (
        "from parleyd.skills import skill\n\n@skill\ndef g(x) -> str:\n    'G.'\n    return ''\n",
        ":3: g: the parameter x needs a type",
    ),
    "taken": (
        "from parleyd.skills import skill\n@skill\ndef set_volume() -> str:\n    'V.'\n",
        ":2: there is a skill set_volume already",
    ),
    "again": (GOOD, ":18: there is a skill dark already"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_by_line_and_the_others_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    text, told = BROKEN[name]
    skills = loaded(tmp_path, a_good=GOOD, **{name: text})
    assert [skill.name for skill in skills] == ["light", "dark"]
    assert f"{tmp_path / name}.py{told}" in caplog.text


def test_a_file_that_hangs_is_left_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "hangs.py").write_text("import threading\nthreading.Event().wait(5)\n")
    (tmp_path / "lights.py").write_text(GOOD)
    skills = asyncio.run(load(tmp_path, set(), within_s=1.0))
    assert "took more than 1 s to load" in caplog.text
    assert [skill.name for skill in skills] == ["light", "dark"]


def test_no_folder_is_no_problem(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(load(tmp_path / "none", set())) == []
    assert caplog.text == ""
