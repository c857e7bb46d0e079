"""When a silent peer is dead, in simulated time."""

from hypothesis import given
from hypothesis import strategies as st

from parleyd.realtime.keepalive import Keepalive, KeepaliveAction

LOOK_S = 0.25


def watch(
    keepalive: Keepalive, since: float, until: float, *, answers: bool
) -> tuple[int, float | None]:
    """Check like the connection does; returns the number of pings and the time of the abort."""
    pings, now = 0, since
    while now < until:
        now += LOOK_S
        match keepalive.next(now):
            case KeepaliveAction.PING:
                pings += 1
                if answers:
                    keepalive.heard(now + 0.05)
            case KeepaliveAction.DEAD:
                return pings, now
            case KeepaliveAction.NOTHING:
                pass
    return pings, None


@given(st.floats(0.0, 100.0))
def test_dead_wifi_is_detected_within_5_s_while_a_user_waits(died: float) -> None:
    """At any time in a conversation: between two pings, right after one, while idle."""
    keepalive = Keepalive(0.0)
    assert watch(keepalive, 0.0, died, answers=True)[1] is None
    keepalive.sent(died)
    _, noticed = watch(keepalive, died, died + 20.0, answers=False)
    assert noticed is not None
    assert noticed - died <= 5.0


def test_stall_of_three_seconds_is_tolerated() -> None:
    keepalive = Keepalive(0.0)
    keepalive.sent(0.0)
    assert watch(keepalive, 0.0, 3.0, answers=False)[1] is None
    keepalive.heard(3.0)
    assert watch(keepalive, 3.0, 6.0, answers=False)[1] is None


def test_idle_socket_gets_few_pings_and_long_deadlines() -> None:
    pings, dead = watch(Keepalive(0.0), 0.0, 600.0, answers=True)
    assert dead is None
    assert pings <= 30
    _, dead = watch(Keepalive(0.0), 0.0, 600.0, answers=False)
    assert dead is not None
    assert 20 <= dead <= 45


def test_any_received_data_counts_as_a_sign_of_life() -> None:
    """A slow network is full of audio, and the pong waits behind it."""
    keepalive = Keepalive(0.0)
    now = 0.0
    while now < 60.0:
        now += LOOK_S
        keepalive.sent(now)
        keepalive.heard(now)
        assert keepalive.next(now) is not KeepaliveAction.DEAD


def test_data_before_the_ping_does_not_answer_it() -> None:
    keepalive = Keepalive(0.0)
    keepalive.sent(1.0)
    assert keepalive.next(1.0) is KeepaliveAction.PING
    keepalive.heard(0.9)
    assert keepalive.next(5.0) is KeepaliveAction.DEAD


def test_ping_is_due_twice_a_second_while_a_user_waits() -> None:
    keepalive = Keepalive(0.0)
    keepalive.sent(0.0)
    assert [keepalive.next(now) for now in (0.49, 0.5, 0.99, 1.0)] == [
        KeepaliveAction.NOTHING,
        KeepaliveAction.PING,
        KeepaliveAction.NOTHING,
        KeepaliveAction.PING,
    ]


def test_peer_is_dead_four_seconds_after_the_first_ping() -> None:
    keepalive = Keepalive(0.0)
    keepalive.sent(0.0)
    assert keepalive.next(0.5) is KeepaliveAction.PING
    assert keepalive.next(4.49) is KeepaliveAction.PING
    assert keepalive.next(4.5) is KeepaliveAction.DEAD


def test_ping_is_due_every_twenty_seconds_while_idle() -> None:
    keepalive = Keepalive(0.0)
    keepalive.sent(0.0)
    keepalive.heard(1.0)
    assert keepalive.next(19.9) is KeepaliveAction.PING  # a user may still wait
    keepalive.heard(19.95)
    assert keepalive.next(20.5) is KeepaliveAction.NOTHING
    assert keepalive.next(39.8) is KeepaliveAction.NOTHING
    assert keepalive.next(39.9) is KeepaliveAction.PING
    assert keepalive.next(59.8) is KeepaliveAction.NOTHING
    assert keepalive.next(59.9) is KeepaliveAction.DEAD
