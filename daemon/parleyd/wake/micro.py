"""The wake-word engine that needs no key: microWakeWord models from the wheel, offline.

Measured on continuous streams: `hey_jarvis` and `alexa` are reliable, `okay_nabu` is the
weakest in noise. Avoid `hey_mycroft`: it fires about twice an hour on ordinary speech.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parleyd.errors import WakeError
from parleyd.units import Floats, Frames
from parleyd.wake import WakeScore
from parleyd.wake.micro_models import model_of

if TYPE_CHECKING:
    from pymicro_wakeword import MicroWakeWord

_SPEAKING_SHIFT = 0.1  # the reply masks the word, so the cutoff is 0.7 instead of 0.8 ...
_SPEAKING_SHARE = 1 / 8  # ... and less below that, because a model's own may be 0.05 ...
_SPEAKING_STEPS = 2  # ... but for two steps of 30 ms, because echo contains many near misses


class Micro:
    """`WakeEngine` on pymicro-wakeword; about 0.05 ms for each 10 ms of audio.

    `keywords`: built-in names, or paths of a model's ``.json`` with its ``.tflite`` beside
    it. `sensitivity` 0..1 maps to a probability cutoff, see `cutoff_at`.
    Feed it continuously, even while a wake word is not needed, to keep its state current.
    Raises `WakeError`. Blocks: a user's model is first loaded in another process.
    """

    name = "micro"

    def __init__(self, keywords: Sequence[str], sensitivity: float = 0.5) -> None:
        models = [model_of(keyword) for keyword in keywords]
        self.keywords = tuple(model.keyword for model in models)
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

            self._features = MicroWakeWordFeatures()
            self._words = [
                _Word(
                    MicroWakeWord.from_config(model.description),
                    cutoff_at(sensitivity, model.cutoff),
                )
                for model in models
            ]
        except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
            raise WakeError(
                f"the wake-word engine micro cannot start: {error}; "
                "reinstall pymicro-wakeword for this machine, or choose wake.engine porcupine"
            ) from error
        self._bands: Floats | None = None

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        """Return the keyword that ended in these frames; a word fires repeatedly, see `Gate`."""
        found = None
        for features in self._features.process_streaming(frames.tobytes()):
            self._bands = features.ravel()
            for keyword, word in zip(self.keywords, self._words, strict=True):
                if word.fires(features, speaking) and found is None:
                    found = keyword
        return found

    @property
    def score(self) -> WakeScore:
        """The mean probability of the newest windows, of the word nearest to a detection."""
        return max((word.score for word in self._words), key=lambda at: at.score - at.cutoff)

    @property
    def bands(self) -> Floats | None:
        """The levels in the bands of the newest 10 ms."""
        return self._bands

    def close(self) -> None:
        """Free the models; may be called twice. Afterwards, `process` returns None."""
        for word in self._words:
            word.close()


class _Word:
    """One model, and the number of consecutive steps above its cutoff."""

    def __init__(self, model: "MicroWakeWord", cutoff: float) -> None:
        self._model = model
        self._cutoff = cutoff
        self._cutoff_speaking = cutoff - min(_SPEAKING_SHIFT, cutoff * _SPEAKING_SHARE)
        self._windows = 0
        self._sure_steps = 0
        self.score = WakeScore(0.0, cutoff)

    def fires(self, features: NDArray[Any], speaking: bool) -> bool:
        probability = self._model.process_streaming_prob(features)
        self._windows += 1
        if self._windows % self._model.stride:
            return False  # the model evaluates only every third window
        cutoff = self._cutoff_speaking if speaking else self._cutoff
        self.score = WakeScore(probability or 0.0, cutoff)
        self._sure_steps = self._sure_steps + 1 if self.score.score > cutoff else 0
        return self._sure_steps >= (_SPEAKING_STEPS if speaking else 1)

    def close(self) -> None:
        self._model.close()


def cutoff_at(sensitivity: float, middle: float) -> float:
    """Return the cutoff at a sensitivity of 0 to 1; `middle` is the one at 0.5.

    It goes from a tenth of the way between 1 and `middle` to five eighths of `middle`: from 0.98
    over 0.8 to 0.5, or from 0.92 over 0.2 to 0.125.
    """
    return float(
        np.interp(sensitivity, (0.0, 0.5, 1.0), (1 - (1 - middle) / 10, middle, middle * 5 / 8))
    )


def sensitivity_for(cutoff: float, middle: float) -> float:
    """Return the sensitivity with this cutoff, the inverse of `cutoff_at`, held to 0 to 1."""
    ends = (middle * 5 / 8, middle, 1 - (1 - middle) / 10)
    return float(np.interp(cutoff, ends, (1.0, 0.5, 0.0)))
