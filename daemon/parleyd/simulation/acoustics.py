"""The air: the sound of loudspeaker, talker and noise at the microphone."""

import numpy as np

from parleyd.audio import FULL_SCALE, db_to_gain, db_to_power, float_to_int16
from parleyd.simulation.convolution import Convolver, DelayLine, PeriodResampler, Signal
from parleyd.simulation.noise import Noise, NoiseKind
from parleyd.units import MIC_RATE_HZ, Frames

DIRECT_TO_REVERBERANT_DB = 6.0  # the microphone is within the room's critical distance
FIRST_REFLECTION_MS = 2.0  # a detour of 70 cm: the table under the device
LONGEST_TAIL_S = 0.5  # 60 dB in a room of RT60 0.5 s; the rest is below the noise
LONGEST_SHIFT_MS = 200


class Room:
    """Computes the microphone's 10 ms from the loudspeaker's and the talker's 10 ms.

    The echo's direct sound arrives `echo_delay_ms` after a frame has left the loudspeaker's
    queue; `echo_gain_db` is the level of the whole echo (direct sound and tail) of white noise,
    relative to the played level. The talker's direct sound arrives at once, so the talker's
    labels hold at the microphone. Pure: no clock, no I/O; the same arguments and inputs give
    the same output.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        echo_delay_ms: float = 12.0,
        echo_gain_db: float = -18.0,
        rt60_s: float = 0.3,
        noise: NoiseKind = "pink",
        noise_dbfs: float = -65.0,
        talker_gain_db: float = 0.0,
        loudspeaker_rate_hz: int = 48_000,
        distortion_db: float | None = None,
        echo_impulse: Signal | None = None,
        talker_impulse: Signal | None = None,
    ) -> None:
        """Build the paths.

        `distortion_db`: the level of a full-scale tone's third harmonic below the tone (30 is
        a small loudspeaker at high volume); None for a linear loudspeaker.
        `echo_impulse`, `talker_impulse`: impulse responses at 16 kHz that replace the
        synthetic ones; delay and gain still apply.
        Raises ValueError if `echo_delay_ms` is shorter than the delay of the resampling.
        """
        self.loudspeaker_rate_hz = loudspeaker_rate_hz
        self._distortion = None if distortion_db is None else db_to_gain(-distortion_db)
        self._resampler = (
            None
            if loudspeaker_rate_hz == MIC_RATE_HZ
            else PeriodResampler(loudspeaker_rate_hz, MIC_RATE_HZ)
        )
        least_ms = self._resampler.delay_ms if self._resampler else 0.0
        if echo_delay_ms < least_ms:
            raise ValueError(
                f"an echo delay of {echo_delay_ms} ms is too short at {loudspeaker_rate_hz} Hz; "
                f"use at least {least_ms:.2f} ms"
            )
        if echo_impulse is None:
            echo_impulse = impulse_response(seed=seed + 1, rt60_s=rt60_s)
        if talker_impulse is None:
            talker_impulse = impulse_response(seed=seed + 2, rt60_s=rt60_s)
        late = np.zeros(round((echo_delay_ms - least_ms) * MIC_RATE_HZ / 1000))
        echo = np.concatenate((late, echo_impulse))
        self._echo = Convolver(db_to_gain(echo_gain_db) * echo)
        self._talker = Convolver(db_to_gain(talker_gain_db) * talker_impulse)
        self._shift = DelayLine(LONGEST_SHIFT_MS * MIC_RATE_HZ // 1000)
        self._noise = Noise(noise, noise_dbfs, seed=seed + 3)

    def hear(self, played: Frames, talker: Frames) -> Frames:
        """Return the microphone's next 10 ms: 160 int16 frames at 16 kHz, clipped by a converter.

        `played`: 10 ms at the loudspeaker's rate; `talker`: 160 frames at 16 kHz.
        """
        loudspeaker = played / FULL_SCALE
        if self._distortion is not None:
            # the third Chebyshev polynomial turns a full-scale tone into its third harmonic
            loudspeaker = loudspeaker + self._distortion * (4 * loudspeaker**3 - 3 * loudspeaker)
        if self._resampler:
            loudspeaker = self._resampler.process(loudspeaker)
        echo = self._echo.process(self._shift.process(loudspeaker))
        sound = echo + self._talker.process(talker / FULL_SCALE) + self._noise.period()
        return float_to_int16(sound)

    def shift_echo(self, ms: float) -> None:
        """Delay the echo by `ms` more from the next period on (negative: less).

        This is the effect of an xrun in a driver. Raises ValueError if the total shift is
        outside 0..200 ms.
        """
        frames = self._shift.delay_frames + round(ms * MIC_RATE_HZ / 1000)
        if not 0 <= frames <= LONGEST_SHIFT_MS * MIC_RATE_HZ // 1000:
            raise ValueError(
                f"the shifts of the echo add up to {frames * 1000 / MIC_RATE_HZ:.1f} ms; "
                f"stay within 0 and {LONGEST_SHIFT_MS} ms"
            )
        self._shift.delay_frames = frames


def impulse_response(*, seed: int, rt60_s: float, longest_s: float = LONGEST_TAIL_S) -> Signal:
    """Return a synthetic room at 16 kHz: direct sound at frame 0, then decaying noise.

    Unit energy; the decay is exponential. `rt60_s` is the time in which the tail falls by
    60 dB (Schroeder 1965); 0 gives only the direct sound. The tail ends after `longest_s`.
    """
    tail_frames = int(min(rt60_s, longest_s) * MIC_RATE_HZ)
    first = int(FIRST_REFLECTION_MS * MIC_RATE_HZ / 1000)
    impulse = np.zeros(max(tail_frames, first) + 1)
    impulse[0] = 1.0
    if tail_frames > first:
        time_s = np.arange(len(impulse) - first) / MIC_RATE_HZ
        noise = np.random.default_rng(seed).standard_normal(len(time_s))
        tail = noise * 10.0 ** (-3.0 * time_s / rt60_s)
        energy = db_to_power(-DIRECT_TO_REVERBERANT_DB)
        impulse[first:] = tail * np.sqrt(energy / np.sum(tail**2))
    return np.asarray(impulse / np.sqrt(np.sum(impulse**2)))
