"""The wake-word engine of one configuration, and its replacement after a failure."""

import logging
import threading
from collections.abc import Callable, Mapping

from parleyd import config
from parleyd.app.preflight import WAKE_KEY
from parleyd.core.events import InputEvent, WakeRenewed
from parleyd.errors import ParleyError
from parleyd.wake import WakeEngine
from parleyd.wake import factory as wake

log = logging.getLogger(__name__)


class WakeEngines:
    """Owns the engines; the audio thread uses the newest that it has received."""

    def __init__(
        self,
        engine: WakeEngine,
        settings: config.WakeConfig,
        environ: Mapping[str, str],
        post: Callable[[InputEvent], None],
    ) -> None:
        """`engine`: the first, made with these settings; `close` frees it, too."""
        self._settings = settings
        self._environ = environ
        self._post = post
        self._made = [engine]
        self._closed = False
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Make another engine and post it to the core; on a worker thread, blocks.

        Some keys are checked online, and models are read from the disk. A call during
        another returns at once. After a failure the core tries the old engine again.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if not self._closed:
                self._renew()
        except ParleyError as error:
            log.error("the wake-word engine cannot be renewed: %s", error)
        except Exception:  # the rim of a thread, and engines are native code
            log.exception("the wake-word engine cannot be renewed")
        finally:
            self._lock.release()
            if self._closed:
                self.close()

    def close(self) -> None:
        """Free all engines, now or at the end of a renewal in progress; may be called twice.

        The audio thread must have ended. Does not block.
        """
        self._closed = True
        if not self._lock.acquire(blocking=False):
            return
        try:
            while self._made:
                self._made.pop().close()
        finally:
            self._lock.release()

    def _renew(self) -> None:
        while len(self._made) > 1:  # the core uses the newest, which has failed
            self._made.pop(0).close()
        key = config.secret(WAKE_KEY, self._environ)
        engine = wake.create(self._settings, key)
        self._made.append(engine)
        self._post(WakeRenewed(engine))
