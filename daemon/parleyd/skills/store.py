"""What skills keep over restarts and power cuts: one small file, replaced as a whole."""

import logging
import threading
from pathlib import Path
from typing import Annotated, Any

import msgspec

from parleyd import disk
from parleyd.skills.alarms import Alarm

log = logging.getLogger(__name__)


class Loudness(msgspec.Struct, kw_only=True, frozen=True):
    """A volume that was asked for, and what the configuration said then, in percent."""

    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    configured: int


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """The file's content."""

    alarms: tuple[Alarm, ...] = ()
    muted_until: float = 0.0
    """Wall clock; the microphone stays closed until then."""
    loudness: Loudness | None = None


class Store:
    """One JSON file; any thread. Its methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept = self._load()

    @property
    def kept(self) -> Kept:
        """What the file says."""
        return self._kept

    def keep(self, **changes: Any) -> None:
        """Change fields of `Kept`: on the disk when this returns, or OSError and the file is
        what it was."""
        with self._lock:
            kept = msgspec.structs.replace(self._kept, **changes)
            if kept != self._kept:
                disk.replace(self._path, msgspec.json.encode(kept))
                self._kept = kept

    def _load(self) -> Kept:
        """Nothing when there is no file or it is broken: then it is put aside and told in
        the log, because starting matters more."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (OSError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
            aside = self._path.with_suffix(".broken")
            log.error("timers are lost: %s cannot be read (%s)", self._path, error)
            try:
                self._path.replace(aside)
                log.error("it is kept as %s", aside)
            except OSError as second:
                log.error("and it cannot be put aside: %s", second)
            return Kept()
