"""What crosses the boundary of the core: events in, one step a heartbeat out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from parleyd.core.states import Shown, State
from parleyd.hearing.echo_path import EchoMemory
from parleyd.hearing.fuse import Fault
from parleyd.realtime.events import ClientEvent, Json, ServerEvent
from parleyd.realtime.link_events import Expires as Expires
from parleyd.realtime.link_events import LinkDown as LinkDown
from parleyd.realtime.link_events import LinkUp as LinkUp
from parleyd.units import Frames
from parleyd.wake import WakeEngine

# --- what the world tells the core ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MicPeriod:
    """What the sound card has to say at one heartbeat."""

    frames: Frames | None
    """10 ms of microphone: int16 mono, 160 frames at 16 kHz; None while it is closed."""

    queued_frames: int
    """Playback frames (device rate) written but not yet heard, at this moment."""

    xruns: int = 0
    """Overruns and underruns since the last period."""


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """The push button: starts a turn when idle, else stops what is going on."""


@dataclass(frozen=True, slots=True)
class Greet:
    """The speaker was switched on: play the sound that says so, and calibrate by it."""


@dataclass(frozen=True, slots=True)
class MuteSwitched:
    """The microphone was closed or opened, or is closed for another reason than before."""

    muted: bool
    reason: str = ""
    """Why it is closed, where the switch alone does not say it; for people."""


@dataclass(frozen=True, slots=True)
class CardLost:
    """The sound card is gone or taken; periods go on with a closed microphone."""

    reason: str
    unheard_frames: int
    """Playback frames (device rate) handed to the card that perhaps were not heard."""


@dataclass(frozen=True, slots=True)
class CardBack:
    """The sound card works again; its queue is empty."""


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Play at this loudness from now on, 0..100 percent."""

    percent: int


@dataclass(frozen=True, slots=True)
class Ring:
    """A timer is over: sound the alarm until somebody stops it, then say so (`RingStopped`)."""

    name: str
    ring_id: int = 0
    spoken: Frames | None = field(default=None, compare=False)
    """What it is for, said aloud: int16 at 24 kHz."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What was said into a ringing alarm (`Understand`): "stop", or anything else."""

    stop: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """The offline voice has spoken the words of a `Speak`."""

    number: int
    frames: Frames | None = field(repr=False, compare=False)
    """int16 mono at 24 kHz; None: the voice failed or is missing."""


@dataclass(frozen=True, slots=True)
class WakeRenewed:
    """A new wake-word engine, after a `Fault` of the old one; its maker closes both."""

    engine: WakeEngine


class Then(Enum):
    """What the core does when a function has returned."""

    REPLY = auto()  # the model goes on with the result
    REPEAT = auto()  # what was said last is played once more, and the model says nothing
    REST = auto()  # the turn is over without another word


@dataclass(frozen=True, slots=True)
class SkillDone:
    """What a function called by the model returned, as text for the model."""

    call_id: str
    output: str
    then: Then = Then.REPLY


# --- what the core asks of the world ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send this event to the realtime server, in order."""

    event: ClientEvent


@dataclass(frozen=True, slots=True)
class Show:
    """What is shown changed; `detail` is for people (a reason, a remedy), may be empty."""

    shown: Shown
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Close this socket and open a new one; `fatal` means: do not try again by yourself."""

    reason: str
    fatal: bool = False
    later: bool = False
    """Open it in minutes, or if a user asks."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Replace this socket by a new one at once; `LinkUp` follows, or `LinkDown` if it fails."""

    reason: str


@dataclass(frozen=True, slots=True)
class Connect:
    """Somebody needs a socket: open one now, without waiting; not `wanted`: hold none."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class CallSkill:
    """The model calls a function; answer with `SkillDone`, always."""

    call_id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Understand:
    """Somebody spoke into a ringing alarm; answer with `Understood`, soon or not at all."""

    frames: Frames = field(repr=False, compare=False)
    """What was said: int16 mono at 16 kHz, at most 3 s, without our own echo."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Speak these words with the offline voice; answer with `Spoken`, soon or not at all."""

    number: int
    words: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RingStopped:
    """These rings are over: somebody stopped them, or nobody did for too long."""

    ring_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenMicrophone:
    """The button was pressed while muted: open the microphone, unless the switch closed it."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What hearing knows of the echo's path by now: worth keeping over a restart."""

    memory: EchoMemory = field(compare=False)


@dataclass(frozen=True, slots=True)
class RecordTurn:
    """A question and its answer are over: save the recording, if the owner asked for recordings."""


@dataclass(frozen=True, slots=True)
class ReportXruns:
    """The sound card lost sound: count it, log it and show it in the status."""

    count: int
    """Overruns and underruns in this period."""


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log and the demo's timeline; `fields` are its numbers. It steers nothing."""

    name: str
    fields: Json


Happening = (
    ServerEvent
    | Greet
    | ButtonPressed
    | MuteSwitched
    | CardLost
    | CardBack
    | LinkUp
    | LinkDown
    | Expires
    | SetVolume
    | Ring
    | Understood
    | WakeRenewed
    | Spoken
    | SkillDone
)

Effect = (
    Send
    | Show
    | Reconnect
    | Renew
    | Connect
    | CallSkill
    | Understand
    | Speak
    | RingStopped
    | OpenMicrophone
    | Learnt
    | Fault
    | RecordTurn
    | ReportXruns
    | Note
)


@dataclass(frozen=True, slots=True)
class Step:
    """What the core wants done after one heartbeat, in this order."""

    drop: bool
    """Silence the loudspeaker at once: throw away all that is written but not yet heard."""

    playback: Frames
    """Write these next: int16 mono at the device rate; may be empty."""

    effects: Sequence[Effect]

    state: State = State.IDLE
    """Where the turn is now."""
