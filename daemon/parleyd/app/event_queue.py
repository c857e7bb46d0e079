"""The way into the core: one queue, built before anything that posts to it."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from parleyd.core.events import Happening

MOST_WAITING = 256  # a start takes 2 s; fingers and skills post a few events in that time

log = logging.getLogger(__name__)


class EventQueue:
    """Holds events in order until there is a core to take them, then hands each on at once.

    Any thread. `post` neither blocks nor raises: callbacks of other libraries call it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Happening] = deque()
        self._take: Callable[[Happening], None] | None = None
        self._lock = threading.Lock()

    def post(self, event: Happening) -> None:
        """Hand an event to the core, or keep it until there is one.

        Events beyond `MOST_WAITING` are dropped and logged.
        """
        with self._lock:
            if self._take is not None:
                self._take(event)
            elif len(self._waiting) < MOST_WAITING:
                self._waiting.append(event)
            else:
                log.error("the speaker does not start, %s is dropped", type(event).__name__)

    def connect(self, take: Callable[[Happening], None]) -> None:
        """Hand all that waits to `take`, in order, and from now on every event."""
        with self._lock:
            while self._waiting:
                take(self._waiting.popleft())
            self._take = take
