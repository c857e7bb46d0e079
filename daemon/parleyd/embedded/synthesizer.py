"""Offline speech: flite's voice slt, called through ctypes, resampled to 24 kHz."""

import ctypes
import threading
from typing import TYPE_CHECKING

import numpy as np

from parleyd.audio import resample
from parleyd.errors import OfflineSpeechError
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames, ms_to_frames

VOICE = "slt"
_LEXICON = "latin-1"
GAP_FRAMES = ms_to_frames(180, SERVER_RATE_HZ)  # a breath between sentences; flite adds none
_MISSING = (
    "Offline speech cannot start: {error}. The embedded server speaks with flite; "
    "install it: sudo apt install flite"
)

_lock = threading.Lock()  # flite has global state: one synthesis at a time per process


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


if TYPE_CHECKING:
    _VoicePointer = ctypes._Pointer[_Voice]


class Synthesizer:
    """Turns sentences into 24 kHz speech. Raises `OfflineSpeechError` when flite is missing.

    `synthesize` blocks for about 2 % of the speech's length, releases the
    interpreter lock meanwhile, and may be called from any thread.
    """

    def __init__(self, voice: str = VOICE) -> None:
        try:
            self._flite, self._voice = _load(voice)
        except (OSError, AttributeError) as error:
            raise OfflineSpeechError(_MISSING.format(error=error)) from error

    def synthesize(self, sentence: str, speed: float = 1.0) -> Frames:
        """One sentence as int16 frames at 24 kHz, followed by a short breath."""
        frames, rate_hz = self.native(sentence, speed)
        if len(frames) == 0:
            return SILENCE
        speech = resample(frames, rate_hz, SERVER_RATE_HZ)
        return np.concatenate([speech, np.zeros(GAP_FRAMES, np.int16)])

    def native(self, sentence: str, speed: float = 1.0) -> tuple[Frames, int]:
        """One sentence as flite makes it: int16 frames and their rate in Hz."""
        with _lock:
            features = self._voice.contents.features
            self._flite.feat_set_float(features, b"duration_stretch", 1.0 / speed)
            wave = self._flite.flite_text_to_wave(_known(sentence), self._voice)
            try:
                count = wave.contents.num_samples
                if count <= 0:
                    return SILENCE, SERVER_RATE_HZ
                samples = np.ctypeslib.as_array(wave.contents.samples, (count,))
                return samples.astype(np.int16, copy=True), wave.contents.sample_rate
            finally:
                self._flite.delete_wave(wave)


def speakable(text: str) -> bool:
    """Whether the voice has a sound for anything in the text: a letter or a digit that it knows."""
    return any(character.isalnum() for character in _known(text).decode(_LEXICON))


def _known(text: str) -> bytes:
    """The text without what flite would spell byte by byte."""
    return text.encode(_LEXICON, "ignore")


def _load(voice: str) -> "tuple[ctypes.CDLL, _VoicePointer]":
    flite = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
    for library in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    voices = ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1")
    register = getattr(voices, f"register_cmu_us_{voice}")
    register.argtypes, register.restype = (ctypes.c_char_p,), ctypes.POINTER(_Voice)
    flite.flite_text_to_wave.argtypes = (ctypes.c_char_p, ctypes.POINTER(_Voice))
    flite.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
    flite.delete_wave.argtypes, flite.delete_wave.restype = (ctypes.POINTER(_Wave),), None
    flite.feat_set_float.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)
    flite.feat_set_float.restype = None
    with _lock:
        flite.flite_init()
        return flite, register(None)
