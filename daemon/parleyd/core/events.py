"""The interface of the core: events in, one step for each period out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from parleyd.core.group_events import ClaimHeard as ClaimHeard
from parleyd.core.group_events import GroupEffect, GroupInput
from parleyd.core.group_events import GroupReached as GroupReached
from parleyd.core.group_events import OwnSpeech as OwnSpeech
from parleyd.core.group_events import PeerSpeaks as PeerSpeaks
from parleyd.core.group_events import WakeClaimed as WakeClaimed
from parleyd.core.group_events import WakeLevelsLearned as WakeLevelsLearned
from parleyd.core.states import Indication, State
from parleyd.hearing.echo_path import EchoPath
from parleyd.hearing.fuse import ComponentFault
from parleyd.realtime.connection_events import ConnectionDown as ConnectionDown
from parleyd.realtime.connection_events import ConnectionUp as ConnectionUp
from parleyd.realtime.connection_events import SessionExpiry as SessionExpiry
from parleyd.realtime.events import ClientEvent, Json, ServerEvent
from parleyd.realtime.guards import Guard
from parleyd.units import Frames
from parleyd.wake import WakeEngine

# --- events -----------------------------------------------------------------------------


class MicPeriod(NamedTuple):
    """One period of the sound card."""

    frames: Frames | None
    """10 ms of microphone: int16 mono, 160 frames at 16 kHz; None while it is closed."""

    queued_frames: int
    """Playback frames (device rate) written but not yet heard, at this moment."""

    xruns: int = 0
    """Overruns and underruns since the last period."""


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """The push button: starts a turn when idle, else stops the turn or the ringing."""


@dataclass(frozen=True, slots=True)
class PlayStartupSound:
    """The speaker has started: play the startup sound, and calibrate hearing by it."""


@dataclass(frozen=True, slots=True)
class MuteSwitched:
    """The microphone was closed or opened, or is closed for another reason than before."""

    muted: bool
    reason: str = ""
    """Why it is closed, if not just by the switch; for the user."""


@dataclass(frozen=True, slots=True)
class CardLost:
    """The sound card is gone or taken; periods continue with a closed microphone."""

    reason: str
    unheard_frames: int
    """Playback frames (device rate) that the card may have dropped unheard."""


@dataclass(frozen=True, slots=True)
class CardBack:
    """The sound card works again; its queue is empty."""


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Play at this volume from now on, 0..100 percent."""

    percent: int


@dataclass(frozen=True, slots=True)
class QuietHoursChanged:
    """The quiet hours of the home have begun, or are over."""

    quiet: bool


@dataclass(frozen=True, slots=True)
class AlarmDue:
    """An alarm is due: ring until it is stopped; `AlarmDismissed` reports that."""

    name: str
    ring_id: int = 0
    spoken: Frames | None = field(default=None, compare=False)
    """Its name in the offline voice: int16 at 24 kHz."""


@dataclass(frozen=True, slots=True)
class AlarmCommandRecognized:
    """The words that the user spoke into the ringing (`RecognizeAlarmCommand`) were recognised."""

    stop: bool
    """They were a stop command."""
    ring_ids: tuple[int, ...] | None = None
    """The alarms that rang when they were spoken; None: all that ring."""


@dataclass(frozen=True, slots=True)
class SpeechSynthesized:
    """The offline voice has spoken the words of a `SynthesizeSpeech`."""

    number: int
    frames: Frames | None = field(repr=False, compare=False)
    """int16 mono at 24 kHz; None: the voice failed or is missing."""


@dataclass(frozen=True, slots=True)
class WakeRenewed:
    """A new wake-word engine, after a `ComponentFault` of the old one; its maker closes both."""

    engine: WakeEngine


class AfterTool(Enum):
    """The reaction of the core to the result of a function."""

    RESPOND = auto()  # the model responds to the result
    REPLAY = auto()  # the last reply is played again, without the model
    END = auto()  # the talk is over, without the model


@dataclass(frozen=True, slots=True)
class SkillDone:
    """The result of a function that the model called, as text for the model."""

    call_id: str
    output: str
    after: AfterTool = AfterTool.RESPOND


@dataclass(frozen=True, slots=True)
class ToolsChanged:
    """The functions that come and go with their servers are these from now on."""

    tools: Sequence[Json]
    guards: Mapping[str, Guard] = field(repr=False)
    """Those that may need the user's permission, by name."""
    instructions: str = field(repr=False)
    """For the model, in addition to the configured ones."""


@dataclass(frozen=True, slots=True)
class AnswerRecognized:
    """The answer to a question for permission (`RecognizeAnswer`) was recognised."""

    number: int
    yes: bool
    """It was a clear yes."""


