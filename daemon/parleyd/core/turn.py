"""The state machine of a turn: one table, one deadline for each state, no I/O.

`TABLE` is the whole behaviour: what happens in each state for each event. A pair that
is not in it changes nothing. `Turn` walks it and knows when a state's time is up.
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from parleyd import config
from parleyd.core.states import State
from parleyd.hearing.barge_in import Decision

STALLED_S = 10.0  # least time without a frame of the reply heard before it is abandoned
DRY_S = 0.3  # the same, before the light shows it: a server's deltas may lie that far apart
WORKS_AT_MOST_S = 300.0  # functions of one answer together; a model may call them without end
BARGE_IN_GRACE_S = 0.3  # the decision comes at confirm_ms; this is for when it does not come


class Event(Enum):
    """What can happen to a turn, beside the decisions of barge-in."""

    WAKE_WORD = auto()
    BUTTON = auto()
    STOP_WORD = auto()
    USER_SPOKE = auto()  # the user began to speak while we listen or think
    TURN_ENDED = auto()  # the user has finished
    REPLY_AUDIBLE = auto()  # the first frame of the reply left the loudspeaker
    REPLY_PROGRESSED = auto()  # more of it did
    REPLY_FINISHED = auto()  # the last frame was heard, the response is done, go on listening
    REPLY_FINISHED_LAST = auto()  # the same, and nobody is asked to go on
    FOLLOW_UPS_OVER = auto()  # the same or an interruption, and only the wake word may begin a turn
    QUESTION_ASKED = auto()  # the reply ended with a question that Parley must have answered
    REPLY_FAILED = auto()  # the response ended with nothing to hear
    CUT_OFF = auto()  # the server ended its answer by itself, because it hears the user
    ALARM_DUE = auto()  # an alarm has waited long enough for the end of the reply
    MUTED = auto()  # the microphone was closed by its switch
    LINK_LOST = auto()
    CARD_LOST = auto()  # nothing can be heard or said any more
    TIME_UP = auto()  # the deadline of the state passed


TurnEvent = Event | Decision


class Action(Enum):
    """What is to be done, in the order of the row."""

    CHIME = auto()  # "I am listening"
    LOW_TONE = auto()  # "I stopped listening"
    SORRY_TONE = auto()  # "that did not work"
    LISTEN = auto()  # send microphone audio, from the end of the wake word on
    LISTEN_ON = auto()  # the same, from where it was left off
    LISTEN_FROM_ONSET = auto()  # the same, from the pre-roll before the user's onset on
    STOP_LISTENING = auto()  # send no more; forget what was sent and not answered
    ASK_FOR_REPLY = auto()  # commit where the server does not, then one response.create
    HOLD = auto()  # hold or duck the loudspeaker
    RESUME = auto()  # as if nothing had happened
    INTERRUPT = auto()  # cancel, truncate, discard: nothing of this reply is played again


class Row(NamedTuple):
    """One line of the table."""

    to: State
    actions: tuple[Action, ...] = ()


IDLE, LISTENING, THINKING = State.IDLE, State.LISTENING, State.THINKING
SPEAKING, BARGE_IN = State.SPEAKING, State.BARGE_IN

TABLE: Mapping[tuple[State, TurnEvent], Row] = MappingProxyType(
    {
        (IDLE, Event.WAKE_WORD): Row(LISTENING, (Action.LISTEN, Action.CHIME)),
        (IDLE, Event.BUTTON): Row(LISTENING, (Action.LISTEN, Action.CHIME)),
        #
        (LISTENING, Event.USER_SPOKE): Row(LISTENING),
        (LISTENING, Event.TURN_ENDED): Row(THINKING, (Action.ASK_FOR_REPLY,)),
        (LISTENING, Event.TIME_UP): Row(IDLE, (Action.STOP_LISTENING, Action.LOW_TONE)),
        (LISTENING, Event.BUTTON): Row(IDLE, (Action.STOP_LISTENING, Action.LOW_TONE)),
        (LISTENING, Event.STOP_WORD): Row(IDLE, (Action.STOP_LISTENING, Action.LOW_TONE)),
        (LISTENING, Event.MUTED): Row(IDLE, (Action.STOP_LISTENING,)),
        (LISTENING, Event.CARD_LOST): Row(IDLE, (Action.STOP_LISTENING,)),
        (LISTENING, Event.LINK_LOST): Row(IDLE, (Action.STOP_LISTENING, Action.SORRY_TONE)),
        #
        (THINKING, Event.REPLY_AUDIBLE): Row(SPEAKING),
        (THINKING, Event.USER_SPOKE): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN_ON)),
        (THINKING, Event.CUT_OFF): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN_ON)),
        (THINKING, Event.WAKE_WORD): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN)),
        (THINKING, Event.BUTTON): Row(IDLE, (Action.INTERRUPT, Action.LOW_TONE)),
        (THINKING, Event.STOP_WORD): Row(IDLE, (Action.INTERRUPT, Action.LOW_TONE)),
        (THINKING, Event.REPLY_FINISHED): Row(LISTENING, (Action.LISTEN,)),
        (THINKING, Event.REPLY_FINISHED_LAST): Row(IDLE),
        (THINKING, Event.FOLLOW_UPS_OVER): Row(IDLE, (Action.LOW_TONE,)),
        (THINKING, Event.REPLY_FAILED): Row(IDLE, (Action.INTERRUPT, Action.SORRY_TONE)),
        (THINKING, Event.TIME_UP): Row(IDLE, (Action.INTERRUPT, Action.SORRY_TONE)),
        (THINKING, Event.CARD_LOST): Row(IDLE, (Action.INTERRUPT,)),
        (THINKING, Event.LINK_LOST): Row(IDLE, (Action.INTERRUPT, Action.SORRY_TONE)),
        #
        (SPEAKING, Event.REPLY_PROGRESSED): Row(SPEAKING),
        (SPEAKING, Event.CUT_OFF): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN_ON)),
        (SPEAKING, Decision.HOLD): Row(BARGE_IN, (Action.HOLD,)),
        (SPEAKING, Event.WAKE_WORD): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN)),
        (SPEAKING, Event.BUTTON): Row(IDLE, (Action.INTERRUPT,)),
        (SPEAKING, Event.STOP_WORD): Row(IDLE, (Action.INTERRUPT,)),
        (SPEAKING, Event.ALARM_DUE): Row(IDLE, (Action.INTERRUPT,)),
        (SPEAKING, Event.REPLY_FAILED): Row(IDLE, (Action.INTERRUPT, Action.SORRY_TONE)),
        (SPEAKING, Event.REPLY_FINISHED): Row(LISTENING, (Action.LISTEN,)),
        (SPEAKING, Event.REPLY_FINISHED_LAST): Row(IDLE),
        (SPEAKING, Event.FOLLOW_UPS_OVER): Row(IDLE, (Action.LOW_TONE,)),
        (SPEAKING, Event.QUESTION_ASKED): Row(LISTENING, (Action.LISTEN,)),
        (SPEAKING, Event.CARD_LOST): Row(IDLE, (Action.INTERRUPT,)),
        (SPEAKING, Event.TIME_UP): Row(IDLE, (Action.INTERRUPT, Action.SORRY_TONE)),
        #
        (BARGE_IN, Decision.INTERRUPT): Row(
            LISTENING, (Action.INTERRUPT, Action.LISTEN_FROM_ONSET)
        ),
        (BARGE_IN, Event.FOLLOW_UPS_OVER): Row(IDLE, (Action.INTERRUPT, Action.LOW_TONE)),
        (BARGE_IN, Event.CUT_OFF): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN_ON)),
        (BARGE_IN, Decision.RESUME): Row(SPEAKING, (Action.RESUME,)),
        (BARGE_IN, Event.TIME_UP): Row(SPEAKING, (Action.RESUME,)),
        (BARGE_IN, Event.MUTED): Row(SPEAKING, (Action.RESUME,)),
        (BARGE_IN, Event.WAKE_WORD): Row(LISTENING, (Action.INTERRUPT, Action.LISTEN)),
        (BARGE_IN, Event.BUTTON): Row(IDLE, (Action.INTERRUPT,)),
        (BARGE_IN, Event.STOP_WORD): Row(IDLE, (Action.INTERRUPT,)),
        (BARGE_IN, Event.CARD_LOST): Row(IDLE, (Action.INTERRUPT,)),
    }
)


_BEGIN_A_TURN: frozenset[TurnEvent] = frozenset(
    {Event.WAKE_WORD, Event.REPLY_FINISHED, Event.QUESTION_ASKED}
)


class Turn:
    """Where the conversation is; owned by the audio thread."""

    def __init__(self, turn: config.Turn, hearing: config.Hearing) -> None:
        self.state = State.IDLE
        self.deadline: float | None = None
        """When `Event.TIME_UP` happens (seconds, monotonic); None only in `idle`."""
        self._turn = turn
        self._confirm_s = hearing.confirm_ms / 1000
        self._thinks_since = self._progressed_at = 0.0
        self._user_spoke = False
        self._spoke_at: float | None = None  # the first time in this turn
        self._means_speech: set[TurnEvent] = {Event.USER_SPOKE, Event.CUT_OFF}
        if turn.detection == "local":
            self._means_speech.add(Decision.INTERRUPT)  # a server says it anew, as USER_SPOKE
        self._follow_up = False

    def handle(self, event: TurnEvent, now: float) -> tuple[Action, ...]:
        """Move to the next state and return what is to be done, in order."""
        if event is Event.TIME_UP and self.state is LISTENING and self._user_spoke:
            event = Event.TURN_ENDED  # the longest turn is over: answer what there is
        row = TABLE.get((self.state, event))
        if row is None or (event is Event.USER_SPOKE and self._exhausted(now)):
            return ()
        actions = row.actions
        if event is Event.TIME_UP and self._follow_up:
            actions = tuple(a for a in actions if a is not Action.LOW_TONE)  # nobody was asked
        self._user_spoke = row.to is LISTENING and event in self._means_speech
        self._follow_up = row.to is LISTENING and event is Event.REPLY_FINISHED
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
        """The reply waits for a function or a remote tool, which has a time limit of its own:
        the state's time begins anew, within `WORKS_AT_MOST_S`."""
        if self.state in (THINKING, SPEAKING) and now - self._thinks_since < WORKS_AT_MOST_S:
            self.deadline = self._deadline(now)

    def time_is_up(self, now: float) -> bool:
        """The state's deadline has passed: the owner hands in `Event.TIME_UP`."""
        return self.deadline is not None and now >= self.deadline

    def runs_dry(self, now: float) -> bool:
        """A reply is under way, and nothing of it was heard for a while."""
        return self.state is SPEAKING and now >= self._progressed_at + DRY_S

    def _exhausted(self, now: float) -> bool:
        """A voice that never pauses is answered all the same, and not listened to once more."""
        if self.state is not THINKING or self._spoke_at is None:
            return False
        return now >= self._spoke_at + self._turn.longest_s

    def _deadline(self, now: float) -> float | None:
        turn = self._turn
        match self.state:
            case State.IDLE:
                return None
            case State.LISTENING if self._user_spoke:
                since = now if self._spoke_at is None else self._spoke_at
                return max(now, since + turn.longest_s)
            case State.LISTENING:
                return now + (turn.follow_up_s if self._follow_up else turn.nothing_said_s)
            case State.THINKING:
                return now + turn.answer_within_s
            case State.SPEAKING:
                return now + max(STALLED_S, turn.answer_within_s)
            case State.BARGE_IN:
                return now + self._confirm_s + BARGE_IN_GRACE_S
