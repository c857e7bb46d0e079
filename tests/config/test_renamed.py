"""The keys of version 0.1."""

import typing

import pytest

from parleyd import config
from parleyd.config.renamed import RENAMED
from parleyd.errors import ConfigError


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_old_key_is_refused_with_the_new_name(old: str) -> None:
    section, key = old.split(".")
    with pytest.raises(ConfigError) as caught:
        config.parse(f"[{section}]\n{key} = 1\n")
    (problem,) = caught.value.problems
    assert (
        f"{old}: is unknown, it is called {RENAMED[old].section or section}.{RENAMED[old].key} now"
        in problem
    )


@pytest.mark.parametrize("old", sorted(RENAMED))
@pytest.mark.parametrize("place", ["{} = 1\n", "[audio]\n{} = 1\n"])
def test_old_key_in_a_wrong_place_names_the_new_one(old: str, place: str) -> None:
    section, key = old.split(".")
    with pytest.raises(ConfigError) as caught:
        config.parse(place.format(key))
    (problem,) = caught.value.problems
    assert f"it is called {RENAMED[old].section or section}.{RENAMED[old].key} now" in problem


def test_alarm_limit_in_minutes_is_asked_for_in_seconds() -> None:
    with pytest.raises(
        ConfigError, match=r"skills\.alarm_timeout_s now, and its value is in seconds"
    ):
        config.parse("[skills]\nring_min = 5\n")


def test_renamed_keys_exist_and_old_ones_do_not() -> None:
    sections = typing.get_type_hints(config.Config)
    for old, new in RENAMED.items():
        section, key = old.split(".")
        assert new.key in typing.get_type_hints(sections[new.section or section])
        assert key not in typing.get_type_hints(sections[section])
