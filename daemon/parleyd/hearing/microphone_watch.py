"""Recognise a microphone that processes its sound, and whether it deceives the barge-in detector.

Noise reduction, codecs, gates and gain control change the echo faster than a linear filter learns
it: the canceller removes 3 to 14 dB of a settled, loud echo, in plain rooms 15 to 33. What is left
resembles a user. Gain control also raises the room's noise to a user's level while a reply
pauses. If such a microphone holds replies for nothing, another network decides, and more surely.
"""

from bisect import bisect_left, insort
from collections import deque
from enum import StrEnum

from parleyd.audio import db_to_power, power_to_db
from parleyd.hearing import ProcessedPeriod

PROCESSES_DB = 14.0  # removed: less marks a microphone that processes its sound
_PLAIN_DB = 16.0  # hysteresis: from here on it is a plain one again
_BLOCK = 10  # periods
_SURE_BLOCKS, _KEPT_BLOCKS, _NEWEST = 100, 150, 20
_FORGETS_BLOCKS = 600  # a minute of replies: what was known before a restart shows by then
_LOUD_DBFS = -50.0
_OVER_FLOOR_DB = 20.0  # a weaker echo shows noise, not the canceller
_FLOOR_RISES_DB = 0.05  # per block
_PAUSE_DBFS = -75.0  # of the estimated echo: below, the rest is the room's noise
_PAUSE_PERIODS, _PAUSE_STARTS = 24, 12  # from the start's level to the end's
_PAUSES, _KEPT_PAUSES = 6, 20
_RAISES_DB, _STEADY_DB = 2.5, 1.5  # median rise in a pause; in plain rooms at most 1.1
_MOST_PAUSES, _ALWAYS_DB, _ALIKE_DB = (0.15, 0.85), 1.0, 5.0  # quantiles, their least and their
# largest difference: beside a television, each pause is another
_GATES_DB = -9.0  # median fall; at most 6.2 in plain rooms
_KEPT = 200  # samples of the noise in pauses: 20 s of replies
_LEAST = 10
_ROOM = 0.75  # quantile of the noise in pauses: a television is as loud over the echo
_MOST_REMOVED_DB = 40.0
_END_PERIODS, _LEVEL_PERIODS = 8, 4
_LATE_PERIODS = 4  # the echo after a pause may begin earlier than its estimate
_NOT_A_VOICE = 0.3
_SOON = 6_000  # periods of replies: two holds for nothing within a minute of them ...
_REMEMBERED = 60_000  # ... are remembered for ten
_NOTHING = 1e-12


class Processing(StrEnum):
    """What a microphone does to its sound, as far as it shows."""

    GAIN_CONTROL = "gain control"
    GATE = "gate"
    OTHER = "noise reduction, a codec or distortion"


