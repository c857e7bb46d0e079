"""The speaker as `parley watch` knows it: a snapshot that the daemon's lines change. Pure."""

from dataclasses import dataclass, replace

from parleyd.control.replies import (
    DaemonLine,
    Fields,
    LevelsMeasured,
    StateChanged,
    StatusReply,
    TurnReported,
    TurnsReply,
)

KEPT_TURNS = 60
STALE_S = 3.0
HELD_S = 2.0  # a wake word's score is high for 0.2 s
STALE = "the daemon does not answer"


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest value of the last `HELD_S`."""

    value: float
    at: float
    """Monotonic seconds."""

    def held(self, value: float, now: float) -> "Peak":
        """The peak with a new value."""
        newer = value >= self.value or now - self.at >= HELD_S
        return Peak(value, now) if newer else self


@dataclass(frozen=True, slots=True)
class WatchSnapshot:
    """The newest of everything, and the problem if there is no daemon."""

    heard_at: float
    """When the newest line came, in monotonic seconds."""
    indication: str = ""
    """The state that the light shows; "" before the first line."""
    detail: str = ""
    status: StatusReply | None = None
    levels: LevelsMeasured | None = None
    user_peak: Peak = Peak(0.0, 0.0)
    wake_peak: Peak = Peak(0.0, 0.0)
    turns: tuple[Fields, ...] = ()
    """The oldest first."""
    news: tuple[Fields, ...] = ()
    """Those of them that ended since `without_news`."""
    problem: str = ""

    def with_line(self, line: DaemonLine, now: float) -> "WatchSnapshot":
        """The snapshot after a line of the daemon."""
        heard = replace(self, heard_at=now, problem="")
        match line:
            case StatusReply(indication=indication, detail=detail):
                return replace(heard, status=line, indication=indication, detail=detail)
            case StateChanged(indication=indication, detail=detail):
                return replace(heard, indication=indication, detail=detail)
            case LevelsMeasured():
                user = self.user_peak.held(line.near_end or 0.0, now)
                wake = self.wake_peak.held(line.wake or 0.0, now)
                return replace(heard, levels=line, user_peak=user, wake_peak=wake)
            case TurnsReply(turns=turns):
                return replace(heard, turns=turns[-KEPT_TURNS:])
            case TurnReported(fields=fields):
                turns = (*self.turns, fields)[-KEPT_TURNS:]
                return replace(heard, turns=turns, news=(*self.news, fields)[-KEPT_TURNS:])
        return heard

    def gone(self, problem: str) -> "WatchSnapshot":
        """The snapshot after the end of the daemon: only the turns remain."""
        return WatchSnapshot(self.heard_at, turns=self.turns, problem=problem)

    def without_news(self) -> "WatchSnapshot":
        """The snapshot after its news were shown."""
        return replace(self, news=())

    def at(self, now: float) -> "WatchSnapshot":
        """The snapshot as it is to be shown at this time."""
        stale = not self.problem and now - self.heard_at > STALE_S
        return replace(self, problem=STALE) if stale else self


def answer_ms(turn: Fields) -> int | None:
    """From the end of the question to the first sound of the answer.

    The end is the user's last sound, where hearing has found it.
    """
    first = number(turn, "first_frame_ms")
    return None if first is None else first + (number(turn, "endpoint_ms") or 0)


def silence_ms(turn: Fields) -> int | None:
    """From the onset of an interruption to the silence of the loudspeaker."""
    return number(turn, "onset_to_hold_ms")


def heard_ms(turn: Fields) -> int | None:
    """How much of the answer was heard."""
    return number(turn, "heard_ms")


def number(turn: Fields, name: str) -> int | None:
    """A whole number among the fields of a turn; None if there is none."""
    value = turn.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value)
