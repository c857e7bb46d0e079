"""Let only the user's sound into a turn, beside a television that is softer than the user.

Servers end a turn after a silence, and a television leaves none. So the room's voices are kept
out of a turn, once a user was heard over them, or if the turn began without a call. After the
wake word or the button, a user as soft as the room is heard as in any room.
"""

from collections import deque

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.background_voices import CONFIRMED_DB, BackgroundVoices

LOOK_BACK_MS = 200  # a soft first sound before the first loud one belongs to the user
_STAYS_S = 0.4  # after the last loud sound: soft syllables and the pause between two words
_HEARD_PERIODS = 30  # 0.3 s over the room's voices: a user was heard
_CALL_PERIODS = 120  # the wake word, in the 1.2 s before a turn
_CALL_RANK = 12  # of its loudest periods: a clap is shorter
_OPENS_DB, _SHUTS_DB = 8.0, 11.0  # below the call: the room may be louder than known
_VOICE = 0.5  # probability: such chunks are speech
_SOFT_CHUNKS = 94  # 3 s of a voice after the user's own words: if ...
_SOFT_SHARE = 0.65  # ... of it is that much below the call, it is the room's
_WAITS_S = 3.0  # after a call that was louder than the room, for words that are not


class UserGate:
    """Open while the sound may be the user's; pure, one `update` for each period."""

    def __init__(self, voices: BackgroundVoices) -> None:
        self._voices = voices
        self._newest: deque[float] = deque(maxlen=_CALL_PERIODS)
        self._loud_at = self._opens_until = float("-inf")
        self._to_hear = 0
        self._levels: deque[float] = deque(maxlen=_SOFT_CHUNKS)
        self._call_dbfs = float("-inf")

    def turn_begins(self, now: float, *, called: bool) -> None:
        """Parley listens; `called`: by the wake word or the button, however soft the rest is.

        Else a voice has interrupted or may continue: only loud sound belongs to the turn.
        """
        if not called:
            self._to_hear = 0
            return
        self._levels.clear()
        self._to_hear = _HEARD_PERIODS
        self._call_dbfs = self._call(now)
        sure = self._call_dbfs > float("-inf") and self._voices.known(now)
        self._opens_until = now + _WAITS_S if sure else float("inf")

    def update(self, heard: ProcessedPeriod, now: float, *, quiet: bool) -> bool:
        """Return whether the period that ended at `now` may be the user's; `quiet`: the
        loudspeaker is silent, so a voice is in the room."""
        dbfs = self._voices.level_dbfs
        self._newest.append(dbfs)
        if not self._voices.known(now):
            if quiet:
                self._look_for_the_room(heard, dbfs, now)
            return True
        waits = self._to_hear > 0 and now <= self._opens_until
        stays = now <= self._loud_at + _STAYS_S
        loud = self._voices.louder(heard, now) if waits or stays else self._voices.clear(now)
        below_db = _SHUTS_DB if waits or stays else _OPENS_DB
        if loud and dbfs > self._call_dbfs - below_db:
            self._to_hear -= 1
            self._loud_at = now
        return waits or now <= self._loud_at + _STAYS_S

    def _call(self, now: float) -> float:
        """Return the level of the call that has just ended, if it was louder than the room."""
        loudest = sorted(self._newest, reverse=True)[_CALL_RANK : _CALL_RANK + 1]
        louder = bool(loudest) and loudest[0] > self._voices.dbfs(now) + CONFIRMED_DB
        return loudest[0] if louder else float("-inf")

    def _look_for_the_room(self, heard: ProcessedPeriod, dbfs: float, now: float) -> None:
        """A television that was switched on after the call is far below the user, and continues."""
        softer_dbfs = self._call_dbfs - _SHUTS_DB
        self._to_hear -= dbfs > softer_dbfs
        if self._to_hear > 0 or not (heard.voice_chunk and heard.voice > _VOICE):
            return
        self._levels.append(dbfs)
        soft = [level_dbfs for level_dbfs in self._levels if level_dbfs < softer_dbfs]
        if len(soft) > _SOFT_SHARE * _SOFT_CHUNKS:
            self._voices.talks(soft, now)
