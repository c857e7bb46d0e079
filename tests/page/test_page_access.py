"""Token, session, names, origin and pace of the page. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.page.access import (
    MOST_ADDRESSES,
    SESSION_S,
    AddressPace,
    DeviceNames,
    Sessions,
    same_origin,
)

TOKEN = "correct-horse-battery-staple"
NOW = 1_800_000_000.0


def test_session_ends_after_its_time_and_with_another_token() -> None:
    sessions = Sessions(TOKEN)
    cookie = sessions.cookie(NOW)
    assert sessions.holds(cookie, NOW)
    assert sessions.holds(cookie, NOW + SESSION_S - 1)
    assert not sessions.holds(cookie, NOW + SESSION_S)
    assert sessions.holds(cookie, NOW - 3600)  # a Pi starts with an old date
    assert not Sessions(TOKEN + "x").holds(cookie, NOW)
    assert TOKEN not in cookie


@given(st.text(max_size=200))
def test_made_up_cookies_and_tokens_are_refused(text: str) -> None:
    sessions = Sessions(TOKEN)
    ends = sessions.cookie(NOW).partition(".")[0]
    assert not sessions.holds(text, NOW)
    assert not sessions.holds(f"{ends}.{text}", NOW)
    assert not sessions.knows(text)
    assert sessions.knows(TOKEN)


def test_longer_session_needs_another_proof() -> None:
    ends, _, proof = Sessions(TOKEN).cookie(NOW).partition(".")
    assert not Sessions(TOKEN).holds(f"{int(ends) + 1}.{proof}", NOW)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8470", "127.0.0.1"),
        ("localhost:9", "127.0.0.1"),
        ("LOCALHOST.", "127.0.0.1"),
        ("[::1]:8470", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("192.168.1.5:8470", "::ffff:192.168.1.5"),
        ("[fe80::1]:8470", "fe80::1%eth0"),
        ("Kitchen.example.org", "10.0.0.2"),
    ],
)
def test_names_of_the_device_are_held(host: str, local: str) -> None:
    assert DeviceNames(["kitchen.example.org"]).hold(host, local)


@pytest.mark.parametrize(
    "host",
    ["", ":", "evil.example", "evil.example:8470", "localhost.evil.example", "127.1", "2130706433",
     "127.0.0.1.evil.example", "192.168.1.6", "[::1", "[]:80", "kitchen", "\x00",
     "localhost@evil.example"],
)  # fmt: skip
def test_names_that_a_site_could_take_are_refused(host: str) -> None:
    assert not DeviceNames(["kitchen.example.org"]).hold(host, "192.168.1.5")


@pytest.mark.parametrize(
    "origin",
    ["", "null", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:80",
     "file://127.0.0.1:8470", "127.0.0.1:8470", "http://127.0.0.1:8470.evil.example"],
)  # fmt: skip
def test_other_origins_are_refused(origin: str) -> None:
    assert not same_origin(origin, "127.0.0.1:8470")


def test_origin_of_the_page_is_known_also_behind_a_proxy() -> None:
    assert same_origin("http://127.0.0.1:8470", "127.0.0.1:8470")
    assert same_origin("https://kitchen.example.org", "Kitchen.example.org")


def test_address_that_floods_leaves_room_for_others() -> None:
    pace = AddressPace(10, 20, of_all=4)
    passed = sum(pace.admits("a", 1000 + second / 100) for second in range(1000))
    assert 100 <= passed <= 121
    assert pace.admits("b", 1010.0)


def test_many_addresses_share_a_limit_and_little_memory() -> None:
    pace = AddressPace(10, 20, of_all=4)
    passed = sum(pace.admits(str(number), 1000.0) for number in range(10 * MOST_ADDRESSES))
    assert passed == 80  # as many as four addresses may
    passed = sum(pace.admits(str(number), 1000 + number / 100) for number in range(1000))
    assert 380 <= passed <= 480  # ... in ten seconds
    assert len(pace._paces) == MOST_ADDRESSES


def test_newest_addresses_are_remembered() -> None:
    pace = AddressPace(1, 5, of_all=1000)
    for number in range(2 * MOST_ADDRESSES):
        for _ in range(5):
            assert pace.admits(str(number), 1000.0)
    assert not pace.admits(str(2 * MOST_ADDRESSES - 1), 1000.0)
