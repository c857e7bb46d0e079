"""The turn's table: all pairs are tested, every state ends, there is no dead end."""

from itertools import product
from typing import Any

import pytest

from parleyd import config
from parleyd.core.states import State
from parleyd.core.turn import TABLE, TurnAction, TurnEvent, TurnStateMachine, TurnTrigger
from parleyd.hearing.barge_in import Decision

EVENTS: dict[str, TurnEvent] = {event.name: event for event in (*TurnTrigger, *Decision)}


def turn_in(state: State, detection: Any = "server_vad") -> TurnStateMachine:
    """Return a turn that reached `state` by ordinary events."""
    way: dict[State, list[TurnEvent]] = {
        State.IDLE: [],
        State.LISTENING: [TurnTrigger.WAKE_WORD],
        State.THINKING: [TurnTrigger.WAKE_WORD, TurnTrigger.TURN_ENDED],
        State.SPEAKING: [TurnTrigger.WAKE_WORD, TurnTrigger.TURN_ENDED, TurnTrigger.REPLY_AUDIBLE],
        State.BARGE_IN: [
            TurnTrigger.WAKE_WORD, TurnTrigger.TURN_ENDED, TurnTrigger.REPLY_AUDIBLE, Decision.HOLD,
        ],
    }  # fmt: skip
    turn = TurnStateMachine(config.TurnConfig(detection=detection), config.HearingConfig())
    for event in way[state]:
        turn.handle(event, 0.0)
    assert turn.state is state
    return turn


