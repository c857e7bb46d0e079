"""Ringing: alarms that sound, round after round, until somebody stops them."""

import numpy as np

from parleyd.core.events import Ring
from parleyd.playback import earcons
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames

PAUSE_S = 1.5  # between rounds: time for a wake word that no tone covers
PATIENCE_S = 10.0  # an answer may go on so long after the alarm is due; then the alarm is due
HUSH_S = 3.0  # somebody spoke into it: so long they may speak, as long as the ears remember
WORDS_WITHIN_S = 3.0  # recognition of that takes tenths of a second, on a cold Pi a second or two
MOST = 16  # as many as there are timers


class Ringing:
    """What rings, and what is to be played of it next; owned by the audio thread.

    An alarm that comes while somebody talks with Parley waits for the end of that, and
    sounds from then on. Times are monotonic seconds.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._rings: list[Ring] = []
        self._came = 0.0
        self._began: float | None = None
        self._next_round = 0.0
        self._spoken_since: float | None = None  # somebody speaks, or is being understood

    def add(self, ring: Ring, now: float) -> None:
        """One more rings."""
        if not self._rings:
            self._came = now
        self._rings = [*self._rings, ring][:MOST]

    @property
    def audible(self) -> bool:
        """It has begun to sound."""
        return self._began is not None

    def impatient(self, now: float) -> bool:
        """Something is due and has waited for the end of an answer long enough."""
        return bool(self._rings) and not self.audible and now - self._came >= PATIENCE_S

    def round(self, now: float) -> Frames:
        """What to play now that nobody talks: the next round (24 kHz) or nothing yet."""
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
        """Somebody has spoken into it since `onset`: silence, until it is known what."""
        self._spoken_since = onset
        self._next_round = now + HUSH_S

    def spoken(self, ended: bool, now: float) -> float | None:
        """Since when somebody spoke, once, when they have (`ended`) or have had their time."""
        since = self._spoken_since
        if since is None or not (ended or now >= self._next_round):
            return None
        self._spoken_since = None
        self._next_round = now + WORDS_WITHIN_S
        return since

    def go_on(self, now: float) -> None:
        """It was not for us: the next round comes at once."""
        self._next_round = now

    def is_over(self, now: float) -> bool:
        """It has sounded for as long as it may."""
        return self._began is not None and now - self._began >= self._longest_s

    def stop(self) -> tuple[int, ...]:
        """Nothing rings any more; returns what did."""
        ids = tuple(ring.ring_id for ring in self._rings)
        self._rings = []
        self._began = self._spoken_since = None
        return ids
