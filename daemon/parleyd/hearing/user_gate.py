"""Whose sound belongs to a turn, beside a television: the user's, who is louder than it.

Servers end a turn after a silence, and a television leaves none. So what the room's voices
explain is no part of a turn, once a user has been heard over them or if nobody has called.
Who is no louder than the room is heard as in any room, after the wake word or the button.
"""

from collections import deque

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.background_voices import CONFIRMED_DB, LOUDER_DB, BackgroundVoices

LOOK_BACK_MS = 200  # a soft first sound before the first loud one belongs to the user
_STAYS_S = 0.4  # after the last loud sound: soft syllables and the pause between two words
_HEARD_PERIODS = 30  # 0.3 s over the room's voices: a user was heard
_CALL_PERIODS = 120  # the wake word, in the 1.2 s before a turn
_CALL_RANK = 12  # of its loudest periods: a clap is shorter
_BELOW_CALL_DB = 8.0  # from the call to the words after it; the room may be louder than known
_WAITS_S = 3.0  # after a call that was louder than the room, for words that are not


class UserGate:
    """Open while the sound may be the user's; pure, one `update` for each period."""

    def __init__(self, voices: BackgroundVoices) -> None:
        self._voices = voices
        self._newest: deque[float] = deque(maxlen=_CALL_PERIODS)
        self._loud_at = self._opens_until = float("-inf")
        self._to_hear = 0
        self._call_dbfs: float | None = None

    def turn_begins(self, now: float, *, called: bool) -> None:
        """Parley listens; `called`: somebody addresses it, however softly they go on."""
        if not called:
            self._to_hear = 0
            return
        self._to_hear, self._opens_until = _HEARD_PERIODS, float("inf")
        call_dbfs = sorted(self._newest, reverse=True)[_CALL_RANK : _CALL_RANK + 1]
        self._call_dbfs = None
        if call_dbfs and call_dbfs[0] > self._voices.dbfs(now) + CONFIRMED_DB:
            self._call_dbfs, self._opens_until = call_dbfs[0], now + _WAITS_S

    def update(self, heard: ProcessedPeriod, now: float) -> bool:
        """Return whether the period that ended at `now` may be the user's."""
        dbfs = self._voices.level_dbfs
        self._newest.append(dbfs)
        if not self._voices.known(now):
            return True
        waits = self._to_hear > 0 and now <= self._opens_until
        stays = now <= self._loud_at + _STAYS_S
        loud = self._voices.louder(heard, now) if waits or stays else self._voices.clear(now)
        by_db = LOUDER_DB if waits or stays else CONFIRMED_DB
        if loud and dbfs > self._least_dbfs + by_db:
            self._to_hear -= 1
            self._loud_at = now
        return waits or now <= self._loud_at + _STAYS_S

    @property
    def _least_dbfs(self) -> float:
        return (
            float("-inf")
            if self._call_dbfs is None
            else self._call_dbfs - CONFIRMED_DB - _BELOW_CALL_DB
        )
