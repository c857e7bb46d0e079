"""The glossary: each name in it exists, and each word has one row."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import PACKAGE, ROOT, page

PAGE = page("daemon/docs/glossary.md")
SOURCES = "\n".join(
    path.read_text("utf-8")
    for path in sorted(PACKAGE.rglob("*"))
    if path.suffix in (".py", ".toml")
)
NAMES = frozenset(re.findall(r"[\w-]+", SOURCES))


def _rows() -> Iterator[list[str]]:
    for line in PAGE.text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] != "word" and set(cells[0]) != {"-"}:
            yield cells


ROWS = list(_rows())


def test_glossary_has_each_word_once() -> None:
    words = [cells[0] for cells in ROWS]
    assert words
    assert len(words) == len(set(words))


@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0])
def test_glossary_row_says_what_and_where(cells: list[str]) -> None:
    word, meaning, where = cells
    assert word
    assert meaning
    assert where


@pytest.mark.parametrize("name", sorted(set(PAGE.code)))
def test_glossary_name_exists(name: str) -> None:
    if "/" in name or name.endswith(".py"):
        assert (PACKAGE / name).exists() or (ROOT / name).exists()
    elif (PACKAGE / name).is_dir():
        return
    else:
        assert set(re.findall(r"[\w-]+", name)) <= NAMES, f"{name} is not in the code"