@dataclass(frozen=True, slots=True)
class ListenRequested:
    """A program of this machine asks Parley to listen; `RequestAnswered` follows."""

    number: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A program of this machine ends the turn or the ringing; `RequestAnswered` follows."""

    number: int


@dataclass(frozen=True, slots=True)
class SpeechRequested:
    """A program of this machine asks Parley to play speech; `RequestAnswered` follows."""

    number: int
    frames: Frames = field(repr=False, compare=False)
    """int16 mono at 24 kHz."""


@dataclass(frozen=True, slots=True)
class ModelSpeechRequested:
    """As `SpeechRequested`, but the model speaks these words, outside the conversation."""

    number: int
    words: str = field(repr=False)


# --- effects ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send this event to the realtime server, in order."""

    event: ClientEvent


@dataclass(frozen=True, slots=True)
class Show:
    """The indication has changed; `detail` is for the user (a reason, a remedy) or ""."""

    indication: Indication
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Close this socket and open a new one; `fatal`: open none without being asked."""

    reason: str
    fatal: bool = False
    later: bool = False
    """Open it after minutes, or when a turn needs it."""


@dataclass(frozen=True, slots=True)
class RenewConnection:
    """Replace this socket by a new one at once; `ConnectionUp` or `ConnectionDown` follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class SetConnectionWanted:
    """`wanted`: a turn needs a socket, open one at once; else close it and open none."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class CallSkill:
    """The model calls a function; `SkillDone` must follow, whatever happens."""

    call_id: str
    name: str
    arguments: Json
    guarded: bool = False
    """The function's `Guard` lets this call run; False if the core knows none for it."""


@dataclass(frozen=True, slots=True)
class RecognizeAlarmCommand:
    """Recognize the words that the user spoke into the ringing.

    `AlarmCommandRecognized` may follow.
    """

    frames: Frames = field(repr=False, compare=False)
    """The utterance: int16 mono at 16 kHz, at most 3 s, without the echo."""
    in_vain: int = 0
    """How many others were judged a moment ago: many are a television."""
    ring_ids: tuple[int, ...] = field(default=(), compare=False)
    """The alarms that ring, for the answer: one that is due later is not meant."""


@dataclass(frozen=True, slots=True)
class RecognizeAnswer:
    """Recognize the user's answer to a question for permission; `AnswerRecognized` must follow."""

    number: int
    frames: Frames = field(repr=False)
    """The utterance: int16 mono at 16 kHz, at most 3 s."""


@dataclass(frozen=True, slots=True)
class SynthesizeSpeech:
    """Speak these words with the offline voice; `SpeechSynthesized` may follow."""

    number: int
    words: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AlarmDismissed:
    """These alarms have stopped: by the user, or after the longest time."""

    ring_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenMicrophone:
    """The button was pressed while muted: open the microphone, unless the switch closed it."""


class RequestRefusal(StrEnum):
    """Why the core does not do what a program asks for."""

    MUTED = "muted"
    NO_CARD = "no_card"
    SERVER = "server"  # it refuses every turn
    VOICE = "voice"  # it cannot be spoken
    BUSY = "busy"  # too much waits already
    EXPIRED = "expired"  # it has waited too long
    STOPPED = "stopped"  # it was ended before its end


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The request of this number is done, or refused for a reason in words."""

    number: int
    refusal: RequestRefusal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EchoPathLearned:
    """The learned echo path is worth saving for the next start."""

    echo_path: EchoPath = field(compare=False)


@dataclass(frozen=True, slots=True)
class RecordTurn:
    """A question and its answer are over: save the recording, if the owner asked for recordings."""


@dataclass(frozen=True, slots=True)
class ReportXruns:
    """The sound card lost sound: count it, log it and show it in the status."""

    count: int
    """Overruns and underruns in this period."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line for the log and the demo's timeline; `fields` are its numbers. It steers nothing."""

    name: str
    fields: Json


DialogueEvent = (
    ServerEvent
    | ConnectionUp
    | ConnectionDown
    | SessionExpiry
    | SkillDone
    | SpeechSynthesized
    | ModelSpeechRequested
    | ToolsChanged
    | AnswerRecognized
)
"""The inputs of the dialogue."""

InputEvent = (
    DialogueEvent
    | PlayStartupSound
    | ButtonPressed
    | MuteSwitched
    | CardLost
    | CardBack
    | SetVolume
    | QuietHoursChanged
    | AlarmDue
    | AlarmCommandRecognized
    | WakeRenewed
    | ListenRequested
    | StopRequested
    | SpeechRequested
    | GroupInput
)

Effect = (
    Send
    | Show
    | Reconnect
    | RenewConnection
    | SetConnectionWanted
    | CallSkill
    | RecognizeAlarmCommand
    | RecognizeAnswer
    | SynthesizeSpeech
    | AlarmDismissed
    | OpenMicrophone
    | EchoPathLearned
    | ComponentFault
    | RecordTurn
    | ReportXruns
    | LogEvent
    | RequestAnswered
    | GroupEffect
)


class TickResult(NamedTuple):
    """The result of one period, to be carried out in this order."""

    drop: bool
    """Silence the loudspeaker at once: drop all frames written but not yet heard."""

    playback: Frames
    """Write these next: int16 mono at the device rate; may be empty."""

    effects: Sequence[Effect]

    state: State = State.IDLE
    """Where the turn is now."""
