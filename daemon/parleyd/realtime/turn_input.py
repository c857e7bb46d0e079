"""The user's turn on its way to the server: its audio, its commit, and the wait after that."""

from dataclasses import dataclass

from parleyd.realtime.auto_response import AutoResponse
from parleyd.realtime.events import AppendAudio, ClearAudio, CommitAudio
from parleyd.realtime.formats import TurnEncoder
from parleyd.realtime.outbox import Outbox
from parleyd.units import SERVER_RATE_HZ, Frames, frames_to_ms

SHORTEST_COMMIT_MS = 120  # servers refuse less than 100 ms
WAITING_AUDIO_S = 30  # of speech before a slow connection is ready
COMMITTED_WITHIN_S = 1.0  # committed after speech_stopped; they arrive together


@dataclass(slots=True)
class TurnInput:
    """One turn after the other; pure. Outlives the sockets."""

    outbox: Outbox
    encoder: TurnEncoder
    auto: AutoResponse
    clears: bool
    """The server can drop audio that was sent but not committed."""
    local: bool
    """Parley detects the end of a turn and commits it; otherwise the server does both."""

    _waiting_frames: int = 0  # for the session
    _appended_frames: int = 0  # since the last commit or clear
    _commit_deadline: float | None = None  # the server will commit soon; create after that
    _heard_end: bool = False  # the server detected the end of this turn
    _commits: int = 0  # ours that the server has not acknowledged
    _committed_item: str | None = None
    _create_not_before: float = 0.0  # the server may answer by itself soon

    def begin(self) -> None:
        """A new turn begins: the server drops older audio."""
        self.outbox.drop_waiting()
        self._waiting_frames = 0
        if self.clears:
            self.outbox.say(ClearAudio())
        self.encoder.reset()
        self._appended_frames = 0
        self._heard_end = False

    def append(self, frames: Frames) -> int:
        """Send int16 mono frames at 24 kHz; returns the number of accepted frames.

        Until the session is ready, it keeps at most `WAITING_AUDIO_S` and drops the newest audio
        beyond that: the beginning of a sentence is worth more than its end.
        """
        if len(frames) == 0:
            return 0
        if not self.outbox.ready:
            if self._waiting_frames + len(frames) > WAITING_AUDIO_S * SERVER_RATE_HZ:
                return 0
            self._waiting_frames += len(frames)
        self._appended_frames += len(frames)
        if audio := self.encoder.push(frames):
            self.outbox.say(AppendAudio(audio=audio))
        return len(frames)

    def end(self, now: float) -> bool:
        """The turn has ended: commit it, or wait for the server's commit. False if it is too
        short."""
        if self.local:
            if frames_to_ms(self._appended_frames, SERVER_RATE_HZ) < SHORTEST_COMMIT_MS:
                return False
            self._commit(now)
        elif self._commit_deadline is None and self._appended_frames:
            self._commit_deadline = now + COMMITTED_WITHIN_S
        return True

    def speech_started(self) -> None:
        """The server detected speech of the user."""
        self._heard_end = False

    def speech_stopped(self, item_id: str | None, now: float) -> None:
        """The server detected the end of the turn, and commits it unless it has already done so."""
        self._heard_end = True
        if item_id is None or item_id != self._committed_item:
            self._commit_deadline = now + COMMITTED_WITHIN_S

    def committed(self, item_id: str | None, now: float) -> None:
        """The turn became an item of the conversation."""
        self._committed_item = item_id
        self._appended_frames = 0
        self._commit_deadline = None
        if self._commits:
            self._commits -= 1
        else:
            self._create_not_before = now + self.auto.turn_committed(by_us=False)

    def poll(self, now: float, *, wanted: bool) -> None:
        """The server may be late with its commit. `wanted`: a reply waits for that."""
        if self._commit_deadline is None or now < self._commit_deadline:
            return
        self._commit_deadline = None
        wait_s = self.auto.turn_committed(by_us=False) if self._heard_end else 0.0
        if wanted and wait_s:
            self._create_not_before = now + wait_s
        elif wanted:  # the server never reports the commit, or detects no end
            self._commit(now)

    def waits(self, now: float) -> bool:
        """Whether a response must not be created yet."""
        return self._commit_deadline is not None or now < self._create_not_before

    def wait_no_longer(self) -> None:
        """The server does not answer the next input by itself."""
        self._create_not_before = 0.0

    def interrupt(self) -> None:
        """Stop waiting for the server's commit."""
        self._commit_deadline = None

    def ready(self, now: float) -> None:
        """The server has just received the audio that waited for the session."""
        self._waiting_frames = 0
        if self._create_not_before > 0:  # the wait begins when the server has the turn
            self._create_not_before = now + self.auto.turn_committed(by_us=True)

    def lost(self) -> None:
        """The socket is gone. A turn that waits for the next one continues to wait."""
        self._commits = 0

    def _commit(self, now: float) -> None:
        self.outbox.say(CommitAudio())
        self._appended_frames = 0
        self._commits += 1
        self._create_not_before = now + self.auto.turn_committed(by_us=True)
