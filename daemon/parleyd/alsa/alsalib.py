"""Import pyalsaaudio and silence alsa-lib's own messages."""

import ctypes
import logging
import sys
from functools import cache
from typing import Any

from parleyd.errors import AudioError

log = logging.getLogger(__name__)


@cache
def alsaaudio() -> Any:
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
