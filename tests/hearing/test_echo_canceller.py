from collections.abc import Callable

import numpy as np
import pytest

from parleyd.hearing.echo_canceller import HISTORY, HOP, PARTITIONS, CancelledBlock, EchoCanceller
from parleyd.units import Floats
from tests.hearing.echo_rooms import Room, noise, room


def run(canceller: EchoCanceller, scene: Room) -> list[CancelledBlock]:
    return [canceller.process(*scene.period(index)) for index in range(scene.periods)]


def reduction_db(periods: list[CancelledBlock], scene: Room, start_s: float, end_s: float) -> float:
    """Return the echo return loss enhancement: the reduction of the echo's level."""
    part = slice(int(start_s * 16_000), int(end_s * 16_000))
    error = np.concatenate([period.error for period in periods])
    left = error[part] - scene.rest[part]
    return 10 * float(np.log10(np.sum(scene.echo[part] ** 2) / np.sum(left**2)))


def speech_like(seconds: float, seed: int = 3) -> Floats:
    """Return noise with syllables at 4 Hz."""
    frames = int(seconds * 16_000)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(frames) / 16_000)
    return (noise(frames, 0.1, seed) * syllables).astype(np.float32)


def test_canceller_removes_the_echo_and_keeps_the_user() -> None:
    user = speech_like(2.0, seed=8) * np.float32(0.3)
    scene = room(speech_like(6.0), user=user, user_at_s=3.5)
    periods = run(EchoCanceller(), scene)
    assert reduction_db(periods, scene, 2.0, 3.5) > 20
    assert reduction_db(periods, scene, 3.5, 5.5) > 10  # also during double-talk
    part = slice(int(3.5 * 16_000), int(5.5 * 16_000))
    error = np.concatenate([period.error for period in periods])
    level_db = 10 * np.log10(np.sum(error[part] ** 2) / np.sum(scene.rest[part] ** 2))
    assert abs(level_db) < 1


def test_canceller_removes_speech(say: Callable[[str, str], Floats]) -> None:
    sentence = "Once upon a time there was a small house at the edge of a very large forest. "
    scene = room(say("slt", sentence * 2))
    assert reduction_db(run(EchoCanceller(), scene), scene, 4.0, scene.periods / 100) > 12


def test_canceller_keeps_its_path_during_a_pause() -> None:
    loud = speech_like(3.0)
    scene = room(np.concatenate([loud, np.zeros(80_000, np.float32), loud]))
    periods = run(EchoCanceller(), scene)
    assert reduction_db(periods, scene, 8.0, 8.5) > 15


def test_canceller_learns_a_moved_path_again() -> None:
    canceller = EchoCanceller()
    run(canceller, room(speech_like(3.0)))
    moved = room(speech_like(4.0, seed=4), path_seed=6)
    periods = run(canceller, moved)
    assert reduction_db(periods, moved, 3.0, 4.0) > 12


def test_canceller_uncertainty_falls_and_is_zero_in_silence() -> None:
    scene = room(speech_like(3.0))
    periods = run(EchoCanceller(), scene)
    shares = [
        float(np.sum(period.uncertainty) / np.sum(np.abs(np.fft.rfft(period.echo, 320)) ** 2))
        for period in (periods[20], periods[290])
    ]
    assert shares[1] < shares[0] / 10
    silent = EchoCanceller().process(*room(np.zeros(HOP, np.float32)).period(0))
    assert not silent.uncertainty.any()
    assert not silent.echo.any()


def test_canceller_weights_restore_and_forget_discards_a_path() -> None:
    scene = room(speech_like(3.0))
    learned = EchoCanceller()
    run(learned, scene)
    warm = EchoCanceller()
    warm.weights = learned.weights
    np.testing.assert_allclose(warm.weights, learned.weights, atol=1e-5)
    assert reduction_db(run(warm, scene), scene, 0.1, 0.4) > 12
    cold_db = reduction_db(run(EchoCanceller(), scene), scene, 0.1, 0.4)
    learned.forget()
    assert not learned.weights.any()
    assert reduction_db(run(learned, scene), scene, 0.1, 0.4) < cold_db + 3
    assert cold_db < 10


@pytest.mark.parametrize("frames", [0, 100, 160, 640])
def test_canceller_replay_equals_a_silent_history(frames: int) -> None:
    """Frames that are removed at once have the same effect as silence in their place."""
    learned = EchoCanceller()
    scene = room(speech_like(2.0))
    run(learned, scene)
    replayed, silent = EchoCanceller(), EchoCanceller()
    replayed.weights = silent.weights = learned.weights
    periods = PARTITIONS + 4
    played = scene.reference[: periods * HOP].copy()
    played[len(played) - frames :] = 0
    quiet = np.zeros(HOP, np.int16)
    for index in range(periods):
        part = slice(index * HOP, (index + 1) * HOP)
        replayed._remember(scene.reference[part])
        silent._remember(played[part])
    replayed.replay(played[-HISTORY:])
    for _ in range(periods):
        ours, theirs = replayed.process(quiet, quiet), silent.process(quiet, quiet)
        np.testing.assert_allclose(ours.echo, theirs.echo, atol=1e-6)


def test_canceller_is_deterministic() -> None:
    scene = room(speech_like(1.0))
    first, second = run(EchoCanceller(), scene), run(EchoCanceller(), scene)
    assert all(np.array_equal(a.error, b.error) for a, b in zip(first, second, strict=True))
