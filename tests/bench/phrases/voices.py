"""Says phrases with several engines, each clip once: flite, festival, espeak-ng, and Kokoro."""

import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.training.stop_voices import _kokoro_engine, trimmed

VOICES = (
    "flite:slt", "flite:rms", "flite:awb", "festival:ked_diphone", "espeak:en-us",
    "espeak:en-gb-x-rp+f4",
)  # fmt: skip
KOKORO = ("kokoro:af_bella", "kokoro:am_michael", "kokoro:bf_emma")
"""Only with the folder of Kokoro's packages, see `tests.bench.training.stop_voices`."""
PAUSE_S = 0.3
_FLOOR = 12.0  # of the microphone, in sample values


class Sayer:
    """Says texts; keeps each clip in a folder."""

    def __init__(self, folder: Path, kokoro: Path | None) -> None:
        self._folder = folder
        self._kokoro = kokoro
        self._folder.mkdir(parents=True, exist_ok=True)

    def say(self, text: str, voice: str) -> Frames:
        """Speech at -26 dBFS with 0.3 s of silence around it, int16 at 16 kHz."""
        name = hashlib.sha256(f"{voice} {text}".encode()).hexdigest()[:20]
        path = self._folder / f"{name}.flac"
        if not path.exists():
            clip = trimmed(self._rendered(text, voice))
            if clip is None:
                raise RuntimeError(f"the voice {voice} said nothing for {text!r}")
            soundfile.write(path, clip, MIC_RATE_HZ, subtype="PCM_16")
        frames, _ = soundfile.read(path, dtype="int16")
        pause = np.zeros(int(PAUSE_S * MIC_RATE_HZ), np.int16)
        return np.concatenate([pause, frames, pause])

    def _rendered(self, text: str, voice: str) -> Any:
        engine, _, name = voice.partition(":")
        if engine == "kokoro":
            assert self._kokoro is not None
            return _kokoro(self._kokoro)(text, name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "said.wav"
            commands = {
                "flite": ["flite", "-voice", name, "-t", text, "-o", str(path)],
                "festival": ["text2wave", "-eval", f"(voice_{name})", "-o", str(path)],
                "espeak": ["espeak-ng", "-v", name, "-s", "150", "-w", str(path), text],
            }
            subprocess.run(commands[engine], input=text.encode(), capture_output=True, check=True)
            sound, rate_hz = soundfile.read(path)
        return soxr.resample(sound, rate_hz, MIC_RATE_HZ)


def in_noise(speech: Frames, noise: Frames | None, snr_db: float, seed: int) -> Frames:
    """The speech with a piece of the noise, or with the floor of a microphone only."""
    random = np.random.default_rng(seed)
    whole = speech + random.normal(0, _FLOOR, len(speech))
    if noise is not None:
        start = int(random.integers(0, len(noise) - len(speech)))
        piece = noise[start : start + len(speech)].astype(np.float64)
        active = 32768 * 10 ** (-26 / 20)
        whole += piece * active * 10 ** (-snr_db / 20) / np.sqrt(np.mean(piece**2))
    return np.clip(whole, -32768, 32767).astype(np.int16)


@cache
def _kokoro(folder: Path) -> Callable[[str, str], Any]:
    say = _kokoro_engine(folder)
    random = np.random.default_rng(1)

    def spoken(text: str, voice: str) -> Any:
        style = np.fromfile(folder / "package" / "voices" / f"{voice}.bin", np.float32)
        accent = "en-gb" if voice.startswith("b") else "en-us"
        command = ["espeak-ng", "-q", "--ipa", "-v", accent, text]
        phones = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        for plain, own in (("tʃ", "ʧ"), ("dʒ", "ʤ"), ("eɪ", "A"), ("aɪ", "I"), ("ɔɪ", "Y"),
                           ("aʊ", "W"), ("oʊ", "O"), ("əʊ", "Q"), ("r", "ɹ"), ("ɐ", "ə"),
                           ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("\n", " ")):  # fmt: skip
            phones = phones.replace(plain, own)
        return say(f"{phones.strip()}.", style.reshape(-1, 256), 1.0, random)

    return spoken
