"""Import pyalsaaudio and silence alsa-lib's own messages."""

import ctypes
import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Protocol

from parleyd.errors import AudioError

if TYPE_CHECKING:
    from alsaaudio import PCM as Pcm
    from alsaaudio import Mixer

log = logging.getLogger(__name__)


class AlsaAudio(Protocol):
    """The module `alsaaudio`, as far as Parley uses it."""

    @property
    def PCM(self) -> "type[Pcm]": ...
    @property
    def Mixer(self) -> "type[Mixer]": ...
    @property
    def ALSAAudioError(self) -> type[Exception]: ...
    @property
    def PCM_CAPTURE(self) -> int: ...
    @property
    def PCM_PLAYBACK(self) -> int: ...
    @property
    def PCM_NONBLOCK(self) -> int: ...
    @property
    def PCM_FORMAT_S16_LE(self) -> int: ...
    @property
    def VOLUME_UNITS_DB(self) -> int: ...
    @property
    def VOLUME_UNITS_RAW(self) -> int: ...

    def mixers(self, cardindex: int = -1, device: str = "default") -> list[str]: ...


@cache
def alsaaudio() -> AlsaAudio:
    """Import and return the alsaaudio module.

    Raises: AudioError with the remedy if it is missing; Debian's package is too old.
    """
    try:
        import alsaaudio as module
    except ImportError as error:
        raise AudioError(
            f"cannot import pyalsaaudio ({error}); version 0.11 or newer is required; "
            "run install.sh again, or: sudo apt-get install gcc libasound2-dev && "
            f"{sys.executable} -m pip install pyalsaaudio"
        ) from None
    _silence_alsa_lib()
    return module


_ErrorHandler = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)


@cache  # keeps the handler alive: alsa-lib stores only a pointer to it
def _silence_alsa_lib() -> object:
    """Stop alsa-lib from printing to stderr; each failure is raised once, as an `AudioError`."""
    try:
        handler = _ErrorHandler(lambda *_: None)
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(handler)
    except (OSError, AttributeError, MemoryError):
        log.debug("cannot silence alsa-lib: it prints its own messages")
        return None
    return handler
