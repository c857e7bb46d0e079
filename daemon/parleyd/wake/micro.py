"""The wake-word engine that needs no key: microWakeWord models from the wheel, offline.

Measured on continuous streams: `hey_jarvis` and `alexa` are reliable, `okay_nabu` is the
weakest in noise. Avoid `hey_mycroft`: it fires about twice an hour on ordinary speech.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parleyd.errors import WakeError
from parleyd.printable import printable
from parleyd.system import atomic_file
from parleyd.system.child_environment import child_environment
from parleyd.units import Frames
from parleyd.wake import WakeScore

if TYPE_CHECKING:
    from pymicro_wakeword import MicroWakeWord

_CUTOFFS = (0.98, 0.8, 0.5)  # at sensitivity 0, 0.5 and 1; 0.8 had no false hey_jarvis in 3.3 h
_SPEAKING_SHIFT = 0.1  # the reply masks the word, so the cutoff is 0.7 instead of 0.8 ...
_SPEAKING_STEPS = 2  # ... but for two steps of 30 ms, because echo contains many near misses
_TFLITE_MARK = b"TFL3"  # at byte 4; the native library crashes on any other file
_LONGEST_JSON = 1 << 16  # bytes; a model's .json has about 500
_TRIAL_S = 30.0  # for a user's model: 0.5 s on a desktop core, seconds on a Pi with a cold card


def builtin_keywords() -> tuple[str, ...]:
    """Return the keywords with an installed model. Raises `WakeError` without the package."""
    return tuple(sorted(path.stem for path in _models().glob("*.json")))


class Micro:
    """`WakeEngine` on pymicro-wakeword; about 0.05 ms for each 10 ms of audio.

    `keywords`: built-in names, or paths of a model's ``.json`` with its ``.tflite`` beside
    it. `sensitivity` 0..1 maps to a probability cutoff of 0.98..0.5, 0.8 in the middle.
    Feed it continuously, even while a wake word is not needed, to keep its state current.
    Raises `WakeError`. Blocks: a user's model is first loaded in another process.
    """

    name = "micro"

    def __init__(self, keywords: Sequence[str], sensitivity: float = 0.5) -> None:
        configs = [_config_of(keyword) for keyword in keywords]
        self.keywords = tuple(path.stem for path in configs)
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

            self._features = MicroWakeWordFeatures()
            self._words = [_Word(MicroWakeWord.from_config(path)) for path in configs]
        except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
            raise WakeError(
                f"the wake-word engine micro cannot start: {error}; "
                "reinstall pymicro-wakeword for this machine, or choose wake.engine porcupine"
            ) from error
        self._cutoff = float(np.interp(sensitivity, (0.0, 0.5, 1.0), _CUTOFFS))
        self._newest_cutoff = self._cutoff

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        """Return the keyword that ended in these frames; a word fires repeatedly, see `Gate`."""
        cutoff = self._cutoff - _SPEAKING_SHIFT if speaking else self._cutoff
        self._newest_cutoff = cutoff
        steps = _SPEAKING_STEPS if speaking else 1
        found = None
        for features in self._features.process_streaming(frames.tobytes()):
            for keyword, word in zip(self.keywords, self._words, strict=True):
                if word.fires(features, cutoff, steps) and found is None:
                    found = keyword
        return found

    @property
    def score(self) -> WakeScore:
        """The mean probability of the newest windows, and the present cutoff."""
        return WakeScore(max(word.score for word in self._words), self._newest_cutoff)

    def close(self) -> None:
        """Free the models; may be called twice. Afterwards, `process` returns None."""
        for word in self._words:
            word.close()


class _Word:
    """One model, and the number of consecutive steps above its cutoff."""

    def __init__(self, model: "MicroWakeWord") -> None:
        self._model = model
        self.score = 0.0
        self._windows = 0
        self._sure_steps = 0

    def fires(self, features: NDArray[Any], cutoff: float, steps: int) -> bool:
        probability = self._model.process_streaming_prob(features)
        self._windows += 1
        if self._windows % self._model.stride:
            return False  # the model evaluates only every third window
        self.score = probability or 0.0
        self._sure_steps = self._sure_steps + 1 if self.score > cutoff else 0
        return self._sure_steps >= steps

    def close(self) -> None:
        self._model.close()


def _config_of(keyword: str) -> Path:
    if keyword.endswith(".json"):
        path = Path(keyword)
    elif keyword in builtin_keywords():
        path = _models() / f"{keyword}.json"
    else:
        raise WakeError(
            f"the wake-word engine micro has no model for {keyword!r}; "
            f"choose wake.keywords among {', '.join(builtin_keywords())}, "
            "or give the path of a microWakeWord model's .json"
        )
    _check(path)
    return path


def _check(path: Path) -> None:
    try:
        model = path.parent / json.loads(atomic_file.read(path, _LONGEST_JSON))["model"]
        with atomic_file.opened(model) as file:
            mark = file.read(8)[4:]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = (isinstance(error, OSError) and error.strerror) or repr(error)
        raise WakeError(
            f"the wake-word model {path} cannot be read ({why}); "
            "a microWakeWord .json with its .tflite beside it is expected"
        ) from error
    if mark != _TFLITE_MARK:
        raise WakeError(f"{model} is not a TensorFlow Lite model; download it again")
    if path.parent != _models():
        _try(path, model)


def _try(path: Path, model: Path) -> None:
    """Try the model in another process. Raises `WakeError` if that process crashes or fails."""
    try:
        trial = subprocess.run(
            [sys.executable, "-m", "parleyd.wake.trial", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TRIAL_S,
            env=child_environment(os.environ),
        )
    except subprocess.TimeoutExpired:
        raise WakeError(f"the wake-word model {model} does not load in {_TRIAL_S:g} s") from None
    except OSError as error:
        raise WakeError(f"the wake-word model {model} cannot be tried ({error})") from error
    if trial.returncode != 0:
        lines = trial.stderr.decode("utf-8", "replace").split("\n")
        why = next((printable(line, 200) for line in reversed(lines) if line.strip()), "")
        if trial.returncode < 0:
            why = f"the library crashes on it, signal {-trial.returncode}"
        raise WakeError(
            f"the wake-word model {model} or its .json is damaged, or not a microWakeWord model "
            f"({why}); download it again"
        )


def _models() -> Path:
    try:
        import pymicro_wakeword
    except ImportError as error:
        raise WakeError(
            f"the wake-word engine micro is not installed ({error}); "
            f"run {sys.executable} -m pip install pymicro-wakeword"
        ) from error
    return Path(pymicro_wakeword.__file__).parent / "models"
