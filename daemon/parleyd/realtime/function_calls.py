"""Functions that the model calls: each one runs once, is answered once, and is void if interrupted.

A response announces a call up to three times. Its id is unique only there: some servers give every
call the same id. So a call is identified by its id, name and arguments within one response, and
each open call has a separate handle on its way to the skill and back.
"""

from dataclasses import dataclass, field

import msgspec

from parleyd.realtime.events import FunctionCallArgumentsDone, Json
from parleyd.realtime.session_events import SkillCalled

MOST_CALLS = 256  # per response; a model that calls more is out of control
MOST_OPEN = 32  # at the same time

_INCOMPLETE = ("incomplete", "in_progress", "cancelled", "failed")


@dataclass(slots=True)
class _Open:
    """A call whose result is due."""

    call_id: str
    lives: bool = True  # its response was not interrupted
    held: bool = False  # it waits for the user's permission


@dataclass(frozen=True, slots=True)
class _FunctionCall:
    """A call as described by one event."""

    call_id: str
    item_id: str
    name: str
    arguments: Json

    def repeats(self, other: "_FunctionCall") -> bool:
        """Whether both are the same call: an id may be reused, but not with the same work."""
        return self.call_id == other.call_id and self.same_work(other)

    def similarity(self, other: "_FunctionCall") -> int:
        """How many of id, item and work the two calls have in common."""
        same_item = self.item_id != "" and self.item_id == other.item_id
        return (self.call_id == other.call_id) + same_item + self.same_work(other)

    def same_work(self, other: "_FunctionCall") -> bool:
        """Whether both call the same function with the same arguments."""
        return (self.name, self.arguments) == (other.name, other.arguments)


@dataclass(slots=True)
class FunctionCalls:
    """The open calls of one socket; pure."""

    _open: dict[str, _Open] = field(default_factory=dict)  # by handle
    _seen: list[_FunctionCall] = field(default_factory=list)  # calls of the response that were run
    _names: dict[str, str] = field(default_factory=dict)  # by item id, of the response
    _complete: list[Json] = field(default_factory=list)  # with complete arguments
    _goes_on: bool = False  # the model must answer one of the results

    @property
    def living(self) -> bool:
        """Whether the reply depends on a result that is due."""
        calls = self._open.values()
        return bool(self._open) and any(call.lives and not call.held for call in calls)

    @property
    def called(self) -> bool:
        """Whether the newest response has called a function."""
        return bool(self._seen)

    def owed(self, handle: str) -> bool:
        """Whether the result of this call is due: its response was not interrupted."""
        return handle in self._open and self._open[handle].lives

    def call_id(self, handle: str) -> str:
        """The server's id of an open call."""
        return self._open[handle].call_id if handle in self._open else handle

    def hold(self, handle: str, *, held: bool) -> None:
        """The call waits for the user's permission, or has it and runs now."""
        if handle in self._open:
            self._open[handle].held = held

    def forget(self) -> None:
        """The socket is gone, along with the server that waited for results."""
        self._open.clear()
        self._goes_on = False
        self.begin_response()

    def begin_response(self) -> None:
        """A new response begins, with separate call ids."""
        self._seen.clear()
        self._names.clear()
        self._complete.clear()

    def interrupt(self) -> None:
        """From now on, results of the open calls have no effect. A call that waits for permission
        is decided separately."""
        for call in self._open.values():
            call.lives = call.lives and call.held
        self._goes_on = False

    def announce(self, item: Json) -> None:
        """An item of a living response begins: some calls give their name only here."""
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
        """A complete item of a living response: returns its call if it is a new one."""
        status = item.get("status")
        if item.get("type") != "function_call" or status in _INCOMPLETE:
            return []
        call = self._call(item)
        if call is None or any(call.repeats(one) for one in self._seen):
            return []
        return self._run(call)

    def rest(self, output: list[Json]) -> list[SkillCalled]:
        """The living response is complete, with these items: returns the calls that are new.

        Each list contains all calls of the response, once. A call that differs only in part from
        a call that was run is the same call, unless the list has more calls than were run.
        """
        called: list[SkillCalled] = []
        whole = [item for item in output if item.get("type") == "function_call"]
        for listed in (whole, self._complete):
            found = [self._call(item) for item in listed if item.get("status") != "incomplete"]
            calls = [call for call in found if call is not None]
            calls = [c for c in calls if not any(c.repeats(one) for one in self._seen)]
            more = len(listed) - len(self._seen)
            for call in sorted(calls, key=lambda call: self._similarity(call)):
                if more > 0 or self._similarity(call) == 0:
                    called += self._run(call)
                    more -= 1
        return called

    def done(self, handle: str, *, reply: bool) -> tuple[bool, bool]:
        """Take a result. Returns whether the call was open, and whether it still mattered.

        `reply`: the model must answer it.
        """
        call = self._open.pop(handle, None)
        if call is None:
            return False, False
        self._goes_on = self._goes_on or (call.lives and reply)
        return True, call.lives

    def complete(self) -> bool:
        """All results are in: returns whether the model must answer one of them; true once."""
        goes_on, self._goes_on = self._goes_on, False
        return goes_on

    def _call(self, item: Json) -> "_FunctionCall | None":
        """A function call; fields that the item lacks come from other events."""
        item_id = item.get("id")
        same = [one for one in self._complete if _same(one, item)]
        given = item.get("call_id") or next((one["call_id"] for one in same), "") or item_id
        name = item.get("name") or self._names.get(str(item_id))
        name = name or next((one["name"] for one in same if one["name"]), None)
        if not isinstance(given, str | int) or not isinstance(name, str):
            return None
        texts = [item.get("arguments"), *(one["arguments"] for one in same)]
        arguments = next((a for text in texts if (a := _arguments(text)) is not None), {})
        return _FunctionCall(str(given), str(item_id or ""), name, arguments)

    def _run(self, call: "_FunctionCall") -> list[SkillCalled]:
        if len(self._seen) >= MOST_CALLS or len(self._open) >= MOST_OPEN:
            return []
        self._seen.append(call)
        handle = self._handle(call.call_id)
        self._open[handle] = _Open(call.call_id)
        return [SkillCalled(handle, call.name, call.arguments)]

    def _similarity(self, call: "_FunctionCall") -> int:
        return max((call.similarity(one) for one in self._seen), default=0)

    def _handle(self, call_id: str) -> str:
        handle, number = call_id, 1
        while handle in self._open:
            number += 1
            handle = f"{call_id}#{number}"
        return handle


def _same(one: Json, other: Json) -> bool:
    """Whether two events are about the same call, by one of its ids."""
    return any(one.get(key) and one.get(key) == other.get(key) for key in ("call_id", "id"))


def _arguments(text: object) -> Json | None:
    """A function's arguments; None if they are unreadable. Models write broken JSON, and some
    servers encode it twice, or wrap it in a list or in the fences of a code block."""
    for _ in range(3):
        if not isinstance(text, str):
            break
        stripped = text.strip().removeprefix("```json").strip("`").strip()
        try:
            text = msgspec.json.decode(stripped)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    if isinstance(text, list) and len(text) == 1:
        text = text[0]
    return text if isinstance(text, dict) else None