# The design, line by line: from, event, to, actions
DESIGN = [
    ("idle", "WAKE_WORD", "listening", {"CHIME", "LISTEN"}),
    ("idle", "BUTTON", "listening", {"CHIME", "LISTEN"}),
    ("listening", "TURN_ENDED", "thinking", {"ASK_FOR_REPLY", "HEARD_CUE"}),
    ("listening", "TIME_UP", "idle", {"STOP_LISTENING", "LOW_TONE"}),
    ("thinking", "REPLY_AUDIBLE", "speaking", set()),
    ("thinking", "USER_SPOKE", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("thinking", "CUT_OFF", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("speaking", "CUT_OFF", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("barge-in", "CUT_OFF", "listening", {"INTERRUPT", "LISTEN_ON"}),
    ("listening", "CUT_OFF", "listening", set()),
    ("idle", "CUT_OFF", "idle", set()),
    ("speaking", "HOLD", "barge-in", {"HOLD"}),
    ("speaking", "WAKE_WORD", "listening", {"INTERRUPT", "LISTEN"}),
    ("speaking", "STOP_WORD", "idle", {"INTERRUPT"}),
    ("speaking", "BUTTON", "idle", {"INTERRUPT"}),
    ("barge-in", "INTERRUPT", "listening", {"INTERRUPT", "LISTEN_FROM_ONSET"}),
    ("barge-in", "RESUME", "speaking", {"RESUME"}),
    ("barge-in", "TIME_UP", "speaking", {"RESUME"}),
    ("speaking", "REPLY_FINISHED", "listening", {"LISTEN", "FOLLOW_UP_CUE"}),
    ("speaking", "REPLY_FINISHED_LAST", "idle", set()),
    ("speaking", "QUESTION_ASKED", "listening", {"LISTEN", "FOLLOW_UP_CUE"}),
    ("speaking", "FOLLOW_UPS_OVER", "idle", {"LOW_TONE"}),
    ("thinking", "FOLLOW_UPS_OVER", "idle", {"LOW_TONE"}),
    ("barge-in", "FOLLOW_UPS_OVER", "idle", {"INTERRUPT", "LOW_TONE"}),
    ("listening", "CONNECTION_LOST", "idle", {"STOP_LISTENING", "SORRY_TONE"}),
    ("thinking", "CONNECTION_LOST", "idle", {"INTERRUPT", "SORRY_TONE"}),
    ("idle", "CONNECTION_LOST", "idle", set()),
    ("speaking", "CONNECTION_LOST", "speaking", set()),
]


@pytest.mark.parametrize(("state", "event", "to", "done"), DESIGN)
def test_turn_table_matches_the_design(state: str, event: str, to: str, done: set[str]) -> None:
    turn = turn_in(State(state))
    actions = turn.handle(EVENTS[event], 1.0)
    assert turn.state == to
    assert {action.name for action in actions} == done


@pytest.mark.parametrize(("state", "event"), list(product(State, EVENTS.values())))
def test_every_pair_leads_to_a_state_that_ends(state: State, event: TurnEvent) -> None:
    turn = turn_in(state)
    deadline_before = turn.deadline
    actions = turn.handle(event, 5.0)
    assert (turn.deadline is None) == (turn.state is State.IDLE)
    if (state, event) not in TABLE:
        assert (turn.state, actions, turn.deadline) == (state, (), deadline_before)
    for _ in range(5):  # from any state, silence alone leads to idle
        if turn.deadline is None:
            break
        now = turn.deadline
        assert turn.time_is_up(now)
        assert not turn.time_is_up(now - 0.001)
        turn.handle(TurnTrigger.TIME_UP, now)
    assert turn.state is State.IDLE


@pytest.mark.parametrize("state", list(State))
def test_every_state_also_ends_by_events(state: State) -> None:
    targets = {row.to for (source, _), row in TABLE.items() if source is state}
    assert targets - {state}


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING, State.SPEAKING, State.BARGE_IN])
def test_button_press_stops_every_state(state: State) -> None:
    turn = turn_in(state)
    turn.handle(TurnTrigger.BUTTON, 1.0)
    assert turn.state is State.IDLE


def test_reply_ends_only_by_interrupt_or_its_end() -> None:
    leaving = {
        (state, event): row
        for (state, event), row in TABLE.items()
        if state in (State.THINKING, State.SPEAKING, State.BARGE_IN)
        and row.to in (State.IDLE, State.LISTENING)
    }
    ended = (
        TurnTrigger.REPLY_FINISHED,
        TurnTrigger.REPLY_FINISHED_LAST,
        TurnTrigger.QUESTION_ASKED,
    )
    del leaving[State.SPEAKING, TurnTrigger.FOLLOW_UPS_OVER]  # ends the reply at its end ...
    del leaving[State.THINKING, TurnTrigger.FOLLOW_UPS_OVER]  # ... as here; in barge-in, earlier
    for (state, event), row in leaving.items():
        assert (TurnAction.INTERRUPT in row.actions) != (event in ended), (state, event)


def test_overlong_turn_is_answered() -> None:
    turn = turn_in(State.LISTENING)
    turn.handle(TurnTrigger.USER_SPOKE, 1.0)
    assert turn.deadline == 1.0 + config.TurnConfig().max_turn_s
    assert turn.handle(TurnTrigger.TIME_UP, 61.0) == (
        TurnAction.ASK_FOR_REPLY,
        TurnAction.HEARD_CUE,
    )
    assert turn.state is State.THINKING


@pytest.mark.parametrize(
    ("state", "event"),
    [(State.SPEAKING, TurnTrigger.CUT_OFF), (State.BARGE_IN, Decision.INTERRUPT)],
)
def test_overlong_interruption_is_answered(state: State, event: TurnEvent) -> None:
    """With local detection, the start of speech is not reported a second time."""
    turn = turn_in(state, detection="local")
    turn.handle(event, 1.0)
    assert turn.deadline == 1.0 + config.TurnConfig().max_turn_s
    assert turn.handle(TurnTrigger.TIME_UP, 61.0) == (
        TurnAction.ASK_FOR_REPLY,
        TurnAction.HEARD_CUE,
    )


def test_unused_follow_up_ends_without_a_sound() -> None:
    turn = turn_in(State.SPEAKING)
    turn.handle(TurnTrigger.REPLY_FINISHED, 1.0)
    assert turn.deadline == 1.0 + config.TurnConfig().follow_up_s
    assert turn.handle(TurnTrigger.TIME_UP, 8.0) == (TurnAction.STOP_LISTENING,)


def test_audible_reply_never_times_out() -> None:
    turn = turn_in(State.SPEAKING)
    for second in range(120):
        assert not turn.time_is_up(float(second))
        turn.handle(TurnTrigger.REPLY_PROGRESSED, float(second))


# Longest duration of each state with the default configuration, in seconds: 500 ms to confirm an
# interruption, and 0.3 s for a missing decision.
LASTS_S = {"idle": None, "listening": 8.0, "thinking": 20.0, "speaking": 20.0, "barge-in": 0.8}


@pytest.mark.parametrize("state", list(State))
def test_deadline_of_each_state_is_in_plain_seconds(state: State) -> None:
    assert turn_in(state).deadline == LASTS_S[state.value]


# Each row: from, event, to, actions in order. All other pairs change nothing.
ROWS = """
idle WAKE_WORD listening LISTEN CHIME
idle LISTEN_COMMAND listening LISTEN CHIME
idle BUTTON listening LISTEN CHIME
listening USER_SPOKE listening
listening TURN_ENDED thinking ASK_FOR_REPLY HEARD_CUE
listening TIME_UP idle STOP_LISTENING LOW_TONE
listening BUTTON idle STOP_LISTENING LOW_TONE
listening STOP_WORD idle STOP_LISTENING LOW_TONE
listening STOP_COMMAND idle STOP_LISTENING LOW_TONE
listening STOOD_DOWN idle STOP_LISTENING
listening ALARM_DUE idle STOP_LISTENING
listening MUTED idle STOP_LISTENING
listening CARD_LOST idle STOP_LISTENING
listening CONNECTION_LOST idle STOP_LISTENING SORRY_TONE
thinking REPLY_AUDIBLE speaking
thinking USER_SPOKE listening INTERRUPT LISTEN_ON
thinking CUT_OFF listening INTERRUPT LISTEN_ON
thinking WAKE_WORD listening INTERRUPT LISTEN
thinking LISTEN_COMMAND listening INTERRUPT LISTEN
thinking BUTTON idle INTERRUPT LOW_TONE
thinking STOP_WORD idle INTERRUPT LOW_TONE
thinking STOP_COMMAND idle INTERRUPT LOW_TONE
thinking REPLY_FINISHED listening FOLLOW_UP_CUE LISTEN
thinking REPLY_FINISHED_LAST idle
thinking FOLLOW_UPS_OVER idle LOW_TONE
thinking ALARM_DUE idle INTERRUPT
thinking REPLY_FAILED idle INTERRUPT SORRY_TONE
thinking TIME_UP idle INTERRUPT SORRY_TONE
thinking CARD_LOST idle INTERRUPT
thinking CONNECTION_LOST idle INTERRUPT SORRY_TONE
speaking REPLY_PROGRESSED speaking
speaking CUT_OFF listening INTERRUPT LISTEN_ON
speaking HOLD barge-in HOLD
speaking WAKE_WORD listening INTERRUPT LISTEN
speaking LISTEN_COMMAND listening INTERRUPT LISTEN
speaking BUTTON idle INTERRUPT
speaking STOP_WORD idle INTERRUPT
speaking STOP_COMMAND idle INTERRUPT
speaking ALARM_DUE idle INTERRUPT
speaking REPLY_FAILED idle INTERRUPT SORRY_TONE
speaking REPLY_FINISHED listening FOLLOW_UP_CUE LISTEN
speaking REPLY_FINISHED_LAST idle
speaking FOLLOW_UPS_OVER idle LOW_TONE
speaking QUESTION_ASKED listening FOLLOW_UP_CUE LISTEN
speaking CARD_LOST idle INTERRUPT
speaking TIME_UP idle INTERRUPT SORRY_TONE
barge-in INTERRUPT listening INTERRUPT LISTEN_FROM_ONSET
barge-in FOLLOW_UPS_OVER idle INTERRUPT LOW_TONE
barge-in CUT_OFF listening INTERRUPT LISTEN_ON
barge-in RESUME speaking RESUME
barge-in TIME_UP speaking RESUME
barge-in MUTED speaking RESUME
barge-in WAKE_WORD listening INTERRUPT LISTEN
barge-in LISTEN_COMMAND listening INTERRUPT LISTEN
barge-in BUTTON idle INTERRUPT
barge-in STOP_WORD idle INTERRUPT
barge-in STOP_COMMAND idle INTERRUPT
barge-in CARD_LOST idle INTERRUPT
"""


@pytest.mark.parametrize("row", ROWS.strip().splitlines())
def test_row_runs_its_actions_in_order(row: str) -> None:
    state, event, to, *done = row.split()
    turn = turn_in(State(state))
    assert [action.name for action in turn.handle(EVENTS[event], 1.0)] == done
    assert turn.state == to


def test_pairs_without_a_row_change_nothing() -> None:
    rows = {tuple(row.split()[:2]) for row in ROWS.strip().splitlines()}
    for state, event in product(State, EVENTS.values()):
        if (state.value, event.name) not in rows:
            turn = turn_in(state)
            deadline = turn.deadline
            assert turn.handle(event, 1.0) == ()
            assert (turn.state, turn.deadline) == (state, deadline), (state, event)


def test_reply_underruns_after_three_tenths_of_a_second() -> None:
    turn = turn_in(State.SPEAKING)
    turn.handle(TurnTrigger.REPLY_PROGRESSED, 5.0)
    assert not turn.runs_dry(5.29)
    assert turn.runs_dry(5.3)
    assert not turn_in(State.THINKING).runs_dry(100.0)


def test_stalled_reply_is_abandoned_after_at_least_ten_seconds() -> None:
    impatient = TurnStateMachine(config.TurnConfig(response_timeout_s=3.0), config.HearingConfig())
    impatient.handle(TurnTrigger.WAKE_WORD, 0.0)
    impatient.handle(TurnTrigger.TURN_ENDED, 1.0)
    assert impatient.deadline == 4.0
    impatient.handle(TurnTrigger.REPLY_AUDIBLE, 2.0)
    assert impatient.deadline == 12.0


@pytest.mark.parametrize("state", [State.THINKING, State.SPEAKING])
def test_wait_for_functions_ends_after_five_minutes(state: State) -> None:
    turn = turn_in(state)
    turn.wait_on(299.9)
    assert turn.deadline == pytest.approx(319.9)
    turn.wait_on(300.0)
    assert turn.deadline == pytest.approx(319.9)


def test_wait_for_functions_starts_with_thinking() -> None:
    """If the user interrupts and asks again, the five minutes start again."""
    turn = turn_in(State.THINKING)
    turn.handle(TurnTrigger.USER_SPOKE, 200.0)
    turn.handle(TurnTrigger.TURN_ENDED, 210.0)
    turn.wait_on(509.0)
    assert turn.deadline == 529.0


@pytest.mark.parametrize("state", [State.IDLE, State.LISTENING, State.BARGE_IN])
def test_wait_for_functions_prolongs_no_other_state(state: State) -> None:
    turn = turn_in(state)
    before = turn.deadline
    turn.wait_on(0.5)
    assert turn.deadline == before


def test_voice_without_a_pause_is_answered_after_a_minute() -> None:
    """With a television, time counts from the first word, not from each start of speech."""
    turn = turn_in(State.LISTENING)
    turn.handle(TurnTrigger.USER_SPOKE, 1.0)
    turn.handle(TurnTrigger.TURN_ENDED, 30.0)
    assert turn.handle(TurnTrigger.USER_SPOKE, 31.0) == (TurnAction.INTERRUPT, TurnAction.LISTEN_ON)
    assert turn.deadline == 61.0
    turn.handle(TurnTrigger.TURN_ENDED, 60.0)
    assert turn.handle(TurnTrigger.USER_SPOKE, 61.0) == ()
    assert turn.state is State.THINKING


def test_follow_up_listens_for_six_seconds_a_question_for_eight() -> None:
    followed, asked = turn_in(State.SPEAKING), turn_in(State.SPEAKING)
    followed.handle(TurnTrigger.REPLY_FINISHED, 1.0)
    asked.handle(TurnTrigger.QUESTION_ASKED, 1.0)
    assert (followed.deadline, asked.deadline) == (7.0, 9.0)
    assert asked.handle(TurnTrigger.TIME_UP, 9.0) == (
        TurnAction.STOP_LISTENING,
        TurnAction.LOW_TONE,
    )
