"""Costs: the server's token counts, by turn, and the growth of a conversation."""

from collections import OrderedDict
from dataclasses import dataclass, field

from parleyd.realtime.events import Json, Response
from parleyd.realtime.lenient import number
from parleyd.realtime.session_events import Used

LARGEST = 10**9  # tokens; a greater number is implausible
REMEMBERED_TURNS = 64  # responses whose usage is still due; usually one at a time


@dataclass(slots=True)
class Usage:
    """Which turn each response belongs to; pure."""

    turns: int = 0
    """The number of turns so far that needed an answer."""

    _turn_of: OrderedDict[str, int] = field(default_factory=OrderedDict)  # by response id

    def created(self, response: Response) -> None:
        """The server begins this response, for the newest turn."""
        self._turn_of[response.id] = self.turns
        while len(self._turn_of) > REMEMBERED_TURNS:
            self._turn_of.popitem(last=False)

    def done(self, response: Response) -> list[Used]:
        """Its tokens, and its cost if a router reports it; an empty list if nothing is reported."""
        turn = self._turn_of.pop(response.id, self.turns)
        usage = response.usage or {}
        told = {
            "input_tokens": _count(usage, "input_tokens", "prompt_tokens"),
            "cached_tokens": _cached(usage),
            "output_tokens": _count(usage, "output_tokens", "completion_tokens"),
            **_audio(usage),
            "cost": _count(usage, "cost"),
        }
        tokens = {name: n for name, n in told.items() if n is not None}
        return [Used(turn, tokens)] if tokens else []


_DETAILS = ("input_token_details", "input_tokens_details", "prompt_tokens_details")
_OUTPUT_DETAILS = ("output_token_details", "output_tokens_details", "completion_tokens_details")


def _cached(usage: Json) -> float | None:
    """Some servers name the details in the plural, or as in chat completions."""
    parts = [usage.get(name) for name in _DETAILS]
    counts = [_count(part, "cached_tokens") for part in [*parts, usage] if isinstance(part, dict)]
    return next((count for count in counts if count is not None), None)


def _audio(usage: Json) -> dict[str, float | None]:
    """How many of each kind are audio, which costs more than text."""
    read = _part(usage, *_DETAILS)
    cached = _part(read, "cached_tokens_details")
    return {
        "input_audio_tokens": _count(read, "audio_tokens"),
        "cached_audio_tokens": _count(cached, "audio_tokens"),
        "output_audio_tokens": _count(_part(usage, *_OUTPUT_DETAILS), "audio_tokens"),
    }


def _part(usage: Json, *names: str) -> Json:
    return next((part for name in names if isinstance(part := usage.get(name), dict)), {})


def _count(usage: Json, *names: str) -> float | None:
    """The first of these that is a plausible number; also from a text."""
    value = number(usage, *names, most=LARGEST)
    return int(value) if value is not None and value == int(value) else value


LISTENED_TOKENS_S, SPOKEN_TOKENS_S = 10, 20  # of audio, as OpenAI counts it
PLAUSIBLE = 0.1  # least share of that estimate (words are a fifth of it); less excludes the context


@dataclass(slots=True)
class ContextWindow:
    """The size of the conversation on one socket: by the number of tokens that the server reads for
    a response, or by the duration of speech if it does not report that; pure. For servers that
    do not limit it themselves."""

    most_tokens: int
    """After the instructions, and everything else that the first response of the socket read."""

    _first: int | None = None
    _newest: int = 0
    _estimated: float = 0.0

    def forget(self) -> None:
        """The socket is gone, along with its conversation."""
        self._first, self._newest, self._estimated = None, 0, 0.0

    def read(self, usage: Json) -> None:
        """A response read this number of tokens; ignores anything that is not a number."""
        if tokens := _count(usage, "input_tokens", "prompt_tokens"):
            self._newest = int(tokens)
            self._first = min(self._first or self._newest, self._newest)

    def listened(self, audio_s: float) -> None:
        """The server received this number of seconds of the user's speech."""
        self._estimated += LISTENED_TOKENS_S * audio_s

    def spoke(self, audio_s: float) -> None:
        """The server sent this number of seconds of speech."""
        self._estimated += SPOKEN_TOKENS_S * audio_s

    @property
    def full(self) -> bool:
        """Whether it is longer than allowed."""
        grown = self._newest - (self._first or 0)
        if grown < PLAUSIBLE * self._estimated:
            grown = int(self._estimated)
        return grown > self.most_tokens
