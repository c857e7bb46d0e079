"""How long a talk continues without the wake word: a user ends it, a television never does.

Three signs end the follow-ups, each after the answer that is due: the talk has had its number
of follow-up turns; two of them in a row were much quieter than the turn that began with the wake
word or the button; or one had no pause in the longest time that a turn may take.
"""

from parleyd.audio import db_to_power, power_to_db
from parleyd.hearing import ProcessedPeriod

# A user who speaks 6 dB lower, or who has walked from one metre away to four (12 dB in the open,
# less in a room), stays above it; a television in the next room does not.
MUCH_QUIETER_DB = 15.0
IN_A_ROW = 2  # one may be a user who turned away
_VOICE = 0.5  # probability: such periods are speech
_LEAST_PERIODS = 20  # 0.2 s of speech: the level of less cannot be compared


class FollowUps:
    """Counts and measures the turns of one talk; pure, owned by the audio thread.

    `most`: follow-up turns until the wake word is needed again; 0 turns off all three limits.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.turns = 0
        """Follow-up turns since the wake word or the button."""
        self.called = True
        """The turn began with the wake word or the button."""
        self._called_dbfs: float | None = None
        self._quiet = self._quiet_before = 0
        self._endless = False
        self._asked = False
        self._power = 0.0
        self._periods = 0

    @property
    def over(self) -> str:
        """Why the next turn needs the wake word or the button; "" if it does not."""
        if self._most == 0:
            return ""
        if self.turns >= self._most:
            return f"{self.turns} turns followed one wake word"
        if self._quiet >= IN_A_ROW:
            return "the last turns were much quieter than the first: another voice in the room?"
        if self._endless:
            return "the last turn had no pause: another voice in the room?"
        return ""

    def begin(self, *, called: bool) -> None:
        """Parley begins to listen; `called`: by the wake word or the button."""
        self.called = called
        self._asked = False
        self._power, self._periods = 0.0, 0
        self._quiet_before = self._quiet
        if called:
            self.turns = self._quiet = self._quiet_before = 0
            self._endless = False
            self._called_dbfs = None

    def hear(self, heard: ProcessedPeriod) -> None:
        """One period of this turn."""
        if heard.voice > _VOICE:
            self._power += db_to_power(heard.level_dbfs)
            self._periods += 1

    def asked(self, *, endless: bool) -> None:
        """A reply is asked for; again if the user continues to speak while Parley thinks.

        `endless`: the turn ended because its time was up, not by a pause.
        """
        level_dbfs = self._level_dbfs()
        if self.called:
            self._called_dbfs = level_dbfs
            return
        self.turns += not self._asked
        self._asked = True
        self._endless = endless
        quieter = (
            level_dbfs is not None
            and self._called_dbfs is not None
            and level_dbfs < self._called_dbfs - MUCH_QUIETER_DB
        )
        self._quiet = self._quiet_before + 1 if quieter else 0

    def _level_dbfs(self) -> float | None:
        if self._periods < _LEAST_PERIODS:
            return None
        return power_to_db(self._power / self._periods)
