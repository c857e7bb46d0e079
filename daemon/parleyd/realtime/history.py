"""The conversation as it was spoken *and heard*, as text for a new socket; bounded.

It is a sequence of turns: the user's items, and the reply to them. A turn keeps its place in time,
whenever its transcript arrives. The server makes the transcripts; they may arrive after the reply,
in several versions, or never.
"""

import json
from collections import deque
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from parleyd.realtime.events import Json

KEPT_TURNS = 20  # enough to resolve "and tomorrow?"
KEPT_CHARS = 2000  # per half of a turn, or per note; a spoken answer is far shorter
TOLD_CHARS = 8000  # of all turns together; no language has more tokens than characters

_NOTE = (
    "A record of this conversation before the connection was renewed, oldest first. It is not an "
    "instruction. Where the user's words are missing, they are unknown."
)


@dataclass(slots=True)
class _Turn:
    at: float
    """When it was spoken."""
    items: dict[str, str] = field(default_factory=dict)
    """The user's items on the present socket, in order; "" until the transcript is known."""
    earlier: list[str] = field(default_factory=list)
    """Transcripts of the user's items on earlier sockets."""
    reply: dict[Hashable, str] = field(default_factory=dict)
    asked: bool = False
    """The user has finished, and an answer was requested."""
    closed: bool = False
    """The remaining part of the reply is the part that was heard."""
    told: bool = True
    """The present socket knows it."""

    @property
    def user(self) -> str:
        return " ".join(filter(None, [*self.earlier, *self.items.values()]))[:KEPT_CHARS]

    @property
    def assistant(self) -> str:
        return " ".join(part.strip() for part in self.reply.values() if part.strip())


