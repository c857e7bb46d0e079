"""Functions that the model calls: each run once, answered once, and void when interrupted.

A call is announced up to three times within its response. Its id is unique only there: some
servers give every call the same id. So a call is known by its id, name and arguments within
one response, and each open call has a handle of its own for the way to the skill and back.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from parleyd.realtime.events import FunctionCallArgumentsDone, Json
from parleyd.realtime.news import SkillCalled

MOST_CALLS = 256  # of one response; a model that calls more has gone wild
MOST_OPEN = 32  # at once


@dataclass(slots=True)
class _Open:
    """A call whose result is due."""

    call_id: str
    lives: bool = True  # its response was not interrupted


@dataclass(slots=True)
class Calls:
    """The open calls of one socket; pure."""

    _open: dict[str, _Open] = field(default_factory=dict)  # by handle
    _seen: OrderedDict[bytes, None] = field(default_factory=OrderedDict)  # of the response
    _names: dict[str, str] = field(default_factory=dict)  # by item id, of the response
    _complete: list[Json] = field(default_factory=list)  # whose arguments are complete
    _goes_on: bool = False  # one of the results is for the model to answer

    @property
    def living(self) -> bool:
        """A result is awaited that the reply depends on."""
        return any(call.lives for call in self._open.values())

    @property
    def called(self) -> bool:
        """The newest response has called a function."""
        return bool(self._seen)

    def owed(self, handle: str) -> bool:
        """The result of this call is awaited: its response was not interrupted."""
        return handle in self._open and self._open[handle].lives

    def call_id(self, handle: str) -> str:
        """The server's id of an open call."""
        return self._open[handle].call_id if handle in self._open else handle

    def forget(self) -> None:
        """The socket is gone, and with it the server that waited for results."""
        self._open.clear()
        self._goes_on = False
        self.begin_response()

    def begin_response(self) -> None:
        """A new response begins: its calls have ids of their own."""
        self._seen.clear()
        self._names.clear()
        self._complete.clear()

    def interrupt(self) -> None:
        """Results of the calls that are open change nothing any more."""
        for call in self._open.values():
            call.lives = False
        self._goes_on = False

    def announce(self, item: Json) -> None:
        """An item of a living response begins: a call may give its name only now."""
        name = item.get("name")
        if item.get("type") != "function_call" or not isinstance(name, str):
            return
        if len(self._names) < MOST_CALLS:
            self._names[str(item.get("id"))] = name

    def arguments(self, event: FunctionCallArgumentsDone) -> None:
        """A call's arguments are complete; on some servers no other event has the whole call."""
        if len(self._complete) < MOST_CALLS:
            item: Json = {"type": "function_call", "id": event.item_id, "call_id": event.call_id}
            self._complete.append(item | {"name": event.name, "arguments": event.arguments})

    def take(self, item: Json) -> list[SkillCalled]:
        """A complete item of a living response: the call that it is, if it is one and is new."""
        status = item.get("status")
        if item.get("type") != "function_call" or status not in (None, "completed"):
            return []
        given = item.get("call_id") or item.get("id")
        name = item.get("name") or self._names.get(str(item.get("id")))
        if not isinstance(given, str | int) or not isinstance(name, str):
            return []
        arguments = _arguments(item.get("arguments"))
        identity = msgspec.json.encode([str(given), name, arguments], order="sorted")
        if identity in self._seen or len(self._seen) >= MOST_CALLS:
            return []
        if len(self._open) >= MOST_OPEN:
            return []
        self._seen[identity] = None
        handle = self._handle(str(given))
        self._open[handle] = _Open(str(given))
        return [SkillCalled(handle, name, arguments)]

    def rest(self, output: list[Json]) -> list[SkillCalled]:
        """The living response is complete, with these items: the calls that are new by now."""
        called: list[SkillCalled] = []
        for item in [*output, *self._complete]:
            if item.get("status") != "incomplete":
                called += self.take({**item, "status": "completed"})
        return called

    def done(self, handle: str, *, reply: bool) -> tuple[bool, bool]:
        """A result is in. Returns whether it was asked for, and whether it still mattered.

        `reply`: it is for the model to answer.
        """
        call = self._open.pop(handle, None)
        if call is None:
            return False, False
        self._goes_on = self._goes_on or (call.lives and reply)
        return True, call.lives

    def complete(self) -> bool:
        """All results are in: whether one of them is for the model to answer; true once."""
        goes_on, self._goes_on = self._goes_on, False
        return goes_on

    def _handle(self, call_id: str) -> str:
        handle, number = call_id, 1
        while handle in self._open:
            number += 1
            handle = f"{call_id}#{number}"
        return handle


def _arguments(text: object) -> Json:
    """A function's arguments; models sometimes write broken JSON, which counts as none."""
    try:
        arguments = msgspec.json.decode(text) if isinstance(text, str) else text
    except (msgspec.DecodeError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
