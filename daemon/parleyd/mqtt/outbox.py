"""What the broker should hold, what it has not got yet, and how many commands pass. Pure."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

MOST_EVENTS = 8  # that wait for a slow broker


class Publication(NamedTuple):
    """A message for the broker."""

    topic: str
    payload: bytes
    retain: bool


class BrokerOutbox:
    """Values, of which only the newest counts, and a few events.

    A slow broker gets fewer values, never old ones. Bounded: one value for each topic.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, bytes] = {}
        self._sent: dict[str, bytes] = {}
        self._events: deque[Publication] = deque(maxlen=MOST_EVENTS)

    def put(self, values: Mapping[str, bytes]) -> None:
        """Set the values of topics; their first order is that of sending."""
        self._wanted.update(values)

    def event(self, topic: str, payload: bytes) -> None:
        """Add an event; the oldest is dropped if too many wait."""
        self._events.append(Publication(topic, payload, retain=False))

    def again(self, *topics: str) -> None:
        """Send the values of these topics again, even if they have not changed."""
        for topic in topics:
            self._sent.pop(topic, None)

    def all_again(self, *, connected: bool = False) -> None:
        """Send every value again; `connected`: to a broker that was away, without old events."""
        self._sent.clear()
        if connected:
            self._events.clear()

    def next(self) -> Publication | None:
        """The next message to send, or None."""
        for topic, payload in self._wanted.items():
            if self._sent.get(topic) != payload:
                return Publication(topic, payload, retain=True)
        return self._events[0] if self._events else None

    def sent(self, publication: Publication) -> None:
        """The broker has this message."""
        if publication.retain:
            self._sent[publication.topic] = publication.payload
        elif self._events and self._events[0] is publication:
            self._events.popleft()


class CommandLimit:
    """Lets a number of commands pass in each second, and drops the rest."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second, self._passed = 0, 0

    def admits(self, now: float) -> bool:
        """Count a command; return whether it passes. `now` in monotonic seconds."""
        if int(now) != self._second:
            self._second, self._passed = int(now), 0
        self._passed += 1
        return self._passed <= self._per_s


def pause_s(attempt: int, chance: float, longest_s: float = 60.0) -> float:
    """Seconds before the next attempt to connect: 1, 2, 4, ... `attempt` is 0 for the first.

    `chance`, 0 to 1, spreads the speakers of a house by a quarter in both directions.
    """
    return float(min(longest_s, 2.0 ** min(attempt, 10)) * (0.75 + 0.5 * chance))
