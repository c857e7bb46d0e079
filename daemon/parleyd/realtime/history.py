"""What was said *and heard*, as text, to tell a new socket; bounded."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from parleyd.realtime.events import Json

KEPT_TURNS = 20  # enough to know what "and tomorrow?" refers to
KEPT_CHARS = 2000  # of one turn, all its items together; a spoken answer is far shorter


@dataclass(slots=True)
class History:
    """The last turns of a conversation; transcripts come from the server's own events."""

    _turns: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))
    _reply: dict[str, str] = field(default_factory=dict)  # by item, of the reply under way
    _new: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))

    def user(self, transcript: str) -> None:
        """What the user said (comes late: it may follow the reply's first words)."""
        if transcript.strip():
            self._add("user", transcript.strip()[:KEPT_CHARS])

    def assistant(self, item_id: str, delta: str) -> None:
        """More of what the reply says; it may be cut later, as long as it is not closed."""
        room = KEPT_CHARS - sum(map(len, self._reply.values()))
        if room > 0 and delta:
            self._reply[item_id] = self._reply.get(item_id, "") + delta[:room]

    def cut(self, heard: Mapping[str, float]) -> None:
        """The reply was interrupted: of each item only this share (0..1) was heard."""
        for item_id, share in heard.items():
            text = self._reply.get(item_id, "")
            self._reply[item_id] = _words(text, share)
        self.close()

    def close(self) -> None:
        """The reply is over: what is left of it is what was heard."""
        text = " ".join(part.strip() for part in self._reply.values() if part.strip())
        if text:
            self._add("assistant", text)
        self._reply.clear()

    def take_new(self) -> list[tuple[str, str]]:
        """What was added since the last call, oldest first: who ("user", "assistant"), and what."""
        new = list(self._new)
        self._new.clear()
        return new

    def items(self) -> list[Json]:
        """The turns as conversation items, oldest first."""
        self.close()
        return [
            {
                "type": "message",
                "role": role,
                "content": [
                    {"type": "input_text" if role == "user" else "output_text", "text": text}
                ],
            }
            for role, text in self._turns
        ]

    def _add(self, role: str, text: str) -> None:
        self._turns.append((role, text))
        self._new.append((role, text))


def _words(text: str, share: float) -> str:
    """The first `share` of a text, cut at a word's end, rounded down."""
    cut = text[: int(len(text) * share)]
    return cut if len(cut) == len(text) else cut.rpartition(" ")[0]
