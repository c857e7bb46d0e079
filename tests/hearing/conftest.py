"""Signals for the tests of the hearing."""

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parleyd.units import MIC_RATE_HZ, Floats

Say = Callable[[str, str], Floats]


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Say:
    """`say(voice, text)` returns speech at 16 kHz as float32, active level about -26 dBFS."""
    folder: Path = tmp_path_factory.mktemp("speech")

    def speak(voice: str, text: str) -> Floats:
        path = folder / f"{voice}-{abs(hash(text))}.wav"
        if not path.exists():
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", path], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == MIC_RATE_HZ
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        speech = samples.astype(np.float32) / 32768.0
        loud = speech[np.abs(speech) > 0.02]
        return speech * np.float32(0.05 / np.sqrt(np.mean(loud**2)))

    return speak
