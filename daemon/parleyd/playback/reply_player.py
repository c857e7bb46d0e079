"""The reply player: plays the current reply and own sounds; holds, resumes and interrupts them."""

from dataclasses import dataclass

import numpy as np

from parleyd import config
from parleyd.audio import db_to_gain
from parleyd.playback.lead import PlaybackLead
from parleyd.playback.playout import PartKey, PlaybackProgress, Playout
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames, ms_to_frames

_EARCON = "earcon:"  # the prefix of own sounds' item ids, which the server does not know
REPEATED_S = 120  # the part of the last reply that can be repeated, 6 MB; longer is not useful
INAUDIBLE = 16  # peak deviation of int16 frames, -66 dBFS: dither and rounding, never a voice


@dataclass(frozen=True, slots=True)
class InterruptedReply:
    """A reply that was interrupted."""

    unheard: list[PlaybackProgress]
    """Each received part that was not heard to its end."""
    heard_ms: int
    """The heard length of the whole reply."""


class ReplyPlayer:
    """Composes playout, gains and the account of one reply; owned by the audio thread."""

    def __init__(self, settings: config.Config, lead: PlaybackLead) -> None:
        audio = settings.audio
        self._duck = settings.hearing.on_suspicion == "duck"
        self._duck_gain = db_to_gain(-settings.hearing.duck_db)
        self._lead, self._rate_hz = lead, audio.playback_rate_hz
        self._playout = Playout(audio.playback_rate_hz, settings.playout.capacity_s)
        self._queued = 0  # device frames not yet heard, as of the last period
        self._drop = False
        self._parts: set[PartKey] = set()  # the parts of the reply
        self._done = False
        self._cut: PlaybackProgress | None = None
        self._sounded = False
        self._silent_frames = 0  # at the end of the received part of the reply
        self._earcons = 0
        self._said = bytearray()  # the reply, int16 at 24 kHz, in the order of playback
        self._last = SILENCE  # the heard part of the previous reply
        self.set_volume(audio.volume)

    # --- each period ------------------------------------------------------------------

    def heard(self, queued_frames: int) -> None:
        """Count all written frames as heard, except the device's last `queued_frames`."""
        self._queued = queued_frames
        self._playout.heard(queued_frames)

    def next(self) -> tuple[int | None, Frames]:
        """Return the next actions of the device.

        First drop its queue of this number of frames (None: keep the queue), then play these
        frames (device rate), which fill the queue up to the lead.
        """
        dropped = self._queued if self._drop else None
        kept = 0 if self._drop else self._queued
        self._drop = False
        wanted = ms_to_frames(self._lead.ms, self._rate_hz)
        return dropped, self._playout.pull(max(0, wanted - kept))

    # --- the reply --------------------------------------------------------------------

    def begin(self) -> None:
        """Start a new reply, which closes the account of the previous one."""
        heard = ms_to_frames(self.heard_ms, SERVER_RATE_HZ)
        if heard:
            self._last = np.frombuffer(bytes(self._said), np.int16)[:heard]
        self._said = bytearray()
        self._parts.clear()
        self._done = False
        self._cut = None
        self._sounded = False
        self._silent_frames = 0

    def append(self, item_id: str, content_index: int, frames: Frames, response: int = 0) -> bool:
        """Append frames of the reply (int16 at 24 kHz); return False, once, if the ring is full.

        No frame is dropped silently: the reply ends where the ring is full, and `cut` is the
        part to report to the server when the reply has been heard.
        """
        self._parts.add((item_id, content_index, response))
        self._listen(frames)
        room = REPEATED_S * SERVER_RATE_HZ - len(self._said) // 2
        self._said += frames[:room].tobytes()
        taken = self._playout.append(item_id, content_index, frames, response)
        if taken == len(frames) or self._cut is not None:
            return True
        received_ms = self._playout.received_ms(item_id, content_index, response)
        self._cut = PlaybackProgress(
            item_id, content_index, received_ms, received_ms, False, response
        )
        return False

    def replay(self) -> bool:
        """Repeat the heard part of the previous reply; return False if there is none.

        It becomes a part of this reply that the server does not know.
        """
        if len(self._last) == 0:
            return False
        self.append_own(self._last)
        return True

    def append_own(self, frames: Frames) -> bool:
        """Append own speech (int16 at 24 kHz) to the reply; return False if it does not fit.

        It becomes a part of the reply that the server does not know.
        """
        self._earcons += 1
        self.append(f"{_EARCON}{self._earcons}", 0, frames)
        return self._cut is None

    def part_done(self, item_id: str, content_index: int, response: int = 0) -> None:
        """Mark the end of this part's audio."""
        self._playout.finish(item_id, content_index, response)

    def done(self) -> None:
        """Mark the end of the whole reply's audio."""
        self._playout.finish_all()
        self._done = True

    @property
    def begun(self) -> bool:
        """Whether audio of the reply has been received."""
        return bool(self._parts)

    @property
    def sounded(self) -> bool:
        """Whether the received audio of the reply contains any sound."""
        return self._sounded

    @property
    def silent_s(self) -> float:
        """The length of the silence at the end of the received audio."""
        return self._silent_frames / SERVER_RATE_HZ

    @property
    def heard_ms(self) -> int:
        """The heard length of the reply."""
        return sum(self._playout.heard_ms(*part) for part in self._parts)

    @property
    def finished(self) -> bool:
        """Whether the complete reply and all other sounds were heard to their end."""
        return self._done and not self._playout.busy

    @property
    def busy(self) -> bool:
        """Whether any sound was not heard to its end."""
        return self._playout.busy

    @property
    def buffered_ms(self) -> int:
        """The length of the audio that waits for playback."""
        return self._playout.buffered_ms

    @property
    def cut(self) -> PlaybackProgress | None:
        """The server's part at whose end the ring was full, or None."""
        ours = self._cut is not None and self._cut.item_id.startswith(_EARCON)
        return None if ours else self._cut

    # --- hold, resume, interrupt ------------------------------------------------------

    def hold(self) -> None:
        """Silence (or lower) playback at once, without loss of frames."""
        if self._duck:
            self._playout.set_duck(self._duck_gain)
        else:
            self._playout.hold(self._queued)
            self._drop = True

    def resume(self) -> None:
        """Continue at the frame of the hold, after the silence in the device's queue.

        A drop of that silence would save the lead (40 ms), but the canceller would lose its
        alignment.
        """
        self._playout.resume()
        self._playout.set_duck(1.0)

    def interrupt(self) -> InterruptedReply:
        """Silence playback at once and drop the rest of the reply; it is never played again."""
        if not self._playout.held:  # during a hold, the device plays silence already
            self._drop = True
        parts = self._playout.discard(self._queued)
        self._playout.set_duck(1.0)
        heard_ms = self.heard_ms
        self.begin()
        return InterruptedReply([p for p in parts if not p.item_id.startswith(_EARCON)], heard_ms)

    def _listen(self, frames: Frames) -> None:
        if len(frames) and int(frames.max()) - int(frames.min()) > 2 * INAUDIBLE:
            self._sounded, self._silent_frames = True, 0
        else:
            self._silent_frames += len(frames)

    # --- own sounds -------------------------------------------------------------------

    def play(self, sound: Frames) -> None:
        """Append an earcon (int16 at 24 kHz) to the queue; without frames, do nothing."""
        if len(sound) == 0:
            return
        self._earcons += 1
        item_id = f"{_EARCON}{self._earcons}"
        self._playout.append(item_id, 0, sound)
        self._playout.finish(item_id, 0)

    def set_volume(self, percent: int) -> None:
        """Set the volume, 0..100; the gain is its square, so equal steps sound about equal."""
        self._audible = percent > 0
        self._playout.set_volume((percent / 100) ** 2)

    @property
    def audible(self) -> bool:
        """Whether the volume is above zero."""
        return self._audible
