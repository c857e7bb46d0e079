"""How often an interruption works, by the levels of echo and user; and levels between volumes."""

import pytest

from parleyd.calibration.figures import SweepFigures
from parleyd.calibration.interrupting import EchoLevels, chance

TWO = (
    SweepFigures(volume=40, heard=True, reply_dbfs=-50.0, over_noise_db=30.0),
    SweepFigures(volume=80, heard=True, reply_dbfs=-40.0, over_noise_db=30.0),
    SweepFigures(volume=40, heard=True, reply_dbfs=-52.0, over_noise_db=30.0),
    SweepFigures(volume=60, heard=True, reply_dbfs=-90.0, over_noise_db=1.0),  # not reliable
    SweepFigures(volume=20, heard=False),
)


@pytest.mark.parametrize(
    ("over_db", "share", "words"),
    [
        (-30.0, 0.94, "nearly every"),
        (0.0, 0.94, "nearly every"),
        (10.0, 0.95, "nearly every"),
        (12.0, 0.894, "four of five"),
        (15.0, 0.81, "four of five"),
        (20.0, 0.65, "two of three"),
        (25.0, 0.49, "every second"),
        (30.0, 0.33, "hardly any"),
        (60.0, 0.0, "hardly any"),
    ],
)
def test_chance_falls_with_the_echo_over_the_user(over_db: float, share: float, words: str) -> None:
    found = chance(over_db)
    assert found.share == pytest.approx(share, abs=0.001)
    assert words in found.words


def test_level_between_and_beyond_the_volumes_follows_their_square() -> None:
    levels = EchoLevels(TWO)
    assert levels.at(40) == -51.0
    assert levels.at(80) == -40.0
    assert levels.at(60) == pytest.approx(-51 + 11 * 0.585, abs=0.01)  # of an octave
    assert levels.at(20) == pytest.approx(-51 - 12.04, abs=0.01)
    assert levels.at(100) == pytest.approx(-40 + 3.88, abs=0.01)
    assert levels.at(0) == levels.at(1)


def test_loudest_volume_below_a_level_is_a_multiple_of_five() -> None:
    levels = EchoLevels(TWO)
    assert levels.loudest_below(-40.0, 80) == 80
    assert levels.loudest_below(-40.1, 80) == 75
    assert levels.loudest_below(-40.0, 79) == 75
    assert levels.loudest_below(-51.0, 100) == 40
    assert levels.loudest_below(-120.0, 100) == 0
