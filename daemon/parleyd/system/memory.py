"""Memory that the C library keeps."""

import contextlib
import ctypes


def release_free_memory() -> None:
    """Give freed memory back to the system, which the C library would keep for later.

    Blocks for some milliseconds. Does nothing with a C library that has no such function.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
