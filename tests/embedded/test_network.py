"""The recogniser's network has the sentences of the grammar, and no others."""

import random
from collections.abc import Iterable

import pytest

from parleyd.embedded import grammar
from parleyd.embedded.network import END, START, Arc, Network
from tests.embedded.test_commands import sample


def accepts(arcs: Iterable[Arc], sentence: str) -> bool:
    """Whether a path has these words. As the recogniser: one free arc at most after a word."""
    words: dict[tuple[int, str], set[int]] = {}
    free: dict[int, set[int]] = {}
    for arc in arcs:
        if len(arc) == 3:
            free.setdefault(arc[0], set()).add(arc[1])
        else:
            words.setdefault((arc[0], arc[3]), set()).add(arc[1])
    states = {START}
    for word in [*sentence.split(), ""]:
        states |= {after for state in states for after in free.get(state, ())}
        if word:
            states = {after for state in states for after in words.get((state, word), ())}
    return END in states


@pytest.mark.parametrize(
    ("sentence", "inside"),
    [
        ("a b c", True),
        ("c", True),
        ("a c", False),
        ("a b", False),
        ("d", True),
        ("d e f", True),
        ("d f", True),
        ("d e", False),
        ("f", False),
        ("", False),
    ],
)
def test_network_has_exactly_the_sentences(sentence: str, inside: bool) -> None:
    network = Network({"x": ["a", "b"], "y": ["[", "e", "]", "f"]})
    network.add(["[", "<x>", "]", "c", "|", "d", "[", "<y>", "]"])
    assert accepts(network.arcs(), sentence) == inside


@pytest.mark.parametrize("intent", list(grammar.PHRASES))
def test_network_has_the_phrases_of_each_intent(intent: str) -> None:
    arcs = grammar.arcs()
    rng = random.Random(intent)
    for phrase in grammar.PHRASES[intent]:
        assert accepts(arcs, f"{sample(phrase, rng)} {sample('[<tail>]', rng)}"), phrase
    assert not accepts(arcs, "where is my car")
