"""The connection policy: renewal at idle moments, connection when needed."""

from parleyd.core.connection_policy import ConnectionPolicy
from parleyd.core.events import Reconnect, RenewConnection, SetConnectionWanted

# Seconds: OpenAI ends sessions after an hour.
LONGEST_S = 3600.0
RENEW_BEFORE_S = 300.0
LAST_MOMENT_S = 15.0
BELIEVED_S = 60.0
READY_WITHIN_S = 60.0
REST_AFTER_S = 30.0


def up(connection: str = "warm", now: float = 0.0) -> ConnectionPolicy:
    line = ConnectionPolicy(connection)
    line.opened(now)
    line.ready()
    return line


def test_idle_connection_is_renewed_before_its_end() -> None:
    line = up()
    assert line.next(True, LONGEST_S - RENEW_BEFORE_S - 1) is None
    assert isinstance(line.next(True, LONGEST_S - RENEW_BEFORE_S), RenewConnection)
    assert line.next(True, LONGEST_S) is None  # once
    assert line.missed == ""  # and the user does not see it


def test_renewal_waits_for_idle_but_not_too_long() -> None:
    line = up()
    assert line.next(False, LONGEST_S - LAST_MOMENT_S - 1) is None
    assert isinstance(line.next(False, LONGEST_S - LAST_MOMENT_S), RenewConnection)


def test_server_expiry_is_used_unless_a_clock_is_wrong() -> None:
    line = up()
    line.expires(1200.0, 100.0)
    assert line.next(True, 100.0 + 1200.0 - RENEW_BEFORE_S - 1) is None
    assert isinstance(line.next(True, 100.0 + 1200.0 - RENEW_BEFORE_S), RenewConnection)
    for nonsense in (-5e8, 0.0, BELIEVED_S - 1, 4e9, float("nan")):
        line = up()
        line.expires(nonsense, 0.0)
        assert line.next(True, LONGEST_S - RENEW_BEFORE_S - 1) is None
        assert isinstance(line.next(True, LONGEST_S - RENEW_BEFORE_S), RenewConnection)


def test_short_sessions_are_not_renewed_constantly() -> None:
    line = up()
    line.expires(120.0, 0.0)
    assert line.next(True, 80.0) is None
    assert isinstance(line.next(True, 90.0), RenewConnection)


def test_failed_renewal_is_shown_like_any_loss() -> None:
    line = up()
    line.next(True, LONGEST_S)
    line.down("no network", False)
    assert line.missed == "no network"


def test_on_wake_connection_opens_with_a_turn_and_closes_after() -> None:
    line = ConnectionPolicy("on-wake")
    assert line.next(True, 0.0) is None
    assert line.missed == ""
    assert line.next(False, 1.0) == SetConnectionWanted(True)
    assert line.next(False, 1.1) is None
    line.opened(1.5)
    line.ready()
    assert line.next(True, 10.0) is None
    assert line.next(True, 10.0 + REST_AFTER_S - 0.1) is None
    assert line.next(True, 10.0 + REST_AFTER_S) == SetConnectionWanted(False)
    assert line.next(True, 10.0 + REST_AFTER_S + 0.1) is None
    assert line.missed == ""
    assert line.next(False, 99.0) == SetConnectionWanted(True)


def test_turn_skips_the_retry_delay_once() -> None:
    line = up()
    line.down("no network", False)
    assert line.next(True, 1.0) is None
    assert line.next(False, 2.0) == SetConnectionWanted(True)
    line.down("no network", False)
    assert line.next(False, 2.1) is None
    assert line.next(True, 3.0) is None
    assert line.next(False, 4.0) == SetConnectionWanted(True)


def test_refused_connection_is_not_retried() -> None:
    line = up("on-wake")
    line.down("the key", True)
    assert line.refused == "the key"
    assert line.next(False, 1.0) is None
    assert line.next(True, 2.0) is None
    assert line.next(True, 2.0 + 2 * REST_AFTER_S) is None


def test_silent_server_is_abandoned() -> None:
    line = ConnectionPolicy("warm")
    line.opened(0.0)
    assert line.next(True, READY_WITHIN_S - 0.1) is None
    assert isinstance(line.next(True, READY_WITHIN_S), Reconnect)
    assert line.next(True, READY_WITHIN_S + 1) is None


