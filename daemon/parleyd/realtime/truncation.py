"""Truncations that the server may refuse: repeated with the server's own length."""

from collections import OrderedDict
from dataclasses import dataclass, field

from parleyd.realtime.events import TruncateItem

REMEMBERED = 32  # a reply has a handful of items


@dataclass(slots=True)
class Truncations:
    """The truncations that were sent and not refused yet, on one socket; pure."""

    _sent: OrderedDict[str, TruncateItem] = field(default_factory=OrderedDict)  # by event id

    def forget(self) -> None:
        """The socket is gone."""
        self._sent.clear()

    def sent(self, event: TruncateItem) -> None:
        """Record a truncation that may be refused and repeated."""
        if event.event_id is None:
            return
        self._sent[event.event_id] = event
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def again(self, event_id: str | None, audio_ms: int | None) -> TruncateItem | None:
        """The server has only `audio_ms` of that item: returns the event to send instead, if any.

        `event_id`: the refused event; None if the server does not name it.
        """
        if event_id is None and len(self._sent) == 1:
            event_id = next(iter(self._sent))
        first = self._sent.pop(event_id, None) if event_id else None
        if first is None or audio_ms is None or audio_ms >= first.audio_end_ms:
            return None
        return TruncateItem(
            item_id=first.item_id, content_index=first.content_index, audio_end_ms=audio_ms
        )
