"""User skills: a broken file is logged by file and line, and never affects the others."""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from parleyd.skills import Skill
from parleyd.skills.loading import load
from parleyd.skills.registry import SkillRegistry

GOOD = '''from __future__ import annotations
import dataclasses
from parleyd.skills import skill
from parleyd.skills.conversation import get_time

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
        (folder / f"{name}.py").write_text(text, "utf-8", "surrogateescape")
    return asyncio.run(load(folder, {"set_volume"}, timeout_s=10.0))


def test_functions_of_a_file_can_be_called(tmp_path: Path) -> None:
    skills = loaded(tmp_path, lights=GOOD)
    assert [skill.name for skill in skills] == ["light", "dark"]
    outcome = asyncio.run(SkillRegistry(skills).call("light", {"room": {"name": "hall"}}))
    assert outcome.output == "hall lit True"
    assert asyncio.run(SkillRegistry(skills).call("dark", {})).output == "dark"


MARKED = "from parleyd.skills import skill\n"

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
    "interrupts": ("raise KeyboardInterrupt\n", ":1: KeyboardInterrupt"),
    "cancels": ("import asyncio\nraise asyncio.CancelledError('x')\n", ":2: CancelledError: x"),
    "ends": ("raise GeneratorExit\n", ":1: GeneratorExit"),
    "stops": ("raise StopIteration(1)\n", ":1: StopIteration: 1"),
    "own": ("class E(BaseException):\n  def __str__(self): 1/0\nraise E\n", ":3: E: its message"),
    "worse": ("class E(Exception):\n  def __str__(self): exit()\nraise E\n", ":3: E: its message"),
    "worst": (
        "class M(type):\n  @property\n  def __name__(self): exit()\n"
        "class E(Exception, metaclass=M): pass\nraise E\n",
        ": its error cannot be shown",
    ),
    "lines": ("raise RuntimeError('a\\nb\\x1b[31m')\n", ":1: RuntimeError: a b\\x1b[31m"),
    "huge": ("raise RuntimeError('x' * 10**7)\n", ":1: RuntimeError: xxx"),
    "encoded": ("x = '\udcff'\n", ":1: "),
    "nul": ("x = '\0'\n", ": "),
    "nested": ("x = " + "[" * 3000 + "]" * 3000 + "\n", ":1: too many nested"),
    "recursive": ("def f(): f()\nf()\n", ":1: RecursionError"),
    "class": (MARKED + "@skill\nclass Lamp:\n    'L.'\n", ":2: Lamp is a class"),
    "plain_class": (MARKED + "class Lamp: 'L.'\nskill(Lamp)\n", ":2: Lamp is a class"),
    "method": (
        MARKED + "class A:\n  @skill\n  def f(self) -> str:\n    'F.'\n",
        ":3: A.f is defined in",
    ),
    "object": (
        MARKED + "class A:\n    'A.'\n    def __call__(self): 'C.'\na = skill(A())\n",
        ":2: a A is not a function",
    ),
    "umlaut": (
        MARKED + "@skill\ndef küche_licht(an: bool) -> str:\n    'Licht.'\n",
        ":2: küche_licht is not a valid name for a skill",
    ),
    "kana": (MARKED + "@skill\ndef 電気() -> str:\n    'L.'\n", ":2: 電気 is not a valid name"),
    "long": (MARKED + f"@skill\ndef {'x' * 65}() -> str:\n    'L.'\n", ":2: xxx"),
    "lambda_": (
        MARKED + "f = skill(lambda: 1)\nf.__doc__ = 'F.'\n",
        ":2: <lambda> is not a valid name",
    ),
    "renamed": (
        MARKED + "@skill\ndef f() -> str:\n    'F.'\nf.__name__ = 'a b'\n",
        ":2: a b is not a valid name",
    ),
    "args": (MARKED + "@skill\ndef f(*a: int) -> str:\n    'F.'\n", ":2: f takes *a"),
    "kwargs": (MARKED + "@skill\ndef f(**a: int) -> str:\n    'F.'\n", ":2: f takes *a"),
    "unnamed": (MARKED + "@skill\ndef f(a: int, /) -> str:\n    'F.'\n", ":2: f takes *a"),
    "forward": (MARKED + "@skill\ndef f(a: 'Nope') -> str:\n    'F.'\n", ":2: f has a type that"),
    "expression": (MARKED + "@skill\ndef f(a: '1/0') -> str:\n    'F.'\n", ":2: f has a type that"),
    "half_type": (MARKED + "@skill\ndef f(a: 'int[') -> str:\n    'F.'\n", ":2: f has a type that"),
    "exit_type": (MARKED + "@skill\ndef f(a: 'exit(3)') -> str:\n    'F.'\n", ":2: SystemExit: 3"),
    "no_json": (MARKED + "@skill\ndef f(a: object) -> str:\n    'F.'\n", ":2: f: "),
    "default": (MARKED + "@skill\ndef f(a: int = object()) -> str:\n    'F.'\n", ":2: f: "),
    "nan": (
        MARKED + "@skill\ndef f(a: float = float('nan')) -> str:\n    'F.'\n",
        ":2: f cannot be declared in JSON",
    ),
    "surrogate": (
        MARKED + "@skill\ndef f(a: str = '\\udcfc') -> str:\n    'F.'\n",
        ":2: f cannot be declared in JSON",
    ),
    "wordy": (
        MARKED + f"@skill\ndef f() -> str:\n    '{'x' * 1025}'\n",
        ":2: f has a docstring of 1025 characters, at most 1024 are allowed",
    ),
    "vast": (
        MARKED + "from typing import Literal\nL = Literal[tuple(str(n) for n in range(5000))]\n"
        "@skill\ndef f(a: L) -> str:\n    'F.'\n",
        ":4: f takes 39061 bytes",
    ),
    "yields": (MARKED + "@skill\ndef f():\n    'F.'\n    yield 1\n", ":2: f is a generator"),
    "loops": (MARKED + "@skill\ndef f() -> str:\n    'F.'\nf.__wrapped__ = f\n", ":2: "),
    "unsettled": (
        "class A:\n    def __getattr__(self, name): raise SystemError(name)\n"
        "    def __call__(self): pass\na = A()\n1/0\n",
        ":5: ZeroDivisionError",
    ),
    "guarded": (
        MARKED + "class A:\n    def __getattr__(self, name): exit(3)\n"
        "    def __call__(self): pass\na = A()\n@skill\ndef f(x) -> str:\n    'F.'\n",
        ":6: f: the parameter x needs a type",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_logged_by_line_and_the_others_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    text, told = BROKEN[name]
    skills = loaded(tmp_path, a_good=GOOD, **{name: text})
    assert [skill.name for skill in skills] == ["light", "dark"]
    assert f"{tmp_path / name}.py{told}" in caplog.text
    assert all(len(record.getMessage()) < 1000 for record in caplog.records)
    assert all(record.getMessage().isprintable() for record in caplog.records)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["import threading\nthreading.Event().wait(9)\n", "while True:\n    pass\n"]
)
def test_hanging_files_are_abandoned_and_the_rest_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """More of them than skills may run at once."""
    for number in range(6):
        (tmp_path / f"hangs{number}.py").write_text(text)
    (tmp_path / "lights.py").write_text(GOOD)
    before = time.monotonic()
    skills = asyncio.run(load(tmp_path, set(), timeout_s=1.0))
    assert [skill.name for skill in skills] == ["light", "dark"]
    assert caplog.text.count("took more than 1 s to load") == 6
    assert time.monotonic() - before < 60


def test_endless_loop_ends_when_its_file_is_abandoned(tmp_path: Path) -> None:
    (tmp_path / "spins.py").write_text("while True:\n    pass\n")
    asyncio.run(load(tmp_path, set(), timeout_s=0.2))
    spinning = [thread for thread in threading.enumerate() if thread.name == "skill"]
    for thread in spinning:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.slow
def test_all_files_are_loaded_every_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The next file starts only after the result of the previous one is known."""
    for number in range(8):
        text = GOOD.replace("def light", f"def light{number}").replace("def dark", f"def d{number}")
        (tmp_path / f"file{number}.py").write_text(text)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            assert len(asyncio.run(load(tmp_path, set()))) == 16
    finally:
        sys.setswitchinterval(before)
    assert "left out" not in caplog.text


def test_decorated_function_is_a_skill(tmp_path: Path) -> None:
    text = MARKED + (
        "import functools\n"
        "def twice(f):\n"
        "    @functools.wraps(f)\n"
        "    def run(*a, **k): return f(*a, **k) * 2\n"
        "    return run\n"
        "@skill\n@twice\ndef say(word: str) -> str:\n    'Say.'\n    return word\n"
        "again = say\n"
        "@skill\n@functools.lru_cache\ndef sum(a: int) -> int:\n    'Sum.'\n    return a\n"
        "def later(f):\n"
        "    return functools.wraps(f)(lambda **k: f(**k))\n"
        "@skill\n@later\nasync def wait() -> str:\n    'Wait.'\n    return 'waited'\n"
    )
    skills = loaded(tmp_path, decorated=text)
    assert [skill.name for skill in skills] == ["say", "sum", "wait"]
    book = SkillRegistry(skills)
    assert asyncio.run(book.call("say", {"word": "ha"})).output == "haha"
    assert asyncio.run(book.call("wait", {})).output == "waited"


def test_more_skills_than_a_server_accepts_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = MARKED + "".join(f"@skill\ndef f{n}() -> str:\n    'F.'\n" for n in range(102))
    assert len(loaded(tmp_path, many=text)) == 100
    assert caplog.text.count("there are 100 skills already") == 2


@pytest.mark.parametrize("place", ["folder", "pipe", "dangling", "loop", "long"])
def test_anything_but_a_file_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    path = tmp_path / "odd.py"
    match place:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "dangling":
            path.symlink_to("nothing")
        case "loop":
            path.symlink_to(path)
        case "long":
            path.write_text("#" * (2 << 20))
    skills = loaded(tmp_path, a_good=GOOD)
    assert [skill.name for skill in skills] == ["light", "dark"]
    assert f"skill left out: {path}: cannot be read" in caplog.text


def test_file_that_others_can_write_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "lamp.py"
    path.write_text(GOOD)
    path.chmod(0o664)
    assert loaded(tmp_path) == []
    assert f"can write {path}" in caplog.text
    path.chmod(0o644)
    assert len(loaded(tmp_path)) == 2


def test_folder_that_others_can_write_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "skills"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "lamp.py").write_text(GOOD)
    assert loaded(folder) == []
    assert f"everybody can write {folder}" in caplog.text


def test_compiled_file_beside_the_source_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "lamp.py").write_text(GOOD)
    assert len(loaded(tmp_path)) == 2
    assert not (tmp_path / "__pycache__").exists()


def test_missing_folder_is_not_a_problem(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(load(tmp_path / "none", set())) == []
    assert caplog.text == ""


def test_empty_folder_name_does_not_mean_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lamp.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(load(Path(""), set())) == []
