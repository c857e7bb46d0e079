"""Truncations that a server refuses are repeated with the server's own length."""

import pytest

from parleyd.realtime.events import TruncateItem
from parleyd.realtime.truncation import Truncations


def truncate(number: int, ms: int = 1000) -> TruncateItem:
    return TruncateItem(
        item_id=f"i{number}", content_index=2, audio_end_ms=ms, event_id=f"e{number}"
    )


def test_truncation_is_repeated_with_the_length_of_the_server() -> None:
    kept = Truncations()
    kept.sent(truncate(1))
    kept.sent(truncate(2))
    again = kept.again("e1", 740)
    assert again is not None
    assert (again.item_id, again.content_index, again.audio_end_ms) == ("i1", 2, 740)
    assert kept.again("e1", 740) is None  # once


@pytest.mark.parametrize(("has_ms", "sent"), [(999, True), (1000, False), (1200, False)])
def test_truncation_is_only_shortened(has_ms: int, sent: bool) -> None:
    kept = Truncations()
    kept.sent(truncate(1))
    assert (kept.again("e1", has_ms) is not None) is sent


def test_truncation_without_a_length_is_not_repeated() -> None:
    kept = Truncations()
    kept.sent(truncate(1))
    assert kept.again("e1", None) is None


def test_refusal_without_an_id_means_the_only_one() -> None:
    kept = Truncations()
    kept.sent(truncate(1))
    assert kept.again(None, 5) is not None
    kept.sent(truncate(1))
    kept.sent(truncate(2))
    assert kept.again(None, 5) is None
    assert kept.again("unknown", 5) is None


def test_truncations_of_a_lost_socket_are_forgotten() -> None:
    kept = Truncations()
    kept.sent(truncate(1))
    kept.forget()
    assert kept.again("e1", 5) is None


def test_at_most_32_truncations_are_stored() -> None:
    kept = Truncations()
    for number in range(33):
        kept.sent(truncate(number))
    assert kept.again("e0", 5) is None
    assert kept.again("e1", 5) is not None
    kept.sent(TruncateItem(item_id="x", content_index=0, audio_end_ms=1))
    assert kept.again("e32", 5) is not None
