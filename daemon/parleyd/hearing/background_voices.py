"""The level of the voices in the room that do not address Parley: a television, other people.

A user ends a turn and waits for the answer. Voices that sound while a turn ends, while Parley
thinks, during a hold that was resumed, and before the wake word belong to the room. A user who
interrupts must be louder than they are. A voice as loud as the user's last turn always interrupts.
"""

from collections import deque
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from parleyd.audio import db_to_power, power_to_db
from parleyd.hearing import ProcessedPeriod

SUSPECTED_DB = 6.0  # over the room's voices; see the table in tests/bench/hearing/README.md
CONFIRMED_DB = 8.0
LOUDER_DB = 5.0  # in a turn that is open
_SPEECH = (0.3, 0.5)  # of the voice detector and of the classifier: coughs and hums do not count
_OVERHEARD = 0.5  # of the voice detector alone, which runs without the classifier while idle
_LEVEL_PERIODS = 10  # 100 ms: a syllable; single periods of one voice differ by 20 dB
_QUICK_PERIODS = 4  # 40 ms: the level of a suspicion, which is due within a syllable
_LOUD = 0.9  # quantile of the levels: the room's loudest words must not interrupt
_KEPT = 150  # chunks of 32 ms: the last five seconds of voices
_DOUBT_S = 1.0  # after a hold that was resumed: a user continues, a loud word is over
_LEAST = 4  # chunks, 0.13 s of voices: less may be the last sound of a user in the room
_END_S = 0.3  # before the end of a turn: a user is silent there, for 0.4 s or longer
_AS_LOUD_DB = 3.0  # a user's own words are further above the voices after them
_USER = 0.75  # quantile of the levels of a user's short turn
_LEAST_CALLED = 12  # chunks, 0.4 s
_LEAST_INTERRUPTING = 30  # chunks, 1 s: a voice that says more and then waits is a user, too
_BELOW_USER_DB = CONFIRMED_DB + 3.0  # from that quantile to the softer half of the words
_FRESH_S = 60.0  # a programme pauses for music for less than this
_FADES_DB_PER_S = 0.1  # 6 dB a minute after that: the set is switched off
_NOTHING_DBFS = -120.0
_SAMPLE_PERIODS = 32  # 0.3 s, ten chunks of the voice detector
_SAMPLE_EVERY = 300  # periods while idle
_CALL_S = 3.0  # before a turn: the wake word, and the pause before it
_OVER_NOISE_DB = 1.0  # score: there is something over the noise floor to listen to


class _Voiced(NamedTuple):
    at: float
    dbfs: float


