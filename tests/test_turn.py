"""The turn's table: every pair explored, every state ends, nothing is a dead end."""

from itertools import product

import pytest

from parleyd import config
from parleyd.states import State
from parleyd.turn import TABLE, Action, Event, Turn


def turn_in(state: State, detection: str = "server_vad") -> Turn:
    """A turn that came to `state` by events, as life would bring it there."""
    way = {
        State.IDLE: [],
        State.LISTENING: [Event.WAKE_WORD],
        State.THINKING: [Event.WAKE_WORD, Event.TURN_ENDED],
        State.SPEAKING: [Event.WAKE_WORD, Event.TURN_ENDED, Event.REPLY_AUDIBLE],
        State.BARGE_IN: [
            Event.WAKE_WORD, Event.TURN_ENDED, Event.REPLY_AUDIBLE, Event.SUSPECTED,
        ],
    }  # fmt: skip
    turn = Turn(config.Turn(detection=detection), config.Hearing())
    for event in way[state]:
        turn.handle(event, 0.0)
    assert turn.state is state
    return turn


# DESIGN section 2, line by line: from, event, to, what is done
DESIGN = [
    ("idle", "WAKE_WORD", "listening", {"CHIME", "LISTEN"}),
    ("idle", "BUTTON", "listening", {"CHIME", "LISTEN"}),
    ("listening", "TURN_ENDED", "thinking", {"ASK_FOR_REPLY"}),
    ("listening", "TIME_UP", "idle", {"STOP_LISTENING", "LOW_TONE"}),
    ("thinking", "REPLY_AUDIBLE", "speaking", set()),
    ("thinking", "USER_SPOKE", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("thinking", "CUT_OFF", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("speaking", "CUT_OFF", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("barge-in", "CUT_OFF", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("listening", "CUT_OFF", "listening", set()),
    ("idle", "CUT_OFF", "idle", set()),
    ("speaking", "SUSPECTED", "barge-in", {"HOLD"}),
    ("speaking", "WAKE_WORD", "listening", {"INTERRUPT", "LISTEN"}),
    ("speaking", "STOP_WORD", "idle", {"INTERRUPT"}),
    ("speaking", "BUTTON", "idle", {"INTERRUPT"}),
    ("barge-in", "CONFIRMED", "listening", {"INTERRUPT", "LISTEN_FROM_ONSET"}),
    ("barge-in", "REJECTED", "speaking", {"RESUME"}),
    ("barge-in", "TIME_UP", "speaking", {"RESUME"}),
    ("speaking", "REPLY_FINISHED", "listening", {"LISTEN"}),
    ("speaking", "REPLY_FINISHED_LAST", "idle", set()),
    ("speaking", "QUESTION_ASKED", "listening", {"LISTEN"}),
    ("speaking", "FOLLOW_UPS_OVER", "idle", {"LOW_TONE"}),
    ("thinking", "FOLLOW_UPS_OVER", "idle", {"LOW_TONE"}),
    ("barge-in", "FOLLOW_UPS_OVER", "idle", {"INTERRUPT", "LOW_TONE"}),
    ("listening", "LINK_LOST", "idle", {"STOP_LISTENING", "SORRY_TONE"}),
    ("thinking", "LINK_LOST", "idle", {"INTERRUPT", "SORRY_TONE"}),
    ("idle", "LINK_LOST", "idle", set()),
    ("speaking", "LINK_LOST", "speaking", set()),
]


@pytest.mark.parametrize(("state", "event", "to", "done"), DESIGN)
def test_the_table_is_the_design(state: str, event: str, to: str, done: set[str]) -> None:
    turn = turn_in(State(state))
    actions = turn.handle(Event[event], 1.0)
    assert turn.state == to
    assert {action.name for action in actions} == done


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair_leaves_a_state_that_ends(state: State, event: Event) -> None:
    turn = turn_in(state)
    deadline_before = turn.deadline
    actions = turn.handle(event, 5.0)
    assert (turn.deadline is None) == (turn.state is State.IDLE)
    if (state, event) not in TABLE:
        assert (turn.state, actions, turn.deadline) == (state, (), deadline_before)
    for _ in range(5):  # from wherever this leads, silence alone leads home
        if turn.deadline is None:
            break
        now = turn.deadline
        assert turn.time_is_up(now)
        assert not turn.time_is_up(now - 0.001)
        turn.handle(Event.TIME_UP, now)
    assert turn.state is State.IDLE


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_left_by_events_too(state: State) -> None:
    targets = {row.to for (source, _), row in TABLE.items() if source is state}
    assert targets - {state}


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING, State.SPEAKING, State.BARGE_IN])
def test_one_button_press_stops_whatever_goes_on(state: State) -> None:
    turn = turn_in(state)
    turn.handle(Event.BUTTON, 1.0)
    assert turn.state is State.IDLE


def test_a_reply_is_left_for_good_only_through_interrupt_or_its_end() -> None:
    leaving = {
        (state, event): row
        for (state, event), row in TABLE.items()
        if state in (State.THINKING, State.SPEAKING, State.BARGE_IN)
        and row.to in (State.IDLE, State.LISTENING)
    }
    ended = (Event.REPLY_FINISHED, Event.REPLY_FINISHED_LAST, Event.QUESTION_ASKED)
    del leaving[State.SPEAKING, Event.FOLLOW_UPS_OVER]  # at its end, ...
    del leaving[State.THINKING, Event.FOLLOW_UPS_OVER]  # ... as is this; in barge-in, before it
    for (state, event), row in leaving.items():
        assert (Action.INTERRUPT in row.actions) != (event in ended), (state, event)


def test_who_talks_on_for_too_long_is_answered_and_not_forgotten() -> None:
    turn = turn_in(State.LISTENING)
    turn.handle(Event.USER_SPOKE, 1.0)
    assert turn.deadline == 1.0 + config.Turn().longest_s
    assert turn.handle(Event.TIME_UP, 61.0) == (Action.ASK_FOR_REPLY,)
    assert turn.state is State.THINKING


@pytest.mark.parametrize(
    ("state", "event"), [(State.SPEAKING, Event.CUT_OFF), (State.BARGE_IN, Event.CONFIRMED)]
)
def test_who_interrupts_at_length_is_answered_and_not_forgotten(state: State, event: Event) -> None:
    """Locally nobody says a second time that the user has begun to speak."""
    turn = turn_in(state, detection="local")
    turn.handle(event, 1.0)
    assert turn.deadline == 1.0 + config.Turn().longest_s
    assert turn.handle(Event.TIME_UP, 61.0) == (Action.ASK_FOR_REPLY,)


def test_an_unused_follow_up_ends_without_a_sound() -> None:
    turn = turn_in(State.SPEAKING)
    turn.handle(Event.REPLY_FINISHED, 1.0)
    assert turn.deadline == 1.0 + config.Turn().follow_up_s
    assert turn.handle(Event.TIME_UP, 8.0) == (Action.STOP_LISTENING,)


def test_a_reply_that_is_heard_never_runs_out_of_time() -> None:
    turn = turn_in(State.SPEAKING)
    for second in range(120):
        assert not turn.time_is_up(float(second))
        turn.handle(Event.REPLY_PROGRESSED, float(second))
