from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.endpointing import Endpointer, SpeechBoundary
from parleyd.hearing.preroll import Preroll


@given(st.lists(st.integers(0, 700), max_size=20), st.integers(0, 60))
def test_preroll_holds_the_newest_frames(sizes: list[int], ms: int) -> None:
    ring = Preroll(capacity_ms=40)
    stream = np.arange(sum(sizes), dtype=np.int16)
    start = 0
    for size in sizes:
        ring.push(stream[start : start + size])
        start += size
    expected = stream[max(0, len(stream) - min(ms, 40) * 16) :]
    assert ring.last(ms).tolist() == expected.tolist()


def test_preroll_last_returns_a_copy() -> None:
    ring = Preroll(capacity_ms=20)
    ring.push(np.arange(320, dtype=np.int16))
    taken = ring.last(20)
    ring.push(np.zeros(320, np.int16))
    assert taken.tolist() == list(range(320))
    ring.clear()
    assert len(ring.last(20)) == 0


def events(
    endpoint: Endpointer, voices: Iterable[float], start: float = 0.0
) -> list[tuple[SpeechBoundary, int]]:
    """Return the events for consecutive detector chunks, with their time in ms."""
    said = []
    for index, voice in enumerate(voices, start=1):
        now = start + index * 0.032
        heard = ProcessedPeriod(np.zeros(160, np.int16), 0.0, voice, True, 0.0, 0.0, -40.0, -120.0)
        if event := endpoint.update(heard, now):
            said.append((event, round(now * 1000)))
    return said


def test_endpoint_speech_starts_soon_and_ends_after_the_hangover() -> None:
    voices = [0.1] * 10 + [0.9] * 20 + [0.1] * 40
    said = events(Endpointer(silence_ms=600), voices)
    assert [event for event, _ in said] == [SpeechBoundary.STARTED, SpeechBoundary.ENDED]
    assert said[0][1] == 13 * 32  # the third voiced chunk
    assert 600 <= said[1][1] - 30 * 32 < 600 + 32


def test_endpoint_ignores_a_knock_and_a_short_pause() -> None:
    assert events(Endpointer(600), [0.0] * 5 + [0.9] * 2 + [0.0] * 40) == []
    pause = [0.9] * 10 + [0.1] * 15 + [0.9] * 10 + [0.1] * 25
    assert [event for event, _ in events(Endpointer(600), pause)] == [
        SpeechBoundary.STARTED,
        SpeechBoundary.ENDED,
    ]


def test_endpoint_with_a_wavering_voice_does_not_flutter() -> None:
    wavering = [0.9] * 5 + [0.45, 0.4] * 30
    assert [event for event, _ in events(Endpointer(300), wavering)] == [SpeechBoundary.STARTED]
    assert events(Endpointer(300), [0.45] * 40) == []


def test_endpoint_after_a_barge_in_starts_with_speech() -> None:
    endpoint = Endpointer(600)
    endpoint.reset(speaking=True)
    said = events(endpoint, [0.9] * 10 + [0.0] * 30, start=50.0)
    assert [event for event, _ in said] == [SpeechBoundary.ENDED]
    silent = Endpointer(600)
    silent.reset(speaking=True)
    assert [event for event, _ in events(silent, [0.0] * 40)] == [SpeechBoundary.ENDED]


def test_endpoint_starts_with_three_of_five_chunks_above_0_5() -> None:
    assert events(Endpointer(600), [0.51, 0.0, 0.51, 0.0, 0.51]) == [(SpeechBoundary.STARTED, 160)]
    assert events(Endpointer(600), [0.51, 0.0, 0.51, 0.0, 0.0, 0.51, 0.0]) == []
    assert events(Endpointer(600), [0.5] * 30) == []


def test_endpoint_speech_lasts_while_chunks_are_above_0_35() -> None:
    assert len(events(Endpointer(300), [0.9] * 3 + [0.36] * 30)) == 1
    ended = events(Endpointer(300), [0.9] * 3 + [0.35] * 30)
    assert ended == [(SpeechBoundary.STARTED, 96), (SpeechBoundary.ENDED, 96 + 10 * 32)]


def test_endpoint_speech_ends_exactly_after_the_hangover() -> None:
    endpoint = Endpointer(600)
    events(endpoint, [0.9] * 3)
    quiet = ProcessedPeriod(np.zeros(160, np.int16), 0.0, 0.9, False, 0.0, 0.0, -40.0, -120.0)
    assert endpoint.update(quiet, 0.096 + 0.599) is None  # 0.9 belongs to an older chunk
    assert endpoint.update(quiet, 0.096 + 0.6) is SpeechBoundary.ENDED
    assert endpoint.update(quiet, 9.0) is None


def test_endpoint_voiced_at_is_the_last_voiced_chunk() -> None:
    endpoint = Endpointer(600)
    assert endpoint.voiced_at is None
    events(endpoint, [0.9, 0.5, 0.2])
    assert endpoint.voiced_at == 0.032
    endpoint.reset()
    assert endpoint.voiced_at == 0.032  # a reset keeps the time of the last voice


def test_endpoint_reset_discards_the_beginning_of_a_word() -> None:
    endpoint = Endpointer(600)
    assert events(endpoint, [0.9, 0.9]) == []
    endpoint.reset()
    assert events(endpoint, [0.9, 0.9], start=1.0) == []
    assert [event for event, _ in events(endpoint, [0.9], start=2.0)] == [SpeechBoundary.STARTED]
