"""The received audio of a reply: each delta belongs to a part of an item, in frames."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime.events import AudioDelta, AudioDone
from parleyd.realtime.formats import ReplyDecoder
from parleyd.realtime.naming import ItemNames
from parleyd.realtime.session_events import ReplyAudio, ReplyPartDone
from parleyd.realtime.usage import ContextWindow
from parleyd.units import SERVER_RATE_HZ


@dataclass(slots=True)
class AudioParts:
    """Decodes the living response; the caller passes its number. Pure."""

    decoder: ReplyDecoder
    context: ContextWindow
    names: ItemNames = field(default_factory=ItemNames)
    _sounded: set[tuple[int, str]] = field(default_factory=set)

    @property
    def sounded(self) -> Set[tuple[int, str]]:
        """The items of this turn's responses with audio: number and item id."""
        return self._sounded

    def begin_turn(self) -> None:
        """A new reply is requested."""
        self._sounded.clear()

    def begin_response(self) -> None:
        """A new response begins to live."""
        self.decoder.reset()
        self.names.begin_response()

    def push(self, number: int, event: AudioDelta) -> list[ReplyAudio]:
        """The frames of one delta, preceded by the remaining frames of the previous part."""
        self.names.complete(event)
        self._sounded.add((number, event.item_id))
        part = (number, event.item_id, event.content_index)
        events = self.rest() if self.decoder.part not in (None, part) else []
        frames = self.decoder.push(part, event.delta)
        if len(frames):
            self.context.spoke(len(frames) / SERVER_RATE_HZ)
            events.append(ReplyAudio(event.item_id, event.content_index, frames, number))
        return events

    def part_done(self, number: int, event: AudioDone) -> list[ReplyAudio | ReplyPartDone]:
        """There is no more audio for this part."""
        self.names.complete(event)
        return [*self.rest(), ReplyPartDone(event.item_id, event.content_index, number)]

    def rest(self) -> list[ReplyAudio]:
        """The remaining frames of a conversion."""
        part, frames = self.decoder.part, self.decoder.finish()
        if part is None or len(frames) == 0:
            return []
        number, item_id, content_index = part
        return [ReplyAudio(item_id, content_index, frames, number)]

    def shares(self, parts: Sequence[PlaybackProgress]) -> Mapping[Hashable, float]:
        """The heard share of each item, 0..1, over all its parts."""
        heard: Counter[tuple[int, str]] = Counter()
        received: Counter[tuple[int, str]] = Counter()
        for part in parts:
            item = (part.response, part.item_id)
            if item not in self._sounded:  # of a response without a number: the newest such item
                same = [known for known in self._sounded if known[1] == part.item_id]
                item = max(same, default=item)
            heard[item] += part.heard_ms
            received[item] += part.received_ms
        return {item: heard[item] / max(received[item], 1) for item in received}
