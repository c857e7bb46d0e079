"""Half duplex is the honest fallback: chosen when the echo drowns every voice, and left again."""

import numpy as np

from parleyd.hearing import HeardPeriod
from parleyd.hearing.duplex import GOOD_AGAIN_DBFS, JUDGED_PERIODS, TOO_LOUD_DBFS, Duplex
from parleyd.units import MIC_PERIOD_FRAMES


def period(level_dbfs: float, echo_dbfs: float = -20.0) -> HeardPeriod:
    return HeardPeriod(
        cleaned=np.zeros(MIC_PERIOD_FRAMES, np.int16),
        score=0.0,
        voice=0.0,
        voice_chunk=False,
        talker=0.0,
        speech=0.0,
        level_dbfs=level_dbfs,
        echo_dbfs=echo_dbfs,
    )


def test_a_loud_rest_of_echo_gives_up_on_voices_after_six_seconds_of_it() -> None:
    duplex = Duplex()
    changes = [duplex.update(period(TOO_LOUD_DBFS + 3)) for _ in range(JUDGED_PERIODS)]
    assert changes == [False] * (JUDGED_PERIODS - 1) + [True]
    assert not duplex.full
    assert duplex.echo_left_dbfs == TOO_LOUD_DBFS + 3


def test_voices_are_listened_for_again_when_the_echo_is_clearly_lower() -> None:
    duplex = Duplex()
    for _ in range(JUDGED_PERIODS):
        duplex.update(period(TOO_LOUD_DBFS + 3))
    for level in (TOO_LOUD_DBFS - 1, GOOD_AGAIN_DBFS + 1):
        assert not any(duplex.update(period(level)) for _ in range(2 * JUDGED_PERIODS))
    assert sum(duplex.update(period(GOOD_AGAIN_DBFS - 1)) for _ in range(2 * JUDGED_PERIODS)) == 1
    assert duplex.full


def test_a_user_who_talks_loudly_over_a_good_canceller_does_not_count() -> None:
    duplex = Duplex()
    for tick in range(3000):
        talks = tick % 1000 < 250
        assert not duplex.update(period(-22.0 if talks else -55.0))


def test_silence_of_the_loudspeaker_tells_nothing() -> None:
    duplex = Duplex()
    assert not any(duplex.update(period(-10.0, echo_dbfs=-90.0)) for _ in range(2000))
