"""The conversation: its items in order, and the changes that a client may make."""

from collections.abc import Iterator

from parleyd.embedded import api_error
from parleyd.embedded.items import Item
from parleyd.embedded.limits import MOST_AUDIO_BYTES, MOST_ITEMS, MOST_WORD_BYTES
from parleyd.realtime.events import Json
from parleyd.units import SERVER_RATE_HZ, frames_to_ms, ms_to_frames


class Conversation:
    """The items in order. Raises `Refused` where the service would refuse a change."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._order: list[str] = []

    def __iter__(self) -> Iterator[Item]:
        return (self._items[item_id] for item_id in self._order)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    def get(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def before(self, item_id: str) -> str | None:
        """The id of the item before this one."""
        place = self._order.index(item_id)
        return self._order[place - 1] if place > 0 else None

    def add(self, item: Item, previous_item_id: str | None = None) -> str | None:
        """Insert after `previous_item_id` (None: at the end, "root": at the start).

        Returns the id of the item before it. Drops the oldest items beyond `MOST_ITEMS` and
        `MOST_WORD_BYTES`, but never this one.
        """
        if item.id in self._items:
            message = f"Error adding item: an item with id '{item.id}' already exists."
            raise api_error.ApiError(message, code="item_create_duplicate_item_id", param="item.id")
        place = len(self._order)
        if previous_item_id == "root":
            place = 0
        elif previous_item_id is not None:
            if previous_item_id not in self._items:
                raise api_error.unknown_item("create", "adding", previous_item_id)
            place = self._order.index(previous_item_id) + 1
        self._order.insert(place, item.id)
        self._items[item.id] = item
        self._forget_oldest_but(item)
        return self.before(item.id)

    def retrieve(self, item_id: str) -> Json:
        return self._known(item_id, "retrieve", "retrieving").wire(audio=True)

    def delete(self, item_id: str) -> None:
        self._known(item_id, "delete", "deleting")
        self._order.remove(item_id)
        del self._items[item_id]

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Keep only the first `audio_end_ms` of this answer, as if the rest was never spoken."""
        item = self._known(item_id, "truncate", "truncating")
        if item.content_type != "output_audio" or item.frames == 0:
            raise api_error.not_truncatable()
        if content_index != 0:
            raise api_error.wrong_value("content_index", content_index, ("0",))
        if audio_end_ms < 0:
            raise api_error.out_of_range("audio_end_ms", audio_end_ms, 0, low=True)
        audio_ms = frames_to_ms(item.frames, SERVER_RATE_HZ)
        if audio_end_ms > audio_ms:
            raise api_error.already_shorter(audio_ms, audio_end_ms)
        item.keep(ms_to_frames(audio_end_ms, SERVER_RATE_HZ))
        item.truncated = True

    def _forget_oldest_but(self, newest: Item) -> None:
        held = sum(item.word_bytes for item in self)
        while len(self._order) > MOST_ITEMS or held > MOST_WORD_BYTES:
            oldest = next((name for name in self._order if name != newest.id), None)
            if oldest is None:
                return
            held -= self._items.pop(oldest).word_bytes
            self._order.remove(oldest)

    def shed_audio(self) -> None:
        """Drop the audio of the oldest items beyond `MOST_AUDIO_BYTES`; keep their words."""
        held = 0
        for item_id in reversed(self._order):
            item = self._items[item_id]
            held += len(item.pcm)
            if held > MOST_AUDIO_BYTES:
                item.pcm.clear()

    def _known(self, item_id: str, verb: str, gerund: str) -> Item:
        item = self._items.get(item_id)
        if item is None:
            raise api_error.unknown_item(verb, gerund, item_id)
        return item
