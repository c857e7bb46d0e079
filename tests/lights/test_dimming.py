"""Dimming by night and day is a pure function of the time of day."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd import config
from parleyd.errors import ConfigError
from parleyd.lights import Colour
from parleyd.lights.dimming import Dimming
from parleyd.system.daily_span import DailySpan

WHITE = Colour(1.0, 1.0, 1.0)


def dimming(night: str) -> Dimming:
    return Dimming(config.LightsConfig(brightness=0.8, night=night, night_brightness=0.1))


@pytest.mark.parametrize(
    ("night", "dark", "bright"),
    [
        ("22:00-07:00", ["22:00", "23:59", "00:00", "06:59"], ["07:00", "12:00", "21:59"]),
        ("00:30-05:00", ["00:30", "04:59"], ["00:29", "05:00", "23:59"]),
        ("", [], ["00:00", "03:00", "23:59"]),
        ("08:00-08:00", [], ["08:00", "20:00"]),
    ],
)
def test_night_includes_its_first_minute_and_excludes_its_last(
    night: str, dark: list[str], bright: list[str]
) -> None:
    tried = [*dark, *bright]
    told = [text for text in tried if DailySpan(night).holds(time.fromisoformat(text))]
    assert told == dark


@given(st.times(), st.times(), st.times())
def test_night_of_a_span_or_its_reverse_covers_each_minute_once(
    begin: time, end: time, now: time
) -> None:
    spans = [f"{a:%H:%M}-{b:%H:%M}" for a, b in ((begin, end), (end, begin))]
    nights = [DailySpan(span).holds(now) for span in spans]
    same = (begin.hour, begin.minute) == (end.hour, end.minute)
    assert nights.count(True) == (0 if same else 1)


def test_dimmed_scales_a_colour_and_keeps_its_hue() -> None:
    light = dimming("22:00-07:00")
    assert light.dimmed(WHITE, time(12)) == pytest.approx((0.8, 0.8, 0.8))
    assert light.dimmed(Colour(1.0, 0.5, 0.0), time(23)) == pytest.approx((0.1, 0.05, 0.0))


@pytest.mark.parametrize("night", ["22-7", "24:00-07:00", "22:00", "22:60-07:00", "10 pm-7 am"])
def test_config_night_that_is_not_a_span_is_refused(night: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse(f'[lights]\nnight = "{night}"')
    assert str(error.value).endswith('is not allowed, allowed is "22:00-07:00" or ""')
