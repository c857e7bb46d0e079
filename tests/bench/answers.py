"""python -m tests.bench.answers [FOLDER]: a spoken yes, as the device recognises it.

Voices of espeak-ng and flite say yes, no and words that are similar, over noise 20 dB below. FOLDER
has recordings of other speech (FLAC): pieces of 0.4 to 2.4 s of them are other answers. Takes two
minutes. Prints the share that counts as a yes, with 95 % bounds.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from parleyd.audio import resample
from parleyd.embedded import answers
from parleyd.embedded.recognizer import Recognizer
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.bounds import share_bounds

ESPEAK = (
    "en-us", "en-gb", "en-gb-scotland", "en-us+f3", "en-gb+f2", "en-us+m3", "en-gb-x-rp+f4",
    "en-us+croak", "en-us+m7", "de+f2", "fr+m2", "en-029",
)  # fmt: skip
FLITE = ("slt", "rms", "awb", "kal16")
WORDS = {
    "yes please": ("yes please",),
    "yes": ("yes",),
    "no": ("no", "no thanks", "nope", "don't", "stop", "cancel", "wait", "never", "not now"),
    "similar": (
        "yesterday", "guess", "less", "yes but not now", "unless", "address", "chess", "jess",
        "yellow", "you", "ears", "press", "west", "best", "dress", "it says", "this", "yet", "get",
        "mess", "this is a test", "I guess", "let's see", "no yes no", "says who",
    ),
    "other": (
        "what", "who is it", "I don't know", "maybe", "maybe later", "why", "what did you say",
        "hello", "I said no", "can you turn on the light", "hmm", "tell me more", "which door",
    ),
}  # fmt: skip
SNR_DB = 20.0
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("folder", type=Path, nargs="?")
    folder = parser.parse_args().folder
    random = np.random.default_rng(SEED)
    recognizer = Recognizer(answers=True)
    for kind, texts in WORDS.items():
        _report(kind, [recognizer.recognize(_noisy(a, random)).words for a in _said(texts)])
    if folder is not None:
        pieces = [_noisy(piece, random) for piece in _pieces(folder, random)]
        _report("recordings", [recognizer.recognize(piece).words for piece in pieces])


def _report(kind: str, heard: list[str]) -> None:
    n, k = len(heard), sum(map(answers.is_yes, heard))
    low, high = share_bounds(k, n)
    print(f"{kind:12} {k:3} of {n:3} count as a yes: {k / n:4.0%} [{low:.1%} - {high:.1%}]")


def _said(texts: tuple[str, ...]) -> Iterator[Frames]:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "said.wav")
        for text in texts:
            for place, voice in enumerate((*ESPEAK, *FLITE)):
                command = ["flite", "-voice", voice, "-t", text, "-o", file]
                if voice in ESPEAK:
                    command = ["espeak-ng", "-v", voice, "-s", f"{135 + 4 * place}", "-w", file]
                    command.append(text)
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                frames, rate_hz = soundfile.read(file, dtype="int16")
                yield frames if rate_hz == MIC_RATE_HZ else resample(frames, rate_hz, MIC_RATE_HZ)


def _pieces(folder: Path, random: np.random.Generator) -> Iterator[Frames]:
    for path in sorted(folder.glob("*.flac")):
        frames, rate_hz = soundfile.read(path, dtype="int16")
        assert rate_hz == MIC_RATE_HZ
        length = int(random.uniform(0.4, 2.4) * MIC_RATE_HZ)
        if len(frames) > length:
            start = random.integers(0, len(frames) - length)
            yield frames[start : start + length]


def _noisy(frames: Frames, random: np.random.Generator) -> Frames:
    """At -26 dBFS, with silence around it and noise over all."""
    speech = frames.astype(np.float64)
    loud = speech[np.abs(speech) > 200]
    speech *= 1600 / (np.sqrt(np.mean(loud**2)) if len(loud) else 1600)
    whole = np.concatenate([np.zeros(6000), speech, np.zeros(9600)])
    whole += random.normal(0, 1600 * 10 ** (-SNR_DB / 20), len(whole))
    return np.clip(whole, -32768, 32767).astype(np.int16)


if __name__ == "__main__":
    main()
