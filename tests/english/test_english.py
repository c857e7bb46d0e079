"""The prose of the whole project."""

from pathlib import Path

import pytest

from tests.english.__main__ import count
from tests.english.patterns import MOST_PER_1000, PATTERNS
from tests.english.prose import files, prose


def test_prose_stays_below_the_limit() -> None:
    patterns, holders, words = count(files())
    found = 1000 * sum(patterns.values()) / words
    worst = ", ".join(f"{path.name} {number}" for path, number in holders.most_common(5))
    assert found <= MOST_PER_1000, f"{found:.2f} per 1,000 words; {worst}: python -m tests.english"


@pytest.mark.parametrize(
    ("sentence", "times"),
    [
        ("What was said into it is sent.", 1),
        ("What is the time?", 0),
        ("Returns the number of frames.", 0),
        ("Who speaks on is not cut off.", 1),
        ("Nobody is told.", 2),
        ("The answer goes on.", 1),
        ("There is no key.", 0),
        ("It is no error.", 1),
        ("The key is no longer used.", 0),
    ],
)
def test_patterns_find_a_phrase(sentence: str, times: int) -> None:
    assert sum(len(pattern.findall(sentence)) for pattern in PATTERNS.values()) == times


def test_prose_of_python_holds_every_kind(tmp_path: Path) -> None:
    source = (
        '"""A page."""\n\n# a comment\nraise ValueError("this is a message")\nNAME = "a name"\n'
    )
    (tmp_path / "one.py").write_text(source)
    assert prose(tmp_path / "one.py").split("\n") == ["A page.", "this is a message", "a comment"]
