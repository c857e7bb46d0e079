"""The way into the core: one bounded queue, built before everything that posts to it."""

import logging
import threading
from collections import deque

from parleyd.core.events import ButtonPressed, InputEvent

MOST_EVENTS = 8192  # minutes of audio deltas; more means that nothing drains: the watchdog's case
CROWD = 1000  # the events of the longest burst that servers send; taken in a tenth of a second

log = logging.getLogger(__name__)


class EventQueue:
    """Holds events in order until the audio thread takes them; that thread may not exist yet.

    Any thread posts, one thread takes. The taking thread never waits for a posting one.
    """

    def __init__(self) -> None:
        self._events: deque[InputEvent] = deque()
        self._lost = 0  # events since the queue was full
        self._successor: EventQueue | None = None
        self._lock = threading.Lock()

    def post(self, event: InputEvent) -> None:
        """Append an event. Neither blocks nor raises: callbacks of other libraries call it.

        Events beyond `MOST_EVENTS` are dropped. The log names the first of them, and their
        number once there is room again.
        """
        complaint = ""
        with self._lock:
            successor = self._successor
            if successor is None:
                complaint = self._append(event)
        if complaint:
            log.error("%s", complaint)
        if successor is not None and isinstance(event, ButtonPressed):
            successor.post(event)

    def take(self) -> InputEvent | None:
        """The oldest event, or None; does not block."""
        try:
            return self._events.popleft()
        except IndexError:
            return None

    def is_crowded(self) -> bool:
        """Whether an adapter that posts in bursts should pause; any thread."""
        return len(self._events) >= CROWD

    def end(self, successor: "EventQueue") -> None:
        """The core of this queue has ended: the user's presses wait for the next core.

        Presses that were not taken, and all later ones, go to `successor`; every other event
        is dropped, because it belongs to the parts that have ended.
        """
        with self._lock:
            self._successor = successor
            while (event := self.take()) is not None:
                if isinstance(event, ButtonPressed):
                    successor.post(event)

    def _append(self, event: InputEvent) -> str:
        """Append unless the queue is full; returns a line for the log, or an empty string."""
        if len(self._events) >= MOST_EVENTS:
            self._lost += 1
            if self._lost > 1:
                return ""
            return f"the audio thread does not take events, {type(event).__name__} is lost"
        crowded = self.is_crowded()
        self._events.append(event)
        if self._lost == 0 or crowded:
            return ""
        lost, self._lost = self._lost, 0
        return f"the audio thread takes events again, {lost} are lost"
