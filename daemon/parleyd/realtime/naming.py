"""Names for items that a server omits in its events: audio belongs to the current item."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parleyd.realtime import events as ev

MOST_ITEMS = 128  # per response

_OURS = "parley_item_"  # a temporary name, which the server does not know


@dataclass(slots=True)
class ItemNames:
    """The items of the current response; pure."""

    _items: set[str] = field(default_factory=set)
    _by_index: dict[int, str] = field(default_factory=dict)  # messages, by output index
    _newest: str = ""  # the newest message's id
    _number: int = 0

    def begin_response(self) -> None:
        """A new response begins, with separate items."""
        self._items.clear()
        self._by_index.clear()
        self._newest = ""

    def added(self, item: Mapping[str, object], index: int) -> None:
        """An output item begins; only a message contains speech."""
        item_id = item.get("id")
        if not isinstance(item_id, str) or len(self._items) >= MOST_ITEMS:
            return
        self._items.add(item_id)
        if item.get("type", "message") == "message":
            self._newest = self._by_index[index] = item_id

    def have(self, output: Iterable[Mapping[str, object]]) -> bool:
        """Whether one of these output items belongs to the current response."""
        return any(item.get("id") in self._items for item in output)

    def complete(self, event: ev.AudioDelta | ev.AudioDone | ev.TranscriptDelta) -> None:
        """Fill in a missing item id: that of the item at the same index, otherwise the newest."""
        if event.item_id:
            self._newest = event.item_id
            return
        if not self._newest:
            self._number += 1
            self._newest = f"{_OURS}{self._number}"
        event.item_id = self._by_index.get(event.output_index, self._newest)

    @staticmethod
    def unknown_to_server(event: ev.ClientEvent) -> bool:
        """Whether the event is about an item that only Parley has named."""
        if not isinstance(event, ev.TruncateItem | ev.DeleteItem):
            return False
        return event.item_id.startswith(_OURS)
