"""The file that keeps the levels of the newest wake words over restarts, in a group of speakers."""

import json
import logging
import math
from pathlib import Path

from parleyd import config
from parleyd.core.usual_level import KEPT
from parleyd.system import atomic_file

LONGEST_FILE = 1 << 12  # bytes; it has a few hundred

log = logging.getLogger(__name__)


class WakeLevelsFile:
    """One file, replaced as a whole; its methods block. Any thread."""

    def __init__(self, path: Path, audio: config.AudioConfig) -> None:
        self._path = path
        self._microphone = audio.capture  # another one has other levels

    def load(self) -> tuple[float, ...]:
        """The saved levels, dBFS; none for another microphone, or without a file that is whole."""
        try:
            kept = json.loads(atomic_file.read(self._path, LONGEST_FILE))
            if kept["microphone"] != self._microphone:
                return ()
            levels = tuple(float(level) for level in kept["levels"][-KEPT:])
            if not all(math.isfinite(level) and -130 < level < 10 for level in levels):
                raise ValueError("a level is impossible")
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("%s is unreadable; learning the wake levels again: %s", self._path, error)
            return ()
        return levels

    def save(self, levels: tuple[float, ...]) -> None:
        """Save levels; a full or read-only disk is logged and changes nothing."""
        kept = {"microphone": self._microphone, "levels": levels}
        try:
            atomic_file.write(self._path, json.dumps(kept).encode())
        except OSError as error:
            log.warning("the wake levels are not saved: %s", error)
