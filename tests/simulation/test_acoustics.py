import numpy as np
import pytest
import soxr

from parleyd.audio import level_dbfs
from parleyd.simulation.acoustics import Room, impulse_response
from parleyd.simulation.noise import Noise, NoiseKind
from parleyd.units import Frames

NOBODY = np.zeros(160, np.int16)


def hear_all(room: Room, played: Frames) -> Frames:
    periods = np.split(played, len(played) // (room.loudspeaker_rate_hz // 100))
    return np.concatenate([room.hear(period, NOBODY) for period in periods])


def white(seconds: int, rate_hz: int, seed: int = 0) -> tuple[Frames, Frames]:
    """Return the same noise, limited to 7 kHz, at `rate_hz` and at 16 kHz."""
    random = np.random.default_rng(seed)
    narrow = soxr.resample(random.normal(0, 3000, seconds * 14_000), 14_000, 16_000)
    wide = narrow if rate_hz == 16_000 else soxr.resample(narrow, 16_000, rate_hz)
    return np.rint(wide).astype(np.int16), np.rint(narrow).astype(np.int16)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("rt60_s", [0.0, 0.4])
def test_room_echo_has_its_delay_and_level(rate_hz: int, rt60_s: float) -> None:
    room = Room(
        echo_delay_ms=25.0,
        echo_gain_db=-15.0,
        rt60_s=rt60_s,
        noise="silence",
        loudspeaker_rate_hz=rate_hz,
    )
    played, reference = white(2, rate_hz)
    heard = hear_all(room, played)
    correlation = np.correlate(
        heard[:16_000].astype(float), reference[:8000].astype(float), "valid"
    )
    assert int(np.argmax(np.abs(correlation))) == 400
    assert level_dbfs(heard[8000:]) == pytest.approx(level_dbfs(reference) - 15.0, abs=0.5)


def test_room_without_reverb_passes_the_talker_unchanged() -> None:
    room = Room(rt60_s=0.0, noise="silence")
    said = np.arange(-80, 80, dtype=np.int16) * 100
    np.testing.assert_array_equal(room.hear(np.zeros(480, np.int16), said), said)


def test_room_clips_at_full_scale() -> None:
    room = Room(rt60_s=0.0, noise="silence", talker_gain_db=12.0)
    heard = room.hear(np.zeros(480, np.int16), np.full(160, 20_000, np.int16))
    assert np.all(heard == 32767)


def test_room_given_impulse_responses_replace_its_own() -> None:
    echo, talker = np.zeros(50), np.zeros(30)
    echo[40], talker[20] = 0.5, 0.25
    room = Room(
        echo_delay_ms=0.0,
        echo_gain_db=0.0,
        noise="silence",
        loudspeaker_rate_hz=16_000,
        echo_impulse=echo,
        talker_impulse=talker,
    )
    click = np.zeros(160, np.int16)
    click[0] = 8000
    heard = room.hear(click, click)
    assert {int(i): int(heard[i]) for i in np.flatnonzero(heard)} == {20: 2000, 40: 4000}


def test_room_shift_moves_only_the_echo() -> None:
    room = Room(echo_delay_ms=1.0, rt60_s=0.0, noise="silence", loudspeaker_rate_hz=16_000)
    click = np.zeros(160, np.int16)
    click[0] = 20_000
    before = room.hear(click, NOBODY)
    room.shift_echo(5.0)
    after = room.hear(click, NOBODY)
    assert int(np.argmax(before)) == 16
    assert int(np.argmax(after)) == 96
    with pytest.raises(ValueError, match="stay within 0 and 200 ms"):
        room.shift_echo(196.0)


def test_room_with_too_short_an_echo_delay_raises() -> None:
    with pytest.raises(ValueError, match=r"at least 1\.33 ms"):
        Room(echo_delay_ms=0.1)


def test_room_depends_only_on_its_seed() -> None:
    played, _ = white(1, 48_000)
    once, again, other = (
        hear_all(Room(seed=seed, noise="kitchen", noise_dbfs=-40, distortion_db=30), played)
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


def test_room_distortion_sets_the_third_harmonic() -> None:
    tone = np.rint(32767 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.int16)
    room = Room(
        echo_delay_ms=0.0,
        echo_gain_db=-6.0,
        rt60_s=0.0,
        noise="silence",
        loudspeaker_rate_hz=16_000,
        distortion_db=30.0,
    )
    spectrum = np.abs(np.fft.rfft(hear_all(room, tone).astype(float)))
    assert 20 * np.log10(spectrum[3000] / spectrum[1000]) == pytest.approx(-30.0, abs=0.5)


@pytest.mark.parametrize("rt60_s", [0.2, 0.5])
def test_impulse_response_decays_by_60_db_in_rt60(rt60_s: float) -> None:
    impulse = impulse_response(seed=1, rt60_s=rt60_s)[32:]
    left_db = 10 * np.log10(np.cumsum(impulse[::-1] ** 2)[::-1] / np.sum(impulse**2))
    at_5, at_25 = (int(np.argmax(left_db < db)) for db in (-5, -25))
    assert (at_25 - at_5) * 3 / 16_000 == pytest.approx(rt60_s, rel=0.15)


@pytest.mark.parametrize("kind", ["pink", "kitchen"])
def test_noise_has_its_level(kind: NoiseKind) -> None:
    noise = Noise(kind, -50.0, seed=1)
    power = np.median([np.mean(np.square([noise.period() for _ in range(50)])) for _ in range(20)])
    assert 10 * np.log10(power) == pytest.approx(-50.0, abs=1.5)


def test_noise_pink_falls_by_3_db_per_octave() -> None:
    noise = Noise("pink", -20.0, seed=2)
    signal = np.concatenate([noise.period() for _ in range(2000)])
    power = np.mean(np.abs(np.fft.rfft(signal.reshape(-1, 3200))) ** 2, axis=0)
    low, high = power[50:60].mean(), power[800:960].mean()  # 250-300 Hz, 4-4.8 kHz
    assert 10 * np.log10(low / high) == pytest.approx(12.0, abs=1.0)
