"""Text of any origin as one line without effect on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 東京 – ok", "Grüße, 東京 – ok"),
        ("a\nb\r\n", "a\\nb\\r\\n"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\0b\x7f", "a\\x00b\\x7f"),
        ("gnp.\u202egnp", "gnp.\\u202egnp"),
        ("\u2066a\u2069\u200f\u061c", "\\u2066a\\u2069\\u200f\\u061c"),
        ("zero\u200bwidth\ufeff\u2060", "zero\\u200bwidth\\ufeff\\u2060"),
        ("\u2028line\u2029", "\\u2028line\\u2029"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("filler\u3164", "filler\\u3164"),
        ("half \ud83d", "half \\ud83d"),
        ("20\u00a0000\u202f€", "20 000 €"),
        ("", ""),
    ],
)
def test_printable_shows_the_text(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_long_text_is_cut_and_its_length_shown() -> None:
    assert printable("x" * 15_000_000, 5) == "xxxxx... (15,000,000 characters)"
    assert printable("x" * 5, 5) == "xxxxx"


@given(st.text())
def test_printable_result_has_no_control_character(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