@dataclass(slots=True)
class History:
    """The last turns of a conversation; pure, times are monotonic seconds."""

    told_chars: int = TOLD_CHARS
    """Limit of all turns together for a new socket."""

    _turns: deque[_Turn] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))
    _new: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))

    # --- speech -----------------------------------------------------------------------

    def committed(self, item_id: str, now: float) -> None:
        """The user's speech became this item, either of the turn without a reply or of a new turn.
        A later turn may reuse an id."""
        newest = self._newest
        if newest is None or newest.closed or newest.reply:
            newest = self._begin(now)
        newest.items.setdefault(item_id, "")
        newest.at = now

    def asked(self, now: float) -> None:
        """The user's turn has ended and needs an answer."""
        newest = self._newest
        if newest is None or newest.asked or newest.closed:
            newest = self._begin(now)
        newest.asked, newest.at = True, now

    def user(self, item_id: str, transcript: str, now: float, *, final: bool = True) -> None:
        """The words of a user's item ("": an unnamed item); a later version replaces them. `final`:
        this is the last version."""
        text = transcript.strip()[:KEPT_CHARS]
        if not text:
            return
        known_by = reversed(self._turns) if item_id else list(self._turns)[-1:]
        turn = next((turn for turn in known_by if item_id in turn.items), None)
        turn = turn or self._turn_without_items(now)
        known = turn.items.get(item_id, "")
        turn.items[item_id] = text
        if final and text != known:
            self._new.append(("user", text))

    def assistant(self, part: Hashable, delta: str) -> None:
        """Add words of the reply; they may be cut until it is closed. `part` names the item, whose
        id is unique only within its response."""
        turn = self._newest
        if turn is None or turn.closed:
            turn = self._begin(turn.at if turn is not None else 0.0)
        room = KEPT_CHARS - sum(map(len, turn.reply.values()))
        if room > 0 and delta:
            turn.reply[part] = turn.reply.get(part, "") + delta[:room]

    def cut(self, shares: Mapping[Hashable, float], sounded: Collection[Hashable]) -> None:
        """The reply was interrupted: only a share (0..1) of these parts was heard; of the others,
        those with any sound were heard completely."""
        turn = self._newest
        if turn is not None and not turn.closed:
            for part, share in shares.items():
                turn.reply[part] = _words(turn.reply.get(part, ""), share)
        self.close(sounded)

    def close(self, sounded: Collection[Hashable] | None = None) -> None:
        """The reply is over: its remaining words were heard. `sounded`: the parts with sound (None:
        all); words without sound were not heard."""
        turn = self._newest
        if turn is None or turn.closed or not (turn.asked or turn.reply):
            return
        turn.closed = True
        if sounded is not None:
            turn.reply = {part: text for part, text in turn.reply.items() if part in sounded}
        if turn.assistant:
            self._new.append(("assistant", turn.assistant))

    def rest(self) -> None:
        """The conversation is over: the next words belong to another turn in any case."""
        self.close()
        if self._newest is not None:
            self._newest.closed = True

    def take_new(self) -> list[tuple[str, str]]:
        """Return the words since the last call, in the order of their arrival: ("user" or
        "assistant", words); for a reply, only the words that were heard, once it has ended."""
        new = list(self._new)
        self._new.clear()
        return new

    # --- the server's knowledge -------------------------------------------------------

    def lost(self) -> None:
        """The socket is gone, along with all that its server knew, including ids."""
        for turn in self._turns:
            turn.told = False
            turn.earlier += turn.items.values()
            turn.items.clear()

    def adopt(self) -> None:
        """The newest turn's audio goes to the present socket, which therefore knows the turn."""
        if self._newest is not None:
            self._newest.told = True

    def forget(self, before: float) -> None:
        """Drop the turns that were spoken before this moment."""
        while self._turns and self._turns[0].at < before:
            self._turns.popleft()
        if not self._turns:
            self._new.clear()

    def items(self) -> list[Json]:
        """All turns, as in `untold`; a reply that is still playing counts as heard."""
        self.close()
        for turn in self._turns:
            turn.told = False
        return self.untold()

    def untold(self) -> list[Json]:
        """The finished turns that the present socket does not know, each once, as conversation
        items, oldest first: pairs of the user's words and the heard reply, or one note of
        everything if the user's half of a pair is unknown."""
        turns = [turn for turn in self._turns if turn.closed and not turn.told]
        for turn in turns:
            turn.told = True
        turns = [turn for turn in turns if turn.user or turn.assistant]
        if any(turn.assistant and not turn.user for turn in turns):
            return [_note(turns)]
        newest_first: list[Json] = []
        room = self.told_chars
        for turn in reversed(turns):
            room -= len(turn.user) + len(turn.assistant)
            if room < 0:
                break
            newest_first += reversed(_pair(turn))
        return newest_first[::-1]

    # --- internals --------------------------------------------------------------------

    @property
    def _newest(self) -> _Turn | None:
        return self._turns[-1] if self._turns else None

    def _begin(self, now: float) -> _Turn:
        self.close()
        self._turns.append(_Turn(now))
        return self._turns[-1]

    def _turn_without_items(self, now: float) -> _Turn:
        """The turn for words of an unknown item: servers may name it late or never."""
        newest = self._newest
        if newest is not None and (not newest.items or not (newest.closed or newest.reply)):
            return newest
        return self._begin(now)


def _pair(turn: _Turn) -> list[Json]:
    pair = []
    if turn.user:
        pair.append(_message("user", "input_text", turn.user))
    if turn.assistant:
        pair.append(_message("assistant", "output_text", turn.assistant))
    return pair


def _note(turns: Iterable[_Turn]) -> Json:
    """All turns in one message without a speaker; only the newest ones if it gets too long."""
    lines: deque[str] = deque()
    room = KEPT_CHARS - len(_NOTE)
    for turn in reversed(list(turns)):
        halves = [("The user said", turn.user), ("You said", turn.assistant)]
        line = "".join(
            f"\n{who}: {json.dumps(words, ensure_ascii=False)}" for who, words in halves if words
        )
        if len(line) > room and lines:
            break
        lines.appendleft(line[:room])
        room -= len(line)
    return _message("system", "input_text", _NOTE + "".join(lines))


def _message(role: str, kind: str, text: str) -> Json:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _words(text: str, share: float) -> str:
    """The first `share` of a text, cut at the end of a word, rounded down."""
    cut = text[: int(len(text) * share)]
    return cut if len(cut) == len(text) else cut.rpartition(" ")[0]
