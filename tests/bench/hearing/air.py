"""The air of one session: a closed-loop echo, all other sound computed in advance."""

import numpy as np

from parleyd.audio import FULL_SCALE, db_to_gain, float_to_int16
from parleyd.simulation.convolution import Convolver, DelayLine, PeriodResampler, Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS, Frames
from tests.bench.hearing.device import Device
from tests.bench.hearing.sound_server import SoundServer

LOUDSPEAKER_HZ = 48_000
LONGEST_DELAY_MS = 2500
MOVE_S = 0.3  # time to push the box a little, or to sit down beside it


def convolved(signal: Signal, path: Signal) -> Signal:
    """Return the linear convolution, cut to the signal's length."""
    size = 1 << (len(signal) + len(path) - 1).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.fft.rfft(path, size)
    return np.fft.irfft(spectrum, size)[: len(signal)]


def small_box(path: Signal, lowest_hz: float) -> Signal:
    """Return the path of a small loudspeaker: 2nd-order Butterworth high-pass at `lowest_hz`."""
    turn = 2 * np.pi * lowest_hz / MIC_RATE_HZ
    alpha, cosine = np.sin(turn) / np.sqrt(2), np.cos(turn)
    b = np.array([1 + cosine, -2 * (1 + cosine), 1 + cosine]) / 2 / (1 + alpha)
    a1, a2 = -2 * cosine / (1 + alpha), (1 - alpha) / (1 + alpha)
    impulse = np.zeros(1024)  # 64 ms: decays to -100 dB at 100 Hz
    impulse[:3] = b
    for n in range(1, len(impulse)):
        impulse[n] -= a1 * impulse[n - 1] + (a2 * impulse[n - 2] if n > 1 else 0.0)
    padded = np.concatenate((path, np.zeros(len(impulse))))
    return convolved(padded, impulse)


class Distortion:
    """A memoryless loudspeaker: adds square and cube terms `below_db` under the signal.

    The level holds for signals like `typical` (full scale 1.0); quieter ones distort less.
    """

    def __init__(self, typical: Signal, below_db: float) -> None:
        power = float(np.mean(typical**2))
        self._cube = -1.0 / power
        self._square = 0.5 / np.sqrt(power)
        added = self._added(typical)
        added -= typical * (np.dot(added, typical) / np.dot(typical, typical))
        self._gain = np.sqrt(power / np.mean(added**2)) * db_to_gain(-below_db)
        self._limit = 4 * np.sqrt(power)  # the membrane's largest excursion

    def __call__(self, signal: Signal) -> Signal:
        return signal + self._gain * self._added(np.clip(signal, -self._limit, self._limit))

    def _added(self, signal: Signal) -> Signal:
        return self._cube * signal**3 + self._square * signal**2


class Air:
    """Stands in for `parleyd.simulation.acoustics.Room` in a `SimulatedCard`.

    `paths`: echo paths before and after something moved, with their gain, at 16 kHz.
    `around`: all sound at the microphone besides the echo, full scale 1.0, from second 0 on.
    `moves_at_s`: start of the crossfade from the first path to the second; None: never.
    `device`: how the microphone changes its sound, and the wavering of the path; None: nothing.
    `server`: the sound server between the core and this air; None: a sound card.
    """

    loudspeaker_rate_hz = LOUDSPEAKER_HZ

    def __init__(
        self,
        paths: tuple[Signal, Signal],
        around: Signal,
        *,
        delay_ms: float,
        distortion: Distortion,
        moves_at_s: float | None = None,
        device: Device | None = None,
        server: SoundServer | None = None,
    ) -> None:
        self.clock_ppm = device.clock_ppm if device is not None else 0.0
        """The error of the device's clock."""
        self._microphone = device.microphone() if device is not None else None
        self._wavers = device.path() if device is not None else None
        self._server = server
        self._resampler = PeriodResampler(LOUDSPEAKER_HZ, MIC_RATE_HZ)
        self._delay = DelayLine(LONGEST_DELAY_MS * MIC_RATE_HZ // 1000)
        self.shift_echo(delay_ms - self._resampler.delay_ms)
        self._distortion = distortion
        self._before = Convolver(paths[0])
        self._after = Convolver(paths[1]) if moves_at_s is not None else None
        self._moves_at_s = moves_at_s or 0.0
        self.around = around
        self._period = 0
        self.echo_power: list[float] = []
        """Mean square of the echo at the microphone, for each period so far."""
        self.silent = True
        """Whether the last period played only zeros."""

    def hear(self, played: Frames, talker: Frames) -> Frames:
        """Return the microphone's next 10 ms; ignores `talker`: `around` contains the speech."""
        self.silent = not played.any()
        loudspeaker = self._distortion(self._resampler.process(played / FULL_SCALE))
        if self._server is not None:
            loudspeaker, later_ms = self._server.played(loudspeaker)
            self.shift_echo(later_ms)
        loudspeaker = self._delay.process(loudspeaker)
        if self._wavers is not None:
            loudspeaker = self._wavers.process(loudspeaker)
        echo = self._echo(loudspeaker)
        self.echo_power.append(float(np.mean(echo**2)))
        start = self._period * MIC_PERIOD_FRAMES
        self._period += 1
        sound = echo + self.around[start : start + MIC_PERIOD_FRAMES]
        if self._microphone is not None:
            sound = self._microphone.process(sound)
        if self._server is not None:
            sound = self._server.captured(sound)
        return float_to_int16(sound)

    def shift_echo(self, ms: float) -> None:
        """Delay the echo by `ms` from the next period on (negative: earlier)."""
        frames = self._delay.delay_frames + round(ms * MIC_RATE_HZ / 1000)
        self._delay.delay_frames = min(max(frames, 0), LONGEST_DELAY_MS * MIC_RATE_HZ // 1000)

    def _echo(self, sound: Signal) -> Signal:
        before = self._before.process(sound)
        if self._after is None:
            return before
        after = self._after.process(sound)
        moved = (self._period * PERIOD_MS / 1000 - self._moves_at_s) / MOVE_S
        share = min(max(moved, 0.0), 1.0)
        return (1 - share) * before + share * after
