"""What people pay for: the counts that the server tells of each response, by turn."""

from collections import OrderedDict
from dataclasses import dataclass, field

from parleyd.realtime.events import Response
from parleyd.realtime.news import Used

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
