"""The air: what the microphone hears of loudspeaker, talker and noise."""

import numpy as np

from parleyd.audio import FULL_SCALE, db_to_gain, db_to_power, float_to_int16
from parleyd.simulation.convolution import Convolver, DelayLine, PeriodResampler, Signal
from parleyd.simulation.noise import Noise, NoiseKind
from parleyd.units import MIC_RATE_HZ, Frames

DIRECT_TO_REVERBERANT_DB = 6.0  # microphone nearer to the source than the room's critical distance
FIRST_REFLECTION_MS = 2.0  # 70 cm of detour: the table that the box stands on
LONGEST_TAIL_S = 0.5  # 60 dB in a room of RT60 0.5 s; what is beyond is below the noise
LONGEST_SHIFT_MS = 200


class Room:
    """Turns what is played and said in 10 ms into what the microphone hears in them.

    The echo's direct sound arrives `echo_delay_ms` after a frame has left the
    loudspeaker's queue; `echo_gain_db` is the level of all echo (direct sound
    and tail) of white noise against what is played. The talker's direct sound
    arrives at once, so his labels hold at the microphone. Pure: no clock, no
    I/O; the same arguments and inputs give the same output.
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

        `distortion_db`: how far a full-scale tone's third harmonic lies below
        it (30 is a small loudspeaker turned up), None for a linear one.
        `echo_impulse`, `talker_impulse`: impulse responses at 16 kHz that take
        the place of the synthetic ones; delay and gain then act on top.
        Raises ValueError when `echo_delay_ms` is shorter than the resampling takes.
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
                f"an echo delay of {echo_delay_ms} ms is too short at {loudspeaker_rate_hz} Hz, "
                f"give at least {least_ms:.2f} ms"
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
        """The microphone's next 10 ms: int16, 160 frames at 16 kHz, clipped like a converter.

        `played`: 10 ms at the loudspeaker's rate; `talker`: 160 frames at 16 kHz.
        """
        loudspeaker = played / FULL_SCALE
        if self._distortion is not None:
            # Third Chebyshev polynomial: turns a full-scale tone into its third harmonic.
            loudspeaker = loudspeaker + self._distortion * (4 * loudspeaker**3 - 3 * loudspeaker)
        if self._resampler:
            loudspeaker = self._resampler.process(loudspeaker)
        echo = self._echo.process(self._shift.process(loudspeaker))
        sound = echo + self._talker.process(talker / FULL_SCALE) + self._noise.period()
        return float_to_int16(sound)

    def shift_echo(self, ms: float) -> None:
        """From the next period on the echo comes `ms` later (negative: earlier).

        What an xrun in a driver does. Raises ValueError outside 0..200 ms in all.
        """
        frames = self._shift.delay_frames + round(ms * MIC_RATE_HZ / 1000)
        if not 0 <= frames <= LONGEST_SHIFT_MS * MIC_RATE_HZ // 1000:
            raise ValueError(
                f"shifts of the echo add up to {frames * 1000 / MIC_RATE_HZ:.1f} ms, "
                f"stay within 0 and {LONGEST_SHIFT_MS} ms"
            )
        self._shift.delay_frames = frames


def impulse_response(*, seed: int, rt60_s: float) -> Signal:
    """A synthetic room at 16 kHz: direct sound at frame 0, then exponentially decaying noise.

    Unit energy. `rt60_s` is the time in which the tail falls by 60 dB (Schroeder
    1965); 0 gives the direct sound alone. The tail is cut after 0.5 s at most.
    """
    tail_frames = int(min(rt60_s, LONGEST_TAIL_S) * MIC_RATE_HZ)
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
