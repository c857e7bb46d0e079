"""The rule of a group: exactly one of the speakers that got all claims answers."""

from collections.abc import Sequence
from itertools import permutations
from random import Random

import pytest

from parleyd.core.arbitration import (
    ALONE_S,
    FIRM_DB,
    HOLD_S,
    LATE_S,
    LOUDER_DB,
    MOST_SPEAKERS,
    STOOD_DOWN_MOST,
    Arbitration,
    Ruling,
    WakeClaim,
    winner,
)

PERIOD_S = 0.01


def claim(name: str, level_db: float, heard: int = 0, answering: bool = False) -> WakeClaim:
    return WakeClaim(f"{name}-1", level_db, heard, answering)


def run(
    levels_db: Sequence[float], times: Sequence[float], delays: Sequence[float], until: float = 1.5
) -> list[bool]:
    """Several speakers on one broker; returns who answers. `delays`: of each one's messages."""
    members = [Arbitration() for _ in levels_db]
    answers, detected = [False] * len(members), [False] * len(members)
    air: list[tuple[float, int, WakeClaim, float]] = []
    for period in range(round(until / PERIOD_S)):
        now = period * PERIOD_S
        for at, sender, sent, born in [m for m in air if m[0] <= now]:
            air.remove((at, sender, sent, born))
            for number, member in enumerate(members):
                if number != sender:
                    member.hear(str(sender), sent, at - delays[sender] - born, now)
        for number, member in enumerate(members):
            ruling = None
            if not detected[number] and now >= times[number]:
                detected[number] = True
                ruling = member.detect(f"{number}-1", levels_db[number], now)
            ruling = member.poll(now) or ruling
            if ruling is not None:
                answers[number] = ruling is not Ruling.STAND_DOWN
            at = now + delays[number]
            air += [(at, number, sent, member.detected) for sent in member.to_publish]
            member.to_publish.clear()
    return answers


# --- the rule on a set of claims --------------------------------------------------------


def test_claim_three_decibels_louder_wins_though_later() -> None:
    assert winner((claim("a", -3.0), claim("b", 0.0, heard=1))).id == "b-1"


def test_claim_that_is_equal_and_earlier_wins() -> None:
    assert winner((claim("a", -2.9), claim("b", 0.0, heard=1))).id == "a-1"


def test_claims_that_are_equal_at_once_go_by_level_then_id() -> None:
    assert winner((claim("a", -1.0), claim("b", 0.0))).id == "b-1"
    assert winner((claim("b", 0.0), claim("a", 0.0))).id == "a-1"


def test_circle_of_three_pairs_has_one_winner() -> None:
    """By pairs a beats b, b beats c, c beats a; the set of all has one answer in any order."""
    circle = [claim("a", 0.0, heard=2), claim("b", -4.0, heard=0), claim("c", -2.0, heard=1)]
    found = {winner(order).id for order in permutations(circle)}
    assert found == {"c-1"}


# --- speakers on a broker ---------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_one_of_two_to_five_answers_if_all_claims_arrive(seed: int) -> None:
    random = Random(seed)
    for _ in range(25):
        count = random.randint(2, 5)
        levels = [random.choice((0.0, -1.5, -2.9, -3.0, -4.5, 2.0)) for _ in range(count)]
        times = [random.uniform(0, 0.08) for _ in range(count)]
        delay = random.uniform(0.0, 0.03)
        answers = run(levels, times, [delay] * count)
        assert sum(answers) == 1, (levels, times, delay)


def test_louder_speaker_answers_though_it_detects_later() -> None:
    assert run([-8.0, 0.0], [0.0, 0.09], [0.02, 0.02]) == [False, True]


def test_detection_after_the_hold_finds_that_another_answers() -> None:
    assert run([-8.0, 0.0], [0.0, 0.2], [0.02, 0.02]) == [True, False]


def test_broker_away_lets_each_answer_after_the_hold() -> None:
    assert run([-8.0, 0.0], [0.0, 0.05], [9.0, 9.0]) == [True, True]


def test_slow_broker_ends_in_one_answer() -> None:
    """Both have chimed; the weaker one stands down when it learns of the other."""
    assert run([-8.0, 0.0], [0.0, 0.05], [0.3, 0.3]) == [False, True]
    assert run([0.0, -8.0, -1.0], [0.0, 0.05, 0.02], [0.5, 0.5, 0.5]) == [True, False, False]


