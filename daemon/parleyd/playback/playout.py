"""Playout: the queue of received audio, the account of heard audio, and an immediate stop.

Audio waits at the server's rate in one ring of fixed capacity, tagged by item and content
part. `pull` resamples it, part by part in one stream, to the device's rate. Pulled frames stay
here as *pending* until the device reports that they left the loudspeaker. `hold` can therefore
take them back, `resume` can continue at the exact frame, and `heard_ms` is a measurement, never
an estimate.
"""

import mmap
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np

from parleyd.audio import FrameRing, StreamResampler, round_to_int16
from parleyd.units import SERVER_RATE_HZ, SILENCE, Floats, Frames, frames_to_ms, ms_to_frames

FADE_IN_MS = 5  # long enough to avoid a click, too short to be heard as a fade
GAIN_RAMP_MS = 10  # one period: a duck is complete within the tick that decided it
KEPT_PARTS = 64  # far more than the parts of one reply; the oldest finished parts are removed
MOST_SEGMENTS = 1024  # parts usually follow each other; only a broken server mixes them so often


PartKey = tuple[str, int, int]
"""Item id, content index and the number of the response."""


@dataclass(frozen=True, slots=True)
class PlaybackProgress:
    """The heard length of one content part of an item."""

    item_id: str
    content_index: int
    heard_ms: int
    received_ms: int
    complete: bool
    """Whether the whole part was received and heard, so it needs no truncation."""

    response: int = 0
    """The number of its response: item ids are unique only inside their response."""


@dataclass(slots=True, eq=False)
class _PlayoutPart:
    """The account of one content part."""

    item_id: str
    content_index: int
    response: int
    received: int = 0  # frames at the server's rate
    produced: int = 0  # frames at the device's rate that left the resampler
    heard: int = 0  # frames at the device's rate that left the loudspeaker
    finished: bool = False  # no more audio is expected
    flushed: bool = False  # the resampler has returned all its frames
    discarded: bool = False  # dropped before its end: it accepts and plays no more audio


@dataclass(slots=True, eq=False)
class _Segment:
    """Adjacent frames of one part in the ring."""

    part: _PlayoutPart
    frames: int = 0


@dataclass(slots=True)
class _Run:
    """Device-rate frames of one part; `part` is None for the silence between replies."""

    part: _PlayoutPart | None
    frames: Frames


def _untouched(frames: int) -> Frames:
    """Return memory whose pages the kernel allocates on the first write and frees at the end.

    `np.zeros` returns such memory only for the first time in a process. After a reload, it
    would write zeros to 17 MB.
    """
    return np.frombuffer(mmap.mmap(-1, frames * 2), np.int16)


@dataclass(slots=True)
class _Gain:
    """A gain that moves linearly to its target."""

    now: float = 1.0
    target: float = 1.0
    step: float = 0.0

    def aim(self, target: float, frames: int) -> None:
        self.target = target
        self.step = (target - self.now) / max(frames, 1)

    def apply(self, frames: Frames) -> Frames:
        if len(frames) == 0 or self.now == self.target == 1.0:
            return frames
        curve = np.full(len(frames), self.target, np.float32)
        if self.now != self.target:
            left = round((self.target - self.now) / self.step)
            ramp = self.now + self.step * np.arange(1, min(left, len(frames)) + 1)
            curve[: len(ramp)] = ramp
            self.now = self.target if left <= len(frames) else float(ramp[-1])
        scaled: Floats = frames * curve
        return round_to_int16(scaled)


