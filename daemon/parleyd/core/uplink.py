"""The microphone's way to the server: when it is sent, from where on, and in what chunks."""

import numpy as np

from parleyd.audio import StreamResampler
from parleyd.hearing.barge_in import Decision
from parleyd.hearing.front_end import Ears, Percept
from parleyd.realtime.session import Session
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, SERVER_RATE_HZ, SILENCE, Frames

SETTLE_S = 0.5  # after a reply: users whose first sound was in it are suspected by then
EARLIER_MS = 150  # a soft beginning ("f", "h", "s") is that much before the onset that is found
CHUNK_FRAMES = SERVER_RATE_HZ * 40 // 1000  # 25 messages a second; servers' VADs step by 30 ms


class Uplink:
    """Sends each turn's cleaned audio without a gap or an overlap; owned by the audio thread."""

    def __init__(self, ears: Ears, session: Session) -> None:
        self._ears = ears
        self._session = session
        self._chunks = Chunks()
        self._unsent_ms = 0  # of the microphone, since the last that was sent
        self._since_reply_ms = 0  # of the microphone
        self._reply_ended: float | None = None
        self.settles = False
        """A reply is over, and it is not known yet whether the user began to speak in it."""
        self.open = False
        """What is heard goes to the server."""

    def begin(self, before_ms: float, *, speaking: bool) -> None:
        """A new turn: the server forgets what it has of an older one, then gets what was heard
        in the last `before_ms`. `speaking`: the user does so already."""
        self._session.begin_input()
        self._chunks = Chunks()
        self._ears.endpoint.reset(speaking)
        self._end()
        self.open = True
        self.push(self._ears.recent(before_ms))

    def reply_ended(self, now: float) -> None:
        """The last frame of a reply was heard; the first call for each reply counts."""
        if self._reply_ended is None:
            self._reply_ended, self._since_reply_ms = now, 0

    def begin_after_reply(self, now: float) -> None:
        """A new turn, right after a reply: it begins at the reply's end, or before it where the
        user does; which of both is known soon (`settle`), and nothing is sent until then."""
        self.reply_ended(now)
        self._session.begin_input()
        self._chunks = Chunks()
        self._ears.endpoint.reset(False)
        self._ears.barge_in.linger()
        self.settles, self.open = True, False

    def settle(self, percept: Percept, now: float) -> int:
        """At each period while it `settles`: send the audio since the reply's end, and the
        user's speech before it. Returns how many ms before the end that begins, 0 for none.

        Before the end only a user's speech is sent: what begins an interruption has suspected
        it, and what decides one has confirmed it, or the voice detector has found a word.
        """
        judge, ended = self._ears.barge_in, self._reply_ended or now
        kind = percept.decision.kind if percept.decision is not None else None
        speaks = kind is Decision.INTERRUPT or (judge.pending and self._ears.endpoint.speaking)
        over = kind is Decision.RESUME or (now >= ended + SETTLE_S and not judge.pending)
        if not speaks and not over:
            return 0
        early_ms = max(0, round((ended - judge.onset) * 1000) + EARLIER_MS) if speaks else 0
        self._settled(early_ms)
        return early_ms

    def go_on(self) -> None:
        """The same turn goes on: the server has its beginning, only the gap is filled."""
        self.open = True
        self._ears.endpoint.reset(True)
        self.push(self._ears.recent(self._unsent_ms))

    def push(self, frames: Frames) -> None:
        """Send int16 mono frames at 16 kHz, as soon as they make up a chunk."""
        self._unsent_ms = 0
        chunk = self._chunks.push(frames)
        if chunk is not None:
            self._session.append(chunk)

    def kept_back(self) -> None:
        """One period was heard and not sent."""
        self._unsent_ms += PERIOD_MS
        self._since_reply_ms += PERIOD_MS

    def silence(self) -> None:
        """Our own sound begins: nothing of it is sent."""
        self.open = False
        self._reply_ended = None

    def finish(self) -> None:
        """The turn is complete: its last, shorter chunk goes."""
        if self.settles:
            self._settled(0)
        self._session.append(self._chunks.flush())

    def close(self) -> None:
        """The turn is over; what of it still waits for a server is not told to a later one."""
        self._end()
        if not self._session.ready:
            self._session.begin_input()

    def give_up(self) -> None:
        """There is no turn: the server forgets what was sent of it."""
        self._end()
        self._session.begin_input()

    def _settled(self, early_ms: int) -> None:
        self._end()
        self._ears.barge_in.disarm()
        self.open = True
        self.push(self._ears.recent(self._since_reply_ms + early_ms))

    def _end(self) -> None:
        self.open = self.settles = False
        self._reply_ended = None


class Chunks:
    """Resamples and blocks one turn's audio; pure."""

    def __init__(self) -> None:
        self._stream = StreamResampler(MIC_RATE_HZ, SERVER_RATE_HZ, low_latency=True)
        self._rest: Frames = SILENCE

    def push(self, frames: Frames) -> Frames | None:
        """Add int16 mono frames at 16 kHz; returns frames at 24 kHz as soon as they are a chunk."""
        self._rest = np.concatenate([self._rest, self._stream.process(frames)])
        if len(self._rest) < CHUNK_FRAMES:
            return None
        chunk, self._rest = self._rest, SILENCE
        return chunk

    def flush(self) -> Frames:
        """What is left of the turn, less than a chunk; the resampler keeps its 15 ms."""
        rest, self._rest = self._rest, SILENCE
        return rest
