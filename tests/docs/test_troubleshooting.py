"""The page of the log: a heading for each word that the log and `parley doctor` can show."""

import re
import textwrap
from pathlib import Path

import pytest

from parleyd.app.effect_log import LOUD_EVENTS
from parleyd.core.events import LogEvent
from parleyd.core.turn_metrics import TurnMetrics
from parleyd.diagnostics.findings import Finding
from tests.docs.pages import page
from tests.docs.words import Unreadable, first_texts

PAGE = page("daemon/docs/troubleshooting.md")


def test_log_page_has_a_heading_for_each_word() -> None:
    assert set(first_texts(LogEvent.__name__)) == _words("Words of the log")


def test_log_page_has_a_heading_for_each_check() -> None:
    assert set(first_texts(Finding.__name__)) == _words("Lines of parley doctor")


def test_log_page_marks_the_warnings() -> None:
    parts = PAGE.text.split("\n### ")
    marked = {part.split("`")[1] for part in parts if part.partition("\n\n")[2][:9] == "(warning)"}
    assert marked == set(LOUD_EVENTS)


def test_log_page_explains_each_field_of_a_turn() -> None:
    turn = TurnMetrics()
    turn.turn_ended(None, 0.0)
    fields = turn.close()
    assert fields is not None
    table = PAGE.text.partition("| field | meaning |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall("`(.+?)`", row[:70])}
    assert set(fields) <= named


def test_words_follow_functions_and_tables(tmp_path: Path) -> None:
    _source(
        tmp_path,
        """
        WORDS = {1: "hold", 2: "resume"}

        class Core:
            def judge(self, kind):
                self.emit(LogEvent(WORDS[kind], {}))
                self._note("wake" if kind else "sleep", count=1)

            def _note(self, name, **fields):
                self.emit(LogEvent(name, fields))

        def other(name):
            return name

        other("nothing")
        """,
    )
    assert set(first_texts("LogEvent", tmp_path)) == {"hold", "resume", "wake", "sleep"}


@pytest.mark.parametrize("call", ["LogEvent(name.lower(), {})", "LogEvent(name=word)"])
def test_words_of_unknown_form_are_an_error(tmp_path: Path, call: str) -> None:
    _source(tmp_path, f"def tell(name):\n    return {call}\n")
    with pytest.raises(Unreadable):
        first_texts("LogEvent", tmp_path)


def _source(folder: Path, text: str) -> None:
    (folder / "module.py").write_text(textwrap.dedent(text), "utf-8")


def _words(section: str) -> set[str]:
    """The words in the headings below a heading, which each are in backticks."""
    found = PAGE.sections[section]
    assert len(found) == len(set(found))
    assert all(heading.startswith("`") and heading.endswith("`") for heading in found)
    return {heading.strip("`") for heading in found}
