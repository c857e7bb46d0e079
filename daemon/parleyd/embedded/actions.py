"""What the engine asks of the server around it, and where its output gathers."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from parleyd.realtime.events import ErrorDetail, ServerError, ServerEvent


@dataclass(frozen=True, slots=True)
class Recognize:
    """Recognise this utterance and report with `Engine.recognized`."""

    job: int
    pcm: bytes
    """PCM16 at 24 kHz."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The result of this job is of no use any more; it need not be started."""

    job: int


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Speak this sentence and report with `Engine.synthesized`."""

    job: int
    sentence: str
    speed: float


Action = Recognize | Forget | Synthesize
Output = ServerEvent | Action


class Outbox:
    """Gathers output in order, gives every event its id and every job its number."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._numbers = itertools.count(1)
        self._gathered: list[Output] = []

    def new_id(self, kind: str) -> str:
        """An id that is unique in this connection: ``item_<tag>0007``."""
        return f"{kind}_{self._tag}{next(self._numbers):04}"

    def send(self, event: ServerEvent) -> None:
        event.event_id = self.new_id("event")
        self._gathered.append(event)

    def refuse(self, detail: ErrorDetail) -> None:
        self.send(ServerError(error=detail))

    def ask(self, make: Callable[[int], Action]) -> int:
        """Ask for the action that `make` builds around a fresh job number."""
        job = next(self._numbers)
        self._gathered.append(make(job))
        return job

    def forget(self, job: int) -> None:
        self._gathered.append(Forget(job))

    def drain(self) -> list[Output]:
        """All that has gathered, in order; the outbox is empty afterwards."""
        gathered, self._gathered = self._gathered, []
        return gathered
