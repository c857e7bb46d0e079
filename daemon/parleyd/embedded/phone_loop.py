"""Any speech, as a sequence of phones: the competitor of a grammar's words.

A grammar finds its best words in every sound. They are right only if they fit about as well as free
phones do, and if they cover the speech: Rose & Paul, "A hidden Markov model based keyword
recognition system", ICASSP 1990.
"""

import math
from dataclasses import dataclass

import numpy as np
from pocketsphinx import Decoder, get_model_path

from parleyd.embedded.recognition import NO_CONFIDENCE
from parleyd.units import Frames

SCORE_SCALE = 1024  # the search stores scores ten bits shorter than its nominal log base
MOST_DENSITIES = 8
"""Of a state in each frame. Usual are 4; 8 took 15 % more time, and 2 % more paths were right."""
_SILENCE = ("SIL", "+NSN+", "+SPN+")


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A word or a phone, in frames of 10 ms."""

    name: str
    start: int
    end: int
    """The frame after the last one."""
    score: float
    """Natural log of the acoustic score of all its frames, relative to the best state in each."""

    @property
    def is_filler(self) -> bool:
        """Silence or noise."""
        return self.name in _SILENCE or self.name.startswith(("<", "[", "("))


def decode(decoder: Decoder, frames: Frames) -> list[ScoredSpan]:
    """Decode a whole utterance (int16, 16 kHz). Blocks."""
    # Resets the noise estimate of the last utterance, so the same audio gives the same words.
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(frames.tobytes(), full_utt=True)
    decoder.end_utt()
    return [
        ScoredSpan(
            segment.word,
            segment.start_frame,
            segment.end_frame + 1,
            SCORE_SCALE * math.log(segment.ascore) if segment.ascore > 0.0 else -math.inf,
        )
        for segment in decoder.seg() or ()
    ]


class PhoneLoop:
    """Decodes phones; takes about 4 % of the utterance's length and 20 MB."""

    def __init__(self) -> None:
        self._decoder = Decoder(
            allphone=get_model_path("en-us/en-us-phone.lm.bin"),
            lw=2.0, beam=1e-20, pbeam=1e-10, pl_window=0, cmn="batch", topn=MOST_DENSITIES,
            loglevel="FATAL",
        )  # fmt: skip

    def decode(self, frames: Frames) -> list[ScoredSpan]:
        """The phones of a whole utterance (int16, 16 kHz). Blocks."""
        return decode(self._decoder, frames)


BIAS = 10.35
WORD_SCORE, PHONE_SCORE = 2.0, -3.0
"""Of the words and of free phones in the same frames, each the mean of a frame."""
UNEXPLAINED, MOST_UNEXPLAINED = -0.12, 30
"""Of each frame of speech that no word covers; a long rest says no more than a short one."""
UNSPOKEN = -4.4
"""Of words in silence, by their share of all words."""
WORD, LATE_OPENER = -0.17, -0.74
"""Of each word, and of a name or an "um" after the first word, as sounds between words become."""
DENSITY = -22.0
"""Of letters in a frame: wrong words are those that fit into the time."""


def confidence(words: list[ScoredSpan], phones: list[ScoredSpan], openers: frozenset[str]) -> float:
    """The log odds of the words to be right, by a logistic model with the constants above.

    It was fitted to the phrases of the development, see tests/bench/phrases/README.md. An opener
    at the start is not judged: it may be the end of a wake word.
    """
    said = [(word, word.name.partition("(")[0]) for word in words if not word.is_filler]
    if not said:
        return NO_CONFIDENCE
    length = max(span.end for span in (*words, *phones))
    free, speech, unheard = np.zeros(length), np.zeros(length, bool), np.ones(length, bool)
    for phone in phones:
        free[phone.start : phone.end] = phone.score / (phone.end - phone.start)
        speech[phone.start : phone.end] = not phone.is_filler
    for word, _ in said:
        unheard[word.start : word.end] = False
    if len(said) > 1 and said[0][1] in openers:
        said = said[1:]
    frames = np.concatenate([np.arange(word.start, word.end) for word, _ in said])
    unexplained = min(int(np.count_nonzero(speech & unheard)), MOST_UNEXPLAINED)
    odds = (
        BIAS
        + WORD_SCORE * sum(word.score for word, _ in said) / len(frames)
        + PHONE_SCORE * float(free[frames].mean())
        + UNEXPLAINED * unexplained
        + UNSPOKEN * float(np.mean(~speech[frames]))
        + WORD * len(said)
        + LATE_OPENER * sum(spelled in openers for _, spelled in said[1:])
        + DENSITY * sum(len(spelled) for _, spelled in said) / len(frames)
    )
    return max(odds, NO_CONFIDENCE)


def mean_score(words: list[ScoredSpan]) -> float:
    """The words' own score per frame, relative to the best state of the model in each."""
    said = [word for word in words if not word.is_filler]
    length = sum(word.end - word.start for word in said)
    return max(sum(word.score for word in said) / length, NO_CONFIDENCE) if said else NO_CONFIDENCE
