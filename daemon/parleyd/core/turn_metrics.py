"""How long each stage of a turn took: the fields of its one line in the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from parleyd.realtime.events import Json


@dataclass(slots=True)
class TurnMetrics:
    """Filled during a turn; takes monotonic seconds, returns milliseconds."""

    turn: int = 0
    """The turn's number since the start."""
    begun_by: str = ""
    """The event that began the turn: one of `parleyd.core.turn`, in small letters."""
    heard_ms: int = 0
    _listening: float | None = None
    _voiced: float | None = None
    _ended: float | None = None
    _delta: float | None = None
    _frame: float | None = None
    _onset: float | None = None
    _held: float | None = None
    _interrupted: float | None = None
    _false_interruptions: int = 0
    _spent: dict[str, float] = field(default_factory=dict)

    def listening(self, event: str, now: float) -> None:
        """Parley began to listen to the question."""
        self.begun_by, self._listening = event, now

    def turn_ended(self, voiced: float | None, now: float) -> None:
        """The user has finished; the time to the answer counts from here.

        `voiced`: when hearing detected the last of the user's voice; None if it did not.
        """
        self._voiced, self._ended = voiced, now

    def first_delta(self, now: float) -> None:
        """The first audio of the answer was received."""
        self._delta = now

    def first_frame(self, now: float) -> None:
        """The first frame of the answer was heard."""
        self._frame = now

    def held(self, onset: float, now: float) -> None:
        """Playback is held: the user may be speaking since `onset`."""
        self._onset, self._held = onset, now

    def resumed(self) -> None:
        """Playback resumes: it was a false interruption."""
        self._false_interruptions += 1
        self._onset = self._held = None

    def interrupted(self, now: float, heard_ms: int) -> None:
        """The answer was abandoned after this much of it was heard."""
        self._interrupted = now
        self.heard_ms = heard_ms

    def spent(self, tokens: Mapping[str, float]) -> None:
        """One of the turn's responses took these tokens."""
        for name, number in tokens.items():
            self._spent[name] = self._spent.get(name, 0) + number

    def close(self) -> Json | None:
        """The turn's fields, once; None when no turn is open."""
        if self._ended is None:
            return None
        fields: Json = {
            "turn": self.turn,
            "begun_by": self.begun_by,
            "listened_ms": _ms(self._listening, self._ended),
            "endpoint_ms": _ms(self._voiced, self._ended),
            "first_delta_ms": _ms(self._ended, self._delta),
            "first_frame_ms": _ms(self._ended, self._frame),
            "heard_ms": self.heard_ms,
            "interrupted": self._interrupted is not None,
            "onset_to_hold_ms": _ms(self._onset, self._held),
            "onset_to_interrupt_ms": _ms(self._onset, self._interrupted),
            "false_interruptions": self._false_interruptions,
            **self._spent,
        }
        self._ended = None
        return fields


def _ms(start: float | None, end: float | None) -> int | None:
    return None if start is None or end is None else round((end - start) * 1000)
