"""Events on their way to the server: in order, with ids, and audio only when it is ready."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from parleyd.realtime.events import AppendAudio, ClearAudio, ClientEvent, CommitAudio
from parleyd.realtime.naming import ItemNames


@dataclass(slots=True)
class Outbox:
    """The queue that `Session.to_send` empties; pure. Outlives the sockets."""

    _ready: bool = False
    _out: list[ClientEvent] = field(default_factory=list)
    _waiting: deque[ClientEvent] = field(default_factory=deque)  # until the session is ready
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def ready(self) -> bool:
        """The server has accepted the configuration."""
        return self._ready

    def say(self, event: ClientEvent) -> None:
        """Send the event when the session is ready.

        Until then audio waits; an event about an item is dropped, because the next socket does not
        know the item. An event about an item that only Parley has named is always dropped.
        """
        if ItemNames.unknown_to_server(event):
            return
        if self._ready:
            self.send(event)
        elif isinstance(event, AppendAudio | CommitAudio | ClearAudio):
            self._waiting.append(event)

    def say_if(self, event: ClientEvent | None) -> None:
        """`say` the event, if there is one."""
        if event is not None:
            self.say(event)

    def send(self, event: ClientEvent) -> None:
        """Send the event now, ready or not; gives it an id."""
        event.event_id = f"parley_{next(self._ids)}"
        self._out.append(event)

    def drop_waiting(self) -> None:
        """Drop the audio that waits for the session."""
        self._waiting.clear()

    def become_ready(self) -> None:
        """The server has accepted the configuration: `say` sends from now on."""
        self._ready = True

    def send_waiting(self) -> None:
        """Send the waiting audio."""
        while self._waiting:
            self.send(self._waiting.popleft())

    def lost(self) -> None:
        """The socket is gone: drop all events except waiting audio."""
        self._ready = False
        self._out.clear()

    def take(self) -> list[ClientEvent]:
        """All events to send now, in order; each is returned once."""
        out, self._out = self._out, []
        return out
