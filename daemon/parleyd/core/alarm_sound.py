"""The sound of due alarms: rounds and pauses until they are stopped."""

import numpy as np

from parleyd.core.events import AlarmDue
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames

PAUSE_S = 1.5  # between rounds: time for a wake word without a tone over it
PATIENCE_S = 10.0  # the longest that an alarm waits for a turn to finish
HUSH_S = 3.0  # the longest utterance into the ringing: as long as the pre-roll buffer
REST_OF_WORD_S = 0.3  # after a hold without a clear voice: its last sound is soft
WORDS_WITHIN_S = 3.0  # to recognise it; takes tenths of a second, on a cold Pi up to 2 s
LISTENED_S = 1.0  # after the longest utterance: the microphone may have been closed
NAME_RINGS_OUT_S = 0.5  # after a spoken name: the longest delay and the room's tail
MOST = 16  # as many as there are timers


class AlarmSound:
    """The due alarms, and their next round; owned by the audio thread.

    An alarm that is due during a turn waits for its end. Times are monotonic seconds.
    """

    def __init__(self, timeout_s: float, tones: Frames) -> None:
        """`tones`: of each round, int16 at 24 kHz."""
        self._timeout_s, self._tones = timeout_s, tones
        self._rings: list[AlarmDue] = []
        self._came = 0.0
        self._began: float | None = None
        self._next_round = 0.0
        self._words = (0.0, 0.0)  # from when to when the newest round speaks the names
        self._spoken_since: float | None = None  # the user speaks
        self._silent = True  # until the words are known
        self._words_by = 0.0  # when the words are complete, or recognised, at the latest

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
        """An alarm has waited for a turn to finish as long as it may."""
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
        sound = np.concatenate([self._tones, *words])
        end = now + len(sound) / SERVER_RATE_HZ
        self._words = (now + len(self._tones) / SERVER_RATE_HZ, end) if words else (0.0, 0.0)
        self._next_round = end + PAUSE_S
        return sound

    def speaks(self, now: float) -> bool:
        """The names of the alarms are being spoken, or were a moment ago."""
        begin, end = self._words
        return begin <= now < end + NAME_RINGS_OUT_S

    def hush(self, onset: float, now: float, *, for_s: float, silent: bool = True) -> None:
        """The user may have spoken since `onset`; `silent`: no new round until the words are known.

        `for_s`: how much longer they may last.
        """
        self._spoken_since = onset
        self._silent = silent
        self._wait(now + for_s)

    def spoken(self, ended: bool, now: float) -> float | None:
        """The onset of the user's words, once they have ended or their time is up; else None."""
        since = self._spoken_since
        if since is None or not (ended or now >= self._words_by):
            return None
        self._spoken_since = None
        self._wait(now + WORDS_WITHIN_S)
        return since

    def _wait(self, until: float) -> None:
        self._words_by = until
        if self._silent:
            self._next_round = until

    def waited(self, now: float) -> bool:
        """The time to speak, and then the time to recognise the words, are over."""
        late_s = LISTENED_S if self._spoken_since is not None else 0.0
        return now >= self._words_by + late_s

    def resume(self, left_s: float, now: float) -> None:
        """The words did not stop it: the round that was held continues for `left_s`."""
        self._spoken_since = None
        begin, end = self._words
        self._words = (now, now + left_s) if begin < end else (0.0, 0.0)
        self._next_round = now + left_s + (PAUSE_S if left_s else 0.0)

    def give_up(self) -> None:
        """The words into a round that was not silent did not stop it."""
        self._spoken_since = None

    def is_over(self, now: float) -> bool:
        """The ringing has lasted for its timeout."""
        return self._began is not None and now - self._began >= self._timeout_s

    @property
    def ids(self) -> tuple[int, ...]:
        """The alarms that ring."""
        return tuple(ring.ring_id for ring in self._rings)

    def remove(self, ids: tuple[int, ...]) -> None:
        """Stop some of the alarms."""
        self._rings = [ring for ring in self._rings if ring.ring_id not in ids]

    def stop(self) -> tuple[int, ...]:
        """Stop all alarms; returns the ids of those that rang."""
        ids = self.ids
        self._rings = []
        self._began = self._spoken_since = None
        return ids
