"""Parley's own voice is recognised at any delay, and other voices are not taken for it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from parleyd.hearing.own_voice import FARTHEST, HEARD, OwnVoice, OwnVoiceSearch
from parleyd.units import MIC_PERIOD_FRAMES, Frames
from tests.hearing.echo_rooms import convolve, echo_path, noise, pcm


def speech_like(seed: int, seconds: float = 5.0) -> Frames:
    """Return noise with syllables and formants of their own, which is fast to make."""
    random = np.random.default_rng(seed)
    syllables: list[NDArray[np.float64]] = []
    while sum(len(part) for part in syllables) < seconds * 16_000:
        frames = int(random.uniform(0.08, 0.3) * 16_000)
        turn = 2 * np.pi * random.uniform(300, 4000) * np.arange(frames) / 16_000
        sound = np.sin(turn + 3 * random.standard_normal(frames)) + np.sin(turn)
        syllables += [sound * np.hanning(frames), np.zeros(int(random.uniform(0, 0.15) * 16_000))]
    return pcm((0.1 * np.concatenate(syllables)).astype(np.float32))[: int(seconds * 16_000)]


def echo(spoken: Frames, delay_ms: float) -> Frames:
    sound = convolve((spoken / 32768).astype(np.float32), echo_path(delay_ms))
    return pcm(sound + noise(len(sound), 0.001, seed=3))


def compare(
    spoken: Frames,
    mic: Frames,
    cleaned: Frames | None = None,
    *,
    echo_dbfs: float = -120.0,
    learned: bool = False,
) -> OwnVoice | None:
    search = OwnVoiceSearch()
    cleaned = mic if cleaned is None else cleaned
    for start in range(0, len(mic), MIC_PERIOD_FRAMES):
        part = slice(start, start + MIC_PERIOD_FRAMES)
        search.push(mic[part], cleaned[part], echo_dbfs)
    return search.compare(spoken, learned=learned)


@pytest.mark.parametrize("delay_ms", [20, 180, 400, 900, 1900, 2390])
def test_own_voice_is_found_at_its_delay(delay_ms: int) -> None:
    spoken = speech_like(1)
    found = compare(spoken, echo(spoken, delay_ms))
    assert found is not None
    assert found.uncancelled
    assert found.delay == pytest.approx(delay_ms * 16, abs=40 * 16)


@pytest.mark.parametrize("seed", range(2, 8))
def test_own_voice_is_not_another_voice(seed: int) -> None:
    found = compare(speech_like(1), echo(speech_like(seed), 100))
    assert found is not None
    assert found.similarity < 0.6
    assert not found.uncancelled


def test_own_voice_that_is_cancelled_is_no_fault() -> None:
    spoken = speech_like(1)
    mic = echo(spoken, 700)
    found = compare(spoken, mic, (mic / 4).astype(np.int16))
    assert found is not None
    assert found.removed_db == pytest.approx(12.0, abs=0.3)
    assert found.cancelled
    assert not found.uncancelled


def test_own_voice_is_not_the_silence_before_it() -> None:
    spoken = speech_like(1)
    spoken[:-8000] = 0
    found = compare(spoken, echo(speech_like(2), 100))
    assert found is not None
    assert found.similarity < 0.6


def test_own_voice_with_silent_playback_is_unknown() -> None:
    assert compare(np.zeros(HEARD + FARTHEST, np.int16), speech_like(2)) is None


def test_own_voice_at_a_deaf_microphone_is_no_fault() -> None:
    found = compare(speech_like(1), np.zeros(HEARD, np.int16))
    assert found is not None
    assert found.cancelled


@pytest.mark.parametrize(("echo_dbfs", "same"), [(-20.0, True), (-50.0, False)])
def test_own_voice_is_no_louder_than_the_learned_echo(echo_dbfs: float, same: bool) -> None:
    spoken = speech_like(1)
    found = compare(spoken, echo(spoken, 180), echo_dbfs=echo_dbfs, learned=True)
    assert found is not None
    assert found.uncancelled is same


def test_own_voice_is_found_when_the_filter_has_forgotten_the_echo() -> None:
    """The echo has moved out of the filter's reach, and its estimate has faded away."""
    spoken = speech_like(1)
    mic = echo(spoken, 600)
    search = OwnVoiceSearch()
    for start in range(0, len(mic), MIC_PERIOD_FRAMES):
        part = mic[start : start + MIC_PERIOD_FRAMES]
        search.push(part, part, -25.0 if start < len(mic) // 2 else -70.0)
    found = search.compare(spoken, learned=True)
    assert found is not None
    assert found.uncancelled
