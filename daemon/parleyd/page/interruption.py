"""The picture of the last interruption: levels and scores around it, as numbers. Pure.

It holds neither sound nor words: ten measurements a second, the moments and the reason of the
decision, and the times of the turn.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from parleyd.control.replies import Fields, LevelsMeasured

BEFORE_S, AFTER_S = 4.0, 1.5
LONGEST_HOLD_S = 2.0  # hearing.decision_window_ms is at most 1.5 s
MOST_LEVELS = 100  # ten seconds
TURN_NUMBERS = ("turn", "onset_to_hold_ms", "onset_to_interrupt_ms", "heard_ms")

Json = dict[str, Any]


class InterruptionRecorder:
    """Gets the events of the daemon with the time of their arrival, monotonic seconds."""

    def __init__(self) -> None:
        self._levels: deque[tuple[float, LevelsMeasured]] = deque(maxlen=MOST_LEVELS)
        self._marks: deque[tuple[float, str, Fields]] = deque(maxlen=8)
        self._at: float | None = None  # of an interruption that is not complete yet
        self._date = 0.0
        self._turn: Fields = {}
        self.picture: Json | None = None
        """The last interruption, as soon as it is complete."""

    @property
    def records(self) -> bool:
        """An interruption is being completed, so that it needs more levels."""
        return self._at is not None

    def levels(self, now: float, levels: LevelsMeasured) -> bool:
        """Take a measurement; return whether `picture` is new."""
        self._levels.append((now, levels))
        return self.complete(now)

    def log_event(self, now: float, name: str, fields: Fields, date: float) -> bool:
        """Take a log event; `date` in seconds since 1970. Return whether `picture` is new."""
        if name == "hold" or name == "interrupt":
            self._marks.append((now, name, fields))
        elif name == "interrupted":
            self._at, self._date, self._turn = now, date, {}
        return self.complete(now)

    def turn(self, fields: Fields) -> bool:
        """Take the figures of a turn; return whether `picture` is new."""
        if fields.get("interrupted") is not True:
            return False
        self._turn = _chosen(fields, TURN_NUMBERS)
        if self._at is None and self.picture is not None and not self.picture["turn"]:
            self.picture = {**self.picture, "turn": self._turn}
            return True
        return False

    def complete(self, now: float) -> bool:
        """End the recording when its time is over; return whether `picture` is new."""
        if self._at is None or now < self._at + AFTER_S:
            return False
        self._finish(self._at)
        return True

    def _finish(self, at: float) -> None:
        self._at = None
        marks = [
            {"t": round(when - at, 2), "name": name, **_chosen(fields, ("reason",))}
            for when, name, fields in self._marks
            if -LONGEST_HOLD_S <= when - at <= 0
        ]
        self.picture = {
            "date": int(self._date),
            "samples": [
                _sample(round(when - at, 2), levels)
                for when, levels in self._levels
                if -BEFORE_S <= when - at <= AFTER_S
            ],
            "marks": [*marks, {"t": 0.0, "name": "interrupted"}],
            "turn": self._turn,
        }


def _chosen(fields: Fields, names: tuple[str, ...]) -> Json:
    return {name: fields[name] for name in names if fields.get(name) is not None}


def _sample(t: float, levels: LevelsMeasured) -> Mapping[str, float | None]:
    return {
        "t": t,
        "mic": levels.mic_dbfs,
        "echo": levels.echo_dbfs,
        "cleaned": levels.cleaned_dbfs,
        "score": levels.near_end,
        "threshold": levels.threshold,
    }