def test_deferred_connection_is_retried_once_a_turn() -> None:
    for connection in ("warm", "on-wake"):
        line = up(connection)
        line.down("no quota", False, True)
        assert (line.put_off, line.refused, line.missed) == ("no quota", "", "")
        assert line.next(True, 1.0) is None
        assert line.next(True, 1.0 + 2 * REST_AFTER_S) is None  # it stays shown
        assert line.next(False, 90.0) == SetConnectionWanted(True)
        line.down("no quota", False, True)
        assert line.next(False, 91.0) is None
        assert line.next(True, 92.0) is None
        assert line.next(False, 93.0) == SetConnectionWanted(True)
        line.opened(94.0)
        line.ready()
        assert (line.put_off, line.up) == ("", True)


def test_expiry_of_an_hour_or_more_is_ignored() -> None:
    line = up()
    line.expires(60.0, 0.0)  # the shortest accepted expiry
    assert line.next(True, 44.9) is None
    assert isinstance(line.next(True, 45.0), RenewConnection)
    line = up()
    line.expires(3600.0, 1000.0)
    assert isinstance(line.next(True, 3300.0), RenewConnection)


def test_wait_for_a_server_doubles_to_five_minutes() -> None:
    line, begun, waits = ConnectionPolicy("warm"), 0.0, []
    for _ in range(5):
        line.opened(begun)
        now = begun
        while not isinstance(line.next(True, now), Reconnect):
            now += 1.0
        waits.append(now - begun)
        begun = now + 1.0
    assert waits == [60.0, 120.0, 240.0, 300.0, 300.0]
    line.opened(begun)
    line.ready()
    line.opened(begun)  # an answer of the server resets the timeout
    assert line.next(True, begun + 59.0) is None
    assert isinstance(line.next(True, begun + 60.0), Reconnect)


def test_connection_names_the_reason_for_no_answer() -> None:
    line = ConnectionPolicy("warm")
    assert line.missed == "connecting"
    line.opened(0.0)
    assert line.missed == "waiting for the server"
    assert not line.up
    line.ready()
    assert (line.missed, line.up) == ("", True)
    assert ConnectionPolicy("on-wake").missed == ""


def test_renewal_is_not_shown_while_the_socket_opens() -> None:
    line = up()
    assert line.next(True, 3300.0) == RenewConnection("the session reaches its longest time")
    line.opened(3301.0)
    assert line.missed == ""
    assert line.next(True, 3302.0) is None
    line.ready()
    assert line.up
    assert line.next(True, 3301.0 + 3299.0) is None
    assert isinstance(line.next(True, 3301.0 + 3300.0), RenewConnection)


def test_renewal_to_forget_happens_only_while_idle_and_up() -> None:
    line = up()
    assert line.next(False, 1.0, "it is long ago") is None
    assert line.next(True, 2.0, "it is long ago") == RenewConnection("it is long ago")
    assert line.next(True, 3.0, "it is long ago") is None
    line.down("no network", False)
    assert line.next(True, 4.0, "it is long ago") is None


def test_on_wake_rest_restarts_with_each_turn() -> None:
    line = up("on-wake")
    assert line.next(True, 10.0) is None
    assert line.next(False, 39.0) is None
    assert line.next(True, 41.0) is None
    assert line.next(True, 70.9) is None
    assert line.next(True, 71.0) == SetConnectionWanted(False)


def test_on_wake_rest_also_ends_a_wait_and_a_fault() -> None:
    waiting = ConnectionPolicy("on-wake")
    waiting.next(False, 1.0)
    waiting.opened(2.0)
    assert waiting.next(True, 3.0) is None
    assert waiting.next(True, 33.0) == SetConnectionWanted(False)
    assert waiting.next(True, 500.0) is None  # it does not wait for a socket
    lost = up("on-wake")
    lost.down("no network", False)
    assert lost.next(True, 3.0) is None
    assert lost.next(True, 33.0) == SetConnectionWanted(False)
    assert up("warm").next(True, 1000.0) is None
