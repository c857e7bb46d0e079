"""The mutants of small sources, by example."""

import pytest

from tests.mutation.mutants import mutants_of
from tests.mutation.nearest import NEAREST, ROOT, nearest_to, source_of

TABLE = '''\
"""A module."""

JITTER = 0.3
ROWS = {
    ("idle", "word"): ("listen", "chime"),
    ("idle", "lost"): ("sorry",),
}
'''


def changed(source: str) -> set[str]:
    """Return the changed lines of each mutant."""
    return {
        line[1:].strip()
        for mutant in mutants_of("module.py", source)
        for line in mutant.diff().splitlines()
        if line.startswith("+")
    }


@pytest.mark.parametrize(
    ("statement", "mutants"),
    [
        ("if a < 2: b()", {"if (a <= 2): b()", "if a < 3: b()", "if a < 2: pass"}),
        ("return a and not b", {
            "return (a or not b)", "return a", "return (not b)", "return a and b",
        }),
        ("return min(a, b) + 1", {
            "return max(a, b) + 1", "return (min(a, b) - 1)", "return min(a, b) + 2",
        }),
        ("self.a = b", {"pass"}),
        ("a += b", {"pass", "a -= b"}),
        ("a: int | None = b", set()),
        ("log.warning('%d', 1 + 1)", set()),
        ("return True", {"return False"}),
        ("return a is None", {"return (a is not None)"}),
        ("return a in (b, c)", {
            "return (a not in (b, c))", "return a in (b,)", "return a in (c,)",
        }),
    ],
)  # fmt: skip
def test_mutants_of_statement_match_example(statement: str, mutants: set[str]) -> None:
    assert changed(f"def f():\n    {statement}\n") == mutants


def test_mutants_of_table_lose_a_row_or_an_element() -> None:
    found = changed(TABLE)
    assert {"JITTER = 0.0", "JITTER = 0.8999999999999999"} <= found
    assert "ROWS = {('idle', 'lost'): ('sorry',)}" in found
    assert "ROWS = {('idle', 'word'): ('listen', 'chime')}" in found
    assert '("idle", "word"): (\'listen\',),' in found


def test_mutants_of_core_compile() -> None:
    for name in ("core.turn", "realtime.backoff", "hearing.barge_in"):
        path = source_of(name)
        for mutant in mutants_of(str(path), path.read_text()):
            compile(mutant.after, mutant.path, "exec")
            assert mutant.diff()


def test_nearest_modules_and_tests_exist() -> None:
    for name in NEAREST:
        assert source_of(name).exists(), name
        assert nearest_to(name), name
        assert [file for file in nearest_to(name) if not (ROOT / file).exists()] == []
