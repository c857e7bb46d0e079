"""The file that keeps what hearing learnt of the echo's path over restarts and power cuts."""

import io
import logging
import zipfile
from pathlib import Path

import numpy as np

from parleyd import config, disk
from parleyd.hearing.memory import EchoMemory

log = logging.getLogger(__name__)


class EchoFile:
    """One file, replaced as a whole; its methods block, any thread but not two at once."""

    def __init__(self, path: Path, audio: config.Audio) -> None:
        self._path = path
        # another pair of cards, or another lead between them, has another path
        self._cards = (
            f"{audio.capture} {audio.playback} {audio.playback_rate_hz} Hz {audio.lead_ms} ms"
        )

    def load(self) -> EchoMemory | None:
        """What was kept for these cards; None when there is nothing that can be used."""
        try:
            with self._path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                if str(file["cards"]) != self._cards:
                    return None
                memory = EchoMemory(
                    file["weights"].astype(np.float32),
                    *(float(file[name]) for name in ("late", "delay", "drift")),
                )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("%s is of no use, the echo is learnt anew: %s", self._path, error)
            return None
        return memory if memory.plausible else None

    def save(self, memory: EchoMemory) -> None:
        """Keep this; a disk that is full or read-only is told in the log and changes nothing."""
        content = io.BytesIO()
        np.savez(
            content,
            cards=np.array(self._cards),
            weights=memory.weights,
            late=memory.late,
            delay=memory.delay,
            drift=memory.drift,
        )
        try:
            disk.replace(self._path, content.getvalue())
        except OSError as error:
            log.warning("what was learnt of the echo is not kept: %s", error)
