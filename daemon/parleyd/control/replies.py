"""The lines that the daemon sends: replies and events of the control socket. Pure, typed JSON.

`daemon/docs/control.md` is the reference for other programs.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from parleyd.calibration.figures import SilenceFigures, SweepsFigures, WordFigures
from parleyd.errors import ProtocolError
from parleyd.printable import printable

PROTOCOL = 1
"""Changes when a client of the version before would misunderstand a message."""
LONGEST_LINE = 1 << 16
"""Bytes of a line, in both directions, without its end."""
LONGEST_TEXT = 500  # characters of a field, as in the log
MOST_TURNS = 100
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""Raised by a line that cannot be decoded."""

Fields = dict[str, bool | int | float | str | None]
"""Of a log event."""

Number = Annotated[int, Meta(ge=0, le=2**53)]
"""Of a request; its reply has the same."""


class LaterType(ProtocolError):
    """A line of a type that this version does not know."""


class Code(StrEnum):
    """Why a request was refused."""

    BAD_REQUEST = "bad_request"  # no JSON object, an unknown type, or a wrong field
    TOO_LONG = "too_long"  # the line; the connection ends
    FULL = "full"  # too many clients; the connection ends
    FORBIDDEN = "forbidden"  # the peer is not in the group; the connection ends
    MUTED = "muted"  # the microphone is closed
    SWITCH = "switch"  # ... by the mute switch, which no command overrides
    HELD = "held"  # ... by a person, which home automation does not override
    NO_CARD = "no_card"  # there is no sound card
    NO_GROUP = "no_group"  # the speaker is in no group
    SERVER = "server"  # the realtime server refuses
    VOICE = "voice"  # no such voice
    QUIET = "quiet"  # nothing but urgent texts are spoken now
    BUSY = "busy"  # too much is waiting
    EXPIRED = "expired"  # it waited too long
    STOPPED = "stopped"  # it was ended before its end
    RELOADING = "reloading"  # the daemon changes its configuration, or ends
    FAILED = "failed"  # an error of the daemon; its log has more


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="hello"):
    """The first line of the daemon."""

    protocol: int
    version: str
    """Of Parley."""


class NumberedReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The answer to the request of this number; exactly one for each."""

    id: Number = 0


class Done(NumberedReply, frozen=True, kw_only=True, tag="done"):
    """It is done."""


class ErrorReply(NumberedReply, frozen=True, kw_only=True, tag="error"):
    """It is not done."""

    code: str
    """A `Code`; a later version may have more."""
    message: str
    """One line for people."""


class Microphone(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the microphone is closed, and by what."""

    closed: bool
    by_switch: bool
    """The mute switch closes it, or cannot be read."""
    left_s: int
    """The rest of the time for which it was closed by voice or command; 0: none."""
    reason: str


class StatusReply(NumberedReply, frozen=True, kw_only=True, tag="status"):
    """The speaker, at one moment."""

    indication: str
    """The state that the light shows: ``idle``, ``listening``, ``muted``, ``error``, ..."""
    detail: str
    """A reason or remedy for people; may be empty."""
    microphone: Microphone
    volume: int
    """Percent."""
    server: str
    """The one that answers: a name of `realtime.server`, but never ``auto``."""
    link: str = ""
    """Of the connection to it: ``up``, ``connecting`` or ``resting``."""
    round_trip_ms: float | None = None
    """Of the newest ping over it; null before the first answer."""
    xruns: int
    uptime_s: int
    version: str


class VolumeReply(NumberedReply, frozen=True, kw_only=True, tag="volume"):
    """The volume, after the change if there was one."""

    percent: int


class TimerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A timer or an alarm that is set."""

    name: str
    """As the user gave it; may be empty."""
    timer: bool
    """A duration; else an hour of the clock."""
    left_s: int
    due: str
    """Local time: ``2027-03-28T07:00:00``."""


class TimersReply(NumberedReply, frozen=True, kw_only=True, tag="timers"):
    """The timers and alarms, the next one first."""

    timers: tuple[TimerEntry, ...]


class TurnsReply(NumberedReply, frozen=True, kw_only=True, tag="turns"):
    """Turns, the oldest first: the fields of their log lines."""

    turns: tuple[Fields, ...]


class MeasuredReply(NumberedReply, frozen=True, kw_only=True, tag="measured"):
    """The figures of a measurement; one of the three. They hold no sound."""

    silence: SilenceFigures | None = None
    sweeps: SweepsFigures | None = None
    word: WordFigures | None = None


# --- events -----------------------------------------------------------------------------


class StateChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="state"):
    """The light shows something else."""

    indication: str
    detail: str


class LevelsMeasured(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="levels"):
    """The newest 10 ms of hearing, ten times a second. Null while the microphone is closed."""

    mic_dbfs: float | None = None
    cleaned_dbfs: float | None = None
    """Without the echo."""
    echo_dbfs: float | None = None
    """Of the subtracted echo; -120 without playback."""
    near_end: float | None = None
    """Probability of a user's voice, 0 to 1."""
    threshold: float | None = None
    """Parley's playback is held where `near_end` is higher."""
    excess_db: float | None = None
    """Of the cleaned level, over residual echo and noise; mean of the frequency bands."""
    voice: float | None = None
    """Probability of speech, 0 to 1."""
    wake: float | None = None
    """Score of the wake word, 0 to 1; null if the engine gives none."""
    wake_cutoff: float | None = None
    """A wake word is found where `wake` is higher."""
    buffered_ms: int
    """Of a reply that waits to be played."""
    trouble: str = ""
    """Why a voice cannot interrupt, or which part of hearing has failed; may be empty."""
    processing: str = ""
    """How the microphone changes its sound, so that Parley hears worse; may be empty."""


class TurnReported(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="turn"):
    """A question and its answer are over: the fields of its log line."""

    fields: Fields


class Logged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="log"):
    """A log event of the speaker; never a transcript."""

    name: str
    fields: Fields


class GroupClaim(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="claim"):
    """This speaker claims a wake word; the other speakers of its group must get it at once."""

    claim: Annotated[str, Meta(min_length=1, max_length=40)]
    """The id of the claim; a later line with the same id replaces it."""
    level_db: Annotated[float, Meta(ge=-120, le=120)]
    """Of the wake word, over the level that is usual at this speaker."""
    heard: Annotated[int, Meta(ge=0, le=100)]
    """Claims of others that it had got when it detected the word."""
    answering: bool
    """It answers already."""
    age_ms: Annotated[int, Meta(ge=0, le=10_000)]
    """Since the detection, when this line was written."""


class GroupSpeech(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="speaking"):
    """This speaker speaks, or renews that it does."""

    lease_ms: Annotated[int, Meta(ge=0, le=60_000)]
    """For how long that holds without a renewal; 0: it has ended."""


GroupNews = GroupClaim | GroupSpeech
"""A message between the speakers of a group."""


class EventsDropped(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="dropped"):
    """The client was too slow: this number of events is missing here."""

    count: int


AnyReply = Done | ErrorReply | StatusReply | VolumeReply | TimersReply | TurnsReply | MeasuredReply
AnyEvent = StateChanged | LevelsMeasured | TurnReported | Logged | GroupNews
DaemonLine = Hello | AnyReply | AnyEvent | EventsDropped
"""Every line of the daemon."""

_daemon_line = msgspec.json.Decoder(DaemonLine)
_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Return the line of a message, with its end."""
    return _encoder.encode(message) + b"\n"


def parse_daemon_line(line: bytes) -> DaemonLine:
    """Return the daemon's message. Raises `ProtocolError`: for a type of a later version, which a
    client ignores, `LaterType`.
    """
    try:
        return _daemon_line.decode(line)
    except UNREADABLE as error:
        unknown = isinstance(error, msgspec.ValidationError) and str(error).endswith("`$.type`")
        kind = LaterType if unknown else ProtocolError
        raise kind(f"the daemon sent a line that cannot be read: {error}") from error


def plain_fields(fields: Mapping[str, object]) -> Fields:
    """Return the fields of a log event with values that JSON has; long texts are shortened."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: object) -> bool | int | float | str | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(float(value), 3)  # JSON has neither numpy's numbers nor infinity
    return printable(str(value), LONGEST_TEXT)
