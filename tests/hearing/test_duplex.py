"""Half duplex is the fallback while the echo masks every voice; full duplex returns after it."""

import numpy as np
import pytest

from parleyd import config
from parleyd.core.events import SetVolume
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.playback.lead import PlaybackLead
from parleyd.units import MIC_PERIOD_FRAMES
from tests.paper_server import Paper, settings

JUDGED_PERIODS = 600  # 6 s of audible echo
TOO_LOUD_DBFS = -30.0  # louder than users are at the microphone
GOOD_AGAIN_DBFS = -36.0


def period(level_dbfs: float, echo_dbfs: float = -20.0) -> ProcessedPeriod:
    return ProcessedPeriod(
        cleaned=np.zeros(MIC_PERIOD_FRAMES, np.int16),
        excess_db=0.0,
        voice=0.0,
        voice_chunk=False,
        near_end=0.0,
        speech=0.0,
        level_dbfs=level_dbfs,
        echo_dbfs=echo_dbfs,
    )


def test_duplex_with_loud_residual_echo_is_half_after_6_s() -> None:
    duplex = Duplex()
    changes = [duplex.update(period(TOO_LOUD_DBFS + 3)) for _ in range(JUDGED_PERIODS)]
    assert changes == [False] * (JUDGED_PERIODS - 1) + [True]
    assert not duplex.full
    assert duplex.echo_left_dbfs == TOO_LOUD_DBFS + 3


def test_duplex_with_clearly_lower_residual_echo_is_full_again() -> None:
    duplex = Duplex()
    for _ in range(JUDGED_PERIODS):
        duplex.update(period(TOO_LOUD_DBFS + 3))
    for level in (TOO_LOUD_DBFS - 1, GOOD_AGAIN_DBFS + 1):
        assert not any(duplex.update(period(level)) for _ in range(2 * JUDGED_PERIODS))
    assert sum(duplex.update(period(GOOD_AGAIN_DBFS - 1)) for _ in range(2 * JUDGED_PERIODS)) == 1
    assert duplex.full


@pytest.mark.parametrize(
    ("user_dbfs", "limit_dbfs"), [(-60.0, -30.0), (-40.0, -30.0), (-33.0, -23.0)]
)
def test_duplex_is_full_for_a_user_who_is_as_loud(user_dbfs: float, limit_dbfs: float) -> None:
    """A user 10 dB below the residual echo is still noticed; one below -40 dBFS changes nothing."""
    duplex = Duplex()
    duplex.user_spoke(user_dbfs)
    assert not any(duplex.update(period(limit_dbfs - 0.1)) for _ in range(JUDGED_PERIODS))
    assert sum(duplex.update(period(limit_dbfs + 0.1)) for _ in range(JUDGED_PERIODS)) == 1


def test_half_duplex_ends_for_a_louder_user() -> None:
    duplex = half(-27.0)
    duplex.user_spoke(-30.0)  # the limit to return is 6 dB below -20 dBFS
    assert sum(duplex.update(period(-27.0)) for _ in range(JUDGED_PERIODS)) == 1
    assert duplex.full


def test_front_end_tells_duplex_how_loud_the_user_was() -> None:
    front_end = AudioFrontEnd(settings(), None, PlaybackLead(40))
    for period_number in range(100):
        said = period(-30.0)._replace(voice=0.9, voice_chunk=True, speech=0.9)
        front_end._voices.update(said, period_number / 100, quiet=True)
    front_end.turn_ended(1.6, called=True)
    assert not any(front_end._duplex.update(period(-21.0)) for _ in range(JUDGED_PERIODS))
    assert any(front_end._duplex.update(period(-19.0)) for _ in range(JUDGED_PERIODS))


def test_duplex_ignores_a_loud_user_over_a_good_canceller() -> None:
    duplex = Duplex()
    for tick in range(3000):
        talks = tick % 1000 < 250
        assert not duplex.update(period(-22.0 if talks else -55.0))


def test_duplex_ignores_periods_without_echo() -> None:
    duplex = Duplex()
    assert not any(duplex.update(period(-10.0, echo_dbfs=-90.0)) for _ in range(2000))


def half(left_dbfs: float = -25.0) -> Duplex:
    """Return a half duplex, decided from this residual echo."""
    duplex = Duplex()
    for _ in range(JUDGED_PERIODS):
        duplex.update(period(left_dbfs))
    assert not duplex.full
    return duplex


@pytest.mark.parametrize("echo_dbfs", [-55.0, -58.0, -80.0, -120.0])
def test_duplex_with_an_inaudible_echo_is_full_within_6_s(echo_dbfs: float) -> None:
    duplex = half()
    for _ in range(150):
        duplex.update(period(-25.0))
    changes = [duplex.update(period(-70.0, echo_dbfs)) for _ in range(600)]
    assert sum(changes) == 1
    assert duplex.full


