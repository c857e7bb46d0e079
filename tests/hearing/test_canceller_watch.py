"""A canceller that does not cancel means half duplex, until it cancels again."""

import pytest

from parleyd.hearing.barge_in import Decision
from parleyd.hearing.canceller_watch import CHECK_PERIODS, CancellerWatch
from parleyd.hearing.own_voice import OwnVoice

OWN = OwnVoice(similarity=0.9, delay=8000, removed_db=0.2)
USER = OwnVoice(similarity=0.3, delay=0, removed_db=0.2)
CANCELLED = OwnVoice(similarity=0.9, delay=8000, removed_db=12.0)
BETWEEN = OwnVoice(similarity=0.55, delay=8000, removed_db=4.0)
CHECKS = 4


def lost(at: float = 1.0) -> CancellerWatch:
    watch = CancellerWatch()
    watch.decided(Decision.INTERRUPT, OWN, at)
    assert watch.decided(Decision.INTERRUPT, OWN, at + 1)
    assert watch.lost
    return watch


def test_watch_after_two_interruptions_of_its_own_is_lost() -> None:
    watch = CancellerWatch()
    assert not watch.decided(Decision.INTERRUPT, OWN, 1.0)
    assert not watch.lost
    assert watch.decided(Decision.INTERRUPT, OWN, 9.0)
    assert watch.lost


def test_watch_after_four_holds_of_its_own_is_lost() -> None:
    watch = CancellerWatch()
    changes = [watch.decided(Decision.RESUME, OWN, at) for at in (1.0, 3.0, 5.0, 7.0)]
    assert changes == [False, False, False, True]


@pytest.mark.parametrize("found", [USER, CANCELLED, BETWEEN, None])
def test_watch_ignores_interruptions_of_users(found: OwnVoice | None) -> None:
    watch = CancellerWatch()
    assert not any(watch.decided(Decision.INTERRUPT, found, at) for at in range(10))
    assert not watch.lost


def test_watch_forgets_interruptions_after_a_minute() -> None:
    watch = CancellerWatch()
    assert not any(watch.decided(Decision.INTERRUPT, OWN, at) for at in (1.0, 62.0, 123.0))


@pytest.mark.parametrize("found", [USER, CANCELLED])
def test_watch_whose_canceller_works_again_is_not_lost(found: OwnVoice) -> None:
    watch = lost()
    assert [watch.checked(found, 10.0 + n) for n in range(CHECKS)] == [False] * 3 + [True]
    assert not watch.lost


@pytest.mark.parametrize("found", [OWN, BETWEEN])
def test_watch_counts_checks_in_a_row(found: OwnVoice) -> None:
    watch = lost()
    for _ in range(10):
        assert not any(watch.checked(CANCELLED, 10.0) for _ in range(CHECKS - 1))
        watch.checked(found, 10.0)
    assert watch.lost


def test_watch_after_a_relapse_needs_twice_the_checks() -> None:
    watch = lost()
    assert any(watch.checked(CANCELLED, 10.0) for _ in range(CHECKS))
    for at in (20.0, 21.0):
        watch.decided(Decision.INTERRUPT, OWN, at)
    changes = [watch.checked(CANCELLED, 30.0) for _ in range(2 * CHECKS)]
    assert changes == [False] * (2 * CHECKS - 1) + [True]


def test_watch_learns_nothing_from_silence() -> None:
    watch = lost()
    assert not any(watch.checked(None, 10.0) for _ in range(100))
    assert watch.lost


def test_watch_checks_once_a_second_while_in_doubt() -> None:
    watch = CancellerWatch()
    assert not any(watch.due(in_doubt=False) for _ in range(1000))
    assert sum(watch.due(in_doubt=True) for _ in range(10 * CHECK_PERIODS)) == 10
