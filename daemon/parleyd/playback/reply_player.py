"""The mouth: the reply under way, our own sounds, and how both are held or given up."""

from dataclasses import dataclass

import numpy as np

from parleyd import config
from parleyd.audio import db_to_gain
from parleyd.playback.lead import Lead
from parleyd.playback.playout import Heard, PartKey, Playout
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames, ms_to_frames

_EARCON = "earcon:"  # item ids of our own sounds, which the server knows nothing of
REPEATED_S = 120  # of the last reply that can be played again: 6 MB; who waits for more of it?
INAUDIBLE = 16  # peak deviation of int16 frames, -66 dBFS: dither and rounding, never a voice


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A reply that was interrupted."""

    unheard: list[Heard]
    """Each part that was received and not heard to its end."""
    heard_ms: int
    """How much of the whole reply was heard."""


class Mouth:
    """Composes playout, gains and the account of one reply; owned by the audio thread."""

    def __init__(self, settings: config.Config, lead: Lead) -> None:
        audio = settings.audio
        self._duck = settings.hearing.reaction == "duck"
        self._duck_gain = db_to_gain(-settings.hearing.duck_db)
        self._lead, self._rate_hz = lead, audio.playback_rate_hz
        self._playout = Playout(audio.playback_rate_hz, settings.playout.capacity_s)
        self._queued = 0  # device frames not yet heard, as of the last heartbeat
        self._drop = False
        self._parts: set[PartKey] = set()  # of the reply
        self._done = False
        self._cut: Heard | None = None
        self._sounded = False
        self._silent_frames = 0  # at the end of what was received of the reply
        self._earcons = 0
        self._said = bytearray()  # the reply, int16 at 24 kHz, in the order of its playing
        self._last = SILENCE  # what was heard of the reply before
        self.set_volume(audio.volume)

    # --- the heartbeat ----------------------------------------------------------------

    def heard(self, queued_frames: int) -> None:
        """The device holds `queued_frames` of what was written; the rest was heard."""
        self._queued = queued_frames
        self._playout.heard(queued_frames)

    def next(self) -> tuple[int | None, Frames]:
        """What the device is to do: drop its queue of so many frames (None: keep it), then
        play these (device rate), which bring it back to the lead."""
        dropped = self._queued if self._drop else None
        kept = 0 if self._drop else self._queued
        self._drop = False
        wanted = ms_to_frames(self._lead.ms, self._rate_hz)
        return dropped, self._playout.pull(max(0, wanted - kept))

    # --- the reply --------------------------------------------------------------------

    def begin(self) -> None:
        """A new reply is asked for: the account of the old one is closed."""
        heard = ms_to_frames(self.heard_ms, SERVER_RATE_HZ)
        if heard:
            self._last = np.frombuffer(bytes(self._said), np.int16)[:heard]
        self._said = bytearray()
        self._parts.clear()
        self._done = False
        self._cut = None
        self._sounded = False
        self._silent_frames = 0

    def say(self, item_id: str, content_index: int, frames: Frames, response: int = 0) -> bool:
        """More of the reply (int16 at 24 kHz); False, once, when the ring has become full.

        Nothing is dropped silently: the reply ends where the ring is full, and `cut`
        tells what the server must be told when it was heard.
        """
        self._parts.add((item_id, content_index, response))
        self._listen(frames)
        room = REPEATED_S * SERVER_RATE_HZ - len(self._said) // 2
        self._said += frames[:room].tobytes()
        taken = self._playout.append(item_id, content_index, frames, response)
        if taken == len(frames) or self._cut is not None:
            return True
        received_ms = self._playout.received_ms(item_id, content_index, response)
        self._cut = Heard(item_id, content_index, received_ms, received_ms, False, response)
        return False

    def say_again(self) -> bool:
        """Play what was heard of the reply before, as a part of this one that the server does
        not know of; False when there was none."""
        if len(self._last) == 0:
            return False
        self.say_own(self._last)
        return True

    def say_own(self, frames: Frames) -> bool:
        """Speech of our own (int16 at 24 kHz) as a part of the reply that the server does not know
        of; False when the ring has no room for all of it."""
        self._earcons += 1
        self.say(f"{_EARCON}{self._earcons}", 0, frames)
        return self._cut is None

    def part_done(self, item_id: str, content_index: int, response: int = 0) -> None:
        """No more audio is expected for this part of the reply."""
        self._playout.finish(item_id, content_index, response)

    def done(self) -> None:
        """No more audio for the whole reply."""
        self._playout.finish_all()
        self._done = True

    @property
    def begun(self) -> bool:
        """Some of the reply has come in."""
        return bool(self._parts)

    @property
    def sounded(self) -> bool:
        """Something of the reply that came in is more than silence."""
        return self._sounded

    @property
    def silent_s(self) -> float:
        """The length of the silence with which the reply, as received so far, ends."""
        return self._silent_frames / SERVER_RATE_HZ

    @property
    def heard_ms(self) -> int:
        """How much of the reply was heard."""
        return sum(self._playout.heard_ms(*part) for part in self._parts)

    @property
    def finished(self) -> bool:
        """The reply is complete and was heard to its end, as was every other sound."""
        return self._done and not self._playout.busy

    @property
    def buffered_ms(self) -> int:
        """How much waits to be played."""
        return self._playout.buffered_ms

    @property
    def cut(self) -> Heard | None:
        """The part of the server's at whose end the ring was full, if it was."""
        ours = self._cut is not None and self._cut.item_id.startswith(_EARCON)
        return None if ours else self._cut

    # --- hold, resume, give up --------------------------------------------------------

    def hold(self) -> None:
        """Fall silent (or low) at once; nothing is lost."""
        if self._duck:
            self._playout.set_duck(self._duck_gain)
        else:
            self._playout.hold(self._queued)
            self._drop = True

    def resume(self) -> None:
        """Go on at the frame where it was held, behind the silence that the device still has.

        Dropping that silence would save the lead (40 ms) and cost the canceller its alignment.
        """
        self._playout.resume()
        self._playout.set_duck(1.0)

    def give_up(self) -> GivenUp:
        """Fall silent at once, for good: nothing of this reply is ever played again."""
        if not self._playout.held:  # when held, the device plays silence already
            self._drop = True
        parts = self._playout.discard(self._queued)
        self._playout.set_duck(1.0)
        heard_ms = self.heard_ms
        self.begin()
        return GivenUp([p for p in parts if not p.item_id.startswith(_EARCON)], heard_ms)

    def _listen(self, frames: Frames) -> None:
        if len(frames) and int(frames.max()) - int(frames.min()) > 2 * INAUDIBLE:
            self._sounded, self._silent_frames = True, 0
        else:
            self._silent_frames += len(frames)

    # --- our own sounds ---------------------------------------------------------------

    def play(self, sound: Frames) -> None:
        """An earcon (int16 at 24 kHz), behind whatever is being played; no frames, no sound."""
        if len(sound) == 0:
            return
        self._earcons += 1
        item_id = f"{_EARCON}{self._earcons}"
        self._playout.append(item_id, 0, sound)
        self._playout.finish(item_id, 0)

    def set_volume(self, percent: int) -> None:
        """Loudness 0..100; the square makes equal steps sound about equal."""
        self._audible = percent > 0
        self._playout.set_volume((percent / 100) ** 2)

    @property
    def audible(self) -> bool:
        """The volume lets anything be heard."""
        return self._audible
