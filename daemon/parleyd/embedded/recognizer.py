"""Offline recognition of commands or of a yes: pocketsphinx, bound to a grammar.

A decode holds the interpreter lock from start to end, so the server runs this
module as a separate process (``python -m parleyd.embedded.recognizer``), which
answers each length-prefixed utterance on stdin with one line of JSON on stdout.
"""

import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import msgspec
import numpy as np
from pocketsphinx import Decoder, get_model_path

from parleyd.audio import db_to_power, decode_pcm16
from parleyd.embedded import answers as answers_grammar
from parleyd.embedded import grammar
from parleyd.embedded.network import END, START
from parleyd.embedded.phone_loop import (
    MOST_DENSITIES,
    PhoneLoop,
    confidence,
    decode,
    mean_score,
)
from parleyd.embedded.recognition import LENGTH, NOTHING, RecognitionResult
from parleyd.errors import OfflineSpeechError
from parleyd.system.parent_death import die_with_parent
from parleyd.units import MIC_RATE_HZ, Frames, ms_to_frames

PRONUNCIATIONS: dict[str, tuple[str, ...]] = {
    # The first is complete; the others are the rest of a wake word whose start was cut off.
    "jarvis": ("JH AA R V AH S", "AA R V AH S", "V AH S", "S"),
    "nabu": ("N AA B UW", "B UW"),
    "alexa": ("AH L EH K S AH", "EH K S AH", "S AH"),
    "parley": ("P AA R L IY", "L IY"),
    "bumblebee": ("B AH M B AH L B IY",),
    "porcupine": ("P AO R K Y AH P AY N",),
}
"""Words that the bundled dictionary lacks, or has only in full."""

LEAST_CONFIDENCE = 0.7
"""Of commands, by `phone_loop.confidence`; figures: tests/bench/phrases/README.md."""

LEAST_AFTER_NAME = 0.3
"""Of commands that begin with a name, or with its end: they are meant for Parley."""

SURE_CONFIDENCE = 1.8
"""From here on a command that is hard to undo is announced instead of asked."""

LEAST_OF_ANSWERS = -4.3
"""Of answers, by the mean score of their words; figures: tests/bench/README.md."""

MOST_STATES = 3_000
"""Word models in one frame; without a limit noise takes 25 MB more."""

LEAST_PEAK = 16  # -66 dBFS; zeros have no spectrum, and were recognised as "go on" at -1.5
SOFTEST_DB = 40.0  # of speech, below its loud parts

LEAST_FRAMES = ms_to_frames(100, MIC_RATE_HZ)  # no command is shorter


class Recognizer:
    """Recognises words of the grammar in whole utterances of 16 kHz speech.

    Raises `OfflineSpeechError` when the model can't be loaded. Not thread-safe;
    `recognize` blocks for about a fifth of the utterance's length.
    """

    def __init__(self, least_confidence: float | None = None, *, answers: bool = False) -> None:
        """`answers`: of the grammar of answers, not of commands."""
        usual = LEAST_OF_ANSWERS if answers else LEAST_CONFIDENCE
        self._least_confidence = usual if least_confidence is None else least_confidence
        try:
            self._decoder = _decoder(answers_grammar) if answers else _decoder(grammar)
            self._phones = None if answers else PhoneLoop()
        except (RuntimeError, OSError, ValueError) as error:
            raise OfflineSpeechError(
                f"Offline recognition cannot start: {error}. Expected the model inside the "
                "pocketsphinx wheel; reinstall it: "
                f"{sys.executable} -m pip install --force-reinstall pocketsphinx"
            ) from error

    def recognize(self, frames: Frames) -> RecognitionResult:
        """The command in one utterance (int16, 16 kHz), or nothing if there is none."""
        if len(frames) < LEAST_FRAMES or int(np.abs(frames.astype(np.int32)).max()) < LEAST_PEAK:
            return NOTHING
        frames = without_silence(frames)
        if len(frames) < LEAST_FRAMES:
            return NOTHING
        words = decode(self._decoder, frames)
        found = self._decoder.hyp()
        if found is None or not found.hypstr:
            return NOTHING
        if self._phones is None:
            score = mean_score(words)
        else:
            score = confidence(words, self._phones.decode(frames), grammar.openers())
        least = self._least_confidence
        if least == LEAST_CONFIDENCE and found.hypstr.partition(" ")[0] in grammar.names():
            least = LEAST_AFTER_NAME
        if score < least:
            return RecognitionResult("", score)
        return RecognitionResult(found.hypstr, score, sure=score >= SURE_CONFIDENCE)


def without_silence(frames: Frames) -> Frames:
    """Cut the quiet before and after the speech (int16, 16 kHz).

    The decoder levels the spectrum by its mean over the utterance, and half a second of the room
    outweighs a short word.
    """
    step = ms_to_frames(10, MIC_RATE_HZ)
    steps = frames[: len(frames) // step * step].reshape(-1, step).astype(np.float64)
    power = np.mean(steps**2, axis=1)
    loud = np.flatnonzero(power > np.quantile(power, 0.95) * db_to_power(-SOFTEST_DB))
    if not len(loud):
        return frames
    first, last = loud[0] * step, (loud[-1] + 1) * step
    return frames[first:last]


def _decoder(language: ModuleType) -> Decoder:
    """A decoder whose dictionary holds only the grammar's words: the whole one takes 49 MB more."""
    wanted: frozenset[str] = language.words()
    with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="ascii") as cut:
        for line in Path(get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines(True):
            word = line.split(" ", 1)[0].split("(", 1)[0]
            if word in wanted and word not in PRONUNCIATIONS:
                cut.write(line)
        cut.flush()
        # The second pass over the lattice (bestpath) costs five times the first here, and may
        # end in the middle of a sentence, which the grammar does not allow.
        decoder = Decoder(
            lm=None, dict=cut.name, cmn="batch", bestpath=False, maxhmmpf=MOST_STATES,
            topn=MOST_DENSITIES if language is grammar else 4, loglevel="FATAL",
        )  # fmt: skip
    for word in sorted(wanted):
        if word in PRONUNCIATIONS:
            for index, phones in enumerate(PRONUNCIATIONS[word]):
                decoder.add_word(word if index == 0 else f"{word}({index + 1})", phones, False)
        elif decoder.lookup_word(word) is None:
            raise ValueError(f"the grammar's word {word!r} has no pronunciation")
    if language is grammar:
        decoder.add_fsg("parley", decoder.create_fsg("parley", START, END, grammar.arcs()))
    else:
        decoder.add_jsgf_string("parley", language.jsgf())
    decoder.activate_search("parley")
    return decoder


def serve(requests: BinaryIO, answers: BinaryIO, *, of_permission: bool = False) -> None:
    """Answer utterances until `requests` ends. Blocks; the first line reports that it is ready."""
    recognizer = Recognizer(answers=of_permission)
    _write(answers, NOTHING)
    while len(header := requests.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(header)
        pcm = requests.read(length)
        if len(pcm) < length:
            return
        _write(answers, recognizer.recognize(decode_pcm16(pcm)))


def _write(answers: BinaryIO, heard: RecognitionResult) -> None:
    answers.write(msgspec.json.encode(heard) + b"\n")
    answers.flush()


def main() -> None:
    die_with_parent()
    # Output that a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, answers, of_permission="--answers" in sys.argv[1:])
    except OfflineSpeechError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
