"""Remote (MCP) tools, which the server calls by itself: the results that the reply waits for.

The server lists the tools of each MCP server once per session, runs calls in parallel with the
response that requested them, and does not continue when one has ended: the model stays silent
until it is prompted (the session does that, as `McpCalls` decides).
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from parleyd.realtime.events import Json

LISTED_WITHIN_S = 3.0  # of the session's beginning: usually two requests to the MCP server
STARTED_WITHIN_S = 5.0  # from the permission to the call; after that, the server needs a prompt
ENDED_WITHIN_S = 30.0  # as long as the slowest local function may take
REMEMBERED = 256  # calls; a response has a handful


class _McpCallState(Enum):
    RUNNING = auto()
    UNCLAIMED = auto()  # it has ended, but no response has claimed it yet
    OVER = auto()  # its end is known, or no longer matters


@dataclass(slots=True)
class McpCalls:
    """The calls of one socket; pure."""

    _calls: OrderedDict[str, _McpCallState] = field(default_factory=OrderedDict)  # by item id
    _deadlines: dict[str, float] = field(default_factory=dict)  # of the running ones
    _permitted: OrderedDict[str, float] = field(default_factory=OrderedDict)  # deadlines
    _owed: bool = False  # a result is in that the model has not mentioned yet
    _newest_index: int = 0  # of the newest call, among the output items of its response

    @property
    def living(self) -> bool:
        """Whether the reply waits for the end of a call."""
        return bool(self._deadlines or self._permitted)

    def permitted(self, request_id: str, now: float) -> None:
        """The server may run this call now, and will."""
        self._permitted[request_id] = now + STARTED_WITHIN_S

    def claim(self, item: Json, now: float, index: int = 0) -> None:
        """An output item of the living response: record its call, if it is one."""
        item_id = item.get("id")
        if item.get("type") != "mcp_call" or not isinstance(item_id, str):
            return
        self._newest_index = max(self._newest_index, index)
        self._permitted.pop(str(item.get("approval_request_id")), None)
        state = self._calls.get(item_id)
        if state is None:
            self._run(item_id, now)
        elif state is _McpCallState.UNCLAIMED:
            self._end(item_id)
        if item.get("output") is not None or item.get("error") is not None:
            self.ended(item_id)

    def begun(self, item_id: str, now: float) -> None:
        """The server runs a call; the event names no response, so it is a permitted call."""
        if self._permitted and item_id not in self._calls:
            self._permitted.popitem(last=False)
            self._run(item_id, now)

    def ended(self, item_id: str) -> bool:
        """A call has ended, successfully or not; True if the reply waited for it."""
        running = self._calls.get(item_id) is _McpCallState.RUNNING
        if running:
            self._end(item_id)
        elif item_id not in self._calls:
            self._remember(item_id, _McpCallState.UNCLAIMED)
        return running

    def answered(self, index: int) -> None:
        """The response talks after its calls: `index` is its place among the output items."""
        if index > self._newest_index:
            self._owed = False

    def complete(self) -> bool:
        """All calls have ended: returns whether to prompt the model to continue; true once."""
        owed, self._owed = self._owed, False
        self._newest_index = 0
        return owed

    def overdue(self, now: float) -> bool:
        """Abandon calls that should have begun or ended by now; True if there was one."""
        if not (self._permitted or self._deadlines):
            return False
        late = [name for name, deadline in self._permitted.items() if now >= deadline]
        for name in late:
            del self._permitted[name]
        stuck = [item_id for item_id, deadline in self._deadlines.items() if now >= deadline]
        for item_id in stuck:
            self._end(item_id)
        self._owed = self._owed or bool(late)
        return bool(late or stuck)

    def interrupt(self) -> None:
        """From now on, the ends of the open calls have no effect."""
        for item_id, state in self._calls.items():
            if state is not _McpCallState.OVER:
                self._calls[item_id] = _McpCallState.OVER
        self._deadlines.clear()
        self._permitted.clear()
        self.complete()

    def _run(self, item_id: str, now: float) -> None:
        self._remember(item_id, _McpCallState.RUNNING)
        self._deadlines[item_id] = now + ENDED_WITHIN_S

    def _end(self, item_id: str) -> None:
        self._calls[item_id] = _McpCallState.OVER
        self._deadlines.pop(item_id, None)
        self._owed = True

    def _remember(self, item_id: str, state: _McpCallState) -> None:
        self._calls[item_id] = state
        while len(self._calls) > REMEMBERED:
            oldest, _ = self._calls.popitem(last=False)
            self._deadlines.pop(oldest, None)


@dataclass(slots=True)
class McpToolListing:
    """Whether the model knows the remote tools yet; pure.

    A turn that is answered earlier is answered without them.
    """

    servers: int
    _until: float = 0.0
    _listed: set[str] = field(default_factory=set)  # item ids
    _labels: dict[str, str] = field(default_factory=dict)  # of the servers, by item id

    def begins(self, now: float) -> None:
        """A session begins, and with it the listing."""
        self._until = now + LISTED_WITHIN_S

    def forget(self) -> None:
        """The socket is gone."""
        self._until = 0.0
        self._listed.clear()
        self._labels.clear()

    def waits(self, now: float) -> bool:
        """Whether tools are still being listed, and waiting for them is worthwhile."""
        return now < self._until and len(self._listed) < self.servers

    def named(self, item: Json) -> None:
        """An item of the conversation; it may name the server that it lists."""
        if item.get("type") == "mcp_list_tools" and len(self._labels) < self.servers:
            self._labels[str(item.get("id"))] = str(item.get("server_label"))

    def listed(self, item_id: str) -> None:
        """One list is complete, or has failed."""
        if len(self._listed) < self.servers:
            self._listed.add(item_id)

    def failed(self, item_id: str) -> str:
        """One list has failed; returns a message for the log."""
        self.listed(item_id)
        label = self._labels.get(item_id, "a server")
        return (
            f"the tools of {label} (skills.mcp) cannot be listed: check its key, and that the "
            "realtime server can reach its server_url"
        )


def labels(tools: Iterable[Json]) -> list[str]:
    """The MCP servers among a session's tools."""
    return [str(tool.get("server_label")) for tool in tools if tool.get("type") == "mcp"]
