"""Splits sentences into pieces, each of which is one job of the synthesizer.

flite spells out everything that is not a word: a letter of a word takes 50 ms, a digit, a
capital or a symbol up to 480 ms (measured with voice slt; "%" is "percent", "1777" is "seventeen
seventy seven"). So a piece is limited by its weight, not by its length.
"""

import re
from collections.abc import Iterator

from parleyd.embedded.limits import MOST_SPEECH_WEIGHT

SPELLED_WEIGHT = 10  # of a character that flite may spell out, relative to a letter of a word
LONGEST_WORD = 24  # letters; a longer one is not a word, so it can be cut anywhere

_WORD = re.compile(rf"(?=[^aeiouy]*[aeiouy])[A-Za-z][a-z']{{0,{LONGEST_WORD - 1}}}[.,;:!?]*")
_MOST_SPELLED = MOST_SPEECH_WEIGHT // SPELLED_WEIGHT


def pieces(sentence: str) -> Iterator[str]:
    """The sentence itself, or its words in several pieces. Drops nothing but spaces."""
    piece: list[str] = []
    total = 0
    for token in _tokens(sentence):
        added = weight(token)
        if piece and total + added > MOST_SPEECH_WEIGHT:
            yield " ".join(piece)
            piece, total = [], 0
        piece.append(token)
        total += added
    if piece:
        yield " ".join(piece)


def weight(token: str) -> int:
    """The time to speak this, in letters of ordinary words."""
    is_word = _WORD.fullmatch(token) is not None
    return len(token) + 1 if is_word else SPELLED_WEIGHT * len(token)


def _tokens(sentence: str) -> Iterator[str]:
    for token in sentence.split():
        if weight(token) <= MOST_SPEECH_WEIGHT:
            yield token
        else:
            for start in range(0, len(token), _MOST_SPELLED):
                yield token[start : start + _MOST_SPELLED]
