"""Known mistakes of other clients of the protocol, and the tests that protect Parley from each.

The table is checked: it must not name a test that was renamed or removed.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from parleyd import config
from parleyd.playback.playout import Playout
from parleyd.realtime import events as ev
from parleyd.realtime.server_errors import ErrorAction
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import ServerProblem

VOICE = np.full(4800, 1000, np.int16)  # 200 ms at 24 kHz

TESTS = Path(__file__).parent.parent

TRAPS = {
    "an error about a cancel with nothing to cancel ends the client": {
        "realtime/test_session.py": "test_harmless_errors_log_nothing_and_end_nothing",
        "e2e/test_faults.py": "test_dead_response_is_never_played",
    },
    "'conversation already has an active response'": {
        "realtime/test_session.py": "test_early_create_is_repeated_at_most_three_times",
    },
    "a late response.done of an old response clears the newer one's flag": {
        "realtime/test_session.py": "test_late_end_of_an_old_response_keeps_the_newer_one",
    },
    "truncated at the wrong millisecond": {
        "e2e/test_faults.py": "test_truncation_reports_the_heard_milliseconds",
        "e2e/test_interruptions.py": "test_server_interruption_is_followed_without_a_cancel",
        "realtime/test_session.py": "test_truncate_past_the_end_is_repeated_with_its_length",
    },
    "truncated at 0 ms or before the first audio": {
        "realtime/test_session.py": "test_barge_in_cancels_truncates_and_deletes",
        "e2e/test_interruptions.py": "test_interruption_before_first_audio_truncates_nothing",
    },
    "a fully played item is truncated and the model repeats itself": {
        "realtime/test_traps.py": "test_fully_heard_item_is_not_truncated",
    },
    "the server does not truncate for a WebSocket client": {
        "core/test_speaker.py": "test_interruption_ends_the_old_answer_and_is_answered_once",
    },
    "cancelled twice, or without an id: the next answer dies": {
        "realtime/test_traps.py": "test_response_is_cancelled_once_by_its_id",
        "realtime/test_session_profiles.py": "test_self_interrupting_server_gets_only_a_truncate",
    },
    "interrupted before response.created, silently ignored": {
        "realtime/test_session.py": "test_interruption_before_created_cancels_by_id_later",
        "e2e/test_faults.py": "test_user_speaking_during_thinking_cancels_the_answer",
    },
    "late deltas of a cancelled response are played": {
        "realtime/test_session.py": "test_late_deltas_of_a_dead_response_are_dropped",
    },
    "playback is flushed only while the server generates": {
        "core/test_speaker.py": "test_hold_drops_playback_in_the_same_tick",
    },
    "several audio items in one response are taken for one": {
        "e2e/test_faults.py": "test_truncation_reports_the_heard_milliseconds",
    },
    "clearing the input buffer wipes the beginning of what the user says": {
        "core/test_speaker.py": "test_no_audio_is_sent_during_a_reply_and_preroll_is_first",
        "core/test_interruptions_core.py": "test_first_audio_during_speech_loses_no_word",
    },
    "the echo of its own voice interrupts it": {
        "hearing/test_echo_control.py": "test_hearing_of_the_reply_does_not_interrupt_itself",
    },
    "the session's cap ends the loop silently": {
        "e2e/test_faults.py": "test_session_closed_at_its_limit_is_followed_by_a_new_one",
        "realtime/test_connection.py": "test_temporary_close_is_reported_and_a_new_socket_opens",
        "core/test_connection_policy.py": "test_idle_connection_is_renewed_before_its_end",
    },
    "nulls, or no session.type, in session.update": {
        "realtime/test_first_messages.py": "test_first_message_by_default_is_exact",
    },
    "the model is silent after a remote (MCP) call": {
        "realtime/test_traps.py": "test_model_is_prompted_after_a_remote_call",
        "realtime/test_remote_tools.py": "test_model_is_prompted_once_after_call_and_response",
    },
    "the voice is locked after the first audio": {
        "realtime/test_traps.py": "test_locked_voice_is_changed_by_a_new_session",
    },
}


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_a_test(trap: str) -> None:
    for file, name in TRAPS[trap].items():
        text = (TESTS / file).read_text("utf-8")
        assert re.search(rf"^ *def {name}\(", text, re.MULTILINE), f"{file}: {name}"


def begun(response_id: str = "r1") -> RealtimeSession:
    """A session with a response in progress."""
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig(detection="local"))
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.receive(ev.SessionUpdated(), 0.0)
    made.append(VOICE)
    made.ask_for_reply(0.0)
    made.to_send()
    made.receive(ev.ResponseCreated(response=ev.Response(id=response_id)), 0.1)
    return made


def test_response_is_cancelled_once_by_its_id() -> None:
    made = begun()
    for second in range(1, 5):
        made.interrupt([], float(second) / 10)
        made.stop_generating(float(second) / 10)
    cancels = [event for event in made.to_send() if isinstance(event, ev.CancelResponse)]
    assert [event.response_id for event in cancels] == ["r1"]


def test_fully_heard_item_is_not_truncated() -> None:
    playout = Playout(24_000, 10.0)
    for item in ("first", "second"):
        playout.append(item, 0, VOICE[:2400])
        playout.finish(item, 0)
    played = 0
    while played < 3600:  # the first item and half of the second
        played += len(playout.pull(240))
        playout.heard(0)
    cut = playout.discard(0)
    assert [(part.item_id, 0 < part.heard_ms < part.received_ms) for part in cut] == [
        ("second", True)
    ]
    made = begun()
    made.interrupt(cut, 1.0)
    truncated = [e.item_id for e in made.to_send() if isinstance(e, ev.TruncateItem)]
    assert truncated == ["second"]


def test_model_is_prompted_after_a_remote_call() -> None:
    made = begun()
    call = {"type": "mcp_call", "id": "m1", "name": "look", "output": None}
    made.receive(ev.OutputItemAdded(response_id="r1", item=call), 0.2)
    made.receive(ev.McpCallBegun(item_id="m1"), 0.2)
    made.receive(ev.ResponseDone(response=ev.Response(id="r1", status="completed")), 0.3)
    assert made.to_send() == []
    assert made.receive(ev.McpCallCompleted(item_id="m1"), 2.0) == []
    assert [type(event) for event in made.to_send()] == [ev.CreateResponse]


def test_locked_voice_is_changed_by_a_new_session() -> None:
    made = begun()
    locked = ev.ErrorDetail(code="cannot_update_voice", message="Cannot update a conversation's")
    (problem,) = made.receive(ev.ServerError(error=locked), 1.0)
    assert isinstance(problem, ServerProblem)
    assert problem.action is ErrorAction.RECONNECT
