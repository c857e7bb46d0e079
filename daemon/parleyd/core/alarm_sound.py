"""The sound of due alarms: rounds and pauses until they are stopped."""

import numpy as np

from parleyd.core.events import AlarmDue
from parleyd.playback import earcons
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames

PAUSE_S = 1.5  # between rounds: time for a wake word without a tone over it
PATIENCE_S = 10.0  # the longest that an alarm waits for an answer to finish
HUSH_S = 3.0  # the longest utterance into the ringing: as long as the pre-roll buffer
WORDS_WITHIN_S = 3.0  # to recognise it; takes tenths of a second, on a cold Pi up to 2 s
MOST = 16  # as many as there are timers


class AlarmSound:
    """The due alarms, and their next round; owned by the audio thread.

    An alarm that is due during a turn waits for its end. Times are monotonic seconds.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._rings: list[AlarmDue] = []
        self._came = 0.0
        self._began: float | None = None
        self._next_round = 0.0
        self._spoken_since: float | None = (
            None  # the user speaks, or the words are being recognised
        )

    def add(self, ring: AlarmDue, now: float) -> None:
        """One more alarm is due."""
        if not self._rings:
            self._came = now
        self._rings = [*self._rings, ring][:MOST]

    @property
    def audible(self) -> bool:
        """The ringing has begun."""
        return self._began is not None

    def impatient(self, now: float) -> bool:
        """An alarm has waited for an answer to finish as long as it may."""
        return bool(self._rings) and not self.audible and now - self._came >= PATIENCE_S

    def round(self, now: float) -> Frames:
        """The next round (int16 at 24 kHz) outside a turn; no frames while none is due."""
        if not self._rings:
            return SILENCE
        if self._began is None:
            self._began = self._next_round = now
        if now < self._next_round:
            return SILENCE
        words = [ring.spoken for ring in self._rings if ring.spoken is not None]
        sound = np.concatenate([earcons.alarm(), *words])
        self._next_round = now + len(sound) / SERVER_RATE_HZ + PAUSE_S
        return sound

    def hush(self, onset: float, now: float) -> None:
        """The user speaks into the ringing since `onset`: silence until the words are known."""
        self._spoken_since = onset
        self._next_round = now + HUSH_S

    def spoken(self, ended: bool, now: float) -> float | None:
        """The onset of the user's words, once they have ended or their time is up; else None."""
        since = self._spoken_since
        if since is None or not (ended or now >= self._next_round):
            return None
        self._spoken_since = None
        self._next_round = now + WORDS_WITHIN_S
        return since

    def resume(self, now: float) -> None:
        """The words were no stop command: the next round comes at once."""
        self._next_round = now

    def is_over(self, now: float) -> bool:
        """The ringing has lasted for its timeout."""
        return self._began is not None and now - self._began >= self._timeout_s

    def stop(self) -> tuple[int, ...]:
        """Stop all alarms; returns the ids of those that rang."""
        ids = tuple(ring.ring_id for ring in self._rings)
        self._rings = []
        self._began = self._spoken_since = None
        return ids
