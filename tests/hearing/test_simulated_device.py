"""The bench's simulated devices: what they do to a sound is what the scenes promise."""

import numpy as np
import pytest

from parleyd.simulation.convolution import Signal
from tests.bench.hearing.device import SHARES, Device, of

USER_DBFS = -36.0
LOUD, QUIET = 0.05, 0.0005


def hiss(seconds: float, rms: float) -> Signal:
    return rms * np.random.default_rng(3).standard_normal(int(seconds * 100) * 160)


def through(device: Device, sound: Signal) -> Signal:
    microphone = device.microphone()
    return np.concatenate([microphone.process(part) for part in sound.reshape(-1, 160)])


def device(trait: str, seed: int = 0) -> Device:
    return Device(frozenset({trait}), USER_DBFS, (seed,))


def rms(sound: Signal) -> float:
    return float(np.sqrt(np.mean(sound**2)))


@pytest.mark.parametrize("trait", sorted(SHARES))
def test_device_with_equal_seeds_gives_equal_sound(trait: str) -> None:
    sound = hiss(0.5, LOUD)
    assert np.array_equal(through(device(trait), sound), through(device(trait), sound))


@pytest.mark.parametrize("seed", range(8))
def test_device_gate_passes_users_and_closes_in_silence(seed: int) -> None:
    sound = np.concatenate((hiss(1.0, LOUD), hiss(1.5, QUIET)))
    out = through(device("gate", seed), sound)
    assert np.array_equal(out[3200:16_000], sound[3200:16_000])
    assert rms(out[-8000:]) < 0.3 * rms(sound[-8000:])


@pytest.mark.parametrize("seed", range(8))
def test_device_gain_control_raises_quiet_sound(seed: int) -> None:
    loud, quiet = (rms(through(device("gain", seed), hiss(9.0, r))[-8000:]) for r in (0.5, QUIET))
    assert loud < 0.5
    assert quiet > 1.5 * QUIET


@pytest.mark.parametrize("seed", range(8))
def test_device_codec_noise_is_below_the_sound(seed: int) -> None:
    sound = hiss(1.0, LOUD)
    out = through(device("codec", seed), sound)
    noise = rms(out[160:] - sound[:-160])  # the codec delays by a period
    assert 0.01 * LOUD < noise < 0.7 * LOUD


def test_device_wavering_path_stays_within_its_range() -> None:
    for seed in range(8):
        path = device("waver", seed).path()
        assert path is not None
        click = np.zeros(160)
        click[0] = 1.0
        delays = []
        for _ in range(200):
            out = np.concatenate((path.process(click), path.process(np.zeros(160))))
            delays.append(int(np.argmax(np.abs(out))))
        assert max(delays) <= 30
        assert len(set(delays)) > 1 or max(delays) <= 2
    assert device("gate").path() is None


def test_device_of_a_scene_has_a_trait_and_a_clock() -> None:
    found = [of((7, n), USER_DBFS) for n in range(200)]
    assert all(unit.traits for unit in found)
    for unit in found:
        assert (30 <= abs(unit.clock_ppm) <= 150) == ("clock" in unit.traits)
