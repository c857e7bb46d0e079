"""The models of the engine `micro`: those of the wheel, and a user's, which are tried first."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from parleyd.errors import WakeError
from parleyd.printable import printable
from parleyd.system import atomic_file
from parleyd.system.child_environment import child_environment

INSTALLED_CUTOFF = 0.8
"""Of the wheel's models, which ask for 0.85 to 0.97: it had no false hey_jarvis in 3.3 h."""
_VERSION, _STEP_MS = 2, 10  # what pymicro-wakeword computes
_TFLITE_MARK = b"TFL3"  # at byte 4; the native library crashes on any other file
_LONGEST_JSON = 1 << 16  # bytes; a model's .json has about 500
_TRIAL_S = 30.0  # for a user's model: 0.5 s on a desktop core, seconds on a Pi with a cold card


class MicroModel(NamedTuple):
    """A model that can be loaded."""

    description: Path
    """Its ``.json``."""
    cutoff: float
    """A higher probability is its word, 0 to 1, at a sensitivity in the middle."""

    @property
    def keyword(self) -> str:
        """The name of its file."""
        return self.description.stem


class _Micro(msgspec.Struct, frozen=True):
    probability_cutoff: Annotated[float, Meta(gt=0, le=1)]
    sliding_window_size: Annotated[int, Meta(ge=1, le=100)]
    feature_step_size: int = _STEP_MS


class _Description(msgspec.Struct, frozen=True):
    model: str
    wake_word: str
    micro: _Micro


class _Versioned(msgspec.Struct, frozen=True):
    version: int = _VERSION


def builtin_keywords() -> tuple[str, ...]:
    """Return the keywords with an installed model. Raises `WakeError` without the package."""
    return tuple(sorted(path.stem for path in _installed().glob("*.json")))


def model_of(keyword: str) -> MicroModel:
    """Return the model of a built-in keyword or of a path. Raises `WakeError`.

    Blocks: a user's model is first loaded in another process.
    """
    if keyword.endswith(".json"):
        path = Path(keyword)
    elif keyword in builtin_keywords():
        path = _installed() / f"{keyword}.json"
    else:
        raise WakeError(
            f"the wake-word engine micro has no model for {keyword!r}; "
            f"choose wake.keywords among {', '.join(builtin_keywords())}, "
            "or give the path of a microWakeWord model's .json"
        )
    described, file = _described(path)
    if path.parent == _installed():
        return MicroModel(path, INSTALLED_CUTOFF)
    _try(path, file)
    return MicroModel(path, described.micro.probability_cutoff)


def _described(path: Path) -> tuple[_Description, Path]:
    """The description, and the model's file. Raises `WakeError` if one of them is none."""
    read = path
    try:
        text = atomic_file.read(path, _LONGEST_JSON)
        if msgspec.json.decode(text, type=_Versioned).version < _VERSION:
            raise _unusable(path, "it is of version 1, for ESPHome before 2024.7")
        described = msgspec.json.decode(text, type=_Description)
        model = read = path.parent / described.model
        with atomic_file.opened(model) as file:
            mark = file.read(8)[4:]
    except OSError as error:
        why = error.strerror or str(error)
        raise _unusable(path, why if read == path else f"its model {read}: {why}") from error
    except (ValueError, RecursionError) as error:  # msgspec.DecodeError is a ValueError
        raise _unusable(path, str(error)) from error
    if described.micro.feature_step_size != _STEP_MS:
        step = described.micro.feature_step_size
        raise _unusable(path, f"feature_step_size is {step} ms, allowed is {_STEP_MS}")
    if mark != _TFLITE_MARK:
        raise WakeError(f"{model} is not a TensorFlow Lite model; download it again")
    return described, model


def _unusable(path: Path, why: str) -> WakeError:
    return WakeError(
        f"the wake-word model {path} cannot be used ({why}); "
        "a microWakeWord .json of version 2 with its .tflite beside it is expected"
    )


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


def _installed() -> Path:
    try:
        import pymicro_wakeword
    except ImportError as error:
        raise WakeError(
            f"the wake-word engine micro is not installed ({error}); "
            f"run {sys.executable} -m pip install pymicro-wakeword"
        ) from error
    return Path(pymicro_wakeword.__file__).parent / "models"
