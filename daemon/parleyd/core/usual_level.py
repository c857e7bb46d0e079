"""How loud wake words usually are at this speaker, so that its microphone's gain cancels out.

Speakers of a group compare levels, but their microphones differ by 12 dB and more. The room's own
history has the answer: a wake word of a user near the speaker is among the loudest fifth that it
has heard. Every wake word counts, whoever answered it, so that a wrong decision confirms nothing.

The startup sound is a poor measure: its level at the microphone depends on the loudspeaker as much
as on the microphone.
"""

from collections import deque
from collections.abc import Sequence

NOMINAL_DBFS = -40.0  # 1 to 4 kHz of a user at two metres, as the calibration expects them
FARTHEST_DB = 10.0  # from that: a speaker that only hears distant rooms must not pass for near
KEPT = 40  # wake words: a week or two; a microphone that was moved is learned again
_SHARE = 0.8  # of them are softer than those of near users
_PRIOR = 4  # wake words: with as many, half of the difference counts


class UsualLevel:
    """The level of a near user's wake word; pure."""

    def __init__(self, levels: Sequence[float] = ()) -> None:
        """`levels`: those that were kept from before a restart, dBFS."""
        self._levels: deque[float] = deque(levels, maxlen=KEPT)

    @property
    def levels(self) -> tuple[float, ...]:
        """What to keep over a restart, dBFS."""
        return tuple(self._levels)

    @property
    def dbfs(self) -> float:
        """The expected level of a near user's wake word."""
        if not self._levels:
            return NOMINAL_DBFS
        ranked = sorted(self._levels)
        found_db = ranked[int(_SHARE * (len(ranked) - 1))] - NOMINAL_DBFS
        trusted = len(ranked) / (len(ranked) + _PRIOR)
        return NOMINAL_DBFS + trusted * min(max(found_db, -FARTHEST_DB), FARTHEST_DB)

    def heard(self, dbfs: float) -> None:
        """Take the level of a wake word."""
        self._levels.append(round(dbfs, 1))