class _Ranked:
    """The newest values of one kind, in order: a quantile is cheap."""

    def __init__(self, kept: int) -> None:
        self._newest: deque[float] = deque(maxlen=kept)
        self._ranked: list[float] = []

    def __len__(self) -> int:
        return len(self._ranked)

    def push(self, value: float) -> None:
        if len(self._newest) == self._newest.maxlen:
            del self._ranked[bisect_left(self._ranked, self._newest[0])]
        self._newest.append(value)
        insort(self._ranked, value)

    def newest_median(self, count: int) -> float:
        newest = sorted(list(self._newest)[-count:])
        return newest[len(newest) // 2]

    def quantile(self, share: float) -> float:
        return self._ranked[int(share * len(self._ranked))]


class MicrophoneWatch:
    """Measures the canceller's success and the levels that it leaves; pure.

    One `update` for each period, owned by the audio thread.
    """

    def __init__(self) -> None:
        self.processes = False
        """Whether the microphone processes its sound."""
        self.removed_db: float | None = None
        """How much of the loud echo the canceller removes, median of its last 15 s."""
        self._since_resumed = _SOON  # periods of replies, as the next one
        self._remembered = 0
        self._leaves_echo = self._raises = False
        self._restored: Processing | None = None
        self._removed = _Ranked(_KEPT_BLOCKS)
        self._newest_db: deque[float] = deque(maxlen=_KEPT_BLOCKS)  # medians of the newest blocks
        self._unsure_blocks = 0  # since a restart, while only its processing is known
        self._rises = _Ranked(_KEPT_PAUSES)  # dB
        kept = _END_PERIODS + _LATE_PERIODS
        self._powers: deque[float] = deque([0.0] * kept, maxlen=kept)
        self._room = _Ranked(_KEPT)  # dBFS in pauses, with the voices
        self._pause = 0  # periods
        self._pause_starts = self._pause_voice = 0.0
        self._floor_dbfs = 0.0
        self._left = self._echo = 0.0  # of the block
        self._periods = 0
        self._judged = True

    @property
    def processing(self) -> Processing | None:
        """What the microphone does to its sound; None for a plain one."""
        if not self.processes:
            return None
        if self._raises:
            return Processing.GAIN_CONTROL
        if len(self._rises) < _PAUSES:
            return self._restored or Processing.OTHER
        return Processing.GATE if self._rises.quantile(0.5) < _GATES_DB else Processing.OTHER

    def restore(self, processing: Processing | None) -> None:
        """Start from the state from before a restart, until enough is measured."""
        self._restored = processing
        self.processes = self._leaves_echo = processing is not None
        self._raises = processing is Processing.GAIN_CONTROL

    def update(self, heard: ProcessedPeriod, *, judged: bool, held: bool) -> bool:
        """Process one period; return whether `processes` changed.

        `judged`: of a reply that is not held; `held`: of one that is.
        """
        power = db_to_power(heard.level_dbfs)
        self._powers.append(power)
        if not (judged or held):
            self._end_pause()
            self._begin_block()
            return False
        self._follow_pause(heard, held=held)
        self._left += power
        self._echo += db_to_power(heard.echo_dbfs)
        self._periods += 1
        self._since_resumed += 1
        self._remembered -= 1
        self._judged = self._judged and judged and heard.trusted
        if self._periods < _BLOCK:
            return False
        self._end_block(heard)
        before, self.processes = self.processes, self._leaves_echo or self._raises
        return self.processes is not before

    @property
    def deceives(self) -> bool:
        """Whether it processes its sound, and has held replies for nothing in the last ten minutes
        of them."""
        return self.processes and self._remembered > 0

    def was_nothing(self) -> None:
        """A held reply was resumed."""
        if self._since_resumed < _SOON:
            self._remembered = _REMEMBERED
        self._since_resumed = 0

    @property
    def _level_dbfs(self) -> float:
        newest = list(self._powers)[-_LEVEL_PERIODS:]
        return power_to_db(sum(newest) / _LEVEL_PERIODS + _NOTHING)

    def _follow_pause(self, heard: ProcessedPeriod, *, held: bool) -> None:
        if heard.echo_dbfs >= _PAUSE_DBFS:
            self._end_pause()
            return
        self._pause += 1
        if held:
            self._pause_voice = max(self._pause_voice, heard.voice)
        if self._pause == _PAUSE_STARTS:
            self._pause_starts = sum(list(self._powers)[-_END_PERIODS:])

    def _end_pause(self) -> None:
        if self._pause >= _PAUSE_PERIODS and self._pause_voice < _NOT_A_VOICE:
            ends = power_to_db(sum(list(self._powers)[:_END_PERIODS]) + _NOTHING)
            self._rises.push(ends - power_to_db(self._pause_starts + _NOTHING))
            limit_db = _STEADY_DB if self._raises else _RAISES_DB
            enough = len(self._rises) >= _PAUSES
            if enough or self._restored is None:
                rises = self._pauses_alike() and self._rises.quantile(0.5) > limit_db
                self._raises = enough and rises
        self._pause, self._pause_voice = 0, 0.0

    def _pauses_alike(self) -> bool:
        """Return whether the level rises in nearly all pauses, by nearly as much."""
        low_db, high_db = (self._rises.quantile(share) for share in _MOST_PAUSES)
        return low_db > _ALWAYS_DB and high_db - low_db < _ALIKE_DB

    def _begin_block(self) -> None:
        self._left = self._echo = 0.0
        self._periods = 0
        self._judged = True

    def _end_block(self, heard: ProcessedPeriod) -> None:
        left_dbfs = power_to_db(self._left / _BLOCK + _NOTHING)
        echo_dbfs = power_to_db(self._echo / _BLOCK + _NOTHING)
        self._floor_dbfs = min(left_dbfs, self._floor_dbfs + _FLOOR_RISES_DB)
        judged = self._judged
        self._begin_block()
        if not judged:
            return
        if heard.echo_dbfs < _PAUSE_DBFS:
            self._room.push(self._level_dbfs)
        loud = echo_dbfs > max(_LOUD_DBFS, self._floor_dbfs + _OVER_FLOOR_DB)
        if loud and not heard.echo_unsettled:
            self._removed.push(echo_dbfs - self._without_room(left_dbfs, echo_dbfs))
            self._measure()
        else:
            self._forget()

    def _without_room(self, left_dbfs: float, echo_dbfs: float) -> float:
        """Return the rest of the echo, without the room's noise as it is in pauses."""
        noise = db_to_power(self._room.quantile(_ROOM)) if len(self._room) >= _LEAST else 0.0
        left = db_to_power(left_dbfs) - noise
        return power_to_db(max(left, db_to_power(echo_dbfs - _MOST_REMOVED_DB)))

    def _forget(self) -> None:
        """Forget the state from before a restart, if no echo is loud enough to show it."""
        self._unsure_blocks += self._restored is not None and self.removed_db is None
        if self._unsure_blocks > _FORGETS_BLOCKS:
            self.restore(None)

    def _measure(self) -> None:
        self._newest_db.append(self._removed.newest_median(_NEWEST))
        if len(self._removed) < _SURE_BLOCKS:
            return
        self.removed_db = self._removed.quantile(0.5)
        # a filter that still learns, as with two clocks, removes more and more, and then less
        # while the drift is found
        best_db = self._newest_db[-1] if self._leaves_echo else max(self._newest_db)
        limit_db = _PLAIN_DB if self._leaves_echo else PROCESSES_DB
        self._leaves_echo = max(self.removed_db, best_db) < limit_db