def test_lost_claim_is_made_up_for_by_the_winner() -> None:
    """The first claim of the louder speaker never comes; its second one says that it answers."""
    louder, weaker = Arbitration(), Arbitration()
    assert weaker.detect("b-1", -9.0, 0.0) is Ruling.HOLD
    assert louder.detect("a-1", 0.0, 0.0) is Ruling.HOLD
    louder.hear("b", weaker.to_publish.pop(), 0.0, 0.01)
    louder.to_publish.clear()
    assert louder.poll(HOLD_S) is Ruling.ANSWER
    assert weaker.poll(HOLD_S) is Ruling.ANSWER
    weaker.hear("a", louder.to_publish.pop(), HOLD_S, HOLD_S + 0.02)
    assert weaker.poll(HOLD_S + 0.02) is Ruling.STAND_DOWN


def test_speaker_that_answers_says_so_to_a_late_claim_once() -> None:
    member = Arbitration()
    member.detect("a-1", 0.0, 0.0)
    assert member.poll(HOLD_S) is Ruling.ANSWER
    member.to_publish.clear()
    for _ in range(5):
        member.hear("b", claim("b", 20.0), 0.0, 0.3)
    assert [sent.answering for sent in member.to_publish] == [True]
    assert member.poll(0.3) is None


def test_wake_word_of_a_conversation_is_never_withdrawn() -> None:
    member = Arbitration()
    assert member.detect("a-1", -30.0, 0.0, firm=True) is Ruling.ANSWER
    assert member.to_publish[0].level_db == FIRM_DB
    member.hear("b", claim("b", 50.0, answering=True), 0.0, 0.1)
    assert member.poll(0.1) is None
    other = Arbitration()
    other.detect("b-1", 50.0, 0.0)
    other.hear("a", member.to_publish[0], 0.0, 0.05)
    assert other.poll(0.05) is Ruling.STAND_DOWN


# --- hostile and old claims -------------------------------------------------------------


def test_old_claims_count_for_nothing() -> None:
    member = Arbitration()
    member.hear("b", claim("b", 30.0, answering=True), LATE_S, 0.0)
    member.hear("c", claim("c", 30.0, answering=True), 0.0, 0.0)
    assert member.detect("a-1", 0.0, LATE_S + 0.01) is Ruling.HOLD
    assert member.poll(LATE_S + HOLD_S + 0.02) is Ruling.ANSWER


def test_liar_silences_a_speaker_four_times_and_no_more() -> None:
    member, now, silenced = Arbitration(), 0.0, 0
    for _ in range(12):
        now += 4.0
        member.hear("liar", claim("x", 99.0, answering=True), 0.0, now)
        silenced += member.detect("a-1", 0.0, now) is Ruling.STAND_DOWN
        member.hear("liar", claim("y", 99.0, answering=True), 0.0, now + 0.1)
        assert member.poll(now + 0.1) is not Ruling.STAND_DOWN
        member.poll(now + 1.0)
    assert silenced == STOOD_DOWN_MOST
    now += ALONE_S
    member.hear("liar", claim("z", 99.0, answering=True), 0.0, now)
    assert member.detect("a-1", 0.0, now) is Ruling.STAND_DOWN


def test_flood_of_speakers_is_bounded_and_changes_no_known_one() -> None:
    member = Arbitration()
    member.hear("b", claim("b", 9.0), 0.0, 0.0)
    for number in range(5000):
        member.hear(f"x{number}", claim(f"x{number}", -50.0), 0.0, 0.0)
    member.detect("a-1", 0.0, 0.01)
    assert member.own is not None
    assert member.own.heard == MOST_SPEAKERS
    assert member.poll(0.01 + HOLD_S) is Ruling.STAND_DOWN
    assert member.stood_down is not None
    assert (member.stood_down.speaker, member.stood_down.over_db) == ("b", 9.0)


def test_band_is_three_decibels() -> None:
    assert run([0.0, LOUDER_DB], [0.0, 0.05], [0.01, 0.01]) == [False, True]
    assert run([0.1, LOUDER_DB], [0.0, 0.05], [0.01, 0.01]) == [True, False]
