"""The confidence of words, from their scores and those of free phones."""

import pytest

from parleyd.embedded.phone_loop import ScoredSpan, confidence
from parleyd.embedded.recognition import NO_CONFIDENCE

OPENERS = frozenset({"jarvis", "um"})


def spans(*parts: tuple[str, int, float], start: int = 0) -> list[ScoredSpan]:
    """Names, lengths in frames, and scores of one frame."""
    found = []
    for name, frames, score in parts:
        found.append(ScoredSpan(name, start, start + frames, score * frames))
        start += frames
    return found


WORDS = spans(("stop", 30, -2.5), ("it", 20, -2.5))
PHONES = spans(("S", 25, -0.8), ("T", 25, -0.8))


def test_words_that_fit_like_phones_are_likely_right() -> None:
    assert confidence(WORDS, PHONES, OPENERS) > 1.0
    assert confidence(spans(("stop", 50, -6.0)), PHONES, OPENERS) < 0.0


@pytest.mark.parametrize(
    ("words", "phones"),
    [
        (WORDS, [*PHONES, *spans(("AH", 20, -0.8), start=50)]),
        (WORDS, spans(("S", 25, -0.8), ("SIL", 25, -0.8))),
        (spans(("stop", 20, -2.5), ("um", 10, -2.5), ("it", 20, -2.5)), PHONES),
        (spans(("stop", 10, -2.5), ("stop", 20, -2.5), ("it", 20, -2.5)), PHONES),
    ],
    ids=["uncovered speech", "words in silence", "an opener inside", "more words in the time"],
)
def test_confidence_is_lower_with(words: list[ScoredSpan], phones: list[ScoredSpan]) -> None:
    assert confidence(words, phones, OPENERS) < confidence(WORDS, PHONES, OPENERS) - 0.3


def test_end_of_a_wake_word_is_not_judged() -> None:
    """Its start was cut off, so that it fits badly."""
    late = [ScoredSpan(w.name, w.start + 8, w.end + 8, w.score) for w in WORDS]
    phones = [*spans(("S", 8, -0.8)), *spans(("S", 25, -0.8), ("T", 25, -0.8), start=8)]
    with_name = [*spans(("jarvis(4)", 8, -9.0)), *late]
    assert confidence(with_name, phones, OPENERS) == pytest.approx(
        confidence(WORDS, PHONES, OPENERS)
    )


def test_no_words_have_no_confidence() -> None:
    assert confidence(spans(("<sil>", 50, -1.0)), PHONES, OPENERS) == NO_CONFIDENCE
