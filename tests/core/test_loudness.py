"""The volume: quiet hours make it softer, alarms ring through."""

import msgspec
import numpy as np
import pytest

from parleyd.core.events import AlarmDue, ButtonPressed, QuietHoursChanged, SetVolume
from parleyd.skills.volume import Volume
from tests.paper_server import RATE_HZ, Paper, settings


def paper(volume: int = 70, **audio: int) -> Paper:
    base = settings(volume=volume)
    return Paper(msgspec.structs.replace(base, audio=msgspec.structs.replace(base.audio, **audio)))


def peak(paper: Paper, since_s: float) -> int:
    return int(np.abs(paper.recording.loudspeaker[int(since_s * RATE_HZ) :]).max())


def alarm_peak(paper: Paper) -> int:
    since_s = paper.card.now
    paper.say(AlarmDue("eggs", 1))
    paper.run(1.0)
    paper.say(ButtonPressed())
    paper.run(0.2)
    return peak(paper, since_s)


def low_tone_peak(paper: Paper) -> int:
    """Begin and end a turn by the button."""
    since_s = paper.card.now
    for _ in range(2):
        paper.say(ButtonPressed())
        paper.run(0.3)
    return peak(paper, since_s)


def test_quiet_hours_lower_the_volume_and_their_end_restores_it() -> None:
    quiet = paper(quiet_volume=35)
    before = low_tone_peak(quiet)
    quiet.say(QuietHoursChanged(True))
    assert low_tone_peak(quiet) == pytest.approx(before / 4, rel=0.1)
    quiet.say(QuietHoursChanged(False))
    assert low_tone_peak(quiet) == pytest.approx(before, rel=0.1)


def test_quiet_hours_never_raise_the_volume() -> None:
    soft = paper(volume=20, quiet_volume=40)
    before = low_tone_peak(soft)
    soft.say(QuietHoursChanged(True))
    assert low_tone_peak(soft) == pytest.approx(before, rel=0.1)


def test_volume_that_is_set_in_quiet_hours_counts_until_they_end() -> None:
    quiet = paper(quiet_volume=20)
    quiet.say(QuietHoursChanged(True))
    softest = low_tone_peak(quiet)
    quiet.say(SetVolume(40))
    assert low_tone_peak(quiet) == pytest.approx(4 * softest, rel=0.15)
    quiet.say(QuietHoursChanged(False))
    assert low_tone_peak(quiet) == pytest.approx(low_tone_peak(paper()), rel=0.15)
    quiet.say(QuietHoursChanged(True))
    assert low_tone_peak(quiet) == pytest.approx(softest, rel=0.15)


@pytest.mark.parametrize("volume", [0, 10, 70])
def test_alarm_is_as_loud_as_ever_in_quiet_hours(volume: int) -> None:
    loud = alarm_peak(paper(volume=70, alarm_volume=70))
    quiet = paper(volume=volume, quiet_volume=0, alarm_volume=70)
    quiet.say(QuietHoursChanged(True))
    assert alarm_peak(quiet) == pytest.approx(loud, rel=0.1)
    if volume:
        quiet.say(QuietHoursChanged(False))
        own = low_tone_peak(quiet)
        assert own == pytest.approx(low_tone_peak(paper(volume=volume)), rel=0.15)


def test_alarm_rings_at_a_louder_volume() -> None:
    assert alarm_peak(paper(volume=100, alarm_volume=50)) > 3 * alarm_peak(
        paper(volume=30, alarm_volume=50)
    )


def test_voice_and_loudspeaker_agree_about_steps_in_quiet_hours() -> None:
    quiet = paper(volume=60, quiet_volume=30)
    volume = Volume(60, lambda percent: quiet.say(SetVolume(percent)), 30)

    def pass_on(begun: bool) -> int:
        volume.quiet_hours(begun)
        quiet.say(QuietHoursChanged(begun))
        return volume.percent

    day = low_tone_peak(quiet)
    assert pass_on(True) == 30
    assert volume.change_volume(-1) == "The volume is 20 percent now."
    assert low_tone_peak(quiet) == pytest.approx(day / 9, rel=0.15)
    assert volume.change_volume(2) == "The volume is 40 percent now."
    assert low_tone_peak(quiet) == pytest.approx(day * 4 / 9, rel=0.15)
    assert volume.day_percent == 60
    assert pass_on(False) == 60
    assert low_tone_peak(quiet) == pytest.approx(day, rel=0.15)


@pytest.mark.parametrize("percent", [0, 3, 5])
def test_softer_is_never_louder(percent: int) -> None:
    volume = Volume(60, lambda percent: None, percent)
    volume.quiet_hours(True)
    assert volume.change_volume(-1) == f"The volume is {percent} percent now."
    volume.change_volume(1)
    assert volume.percent == percent + 10


def test_choice_at_night_does_not_lower_alarms() -> None:
    loud = alarm_peak(paper(volume=90, alarm_volume=50))
    quiet = paper(volume=90, alarm_volume=50, quiet_volume=30)
    quiet.say(QuietHoursChanged(True))
    quiet.say(SetVolume(20))
    assert alarm_peak(quiet) == pytest.approx(loud, rel=0.1)
