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
            lw=2.0, beam=1e-20, pbeam=1e-10, pl_window=0, cmn="batch", loglevel="FATAL",
        )  # fmt: skip

    def decode(self, frames: Frames) -> list[ScoredSpan]:
        """The phones of a whole utterance (int16, 16 kHz). Blocks."""
        return decode(self._decoder, frames)


UNEXPLAINED = 0.02
"""Cost of a frame of speech that no word covers."""
UNSPOKEN = 3.0
"""Cost of words in silence, by their share of all words."""
UNUSUAL = 0.9
"""Credit for a voice that the model knows badly, so that its phones score badly, too."""


def confidence(words: list[ScoredSpan], phones: list[ScoredSpan]) -> float:
    """How well the words explain the utterance, per frame of theirs.

    The constants were chosen on the phrases of the development, see tests/bench/phrases/README.md.
    """
    said = [word for word in words if not word.is_filler]
    if not said:
        return NO_CONFIDENCE
    length = max(span.end for span in (*words, *phones))
    free, speech, covered = np.zeros(length), np.zeros(length, bool), np.zeros(length, bool)
    for phone in phones:
        free[phone.start : phone.end] = phone.score / (phone.end - phone.start)
        speech[phone.start : phone.end] = not phone.is_filler
    for word in said:
        covered[word.start : word.end] = True
    count = int(np.count_nonzero(covered))
    phone_score = float(free[covered].sum()) / count
    score = sum(word.score for word in said) / count - (1.0 + UNUSUAL) * phone_score
    score -= UNEXPLAINED * int(np.count_nonzero(speech & ~covered))
    score -= UNSPOKEN * int(np.count_nonzero(covered & ~speech)) / count
    return max(score, NO_CONFIDENCE)


def mean_score(words: list[ScoredSpan]) -> float:
    """The words' own score per frame, relative to the best state of the model in each."""
    said = [word for word in words if not word.is_filler]
    length = sum(word.end - word.start for word in said)
    return max(sum(word.score for word in said) / length, NO_CONFIDENCE) if said else NO_CONFIDENCE