def test_duplex_stays_half_in_the_pauses_of_a_loud_echo() -> None:
    """A slow reader alternates a second of speech with two seconds of silence."""
    duplex = half()
    for tick in range(6000):
        speaks = tick % 300 < 100
        assert not duplex.update(period(-25.0 if speaks else -70.0, -20.0 if speaks else -90.0))


def test_duplex_stays_half_while_the_canceller_has_lost_the_echo() -> None:
    duplex = half()
    assert not any(duplex.update(period(-25.0, -80.0)) for _ in range(6000))


def test_duplex_after_a_volume_change_decides_at_once() -> None:
    """-25 dBFS at 100 % is -37 dBFS at half the volume, a quarter of the amplitude."""
    duplex = half(-25.0)
    assert not duplex.volume_changed(-6.0)  # -31: still too loud
    assert duplex.volume_changed(-6.0)  # -37
    assert duplex.full
    assert not duplex.volume_changed(+12.0)  # the next replies decide
    changes = [duplex.update(period(-25.0)) for _ in range(JUDGED_PERIODS)]
    assert changes == [False] * (JUDGED_PERIODS - 1) + [True]


def test_duplex_discards_levels_of_another_volume() -> None:
    duplex = Duplex()
    for _ in range(JUDGED_PERIODS - 1):
        duplex.update(period(-25.0))
    duplex.volume_changed(-20.0)
    assert not any(duplex.update(period(-45.0)) for _ in range(JUDGED_PERIODS))
    assert duplex.full


@pytest.mark.parametrize("volumes", [[100, 0], [0, 100], [50, 50], [1, 0, 1]])
def test_duplex_accepts_any_change_of_the_volume(volumes: list[int]) -> None:
    audio = config.AudioConfig(volume=volumes[0])
    front_end = AudioFrontEnd(config.Config(audio=audio), None, PlaybackLead(40))
    assert [front_end.volume_changed(percent) for percent in volumes[1:]] == [None] * (
        len(volumes) - 1
    )


def test_speaker_at_a_lower_volume_logs_full_duplex() -> None:
    paper = Paper(settings(volume=100))
    for _ in range(JUDGED_PERIODS):
        paper.speaker._front_end._duplex.update(period(-25.0))
    paper.say(SetVolume(90))
    paper.run(0.1)
    assert paper.log_events("full_duplex") == []
    paper.say(SetVolume(50))
    paper.run(0.1)
    assert len(paper.log_events("full_duplex")) == 1


@pytest.mark.parametrize(("left_dbfs", "full"), [(-30.01, True), (-30.0, False)])
def test_duplex_is_half_from_minus_30_on(left_dbfs: float, full: bool) -> None:
    duplex = Duplex()
    for _ in range(600):
        duplex.update(period(left_dbfs))
    assert (duplex.full, duplex.echo_left_dbfs) == (full, left_dbfs)


@pytest.mark.parametrize(("left_dbfs", "full"), [(-36.0, False), (-36.01, True)])
def test_duplex_is_full_again_below_minus_36(left_dbfs: float, full: bool) -> None:
    duplex = half()
    for _ in range(600):
        duplex.update(period(left_dbfs))
    assert duplex.full is full


@pytest.mark.parametrize(("echo_dbfs", "judged"), [(-55.0, False), (-54.9, True)])
def test_duplex_judges_echoes_above_minus_55(echo_dbfs: float, judged: bool) -> None:
    duplex = Duplex()
    assert duplex.echo_left_dbfs == -120.0
    changes = [duplex.update(period(-20.0, echo_dbfs)) for _ in range(600)]
    assert any(changes) is judged


def test_duplex_after_3_s_without_an_echo_is_full() -> None:
    duplex = half()
    changes = [duplex.update(period(-70.0, -55.0)) for _ in range(300)]
    assert changes == [False] * 299 + [True]
    loud = half()
    assert not any(loud.update(period(-30.0, -80.0)) for _ in range(300))
    quiet = half()
    assert any(quiet.update(period(-30.1, -80.0)) for _ in range(300))


def test_duplex_at_a_lower_volume_is_full_below_minus_36() -> None:
    assert not half(-25.0).volume_changed(-11.0)
    assert half(-25.0).volume_changed(-11.1)
    assert not Duplex().volume_changed(-50.0)  # full already


def test_duplex_at_a_raised_volume_is_not_full() -> None:
    duplex = half(-25.0)
    duplex.echo_left_dbfs = -80.0
    assert not duplex.volume_changed(+1.0)


def test_duplex_with_an_echo_of_minus_54_8_stays_half() -> None:
    duplex = half()
    assert not any(duplex.update(period(-70.0, -54.8)) for _ in range(300))
