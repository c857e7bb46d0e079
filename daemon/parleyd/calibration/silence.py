"""What three seconds of silence show: noise, hum of the mains, a gate, clipping. Pure."""

from typing import NamedTuple

import numpy as np

from parleyd.audio import (
    FULL_SCALE,
    LEAST_POWER,
    SILENCE_DBFS,
    Doubles,
    power_dbfs,
    power_to_db,
    rms_dbfs,
)
from parleyd.calibration.figures import MicrophoneFigures, SilenceFigures
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames

MAINS_HZ = (50, 60)
_HARMONICS = 10
_TONE_DB = 14.0  # over its surroundings: the peaks of noise reach 9 dB
_LEAST_TONES = 2  # one tone alone may be any machine's, unless it is the mains itself
_OFF_HZ = 0.3  # of the mains and of the card's clock together
_AROUND_HZ = 15.0
_FLAT_FRAMES = 3  # equal neighbours at the extreme: a sine of 120 Hz has one
_FLAT_LEAST = 1000  # a softer peak has equal neighbours by chance
_BLOCK_FRAMES = MIC_RATE_HZ // 10


def silence_figures(heard: Frames) -> SilenceFigures:
    """Return the figures of the idle room. `heard`: about 3 s at 16 kHz."""
    samples = heard / FULL_SCALE
    samples = samples - samples.mean() if len(samples) else samples
    hum = _hum(samples)
    return SilenceFigures(
        microphone=microphone_figures(heard),
        noise_dbfs=rms_dbfs(samples),
        hum_dbfs=hum.dbfs,
        hum_hz=hum.mains_hz,
        unsteady_db=_unsteady_db(heard),
    )


def microphone_figures(heard: Frames) -> MicrophoneFigures:
    """Return what a recording at 16 kHz shows of the microphone."""
    blocks = heard[: len(heard) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES]
    blocks = blocks.reshape(-1, MIC_PERIOD_FRAMES)
    if not len(blocks):
        blocks = np.zeros((1, MIC_PERIOD_FRAMES), np.int16)
    constant = np.ptp(blocks, axis=1) == 0
    constant[1:] |= (blocks[1:] == blocks[:-1]).all(axis=1)  # a stuck driver repeats its buffer
    open_blocks = blocks[~constant] / FULL_SCALE
    floor = float(np.quantile(open_blocks.var(axis=1), 0.05)) if len(open_blocks) else 0.0
    highest = int(np.abs(blocks.astype(np.int32)).max())
    return MicrophoneFigures(
        zero_share=float(constant.mean()),
        open_floor_dbfs=power_dbfs(floor),
        dc=float(blocks.mean() / FULL_SCALE),
        peak_dbfs=power_dbfs((highest / FULL_SCALE) ** 2),
        clipped_runs=clipped_runs(heard),
    )


def clipped_runs(heard: Frames) -> int:
    """Return how often the wave is cut off flat at its highest or its lowest value."""
    if not len(heard):
        return 0
    found = 0
    for extreme in (int(heard.max()), int(heard.min())):
        if abs(extreme) < _FLAT_LEAST:
            continue
        flat = np.abs(heard.astype(np.int32) - extreme) <= 1
        lengths = np.convolve(flat, np.ones(_FLAT_FRAMES), "valid") == _FLAT_FRAMES
        found += int(np.count_nonzero(lengths[1:] & ~lengths[:-1]) + lengths[0])
    return found


def _unsteady_db(heard: Frames) -> float:
    """How much the level of a tenth of a second varies, above the rumble of any room."""
    risen = np.diff(heard.astype(np.float64)) / FULL_SCALE
    blocks = risen[: len(risen) // _BLOCK_FRAMES * _BLOCK_FRAMES].reshape(-1, _BLOCK_FRAMES)
    powers = (blocks**2).mean(axis=1)
    powers = powers[powers > (1 / FULL_SCALE) ** 2]  # a gate, or a converter's last bit
    if len(powers) < 10:
        return 0.0
    levels = 10 * np.log10(powers)
    at = np.arange(len(levels))
    levels -= np.polyval(np.polyfit(at, levels, 1), at)  # gain control creeps
    soft, loud = np.quantile(levels, (0.1, 0.9))
    return float(loud - soft)


class _Hum(NamedTuple):
    dbfs: float
    mains_hz: int


def _hum(samples: Doubles) -> _Hum:
    """The tones of the mains that stand out of their surroundings."""
    if len(samples) < MIC_RATE_HZ:
        return _Hum(SILENCE_DBFS, 0)
    window = np.hanning(len(samples))
    power = np.abs(np.fft.rfft(samples * window)) ** 2
    power *= 2 / (len(samples) * float((window**2).sum()))  # its sum is the mean square
    bin_hz = MIC_RATE_HZ / len(samples)
    best = _Hum(SILENCE_DBFS, 0)
    for mains in MAINS_HZ:
        tones = [_tone(power, bin_hz, mains * n, n) for n in range(1, _HARMONICS + 1)]
        own = [tone for n, tone in enumerate(tones, 1) if mains * n % 300]  # 300 Hz is both
        found = [tone for tone in own if tone > 0]
        if len(found) >= _LEAST_TONES or own[0] > 0:
            dbfs = power_dbfs(sum(tones))
            best = max(best, _Hum(dbfs, mains))
    return best


def _tone(power: Doubles, bin_hz: float, hz: float, harmonic: int) -> float:
    """The power of the tone near a frequency; 0.0 if there is none."""
    off = _OFF_HZ * harmonic + 2 * bin_hz
    near = slice(int((hz - off) / bin_hz), int((hz + off) / bin_hz) + 2)
    around = slice(max(1, int((hz - _AROUND_HZ) / bin_hz)), int((hz + _AROUND_HZ) / bin_hz) + 1)
    floor = float(np.median(power[around])) + 1e-18
    if power_to_db(float(power[near].max()) / floor + LEAST_POWER) < _TONE_DB:
        return 0.0
    at = near.start + int(power[near].argmax())
    return max(float(power[at - 3 : at + 4].sum()) - 7 * floor, 0.0)
