"""The work that the engine requests from its driver, and the queue of its output."""

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
    """The result of this job is no longer needed; do not start it if it has not begun."""

    job: int


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Speak this sentence and report with `Engine.synthesized`."""

    job: int
    sentence: str
    speed: float


EngineAction = Recognize | Forget | Synthesize
Output = ServerEvent | EngineAction


class EngineOutbox:
    """Collects output in order, and gives every event an id and every job a number."""

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

    def ask(self, make: Callable[[int], EngineAction]) -> int:
        """Request the action that `make` builds for a new job number."""
        job = next(self._numbers)
        self._gathered.append(make(job))
        return job

    def forget(self, job: int) -> None:
        self._gathered.append(Forget(job))

    def drain(self) -> list[Output]:
        """Return all output so far, in order, and empty the outbox."""
        gathered, self._gathered = self._gathered, []
        return gathered
