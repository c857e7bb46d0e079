"""alsa-lib through pyalsaaudio, and its own messages kept away."""

import ctypes
import logging
import sys
from functools import cache
from typing import Any

from parleyd.errors import AudioError

log = logging.getLogger(__name__)


@cache
def alsaaudio() -> Any:
    """The alsaaudio module; Debian's own is too old, so a missing one is told with the remedy."""
    try:
        import alsaaudio as module
    except ImportError as error:
        raise AudioError(
            f"pyalsaaudio cannot be imported ({error}), 0.11 or newer is expected; "
            "run install.sh again, or: sudo apt-get install gcc libasound2-dev && "
            f"{sys.executable} -m pip install pyalsaaudio"
        ) from None
    _silence_alsa_lib()
    return module


_ErrorHandler = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)


@cache  # keeps the handler alive: alsa-lib holds only a pointer to it
def _silence_alsa_lib() -> object:
    """Keep alsa-lib from printing to stderr; each failure is told once, as an `AudioError`."""
    try:
        handler = _ErrorHandler(lambda *_: None)
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(handler)
    except (OSError, AttributeError, MemoryError):
        log.debug("alsa-lib will print its own messages")
        return None
    return handler
