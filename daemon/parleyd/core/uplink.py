"""The microphone's way to the server: when audio is sent, from where on, and in what chunks."""

import numpy as np

from parleyd.audio import StreamResampler
from parleyd.hearing.barge_in import Decision
from parleyd.hearing.front_end import AudioFrontEnd, FrontEndResult
from parleyd.hearing.user_gate import LOOK_BACK_MS
from parleyd.realtime.session import RealtimeSession
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, SERVER_RATE_HZ, SILENCE, Frames

SETTLE_S = 0.5  # after a reply: a user whose first sound was in it is detected by then
EARLIER_MS = 150  # a soft beginning ("f", "h", "s") precedes the detected onset by up to this
CHUNK_FRAMES = SERVER_RATE_HZ * 40 // 1000  # 25 messages a second; servers' VADs step by 30 ms


class Uplink:
    """Sends each turn's cleaned audio without a gap or an overlap; owned by the audio thread."""

    def __init__(self, front_end: AudioFrontEnd, session: RealtimeSession) -> None:
        self._front_end = front_end
        self._session = session
        self._chunks = Chunks()
        self._unsent_ms = 0  # of microphone audio, since the newest that was sent
        self._since_reply_ms = 0  # of microphone audio
        self._reply_ended: float | None = None
        self._heard_user = False  # since the reply
        self._sending = self._settles = self._sends_period = False
        self._withheld_ms = 0  # of the room's voices, until a user is louder

    @property
    def sending(self) -> bool:
        """The microphone's audio goes to the server."""
        return self._sending

    @property
    def settles(self) -> bool:
        """A reply is over, and it is not yet known whether the user began to speak during it."""
        return self._settles

    def begin(self, before_ms: float, *, speaking: bool) -> None:
        """Begin a new turn with the newest `before_ms` of audio; the server drops older input.

        `speaking`: the user is speaking already.
        """
        self._begin_input(speaking=speaking)
        self._end()
        self._send_from(before_ms)

    def reply_ended(self, now: float) -> None:
        """The last frame of a reply was heard; only the first call for each reply counts."""
        if self._reply_ended is None:
            self._reply_ended, self._since_reply_ms = now, 0

    def begin_after_reply(self, now: float) -> None:
        """Begin a new turn right after a reply, and send nothing until `settle` finds its start:
        the end of the reply, or the user's onset before that."""
        self.reply_ended(now)
        self._begin_input(speaking=False)
        self._front_end.linger()
        self._heard_user = False
        self._settles, self._sending = True, False

    def settle(self, result: FrontEndResult, now: float) -> int:
        """At each period while it `settles`: find where the turn starts, and send from there.

        Audio from before the reply's end is sent only if barge-in interrupts for it, or holds
        for it and the voice detector has found a word. Returns how many ms before the reply's
        end the turn starts; 0 for none, or while that is not known.
        """
        front_end, ended = self._front_end, self._reply_ended or now
        self._heard_user |= result.user
        kind = result.decision.decision if result.decision is not None else None
        speaks = kind is Decision.INTERRUPT or (front_end.deciding and front_end.user_speaks)
        over = kind is Decision.RESUME or (now >= ended + SETTLE_S and not front_end.deciding)
        if not speaks and not over:
            return 0
        early_ms = max(0, round((ended - front_end.onset) * 1000) + EARLIER_MS) if speaks else 0
        self._settled(early_ms if speaks or self._heard_user else None)
        return early_ms

    def resume(self) -> None:
        """Resume the same turn: the server has its beginning and gets the gap."""
        self._front_end.restart_endpointing(speaking=True)
        self._send_from(self._unsent_ms)

    def push(self, frames: Frames) -> None:
        """Send int16 mono frames at 16 kHz, as soon as they make up a chunk."""
        self._unsent_ms = 0
        chunk = self._chunks.push(frames)
        if chunk is not None:
            self._session.append(chunk)

    def begin_period(self) -> None:
        """One period was heard, and is in the pre-roll of a turn that begins in it."""
        self._sends_period = self._sending
        if not self._sending:
            self._unsent_ms += PERIOD_MS
            self._since_reply_ms += PERIOD_MS

    def end_period(self, frames: Frames, *, user: bool = True) -> None:
        """Send the period, if nothing that happened in it has stopped the uplink.

        Not the `user`: silence is sent, late by `LOOK_BACK_MS`, so that the sound right before
        the user's next loud one can still be sent in its place.
        """
        if not (self._sends_period and self._sending):
            return
        if user:
            withheld_ms, self._withheld_ms = self._withheld_ms, 0
            before = self._front_end.recent(withheld_ms + PERIOD_MS) if withheld_ms else frames
            self.push(before)
        elif self._withheld_ms < LOOK_BACK_MS:
            self._withheld_ms += PERIOD_MS
        else:
            self.push(np.zeros_like(frames))

    def silence(self) -> None:
        """Parley's own sound begins: stop sending, or the server would hear its echo."""
        self._sending = False
        self._reply_ended = None

    def finish(self) -> None:
        """The turn is complete: send its last, shorter chunk."""
        if self.settles:
            self._settled(0)
        self._session.append(self._chunks.flush())

    def close(self) -> None:
        """The turn is over: drop its audio that still waits for a server."""
        self._end()
        if not self._session.ready:
            self._session.begin_input()

    def abandon(self) -> None:
        """There was no turn: the server drops the audio that it got."""
        self._end()
        self._session.begin_input()

    def _begin_input(self, *, speaking: bool) -> None:
        self._session.begin_input()
        self._chunks = Chunks()
        self._front_end.restart_endpointing(speaking=speaking)

    def _send_from(self, before_ms: float) -> None:
        self._sending = True
        self._withheld_ms = 0
        self.push(self._front_end.recent(before_ms))

    def _settled(self, early_ms: int | None) -> None:
        """The turn starts that long before the reply's end; None: only the room was heard since."""
        self._end()
        self._front_end.disarm()
        self._send_from(0 if early_ms is None else self._since_reply_ms + early_ms)

    def _end(self) -> None:
        self._sending = self._settles = False
        self._reply_ended = None


class Chunks:
    """Resamples and blocks one turn's audio; pure."""

    def __init__(self) -> None:
        self._stream = StreamResampler(MIC_RATE_HZ, SERVER_RATE_HZ, low_latency=True)
        self._rest: Frames = SILENCE

    def push(self, frames: Frames) -> Frames | None:
        """Add int16 mono frames at 16 kHz; returns a chunk at 24 kHz once there are enough."""
        self._rest = np.concatenate([self._rest, self._stream.process(frames)])
        if len(self._rest) < CHUNK_FRAMES:
            return None
        chunk, self._rest = self._rest, SILENCE
        return chunk

    def flush(self) -> Frames:
        """The rest of the turn, less than a chunk; the resampler keeps its 15 ms."""
        rest, self._rest = self._rest, SILENCE
        return rest
