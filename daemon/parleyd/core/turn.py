"""The state machine of a turn: one table, one deadline for each state, no I/O.

`TABLE` is the whole behaviour: the next state and the actions for each state and trigger. A
pair that is not in it changes nothing. `TurnStateMachine` walks it and keeps the state's deadline.
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from parleyd import config
from parleyd.core.states import State
from parleyd.enums import quick
from parleyd.hearing.barge_in import Decision

STALLED_S = 10.0  # a reply is abandoned after at least this time without a frame heard
DRY_S = 0.3  # after this the light shows a stalled reply: a server's deltas may be that far apart
WORKS_AT_MOST_S = 300.0  # all functions of one answer: a model may call them without end
BARGE_IN_GRACE_S = (
    0.3  # the decision is due at decision_window_ms; after this the reply resumes without
)


@quick
class TurnTrigger(Enum):
    """An event of a turn, beside the decisions of barge-in."""

    WAKE_WORD = auto()
    BUTTON = auto()
    STOP_WORD = auto()
    LISTEN_COMMAND = auto()  # the control socket's, with the rows of the wake word
    STOP_COMMAND = auto()  # ... and of the stop word
    STOOD_DOWN = auto()  # another speaker of the group answers the wake word
    USER_SPOKE = auto()  # the user began to speak while Parley listens or thinks
    TURN_ENDED = auto()  # the user has finished
    REPLY_AUDIBLE = auto()  # the first frame of the reply was heard
    REPLY_PROGRESSED = auto()  # more frames of it were heard
    REPLY_FINISHED = auto()  # the last frame was heard, and the user may reply
    REPLY_FINISHED_LAST = auto()  # the last frame was heard, and the talk is over
    FOLLOW_UPS_OVER = auto()  # a reply ended or the user interrupts it; the wake word is needed
    QUESTION_ASKED = auto()  # the reply ended with a question for permission
    REPLY_FAILED = auto()  # the response ended with nothing to hear
    CUT_OFF = auto()  # the server ended its answer because it hears the user
    ALARM_DUE = auto()  # an alarm has waited for the turn as long as it may
    MUTED = auto()  # the microphone was closed
    CONNECTION_LOST = auto()
    CARD_LOST = auto()  # neither capture nor playback works
    TIME_UP = auto()  # the deadline of the state passed


TurnEvent = TurnTrigger | Decision


@quick
class TurnAction(Enum):
    """What the owner does; a row lists its actions in order."""

    CHIME = auto()  # "I am listening"
    HEARD_CUE = auto()  # "I have heard you"
    FOLLOW_UP_CUE = auto()  # "you may go on"
    LOW_TONE = auto()  # "I stopped listening"
    SORRY_TONE = auto()  # "that did not work"
    LISTEN = auto()  # begin a turn, and send the microphone from its pre-roll on
    LISTEN_ON = auto()  # resume the same turn where sending stopped
    LISTEN_FROM_ONSET = auto()  # begin a turn with the pre-roll of the user's onset
    STOP_LISTENING = auto()  # stop sending, and drop the input that was not answered
    ASK_FOR_REPLY = auto()  # commit where the server does not, then one response.create
    HOLD = auto()  # hold or duck the loudspeaker
    RESUME = auto()  # continue where it was held
    INTERRUPT = auto()  # cancel, truncate, discard: no more of this reply is ever played


class Row(NamedTuple):
    """One line of the table."""

    to: State
    actions: tuple[TurnAction, ...] = ()


IDLE, LISTENING, THINKING = State.IDLE, State.LISTENING, State.THINKING
SPEAKING, BARGE_IN = State.SPEAKING, State.BARGE_IN

_ROWS: Mapping[tuple[State, TurnEvent], Row] = MappingProxyType(
    {
        (IDLE, TurnTrigger.WAKE_WORD): Row(LISTENING, (TurnAction.LISTEN, TurnAction.CHIME)),
        (IDLE, TurnTrigger.BUTTON): Row(LISTENING, (TurnAction.LISTEN, TurnAction.CHIME)),
        #
        (LISTENING, TurnTrigger.USER_SPOKE): Row(LISTENING),
        (LISTENING, TurnTrigger.TURN_ENDED): Row(
            THINKING, (TurnAction.ASK_FOR_REPLY, TurnAction.HEARD_CUE)
        ),
        (LISTENING, TurnTrigger.TIME_UP): Row(
            IDLE, (TurnAction.STOP_LISTENING, TurnAction.LOW_TONE)
        ),
        (LISTENING, TurnTrigger.BUTTON): Row(
            IDLE, (TurnAction.STOP_LISTENING, TurnAction.LOW_TONE)
        ),
        (LISTENING, TurnTrigger.STOP_WORD): Row(
            IDLE, (TurnAction.STOP_LISTENING, TurnAction.LOW_TONE)
        ),
        (LISTENING, TurnTrigger.STOOD_DOWN): Row(IDLE, (TurnAction.STOP_LISTENING,)),
        (LISTENING, TurnTrigger.ALARM_DUE): Row(IDLE, (TurnAction.STOP_LISTENING,)),
        (LISTENING, TurnTrigger.MUTED): Row(IDLE, (TurnAction.STOP_LISTENING,)),
        (LISTENING, TurnTrigger.CARD_LOST): Row(IDLE, (TurnAction.STOP_LISTENING,)),
        (LISTENING, TurnTrigger.CONNECTION_LOST): Row(
            IDLE, (TurnAction.STOP_LISTENING, TurnAction.SORRY_TONE)
        ),
        #
        (THINKING, TurnTrigger.REPLY_AUDIBLE): Row(SPEAKING),
        (THINKING, TurnTrigger.USER_SPOKE): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN_ON)
        ),
        (THINKING, TurnTrigger.CUT_OFF): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN_ON)
        ),
        (THINKING, TurnTrigger.WAKE_WORD): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN)
        ),
        (THINKING, TurnTrigger.BUTTON): Row(IDLE, (TurnAction.INTERRUPT, TurnAction.LOW_TONE)),
        (THINKING, TurnTrigger.STOP_WORD): Row(IDLE, (TurnAction.INTERRUPT, TurnAction.LOW_TONE)),
        (THINKING, TurnTrigger.REPLY_FINISHED): Row(
            LISTENING, (TurnAction.FOLLOW_UP_CUE, TurnAction.LISTEN)
        ),
        (THINKING, TurnTrigger.REPLY_FINISHED_LAST): Row(IDLE),
        (THINKING, TurnTrigger.FOLLOW_UPS_OVER): Row(IDLE, (TurnAction.LOW_TONE,)),
        (THINKING, TurnTrigger.ALARM_DUE): Row(IDLE, (TurnAction.INTERRUPT,)),
        (THINKING, TurnTrigger.REPLY_FAILED): Row(
            IDLE, (TurnAction.INTERRUPT, TurnAction.SORRY_TONE)
        ),
        (THINKING, TurnTrigger.TIME_UP): Row(IDLE, (TurnAction.INTERRUPT, TurnAction.SORRY_TONE)),
        (THINKING, TurnTrigger.CARD_LOST): Row(IDLE, (TurnAction.INTERRUPT,)),
        (THINKING, TurnTrigger.CONNECTION_LOST): Row(
            IDLE, (TurnAction.INTERRUPT, TurnAction.SORRY_TONE)
        ),
        #
        (SPEAKING, TurnTrigger.REPLY_PROGRESSED): Row(SPEAKING),
        (SPEAKING, TurnTrigger.CUT_OFF): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN_ON)
        ),
        (SPEAKING, Decision.HOLD): Row(BARGE_IN, (TurnAction.HOLD,)),
        (SPEAKING, TurnTrigger.WAKE_WORD): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN)
        ),
        (SPEAKING, TurnTrigger.BUTTON): Row(IDLE, (TurnAction.INTERRUPT,)),
        (SPEAKING, TurnTrigger.STOP_WORD): Row(IDLE, (TurnAction.INTERRUPT,)),
        (SPEAKING, TurnTrigger.ALARM_DUE): Row(IDLE, (TurnAction.INTERRUPT,)),
        (SPEAKING, TurnTrigger.REPLY_FAILED): Row(
            IDLE, (TurnAction.INTERRUPT, TurnAction.SORRY_TONE)
        ),
        (SPEAKING, TurnTrigger.REPLY_FINISHED): Row(
            LISTENING, (TurnAction.FOLLOW_UP_CUE, TurnAction.LISTEN)
        ),
        (SPEAKING, TurnTrigger.REPLY_FINISHED_LAST): Row(IDLE),
        (SPEAKING, TurnTrigger.FOLLOW_UPS_OVER): Row(IDLE, (TurnAction.LOW_TONE,)),
        (SPEAKING, TurnTrigger.QUESTION_ASKED): Row(
            LISTENING, (TurnAction.FOLLOW_UP_CUE, TurnAction.LISTEN)
        ),
        (SPEAKING, TurnTrigger.CARD_LOST): Row(IDLE, (TurnAction.INTERRUPT,)),
        (SPEAKING, TurnTrigger.TIME_UP): Row(IDLE, (TurnAction.INTERRUPT, TurnAction.SORRY_TONE)),
        #
        (BARGE_IN, Decision.INTERRUPT): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN_FROM_ONSET)
        ),
        (BARGE_IN, TurnTrigger.FOLLOW_UPS_OVER): Row(
            IDLE, (TurnAction.INTERRUPT, TurnAction.LOW_TONE)
        ),
        (BARGE_IN, TurnTrigger.CUT_OFF): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN_ON)
        ),
        (BARGE_IN, Decision.RESUME): Row(SPEAKING, (TurnAction.RESUME,)),
        (BARGE_IN, TurnTrigger.TIME_UP): Row(SPEAKING, (TurnAction.RESUME,)),
        (BARGE_IN, TurnTrigger.MUTED): Row(SPEAKING, (TurnAction.RESUME,)),
        (BARGE_IN, TurnTrigger.WAKE_WORD): Row(
            LISTENING, (TurnAction.INTERRUPT, TurnAction.LISTEN)
        ),
        (BARGE_IN, TurnTrigger.BUTTON): Row(IDLE, (TurnAction.INTERRUPT,)),
        (BARGE_IN, TurnTrigger.STOP_WORD): Row(IDLE, (TurnAction.INTERRUPT,)),
        (BARGE_IN, TurnTrigger.CARD_LOST): Row(IDLE, (TurnAction.INTERRUPT,)),
    }
)

_COMMANDS: Mapping[TurnEvent, TurnTrigger] = MappingProxyType(
    {
        TurnTrigger.WAKE_WORD: TurnTrigger.LISTEN_COMMAND,
        TurnTrigger.STOP_WORD: TurnTrigger.STOP_COMMAND,
    }
)
TABLE: Mapping[tuple[State, TurnEvent], Row] = MappingProxyType(
    {
        **_ROWS,
        **{(state, _COMMANDS[on]): row for (state, on), row in _ROWS.items() if on in _COMMANDS},
    }
)

_BEGIN_A_TURN: frozenset[TurnEvent] = frozenset(
    {
        TurnTrigger.WAKE_WORD,
        TurnTrigger.LISTEN_COMMAND,
        TurnTrigger.REPLY_FINISHED,
        TurnTrigger.QUESTION_ASKED,
    }
)


class TurnStateMachine:
    """Where the conversation is; owned by the audio thread."""

    def __init__(self, turn: config.TurnConfig, hearing: config.HearingConfig) -> None:
        self.state = State.IDLE
        self.deadline: float | None = None
        """When `TurnTrigger.TIME_UP` happens (seconds, monotonic); None only in `idle`."""
        self._turn = turn
        self._decision_window_s = hearing.decision_window_ms / 1000
        self._thinks_since = self._progressed_at = 0.0
        self._user_spoke = False
        self._spoke_at: float | None = None  # the first time in this turn
        self._means_speech: set[TurnEvent] = {TurnTrigger.USER_SPOKE, TurnTrigger.CUT_OFF}
        if turn.detection == "local":
            self._means_speech.add(Decision.INTERRUPT)  # a server reports it again, as USER_SPOKE
        self._follow_up = False

    def handle(self, event: TurnEvent, now: float) -> tuple[TurnAction, ...]:
        """Move to the next state; returns the actions, in order."""
        if event is TurnTrigger.TIME_UP and self.state is LISTENING and self._user_spoke:
            event = TurnTrigger.TURN_ENDED  # the turn is too long: answer the first part of it
        row = TABLE.get((self.state, event))
        if row is None or (event is TurnTrigger.USER_SPOKE and self._exhausted(now)):
            return ()
        actions = row.actions
        if event is TurnTrigger.TIME_UP and self._follow_up:
            actions = tuple(a for a in actions if a is not TurnAction.LOW_TONE)  # it was optional
        self._user_spoke = row.to is LISTENING and event in self._means_speech
        self._follow_up = row.to is LISTENING and event is TurnTrigger.REPLY_FINISHED
        if row.to not in (LISTENING, THINKING) or event in _BEGIN_A_TURN:
            self._spoke_at = None
        if self._user_spoke and self._spoke_at is None:
            self._spoke_at = now
        if row.to is THINKING and self.state is not THINKING:
            self._thinks_since = now
        self._progressed_at = now
        self.state = row.to
        self.deadline = self._deadline(now)
        return actions

    def wait_on(self, now: float) -> None:
        """The reply waits for a function or a remote tool with its own time limit: restart the
        state's time, at most until `WORKS_AT_MOST_S` have passed."""
        if self.state in (THINKING, SPEAKING) and now - self._thinks_since < WORKS_AT_MOST_S:
            self.deadline = self._deadline(now)

    @property
    def awaits_follow_up(self) -> bool:
        """The user may speak after a reply, and has not begun."""
        return self.state is LISTENING and self._follow_up and not self._user_spoke

    def time_is_up(self, now: float) -> bool:
        """The state's deadline has passed: the owner must handle `TurnTrigger.TIME_UP`."""
        return self.deadline is not None and now >= self.deadline

    def runs_dry(self, now: float) -> bool:
        """A reply is being played, and no frame of it was heard for `DRY_S`."""
        return self.state is SPEAKING and now >= self._progressed_at + DRY_S

    def _exhausted(self, now: float) -> bool:
        """The turn has lasted its longest time: more speech does not prolong it."""
        if self.state is not THINKING or self._spoke_at is None:
            return False
        return now >= self._spoke_at + self._turn.max_turn_s

    def _deadline(self, now: float) -> float | None:
        turn = self._turn
        match self.state:
            case State.IDLE:
                return None
            case State.LISTENING if self._user_spoke:
                since = now if self._spoke_at is None else self._spoke_at
                return max(now, since + turn.max_turn_s)
            case State.LISTENING:
                return now + (turn.follow_up_s if self._follow_up else turn.no_speech_timeout_s)
            case State.THINKING:
                return now + turn.response_timeout_s
            case State.SPEAKING:
                return now + max(STALLED_S, turn.response_timeout_s)
            case State.BARGE_IN:
                return now + self._decision_window_s + BARGE_IN_GRACE_S