@dataclass(slots=True)
class Playout:
    """The ring of tagged segments; owned by the audio thread, does no I/O.

    The capacity is `capacity_s` seconds at the server's rate (24,000 frames, 48 kB a second).
    """

    device_rate_hz: int
    capacity_s: float
    held: bool = False
    _ring: FrameRing = field(init=False)
    _segments: deque[_Segment] = field(default_factory=deque)
    _ready: deque[_Run] = field(default_factory=deque)  # resampled, not pulled
    _pending: deque[_Run] = field(default_factory=deque)  # pulled, not yet heard
    _pending_frames: int = 0
    _parts: OrderedDict[PartKey, _PlayoutPart] = field(default_factory=OrderedDict)
    _resampler: StreamResampler | None = None
    _volume: _Gain = field(default_factory=_Gain)
    _duck: _Gain = field(default_factory=_Gain)
    _fade: _Gain = field(default_factory=_Gain)

    def __post_init__(self) -> None:
        self._ring = FrameRing(_untouched(int(self.capacity_s * SERVER_RATE_HZ)))

    # --- in ---------------------------------------------------------------------------

    def append(self, item_id: str, content_index: int, frames: Frames, response: int = 0) -> int:
        """Append int16 mono frames at 24 kHz to the queue; return the number of accepted frames.

        A finished part is reopened, because some servers send audio after its end. Frames that
        do not fit are neither queued nor counted as received. The caller handles them (see
        `parleyd.core.reply`, which ends the reply there and cancels the rest).
        """
        part = self._part(item_id, content_index, response)
        taken = min(len(frames), self._ring.space)
        if part is None or part.discarded or taken == 0:
            return 0
        if len(self._segments) >= MOST_SEGMENTS:
            return 0
        self._ring.push(frames[:taken])
        if not self._segments or self._segments[-1].part is not part:
            self._segments.append(_Segment(part))
        self._segments[-1].frames += taken
        part.received += taken
        part.finished = part.flushed = False
        return taken

    def finish(self, item_id: str, content_index: int, response: int = 0) -> None:
        """Mark the end of this part's audio; unknown or finished parts are ignored."""
        part = self._parts.get((item_id, content_index, response))
        if part is not None and not part.finished and not part.discarded:
            part.finished = True
            if not any(segment.part is part for segment in self._segments):
                self._segments.append(_Segment(part))  # flushes the resampler

    def finish_all(self) -> None:
        """Mark the end of all parts: the response is done or the connection is lost."""
        for part in list(self._parts.values()):
            self.finish(part.item_id, part.content_index, part.response)

    # --- out --------------------------------------------------------------------------

    def pull(self, count: int) -> Frames:
        """Return the next `count` device-rate frames for the loudspeaker, with gain and fades.

        Without audio, or while playback is held, the frames are silence. All returned frames
        are pending until `heard` or `hold` accounts for them.
        """
        runs: list[_Run] = []
        missing = count
        while missing > 0 and not self.held:
            if not self._ready and not self._resample(missing):
                break
            run = self._ready.popleft()
            if len(run.frames) > missing:
                self._ready.appendleft(_Run(run.part, run.frames[missing:]))
                run = _Run(run.part, run.frames[:missing])
            runs.append(run)
            missing -= len(run.frames)
        if missing > 0:
            runs.append(_Run(None, np.zeros(missing, np.int16)))
        self._pending.extend(runs)
        self._pending_frames += count
        if len(runs) == 1:  # nearly always
            out = runs[0].frames
        else:
            out = np.concatenate([run.frames for run in runs]) if runs else SILENCE
        return self._volume.apply(self._duck.apply(self._fade.apply(out)))

    def heard(self, queued_frames: int) -> None:
        """Count all pulled frames as heard, except the device's last `queued_frames`.

        If `queued_frames` exceeds the pending frames (the device counts its own silence), no
        pending frame counts as heard. Heard frames never become unheard.
        """
        leaving = self._pending_frames - queued_frames
        while leaving > 0 and self._pending:
            run = self._pending.popleft()
            if len(run.frames) > leaving:
                self._pending.appendleft(_Run(run.part, run.frames[leaving:]))
                run = _Run(run.part, run.frames[:leaving])
            leaving -= len(run.frames)
            self._pending_frames -= len(run.frames)
            if run.part is not None:
                run.part.heard += len(run.frames)

    # --- hold, resume, discard --------------------------------------------------------

    def hold(self, queued_frames: int) -> None:
        """Stop playback; `resume` continues at the same frame.

        The caller drops the device's queue. `queued_frames` is as for `heard`. A second hold
        has no effect.
        """
        self.heard(queued_frames)
        taken_back = [run for run in self._pending if run.part is not None]
        self._ready.extendleft(reversed(taken_back))
        self._pending.clear()
        self._pending_frames = 0
        self.held = True

    def resume(self) -> None:
        """Continue at the first unheard frame, with a short fade-in."""
        if self.held:
            self.held = False
            self._fade.now = 0.0
            self._fade.aim(1.0, ms_to_frames(FADE_IN_MS, self.device_rate_hz))

    def discard(self, queued_frames: int) -> list[PlaybackProgress]:
        """Drop all unheard audio; return the heard length of each interrupted part.

        The caller drops the device's queue. Completely heard parts are not returned. No audio
        that was appended before this call is ever pulled again.
        """
        self.hold(queued_frames)
        cut = [p for p in self._parts.values() if not p.discarded and not self._complete(p)]
        result = [self._heard(part) for part in cut]
        for part in cut:
            part.discarded = True
        self._ring.clear()
        self._segments.clear()
        self._ready.clear()
        self._resampler = None
        self.held = False
        return result

    # --- heard and received -----------------------------------------------------------

    def heard_ms(self, item_id: str, content_index: int = 0, response: int = 0) -> int:
        """Return the heard ms of this part: rounded down, <= received, 0 if unknown."""
        part = self._parts.get((item_id, content_index, response))
        return self._part_heard_ms(part) if part is not None else 0

    def received_ms(self, item_id: str, content_index: int = 0, response: int = 0) -> int:
        """Return the received ms of this part, rounded down."""
        part = self._parts.get((item_id, content_index, response))
        return frames_to_ms(part.received, SERVER_RATE_HZ) if part is not None else 0

    @property
    def busy(self) -> bool:
        """Whether some appended audio has not been heard yet."""
        return bool(self._segments or self._ready) or any(
            run.part is not None for run in self._pending
        )

    @property
    def buffered_ms(self) -> int:
        """The length of the audio that waits for `pull`."""
        ready = sum(len(run.frames) for run in self._ready)
        return frames_to_ms(len(self._ring), SERVER_RATE_HZ) + frames_to_ms(
            ready, self.device_rate_hz
        )

    # --- gain -------------------------------------------------------------------------

    def set_volume(self, gain: float) -> None:
        """Set the linear gain of the following pulls, 0..1; it is reached within one period."""
        self._volume.aim(gain, ms_to_frames(GAIN_RAMP_MS, self.device_rate_hz))

    def set_duck(self, gain: float) -> None:
        """Set a second gain that lowers the voice temporarily; 1.0 is normal."""
        self._duck.aim(gain, ms_to_frames(GAIN_RAMP_MS, self.device_rate_hz))

    # --- internals --------------------------------------------------------------------

    def _part(self, item_id: str, content_index: int, response: int) -> _PlayoutPart | None:
        """Return the part with this key, or a new part; None if there are too many parts."""
        key = (item_id, content_index, response)
        if key not in self._parts:
            if len(self._parts) >= KEPT_PARTS and not self._forget():
                return None
            self._parts[key] = _PlayoutPart(item_id, content_index, response)
        return self._parts[key]

    def _forget(self) -> bool:
        """Remove the oldest finished part; return False if there is none."""
        over = (key for key, p in self._parts.items() if p.discarded or self._complete(p))
        oldest = next(over, None)
        return oldest is not None and self._parts.pop(oldest) is not None

    def _resample(self, wanted: int) -> bool:
        """Move the next frames from the ring to `_ready`; return False if there are none yet."""
        while self._segments:
            segment = self._segments[0]
            part = segment.part
            # enough for `wanted` and for the resampler's look-ahead, but not much more
            count = min(segment.frames, wanted * SERVER_RATE_HZ // self.device_rate_hz + 240)
            source = self._ring.pop(count)
            segment.frames -= count
            last = segment.frames == 0 and (part.finished or len(self._segments) > 1)
            if last:
                self._segments.popleft()
            frames = self._convert(source, last)
            if last:
                part.flushed = part.finished
            if len(frames):
                part.produced += len(frames)
                self._ready.append(_Run(part, frames))
                return True
            if not last and segment.frames == 0:
                return False
        return False

    def _convert(self, frames: Frames, last: bool) -> Frames:
        if self.device_rate_hz == SERVER_RATE_HZ:
            return frames
        if self._resampler is None:
            self._resampler = StreamResampler(SERVER_RATE_HZ, self.device_rate_hz)
        out = self._resampler.process(frames, last=last)
        if last:
            self._resampler = None
        return out

    def _complete(self, part: _PlayoutPart) -> bool:
        return not part.discarded and part.finished and part.flushed and part.heard == part.produced

    def _heard(self, part: _PlayoutPart) -> PlaybackProgress:
        return PlaybackProgress(
            part.item_id,
            part.content_index,
            self._part_heard_ms(part),
            frames_to_ms(part.received, SERVER_RATE_HZ),
            self._complete(part),
            part.response,
        )

    def _part_heard_ms(self, part: _PlayoutPart) -> int:
        received_ms = frames_to_ms(part.received, SERVER_RATE_HZ)
        if self._complete(part):
            return received_ms
        return min(frames_to_ms(part.heard, self.device_rate_hz), received_ms)
