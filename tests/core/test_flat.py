"""A small run of the bench `tests/bench/flat`: real cores and wake engines, simulated rooms."""

import pytest

from tests.bench.flat import replay, tables, words
from tests.bench.flat.season import USUAL_WAY, season

pytestmark = pytest.mark.slow

SEED, WARM_UP, CALLS = 203, 8, 20


def test_flat_of_three_rooms_gets_one_answer_from_the_right_room() -> None:
    called = season(3, words.spoken(), SEED, WARM_UP, CALLS)
    disputed = [one for one in called if one.disputed]
    assert len(disputed) >= 8
    answers = [one.outcome.answers for one in called if one.outcome.detections]
    assert [len(who) for who in answers] == [1] * len(answers)
    assert sum(tables.wrong(one, one.outcome.answers) for one in disputed) <= 1
    added_ms = {ms for one in called for ms in one.outcome.added_ms}
    assert added_ms == {120}
    first = sum(tables.wrong(one, replay.first(one.outcome.detections)) for one in disputed)
    assert first >= 2  # the simple rule: the bench separates the rules
    assert tables.disagreements(called, 3, USUAL_WAY) == 0
