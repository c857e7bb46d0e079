"""The page of phrases agrees with the grammar."""

import re

from parleyd.embedded import grammar
from parleyd.embedded.guide import HELP
from tests.docs.pages import page

PAGE = page("daemon/docs/phrases.md").text
EXAMPLES = [
    line.partition("  ")[0]
    for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


def test_every_example_of_the_page_is_understood() -> None:
    assert len(EXAMPLES) > 50
    assert [example for example in EXAMPLES if grammar.match(example) is None] == []


def test_page_has_an_example_of_every_intent() -> None:
    shown = {found[0] for example in EXAMPLES if (found := grammar.match(example))}
    assert set(grammar.PHRASES) - shown == set()


def test_spoken_help_names_phrases_that_are_understood() -> None:
    groups = " ".join(sentence for group in HELP for sentence in group if "Say, " in sentence)
    phrases = re.findall(r"(?:Say|or), ([a-z' ]+?)(?=[,.?]|$)", groups)
    assert len(phrases) > 8
    assert [phrase for phrase in phrases if grammar.match(phrase) is None] == []
