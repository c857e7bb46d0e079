"""The sound card through alsa-lib: every call is short; `drop` silences it; it never drains."""

import errno
import logging
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from parleyd import config
from parleyd.alsa.alsalib import alsaaudio
from parleyd.alsa.pcm import close_without_drain, open_pcm
from parleyd.errors import AudioError
from parleyd.playback.lead import MOST_GROWTH_MS
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS, SILENCE, Frames, ms_to_frames

if TYPE_CHECKING:
    from alsaaudio import PCM

CAPTURE_PERIODS = 16  # 160 ms of slack before an overrun if the audio thread is delayed
HEADROOM_PERIODS = 8  # above the lead, so that a write always finds room in the buffer
READ_WAIT_S = 0.05  # five periods: a waiting read still reacts to `stop` and the mute switch
STALL_S = 4.0  # a sound server was silent for up to 1.5 s after opening, a card 0.8 s before EIO

log = logging.getLogger(__name__)


class Card:
    """One capture and one playback device; only the audio thread calls its methods.

    The constructor opens playback only. `open_capture` and `close_capture` really open and
    close the microphone, so mute is real. Every method raises `AudioError` when the card is
    removed; after that, only `close` is useful.
    """

    def __init__(self, audio: config.AudioConfig) -> None:
        self.xruns = 0
        """Underruns during playback plus overruns, since the start."""
        self.rate_hz = audio.playback_rate_hz
        self._capture_name = audio.capture
        self._playback_name = audio.playback
        self._channels = audio.playback_channels
        self._capture: PCM | None = None
        self._closed = False
        self._carry: Frames = SILENCE
        self._poll = select.poll()
        self._heard_at = 0.0
        self._hears_nothing = audio.capture.rpartition(":")[2] == "null"
        self._resting = True
        self._queued = 0
        self._moved_at = 0.0  # when the device last played frames or had none queued
        self._playback, self._buffer_frames = self._open_playback(audio.lead_ms)

    # --- capture ---------------------------------------------------------------------

    @property
    def capturing(self) -> bool:
        """Whether the microphone is open."""
        return self._capture is not None

    def open_capture(self) -> None:
        """Open the microphone at 16 kHz mono; does nothing if it is open already."""
        if self._capture is not None:
            return
        name, key = self._capture_name, "audio.capture"
        opened = open_pcm(key, name, "PCM_CAPTURE", MIC_RATE_HZ, 1, CAPTURE_PERIODS)
        if opened.period_frames > 2 * MIC_PERIOD_FRAMES:
            log.warning(
                '%s: "%s" delivers %d frames at once instead of %d, which delays reactions; '
                "use a hw: or plughw: device of the card",
                *(key, name, opened.period_frames, MIC_PERIOD_FRAMES),
            )
        self._poll = select.poll()
        for descriptor, events in opened.pcm.polldescriptors():
            self._poll.register(descriptor, events)
        self._capture, self._carry, self._heard_at = opened.pcm, SILENCE, time.monotonic()

    def close_capture(self) -> None:
        """Close the microphone and drop unread frames; may be called twice."""
        pcm, self._capture = self._capture, None
        self._carry = SILENCE
        if pcm is not None:
            close_without_drain(pcm)

    def read(self) -> Frames | None:
        """Return the next 160 frames of 16 kHz mono int16.

        Blocks for at most `READ_WAIT_S`. Returns None if no whole period arrived in that time
        or the microphone is closed. An overrun is counted, and capture resumes after the gap.
        Raises `AudioError` if no frame arrived for `STALL_S`.
        """
        capture = self._capture
        if capture is None:
            return None
        if self._hears_nothing:
            return self._next_silence()
        deadline = time.monotonic() + READ_WAIT_S
        while len(self._carry) < MIC_PERIOD_FRAMES:
            got = self._read_some(capture)
            now = time.monotonic()
            if got:
                self._heard_at = now
            elif now - self._heard_at > STALL_S:
                raise AudioError(
                    f'audio.capture: "{self._capture_name}" delivered no audio for '
                    f"{STALL_S:.0f} s, one period every 10 ms is expected; replug the card or "
                    "restart it"
                )
            elif now >= deadline:
                return None
            else:
                self._wait(capture, deadline - now)
        period, self._carry = self._carry[:MIC_PERIOD_FRAMES], self._carry[MIC_PERIOD_FRAMES:]
        return period

    def _next_silence(self) -> Frames:
        """Return silence at the pace of a card, for ALSA's "null".

        It returns at once and writes nothing: the daemon's own memory would be the audio.
        """
        now = time.monotonic()
        self._heard_at = max(self._heard_at, now - READ_WAIT_S) + PERIOD_MS / 1000
        time.sleep(max(0.0, self._heard_at - now))
        return np.zeros(MIC_PERIOD_FRAMES, np.int16)

    def _read_some(self, capture: "PCM") -> int:
        """Move the available frames to the carry; return their number."""
        with _in_use("audio.capture", self._capture_name):
            count, data = capture.read()
        if count == -errno.EPIPE:
            self.xruns += 1
            self._carry = SILENCE  # a period must not span the gap
            return 0
        if count < 0:
            raise _gone("audio.capture", self._capture_name, os.strerror(-count))
        if count:
            self._carry = np.concatenate((self._carry, np.frombuffer(data, np.int16)))
        return count

    def _wait(self, capture: "PCM", seconds: float) -> None:
        events = self._poll.poll(max(1, round(seconds * 1000)))
        with _in_use("audio.capture", self._capture_name):
            if events:
                capture.polldescriptors_revents(events)  # plugins clear their wake-up here

    # --- playback --------------------------------------------------------------------

    def queued_frames(self) -> int:
        """Return the number of written frames that are not yet played; does not block.

        From 0 to the size of the buffer. Raises `AudioError` if the device played none of them
        for `STALL_S`.
        """
        if self._resting:  # avail() is undefined for a stopped stream
            return 0
        with _in_use("audio.playback", self._playback_name):
            room = self._playback.avail()
        if room == -errno.EPIPE:  # underrun
            return 0
        if room < 0:
            raise _gone("audio.playback", self._playback_name, os.strerror(-room))
        queued = min(max(self._buffer_frames - room, 0), self._buffer_frames)
        now = time.monotonic()
        if queued < self._queued:
            self._moved_at = now
        elif now - self._moved_at > STALL_S:
            raise AudioError(
                f'audio.playback: "{self._playback_name}" played nothing for {STALL_S:.0f} s, '
                f"although {queued} frames were queued; replug the card or restart it"
            )
        self._queued = queued
        return queued

    def write(self, frames: Frames) -> None:
        """Append mono frames at the device rate to the queue; does not block.

        After an underrun, the frames are written again and the xrun is counted. A write of no
        frames stops a device that ran dry: the pause after a reply is not an xrun. Raises
        `AudioError` if the buffer has no room for all frames, because frames lost silently
        would count as heard.
        """
        if len(frames) == 0:
            self._rest_if_dry()
            return
        room = self._buffer_frames - self.queued_frames()
        if len(frames) > room:
            raise AudioError(
                f"audio.playback: cannot write {len(frames)} frames, the card has room for "
                f"{room}; this is a bug in Parley, please report it with the log"
            )
        data = np.repeat(frames, self._channels).tobytes()
        if self._write_some(data) == -errno.EPIPE:
            self.xruns += 1
            self._write_some(data)
        if self._resting:
            self._resting, self._moved_at = False, time.monotonic()
        self._queued += len(frames)

    def drop(self) -> None:
        """Silence the device at once: drop all frames that are not yet played."""
        with _in_use("audio.playback", self._playback_name):
            self._playback.drop()
        self._resting = True

    def close(self) -> None:
        """Drop all frames (no drain) and free both devices; never raises, may be called twice."""
        self.close_capture()
        if not self._closed:
            self._closed = True
            close_without_drain(self._playback)

    def _open_playback(self, lead_ms: int) -> "tuple[PCM, int]":
        name, key, rate_hz = self._playback_name, "audio.playback", self.rate_hz
        periods = -(-lead_ms // PERIOD_MS) + HEADROOM_PERIODS
        opened = open_pcm(key, name, "PCM_PLAYBACK", rate_hz, self._channels, periods)
        needed = ms_to_frames(lead_ms + MOST_GROWTH_MS, rate_hz)
        if opened.buffer_frames < needed:
            close_without_drain(opened.pcm)
            raise AudioError(
                f'{key}: "{name}" grants a buffer of {opened.buffer_frames} frames, but a lead of '
                f"{lead_ms} ms needs {needed}; use a smaller audio.lead_ms or a plughw: device"
            )
        return opened.pcm, opened.buffer_frames

    def _write_some(self, data: bytes) -> int:
        with _in_use("audio.playback", self._playback_name):
            count = self._playback.write(data)
        if count < 0 and count != -errno.EPIPE:
            raise _gone("audio.playback", self._playback_name, os.strerror(-count))
        return count

    def _rest_if_dry(self) -> None:
        with _in_use("audio.playback", self._playback_name):
            ran_dry = not self._resting and self._playback.avail() == -errno.EPIPE
        if ran_dry:
            self.drop()


def _gone(key: str, name: str, reason: str) -> AudioError:
    return AudioError(
        f'{key}: "{name}" was lost ({reason}); it must stay plugged in while Parley runs; '
        "plug it in again, and Parley resumes"
    )


@contextmanager
def _in_use(key: str, name: str) -> Iterator[None]:
    """Convert alsa-lib's exceptions in the body to `AudioError`."""
    try:
        yield
    except alsaaudio().ALSAAudioError as error:
        raise _gone(key, name, str(error).removesuffix(f" [{name}]")) from None
