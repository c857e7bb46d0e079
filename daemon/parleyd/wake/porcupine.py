"""One adapter for Porcupine, from the keyless, offline 1.9.5 to 4.x with an AccessKey.

This module is imported only when it is chosen, because every version of `pvporcupine` raises
at import on an unknown processor. The errors of 4.x quote the AccessKey. None of them leaves
this file unredacted, neither as text nor as the cause or context of another error.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from parleyd.errors import WakeActivationError, WakeError, WakeLicenceError
from parleyd.units import Frames

if TYPE_CHECKING:
    import pvporcupine

_Result = TypeVar("_Result")

_CONSOLE = "get an AccessKey at https://console.picovoice.ai"
_REMEDIES = {
    "PorcupineActivationLimitError": "the key is in use on too many devices: free one",
    "PorcupineActivationThrottledError": "too many activations in a short time: wait and restart",
    "PorcupineActivationRefusedError": f"the key was refused and may have expired: {_CONSOLE}",
    "PorcupineActivationError": "the key is checked online: check the network, then the key",
    "PorcupineKeyError": f"the key is not valid: {_CONSOLE}",
}
_PASSING = ("PorcupineActivationError", "PorcupineActivationThrottledError")
_INSTEAD = "or set wake.engine to micro, which needs no key"


class Porcupine:
    """`WakeEngine` on pvporcupine; steps of 32 ms, about 0.3 ms each.

    `keywords`: built-in names (``hey_google``) or paths of ``.ppn`` files.
    `sensitivity` 0..1 is Porcupine's own value. `access_key` is used only by versions that
    accept one. Raises `WakeLicenceError` for problems with the key and `WakeError` for all
    others; no message contains the key.
    """

    name = "porcupine"

    def __init__(
        self, keywords: Sequence[str], sensitivity: float = 0.5, access_key: str | None = None
    ) -> None:
        package = _package()
        paths = [_path_of(keyword, package) for keyword in keywords]
        accepted = inspect.signature(package.create).parameters
        options: dict[str, object] = {
            "keyword_paths": paths,
            "sensitivities": [sensitivity] * len(paths),
        }
        if "access_key" in accepted:
            if not access_key:
                raise WakeLicenceError(
                    "the wake-word engine porcupine needs an AccessKey, but none is set; set "
                    f"PICOVOICE_ACCESS_KEY or its systemd credential ({_CONSOLE}), {_INSTEAD}"
                )
            options["access_key"] = access_key
        if "device" in accepted:
            options["device"] = "cpu:1"  # more threads only add overhead on 32 ms of audio
        self.keywords = tuple(keywords)
        self._access_key = access_key
        engine = _guarded(access_key, partial(package.create, **options))
        self._engine: pvporcupine.Porcupine | None = engine
        self._step = engine.frame_length
        self._waiting: Frames = np.zeros(0, np.int16)

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        """Return the keyword that ended in these frames; `speaking` has no effect here.

        Returns None after `close`. Raises `WakeError` if the engine fails.
        """
        engine, found = self._engine, None
        if engine is None:
            return None
        self._waiting = np.concatenate([self._waiting, frames])
        while len(self._waiting) >= self._step:
            step, self._waiting = np.split(self._waiting, [self._step])
            index = _guarded(self._access_key, partial(engine.process, step.tolist()))
            if index >= 0 and found is None:
                found = self.keywords[index]
        return found

    @property
    def score(self) -> None:
        """None: the library reports detections only."""

    @property
    def bands(self) -> None:
        """None: the library keeps its features."""

    def close(self) -> None:
        """Free the engine; may be called twice."""
        # The native library crashes on a call after delete, so the handle is removed first.
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.delete()


def builtin_keywords() -> tuple[str, ...]:
    """Return the installed version's keywords. Raises `WakeError` if it cannot run."""
    return _builtin(_package())


class _Package(Protocol):
    """The module `pvporcupine` of any version."""

    @property
    def KEYWORD_PATHS(self) -> Mapping[str, str]: ...
    @property
    def create(self) -> "Callable[..., pvporcupine.Porcupine]": ...


def _builtin(package: _Package) -> tuple[str, ...]:
    return tuple(sorted(name.replace(" ", "_") for name in package.KEYWORD_PATHS))


def _path_of(keyword: str, package: _Package) -> str:
    if keyword.endswith(".ppn"):
        return keyword
    path = package.KEYWORD_PATHS.get(keyword.replace("_", " "))
    if path is None:
        raise WakeError(
            f"the wake-word engine porcupine has no model for {keyword!r}; choose wake.keywords "
            f"among {', '.join(_builtin(package))}, or give the path of a .ppn file"
        )
    return path


def _package() -> _Package:
    try:
        import pvporcupine
    except ImportError as error:
        reason = f"is not installed ({error}); run {sys.executable} -m pip install pvporcupine"
    except (NotImplementedError, RuntimeError, ValueError, OSError) as error:
        # The text contains all of /proc/cpuinfo, but its first line is sufficient.
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        reason = f"does not run on this processor ({first_line.rstrip(':')})"
    else:
        return pvporcupine
    raise WakeError(f"the wake-word engine porcupine {reason}, {_INSTEAD}")


def _guarded(access_key: str | None, call: Callable[[], _Result]) -> _Result:
    """Call `call`; convert any exception to our own error without the key."""
    try:
        return call()
    except Exception as error:  # any exception may quote the key
        failure = _translated(error, access_key)
    # raised outside the handler, so the original is neither its cause nor its context
    raise failure


def _translated(error: Exception, access_key: str | None) -> WakeError:
    kind = type(error).__name__
    text = str(error)
    if access_key:
        text = text.replace(access_key, "<AccessKey>")
    remedy = _REMEDIES.get(kind)
    if remedy is None and "AccessKey" in text:
        remedy = _REMEDIES["PorcupineKeyError"]
    if remedy is not None:
        refused = WakeActivationError if kind in _PASSING else WakeLicenceError
        return refused(f"porcupine refused to start: {remedy}, {_INSTEAD} ({text})")
    return WakeError(f"the wake-word engine porcupine failed: {kind}: {text}; {_INSTEAD}")