class BackgroundVoices:
    """Learns the level of the room's voices and compares others with it; pure.

    One `update` for each period. Levels are in dBFS of the signal without echo. Nothing of the
    sound is kept, only levels. Owned by the audio thread.
    """

    def __init__(self) -> None:
        self._powers: deque[float] = deque(maxlen=_LEVEL_PERIODS)
        self._room: deque[float] = deque(maxlen=_KEPT)
        self._recent: deque[_Voiced] = deque(maxlen=_KEPT)
        self._turn_ended_at: float | None = None
        self._loud_dbfs = _NOTHING_DBFS
        self._user_dbfs: float | None = None
        self._heard_at = float("-inf")  # a voice of the room
        self._doubted: list[_Voiced] = []
        self._overheard: deque[_Voiced] = deque(maxlen=_KEPT)
        self._idle_periods = 0
        self._knew = False  # when the turn began, the level of the room's voices was known

    @property
    def user_dbfs(self) -> float | None:
        """The level of the last turn's louder words; None if they are not known to be a user's."""
        return self._user_dbfs

    def dbfs(self, now: float) -> float:
        """Return the level that the room's voices seldom exceed; -120 if there are none."""
        if self._loud_dbfs <= _NOTHING_DBFS:
            return _NOTHING_DBFS
        faded_db = max(0.0, now - self._heard_at - _FRESH_S) * _FADES_DB_PER_S
        level_dbfs = self._loud_dbfs - faded_db
        if self._user_dbfs is not None:
            level_dbfs = min(level_dbfs, self._user_dbfs - _BELOW_USER_DB)
        return level_dbfs

    def update(self, heard: ProcessedPeriod, now: float, *, quiet: bool) -> None:
        """Take one period; `quiet`: the loudspeaker is silent, so a voice is in the room."""
        self._powers.append(db_to_power(heard.level_dbfs))
        if self._doubted and now > self._doubted[-1].at + _DOUBT_S:
            self._learn([voiced.dbfs for voiced in self._doubted], now)
            self._doubted.clear()
        while self._overheard and now > self._overheard[0].at + _CALL_S:
            self._learn([self._overheard.popleft().dbfs], now)
        speech = heard.voice > _SPEECH[0] and heard.speech > _SPEECH[1]
        if quiet and heard.voice_chunk and speech:
            self._recent.append(_Voiced(now, self._level_dbfs(_LEVEL_PERIODS)))

    def suspicious(self, heard: ProcessedPeriod, now: float) -> bool:
        """Return whether the last 40 ms are loud enough for a user over the room's voices."""
        return self._suspicious(_QUICK_PERIODS, SUSPECTED_DB, heard, now)

    @property
    def level_dbfs(self) -> float:
        """The level of the last 100 ms."""
        return self._level_dbfs(_LEVEL_PERIODS)

    def known(self, now: float) -> bool:
        """Return whether the level of the room's voices is known."""
        return self.dbfs(now) > _NOTHING_DBFS

    def louder(self, heard: ProcessedPeriod, now: float) -> bool:
        """Return whether the last 100 ms are loud enough for a user over the room's voices."""
        return self._suspicious(_LEVEL_PERIODS, LOUDER_DB, heard, now)

    def clear(self, now: float) -> bool:
        """Return whether the last 100 ms are well over the room's voices."""
        return self._over(_LEVEL_PERIODS, CONFIRMED_DB, now)

    # --- whose voice it was -----------------------------------------------------------

    def turn_begins(self) -> None:
        """Parley listens: the user's voice is expected, and the last one may have called it."""
        self._overheard.clear()
        self._turn_ended_at = None
        self._knew = self._loud_dbfs > _NOTHING_DBFS

    def turn_ended(self, now: float, *, called: bool) -> bool:
        """The server or the endpointer found the turn's end; `called`: it began with the wake
        word or the button. Returns whether its voice did not stop, although it was louder than
        the known voices of the room: more of them will interrupt."""
        self._turn_ended_at = now - _END_S
        during = [voiced.dbfs for voiced in self._recent if voiced.at <= self._turn_ended_at]
        after = [voiced.dbfs for voiced in self._recent if voiced.at > self._turn_ended_at]
        goes_on = len(after) >= _LEAST and (
            len(during) < _LEAST or _quantile(after, _USER) > _loudest(during) - _AS_LOUD_DB
        )
        least = _LEAST_CALLED if called else _LEAST_INTERRUPTING
        if len(during) >= least and not goes_on:
            self._user_dbfs = _loudest(self._louder(during, after))
        elif called:
            self._user_dbfs = None
        return goes_on and self._knew

    def reply_begins(self, now: float) -> None:
        """The reply becomes audible: voices since the end of the turn were the room's."""
        if self._turn_ended_at is not None:
            since = self._turn_ended_at
            self._learn([voiced.dbfs for voiced in self._recent if voiced.at > since], now)
        self.forget_recent()

    def held(self) -> None:
        """A hold begins: a voice that continues soon after a resumed hold may be a user."""
        self._doubted.clear()
        self.forget_recent()

    def was_the_room(self, now: float) -> None:
        """What was heard through a hold did not interrupt. It makes no new level known, and what
        was well over the known one may still have been a user."""
        most_dbfs = self.dbfs(now) + CONFIRMED_DB
        softer = all(voiced.dbfs < most_dbfs for voiced in self._recent)
        self._doubted = list(self._recent) if softer else []
        self.forget_recent()

    def forget_recent(self) -> None:
        """Whose voice the last one was is unknown."""
        self._recent.clear()
        self._turn_ended_at = None

    def rest(self) -> None:
        """The conversation is over: forget the level of its user."""
        self._user_dbfs = None
        self.forget_recent()

    def _louder(self, during: list[float], after: list[float]) -> list[float]:
        """Return the levels of the user's words: those over the room's voices, which sound during
        a turn, too. All of them if hardly any is."""
        room_dbfs = self._loud_dbfs
        if len(after) >= _LEAST:
            room_dbfs = max(room_dbfs, _quantile(after, _LOUD))
        louder = [dbfs for dbfs in during if dbfs > room_dbfs]
        return louder if len(louder) >= _LEAST else during

    # --- before the wake word ---------------------------------------------------------

    def wants(self, heard: ProcessedPeriod) -> bool:
        """While idle: return whether the voice detector must run on this period, for a tenth of
        the time and only on sound over the noise floor."""
        sampling = self._idle_periods % _SAMPLE_EVERY
        if sampling == 0 and heard.excess_db < _OVER_NOISE_DB:
            return False
        self._idle_periods += 1
        return sampling < _SAMPLE_PERIODS

    def overheard(self, voice: float, now: float) -> None:
        """While idle, or while only the room is heard: take the probability of speech in the
        chunk that ended in this period. It is learned after `_CALL_S`, if no turn begins."""
        if voice > _OVERHEARD:
            self._overheard.append(_Voiced(now, self._level_dbfs(_LEVEL_PERIODS)))

    def talks(self, levels_dbfs: Collection[float], now: float) -> None:
        """Take the levels of a voice that continues after a user's words for the room's."""
        self._learn(levels_dbfs, now)

    # --- the level --------------------------------------------------------------------

    def _learn(self, levels_dbfs: Collection[float], now: float) -> None:
        if not levels_dbfs:
            return
        self._room.extend(levels_dbfs)
        if len(self._room) >= _LEAST:
            self._loud_dbfs = _quantile(self._room, _LOUD)
            self._heard_at = now

    def _suspicious(self, periods: int, by_db: float, heard: ProcessedPeriod, now: float) -> bool:
        louder = self._over(periods, by_db, now)
        if not louder and heard.near_end > _SPEECH[1]:
            self._refresh(now)
        return louder

    def _refresh(self, now: float) -> None:
        """A voice at most as loud as the room's shows that the room still talks."""
        if now < self._heard_at + 2 * _FRESH_S:
            self._heard_at = max(self._heard_at, now)

    def _over(self, periods: int, by_db: float, now: float) -> bool:
        """Return whether the newest periods are that much louder than the room's voices."""
        room_dbfs = self.dbfs(now)
        return room_dbfs <= _NOTHING_DBFS or self._level_dbfs(periods) > room_dbfs + by_db

    def _level_dbfs(self, periods: int) -> float:
        powers = list(self._powers)[-periods:]
        return power_to_db(sum(powers) / len(powers)) if powers else _NOTHING_DBFS


def _loudest(levels: list[float]) -> float:
    """Return the level that the loudest 0.4 s of a turn, or a quarter of a shorter one, exceed.

    A television that talks before and after the user's words does not lower it.
    """
    most = sorted(levels, reverse=True)
    return most[min(_LEAST_CALLED, len(most) // 4)]


def _quantile(levels: Collection[float], share: float) -> float:
    """Return a quantile; `np.quantile` imports more of numpy at its first call."""
    rank = round(share * (len(levels) - 1))
    return float(np.partition(np.fromiter(levels, float, len(levels)), rank)[rank])
