"""From bytes to lines, from events to a bounded queue, and the pace of requests. Pure."""

from collections import deque

from parleyd.control.replies import LONGEST_LINE, EventsDropped, encode

MOST_EVENTS = 128  # for a slow client: a second of levels, and every event of some turns
MOST_EVENT_BYTES = 1 << 16


class LineBuffer:
    """Cuts a stream into lines; holds at most one incomplete line."""

    def __init__(self) -> None:
        self._rest = b""
        self.overflowed = False
        """A line was longer than `LONGEST_LINE`: nothing after it can be understood."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the complete lines, without their ends."""
        if self.overflowed:
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for place, line in enumerate([*lines, self._rest]):
            if len(line) > LONGEST_LINE:
                self.overflowed, self._rest = True, b""
                return lines[:place]
        return lines


class ClientQueue:
    """The lines for one client, in order.

    Replies are never dropped: a client has at most one request under way. Events are bounded:
    where a client does not take them, the oldest are dropped, and a line with their number takes
    their place.
    """

    def __init__(self, most_events: int = MOST_EVENTS, most_bytes: int = MOST_EVENT_BYTES) -> None:
        self._most_events, self._most_bytes = most_events, most_bytes
        self._replies: deque[tuple[int, bytes]] = deque()  # with the place in the order
        self._events: deque[tuple[int, bytes]] = deque()
        self._bytes = 0  # of the events
        self._place = 0
        self._dropped = 0  # since the newest line of that

    def reply(self, line: bytes) -> None:
        """Append the reply to a request."""
        self._place += 1
        self._replies.append((self._place, line))

    def event(self, line: bytes) -> None:
        """Append an event; drop the oldest ones if there is no room."""
        self._place += 1
        self._events.append((self._place, line))
        self._bytes += len(line)
        while len(self._events) > self._most_events or self._bytes > self._most_bytes:
            _, oldest = self._events.popleft()
            self._bytes -= len(oldest)
            self._dropped += 1

    def take(self) -> bytes | None:
        """The next line, or None."""
        if self._replies and not (self._events and self._events[0] < self._replies[0]):
            return self._replies.popleft()[1]
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return encode(EventsDropped(count=count))
        if not self._events:
            return None
        _, line = self._events.popleft()
        self._bytes -= len(line)
        return line


class RequestPace:
    """Limits how often something happens, over all clients. `now` in monotonic seconds."""

    def __init__(self, per_s: float, burst: int) -> None:
        """On average `per_s`; at most `burst` at once after a pause."""
        self._interval_s = 1 / per_s
        self._slack_s = burst / per_s
        self._due = 0.0

    def wait_s(self, now: float) -> float:
        """Take the next place; returns how long to wait for it, usually 0."""
        self._due = max(self._due, now - self._slack_s) + self._interval_s
        return max(0.0, self._due - now)

    def admits(self, now: float) -> bool:
        """Take the next place if it is free now; return whether it is."""
        due = max(self._due, now - self._slack_s) + self._interval_s
        if due > now:
            return False
        self._due = due
        return True
