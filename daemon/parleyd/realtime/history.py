"""The conversation as it was spoken *and heard*, as text, to tell a new socket; bounded.

It is a sequence of turns: the user's items, and the reply that they caused. A turn stands where it
was spoken, whenever its transcript arrives. Transcripts are the server's own; they may come after
the reply, in several versions, or never.
"""

import json
from collections import deque
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from parleyd.realtime.events import Json

KEPT_TURNS = 20  # enough to know what "and tomorrow?" refers to
KEPT_CHARS = 2000  # of one half of a turn, or of a note; a spoken answer is far shorter
TOLD_CHARS = 8000  # of all turns together; no language has more tokens than characters

_NOTE = (
    "A record of this conversation before the connection was renewed, oldest first. It is no "
    "instruction. Where the user's words are missing, they are not known."
)


@dataclass(slots=True)
class _Turn:
    at: float
    """When it was spoken."""
    items: dict[str, str] = field(default_factory=dict)
    """The user's items on the present socket, in order; "" until the transcript is known."""
    earlier: list[str] = field(default_factory=list)
    """Transcripts of the user's items on sockets before."""
    reply: dict[Hashable, str] = field(default_factory=dict)
    asked: bool = False
    """The user has finished, and a reply was asked for."""
    closed: bool = False
    """What is left of the reply is what was heard."""
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
    """Of all turns together, when a new socket is told."""

    _turns: deque[_Turn] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))
    _new: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))

    # --- what is spoken ---------------------------------------------------------------

    def committed(self, item_id: str, now: float) -> None:
        """The user's speech has become this item: of the turn that has no reply yet, or of a new
        one. Ids may be used again in a later turn."""
        newest = self._newest
        if newest is None or newest.closed or newest.reply:
            newest = self._begin(now)
        newest.items.setdefault(item_id, "")
        newest.at = now

    def asked(self, now: float) -> None:
        """The user's turn has ended, and is to be answered."""
        newest = self._newest
        if newest is None or newest.asked or newest.closed:
            newest = self._begin(now)
        newest.asked, newest.at = True, now

    def user(self, item_id: str, transcript: str, now: float, *, final: bool = True) -> None:
        """The words of a user's item ("" names none); a later version replaces them (`final`: the
        last)."""
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
        """More of the reply's words; they may be cut later, as long as it is not closed. `part`
        names the item, whose id is unique only inside its response."""
        turn = self._newest
        if turn is None or turn.closed:
            turn = self._begin(turn.at if turn is not None else 0.0)
        room = KEPT_CHARS - sum(map(len, turn.reply.values()))
        if room > 0 and delta:
            turn.reply[part] = turn.reply.get(part, "") + delta[:room]

    def cut(self, shares: Mapping[Hashable, float], sounded: Collection[Hashable]) -> None:
        """The reply was interrupted: of these parts only a share (0..1) was heard, the others were
        heard whole if any of their sound came."""
        turn = self._newest
        if turn is not None and not turn.closed:
            for part, share in shares.items():
                turn.reply[part] = _words(turn.reply.get(part, ""), share)
        self.close(sounded)

    def close(self, sounded: Collection[Hashable] | None = None) -> None:
        """The reply is over: what is left of it was heard. `sounded`: the parts of which sound
        came (None: all); words that came without sound were not heard."""
        turn = self._newest
        if turn is None or turn.closed or not (turn.asked or turn.reply):
            return
        turn.closed = True
        if sounded is not None:
            turn.reply = {part: text for part, text in turn.reply.items() if part in sounded}
        if turn.assistant:
            self._new.append(("assistant", turn.assistant))

    def rest(self) -> None:
        """The talk is over: what comes next is another turn, whatever this one lacks."""
        self.close()
        if self._newest is not None:
            self._newest.closed = True

    def take_new(self) -> list[tuple[str, str]]:
        """The words since the last call, in the order of their arrival: ("user" or "assistant",
        the words); of a reply those that were heard, when it is over."""
        new = list(self._new)
        self._new.clear()
        return new

    # --- what the server knows --------------------------------------------------------

    def lost(self) -> None:
        """The socket is gone, and with it all that its server knew, ids included."""
        for turn in self._turns:
            turn.told = False
            turn.earlier += turn.items.values()
            turn.items.clear()

    def adopt(self) -> None:
        """The newest turn's audio goes to the present socket, which thereby knows it."""
        if self._newest is not None:
            self._newest.told = True

    def forget(self, before: float) -> None:
        """Drop the turns that were spoken before this moment."""
        while self._turns and self._turns[0].at < before:
            self._turns.popleft()
        if not self._turns:
            self._new.clear()

    def items(self) -> list[Json]:
        """All turns, as for `untold`; a reply that is still being played counts as heard."""
        self.close()
        for turn in self._turns:
            turn.told = False
        return self.untold()

    def untold(self) -> list[Json]:
        """The turns that are over and that the present socket does not know, each once, as
        conversation items, oldest first: pairs of what the user said and what they heard, or one
        note of it all if the user's half of a pair is not known."""
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

    # --- inside -----------------------------------------------------------------------

    @property
    def _newest(self) -> _Turn | None:
        return self._turns[-1] if self._turns else None

    def _begin(self, now: float) -> _Turn:
        self.close()
        self._turns.append(_Turn(now))
        return self._turns[-1]

    def _turn_without_items(self, now: float) -> _Turn:
        """Where words of an unknown item belong: servers may name it late or never."""
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
    """All of it in one message that nobody spoke; the newest turns, if there is no room for all."""
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
    """The first `share` of a text, cut at a word's end, rounded down."""
    cut = text[: int(len(text) * share)]
    return cut if len(cut) == len(text) else cut.rpartition(" ")[0]
