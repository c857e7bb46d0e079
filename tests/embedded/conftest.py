"""Real speech for all tests of this folder, and a client's seat at an engine."""

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from parleyd.audio import resample
from parleyd.embedded.recognizer import Recognizer
from parleyd.embedded.synthesizer import Synthesizer
from parleyd.units import SERVER_RATE_HZ, Frames
from tests.embedded.engine_desk import MANUAL, Desk, Json

_C = ctypes.CDLL(None)


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="session")
def voices() -> dict[str, Synthesizer]:
    """The assistant's voice, and three talkers."""
    return {name: Synthesizer(name) for name in ("slt", "rms", "awb", "kal16")}


@pytest.fixture(scope="session")
def speak(voices: dict[str, Synthesizer]) -> Callable[[str], Frames]:
    """The assistant's sentences; each is made once for all tests."""
    return cache(voices["slt"].synthesize)


@pytest.fixture(scope="session")
def spoken(voices: dict[str, Synthesizer]) -> Callable[..., Frames]:
    """Speech with silence around it and a little noise: (text, voice, rate_hz)."""

    def speak(
        text: str, voice: str = "awb", rate_hz: int = SERVER_RATE_HZ, pause_ms: int = 300
    ) -> Frames:
        _C.srand(1)  # flite's noise; else a voice depends on all that was spoken before
        frames, native_hz = voices[voice].native(text)
        frames = resample(frames, native_hz, rate_hz)
        pause = np.zeros(rate_hz * pause_ms // 1000, np.int16)
        whole = np.concatenate([pause, frames, pause])
        noise = np.random.default_rng(len(text)).normal(0, 12, len(whole))
        return (whole + noise).clip(-32768, 32767).astype(np.int16)

    return speak


@pytest.fixture
def new_desk(recognizer: Recognizer, speak: Callable[[str], Frames]) -> Callable[..., Desk]:
    def make(pace: float | None = None, *, session: Json | None = None) -> Desk:
        desk = Desk(recognizer, speak, pace)
        if session is not None:
            desk.send("session.update", session=session)
        desk.log.clear()
        return desk

    return make


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """Manual turns, with speech as fast as it is made."""
    return new_desk(session=MANUAL)
