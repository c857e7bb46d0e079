"""What people pay for: the server's token counts, by turn, and how a conversation grows."""

from collections import OrderedDict
from dataclasses import dataclass, field

from parleyd.realtime.events import Response
from parleyd.realtime.news import Used

LARGEST = 10**9  # tokens; a greater number is none
REMEMBERED_TURNS = 64  # responses whose usage is still to come; one at a time, as a rule


@dataclass(slots=True)
class Usage:
    """Which turn each response belongs to; pure."""

    turns: int = 0
    """Turns that were to be answered, so far."""

    _turn_of: OrderedDict[str, int] = field(default_factory=OrderedDict)  # by response id

    def created(self, response: Response) -> None:
        """The server begins this response, for the newest turn."""
        self._turn_of[response.id] = self.turns
        while len(self._turn_of) > REMEMBERED_TURNS:
            self._turn_of.popitem(last=False)

    def done(self, response: Response) -> list[Used]:
        """Its tokens, and its cost where a router tells it; nothing where none is told."""
        turn = self._turn_of.pop(response.id, self.turns)
        usage = response.usage or {}
        details = usage.get("input_token_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        told = {
            "input_tokens": usage.get("input_tokens"),
            "cached_tokens": cached,
            "output_tokens": usage.get("output_tokens"),
            "cost": usage.get("cost"),
        }
        tokens = {name: n for name, n in told.items() if isinstance(n, int | float)}
        return [Used(turn, tokens)] if tokens else []


@dataclass(slots=True)
class Context:
    """How far the conversation on one socket has grown, by what the server reads for a response;
    pure. For servers that do not limit it themselves."""

    most_tokens: int
    """After the instructions, and what else the first response of the socket read."""

    _first: int | None = None
    _newest: int = 0

    def forget(self) -> None:
        """The socket is gone, and its conversation with it."""
        self._first, self._newest = None, 0

    def read(self, input_tokens: object) -> None:
        """A response read so many tokens; anything but a number says nothing."""
        if isinstance(input_tokens, int | float) and input_tokens > 0:
            self._newest = int(min(input_tokens, LARGEST))
            self._first = min(self._first or self._newest, self._newest)

    @property
    def full(self) -> bool:
        """It is longer than it may be."""
        return self._newest - (self._first or 0) > self.most_tokens
