"""A sound card and its clock in simulated time; it drives the real core."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from parleyd.audio import FrameRing, round_to_int16
from parleyd.core.events import Effect, MicPeriod, TickResult
from parleyd.errors import AudioError
from parleyd.simulation.acoustics import Room
from parleyd.simulation.convolution import ClockDrift
from parleyd.simulation.recording import Recording
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS, Frames

PLAYBACK_BUFFER_MS = 500  # more than twice the longest lead that the configuration allows
CAPTURE_BUFFER_PERIODS = 8  # 80 ms, as the daemon requests from ALSA


class PeriodProcessor(Protocol):
    """The core that the card drives: `parleyd.core.speaker.SmartSpeaker`, or a test's core."""

    def tick(self, mic: MicPeriod, now: float) -> TickResult: ...


@dataclass(frozen=True, slots=True)
class Stall:
    """The core does not run for `ms` from `at_s` on, as if another process took the CPU.

    Playback continues until its queue is empty, which is an underrun. Captured periods wait
    and then arrive in a burst. After 80 ms they are lost, which is an overrun.
    """

    at_s: float
    ms: float


@dataclass(frozen=True, slots=True)
class EchoShift:
    """The echo path becomes `ms` longer at `at_s`; the driver reports this as `xruns`."""

    at_s: float
    ms: float
    xruns: int = 0


InjectedFault = Stall | EchoShift


class SimulatedCard:
    """Runs a core in a room, 10 ms at a time, independently of real time.

    In each period the loudspeaker plays from the queue while the microphone captures. At the
    period's end the card ticks the core and applies its step: first the drop, then the write.
    An underrun counts as in `parleyd.alsa.sound_card`: when frames are written to a playback
    that ran dry. A step without frames stops the playback, which is not an underrun.
    Not thread-safe; the same arguments and the same core give the same run.
    """

    def __init__(
        self,
        core: PeriodProcessor,
        room: Room,
        talker: Talker,
        *,
        recording: Recording | None = None,
        drift_ppm: float = 0.0,
        faults: Sequence[InjectedFault] = (),
    ) -> None:
        """`drift_ppm`: the speed of the playback clock relative to the capture clock."""
        self.muted = False
        """Whether the microphone is closed: the core gets None, the recording gets silence."""
        self.underruns = 0
        self.overruns = 0
        self.written_frames = 0
        self.played_frames = 0
        """Written frames that the loudspeaker played, without the silence of underruns."""
        self.dropped_frames = 0
        self._core, self._room, self._talker, self._recording = core, room, talker, recording
        self.rate_hz = room.loudspeaker_rate_hz
        self._period_frames = self.rate_hz * PERIOD_MS // 1000
        self._drift = ClockDrift(drift_ppm, self._period_frames) if drift_ppm else None
        self._faults = sorted(faults, key=lambda fault: fault.at_s)
        self._periods = 0
        self._stalled_until = 0.0
        self._queue = FrameRing(np.zeros(self.rate_hz * PLAYBACK_BUFFER_MS // 1000, np.int16))
        self._playing = False  # from a write to a drop or an underrun
        self._dry = False
        self._captured: list[Frames] = []
        self._xruns = 0

    @property
    def now(self) -> float:
        """Simulated seconds: the end of the last period, as passed to the core."""
        return self._periods * PERIOD_MS / 1000

    @property
    def queued_frames(self) -> int:
        """Frames that are written but not yet played."""
        return len(self._queue)

    def step(self) -> Sequence[Effect]:
        """Simulate 10 ms; return the core's effects. Raises `AudioError` on a full buffer."""
        self._begin_faults()
        played = self._play()
        heard = self._room.hear(self._as_captured(played), self._talker.period())
        if self.muted:
            heard = np.zeros(MIC_PERIOD_FRAMES, np.int16)
        self._periods += 1
        if self._recording:
            self._recording.add(played, heard)
        self._capture(heard)
        if self.now < self._stalled_until:
            return ()
        effects: list[Effect] = []
        captured, self._captured = self._captured, []
        for frames in captured:
            effects.extend(self._tick(None if self.muted else frames))
        return effects

    def run_until(self, time_s: float) -> list[Effect]:
        """Step as fast as possible until `now` reaches `time_s`; return all effects."""
        effects: list[Effect] = []
        while self.now < time_s:
            effects.extend(self.step())
        return effects

    def _begin_faults(self) -> None:
        while self._faults and self._faults[0].at_s <= self.now:
            match self._faults.pop(0):
                case Stall(at_s, ms):
                    self._stalled_until = at_s + ms / 1000
                case EchoShift(_, ms, xruns):
                    self._room.shift_echo(ms)
                    self._xruns += xruns

    def _play(self) -> Frames:
        wanted = self._drift.wanted_frames if self._drift else self._period_frames
        played = self._queue.pop(wanted)
        self.played_frames += len(played)
        if len(played) == wanted:
            return played
        self._dry = self._dry or self._playing
        self._playing = False
        return np.concatenate((played, np.zeros(wanted - len(played), np.int16)))

    def _as_captured(self, played: Frames) -> Frames:
        """Return the period's played audio on the capture clock."""
        if self._drift is None:
            return played
        return round_to_int16(self._drift.process(played.astype(np.float64)))

    def _capture(self, heard: Frames) -> None:
        if len(self._captured) == CAPTURE_BUFFER_PERIODS:
            self._captured.clear()
            self.overruns += 1
            self._xruns += 1
        self._captured.append(heard)

    def _tick(self, frames: Frames | None) -> Sequence[Effect]:
        xruns, self._xruns = self._xruns, 0
        step = self._core.tick(MicPeriod(frames, self.queued_frames, xruns), self.now)
        if step.drop:
            self._drop()
        if len(step.playback):
            self._write(step.playback)
        else:
            self._dry = False
        return step.effects

    def _drop(self) -> None:
        if self._recording:
            self._recording.add_drop(self.now, len(self._queue))
        self.dropped_frames += len(self._queue)
        self._queue.clear()
        self._playing = self._dry = False

    def _write(self, frames: Frames) -> None:
        if len(frames) > self._queue.space:
            raise AudioError(
                f"the core wrote {len(frames)} frames, but only {self._queue.space} fit; "
                f"its lead must stay under {PLAYBACK_BUFFER_MS} ms"
            )
        self._queue.push(frames)
        self.written_frames += len(frames)
        if self._dry:
            self.underruns += 1
            self._xruns += 1
        self._playing, self._dry = True, False
