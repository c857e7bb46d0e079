"""Functions that the model calls: each told once, answered once, and void when interrupted."""

from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from parleyd.realtime.events import Json
from parleyd.realtime.news import SkillCalled

REMEMBERED_CALLS = 256  # a call is announced up to three times, within one response
MOST_OPEN = 32  # at once; a model that calls more has gone wild


@dataclass(slots=True)
class Calls:
    """The open calls of one socket; pure."""

    _open: dict[str, bool] = field(default_factory=dict)  # call id -> its response lives
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _goes_on: bool = False  # one of the results is for the model to answer

    @property
    def living(self) -> bool:
        """A result is awaited that the reply depends on."""
        return any(self._open.values())

    def owed(self, call_id: str) -> bool:
        """The result of this call is awaited: its response was not interrupted."""
        return self._open.get(call_id, False)

    def forget(self) -> None:
        """The socket is gone, and with it whoever waited for results."""
        self._open.clear()
        self._goes_on = False

    def interrupt(self) -> None:
        """Results of the calls that are open change nothing any more."""
        for call_id in self._open:
            self._open[call_id] = False
        self._goes_on = False

    def take(self, item: Json) -> list[SkillCalled]:
        """An item of a living response: the call that it is, if it is one and is new."""
        call_id = item.get("call_id")
        complete = item.get("type") == "function_call" and item.get("status") == "completed"
        if not complete or not isinstance(call_id, str) or call_id in self._seen:
            return []
        if len(self._open) >= MOST_OPEN:
            return []
        self._seen[call_id] = None
        while len(self._seen) > REMEMBERED_CALLS:
            self._seen.popitem(last=False)
        self._open[call_id] = True
        return [SkillCalled(call_id, str(item.get("name")), _arguments(item.get("arguments")))]

    def done(self, call_id: str, *, reply: bool) -> tuple[bool, bool]:
        """A result is in. Returns whether anybody asked for it, and whether it still mattered.

        `reply`: it is for the model to answer.
        """
        lives = self._open.pop(call_id, None)
        if lives is None:
            return False, False
        self._goes_on = self._goes_on or (lives and reply)
        return True, lives

    def complete(self) -> bool:
        """All results are in: whether one of them is for the model to answer; told once."""
        goes_on, self._goes_on = self._goes_on, False
        return goes_on


def _arguments(text: object) -> Json:
    """A function's arguments; models sometimes write broken JSON, which counts as none."""
    try:
        arguments = msgspec.json.decode(text) if isinstance(text, str) else text
    except (msgspec.DecodeError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
