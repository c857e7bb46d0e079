"""Every remedy in the source is in the list, with the test that carries it out or the reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from parleyd import config
from parleyd.diagnostics import devices, findings
from parleyd.diagnostics.findings import Severity

LIST = Path(__file__).with_name("remedies.txt")
TESTS = LIST.parents[1]
PLACES = {"Finding": 3, "_bad": 1}
"""Which argument of these calls is the remedy."""
NAMES = ("remedy", "recognition")


def listed() -> dict[tuple[str, str], str]:
    lines = LIST.read_text("utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if not line.startswith("#")]
    assert all(len(row) == 3 for row in rows)
    return {(file, expression): how for file, expression, how in rows}


def test_every_remedy_is_listed() -> None:
    folder = Path(findings.__file__).parent
    found = {entry for path in folder.glob("*.py") for entry in _remedies(path)}
    assert {_plain(entry) for entry in found} == {_plain(entry) for entry in listed()}


def test_every_test_of_the_list_exists_and_every_word_has_a_reason() -> None:
    tests = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    for how in listed().values():
        kind, _, reason = how.partition(": ")
        assert reason if kind == "words" else how in tests, how


def test_pins_without_lights_and_buttons_are_good() -> None:
    (found,) = devices.pins(config.Config(), served=False)
    assert found.level is Severity.OK


def _remedies(path: Path) -> Iterator[tuple[str, str]]:
    """The expressions of remedies; a variable counts where it is assigned."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = PLACES.get(node.func.id, 99)
            if len(node.args) > place and not _is_name(node.args[place]):
                yield path.name, ast.unparse(node.args[place])
        elif isinstance(node, ast.Assign) and _is_name(node.targets[0]):
            yield path.name, ast.unparse(node.value)


def _plain(entry: tuple[str, str]) -> tuple[str, str]:
    """Without quotes, which each Python writes in its way."""
    return entry[0], re.sub(r"['\"\\]", "", entry[1])


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in NAMES
