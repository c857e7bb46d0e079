"""A speaker as a member of a group: its claims, its speech, and those of the others.

The others are reached over a broker, which may be away, slow or hostile. Nothing here waits for
it, and nothing of it can do more than let this speaker stand down or listen less eagerly.
"""

from collections.abc import Callable
from dataclasses import dataclass

from parleyd.core.arbitration import Arbitration, Ruling
from parleyd.core.events import LogEvent
from parleyd.core.group_events import (
    ClaimHeard,
    GroupEffect,
    GroupInput,
    GroupReached,
    OwnSpeech,
    PeerSpeaks,
    WakeClaimed,
    WakeLevelsLearned,
)
from parleyd.core.states import State
from parleyd.core.usual_level import UsualLevel

LEASE_MS, RENEW_S = 7000, 3.0  # of the own speech: one lost renewal does not end it
LONGEST_LEASE_S = 10.0  # of others
MOST_TALKERS = 16
_IGNORED = (
    "four times in a minute another speaker of the group claimed the wake word: for a minute this "
    "one answers by itself; if it is the wrong one that answers, move it, or see who may write to "
    "the broker"
)


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """What a member starts with."""

    identity: str
    """Random, for each start: the beginning of its claims' ids."""
    levels: tuple[float, ...] = ()
    """As `WakeLevelsLearned` had them before a restart."""


class GroupMember:
    """The group as this speaker sees it; owned by the audio thread. Times are monotonic seconds."""

    def __init__(self, memory: GroupMemory, emit: Callable[[GroupEffect], None]) -> None:
        self._identity, self._emit = memory.identity, emit
        self._usual = UsualLevel(memory.levels)
        self._arbitration = Arbitration()
        self._claims = 0
        self._reached = False  # without the others, nothing is held
        self._talkers: dict[str, float] = {}
        self._renew_at: float | None = None  # None: this speaker is silent

    @property
    def holding(self) -> bool:
        """Whether chime and commit must wait."""
        own = self._arbitration.own
        return own is not None and not own.answering

    def commit(self) -> None:
        """The user has called this speaker by other means, too: it answers."""
        self._arbitration.commit()

    def others_speak(self, now: float) -> bool:
        """Whether another speaker of the group is audible: its voice may contain a wake word."""
        return any(now < until for until in self._talkers.values())

    def handle(self, event: GroupInput, now: float) -> None:
        """Take what another speaker sends."""
        match event:
            case ClaimHeard(speaker, claim, age_ms):
                if not claim.id.startswith(f"{self._identity}-"):  # a broker may send it back
                    self._arbitration.hear(speaker, claim, age_ms / 1000, now)
            case GroupReached(reached):
                self._reached = reached
            case PeerSpeaks(speaker, lease_ms):
                self._talkers = {s: until for s, until in self._talkers.items() if now < until}
                self._talkers.pop(speaker, None)
                if lease_ms > 0 and len(self._talkers) < MOST_TALKERS:
                    self._talkers[speaker] = now + min(lease_ms / 1000, LONGEST_LEASE_S)

    def wake_word(self, level_dbfs: float, now: float, *, firm: bool) -> Ruling:
        """This speaker has detected a wake word of this level; `firm`: see `Arbitration`."""
        self._claims += 1
        level_dbfs = round(level_dbfs, 1)  # as it is kept over a restart
        level_db = level_dbfs - self._usual.dbfs
        if not firm:  # else the level holds own sound, or the user is known to be near
            self._usual.heard(level_dbfs)
            self._emit(WakeLevelsLearned(self._usual.levels))
        if not self._reached:
            return Ruling.ANSWER
        claim_id = f"{self._identity}-{self._claims}"
        return self._arbitration.detect(claim_id, level_db, now, firm=firm)

    def poll(self, now: float, state: State, *, audible: bool) -> Ruling | None:
        """Return the ruling that is due, and publish; at each period.

        `state`: of the turn that the newest claim began. `audible`: this speaker speaks.
        """
        if state is State.IDLE:
            self._arbitration.withdraw()
        elif state is not State.LISTENING:
            self._arbitration.commit()
        ruling = self._arbitration.poll(now)
        for claim in self._arbitration.to_publish:
            self._emit(WakeClaimed(claim, self._arbitration.detected))
        self._arbitration.to_publish.clear()
        self._speak(audible, now)
        return ruling

    def stood_down(self, now: float) -> list[LogEvent]:
        """The lines of the log for a claim that was just withdrawn."""
        found = self._arbitration.stood_down
        assert found is not None
        fields = {"for": found.speaker, "over_db": found.over_db, "answering": found.answering}
        lines = [LogEvent("stood_down", fields)]
        if self._arbitration.alone(now):
            lines.append(LogEvent("group_ignored", {"means": _IGNORED}))
        return lines

    def _speak(self, audible: bool, now: float) -> None:
        if audible and (self._renew_at is None or now >= self._renew_at):
            self._renew_at = now + RENEW_S
            self._emit(OwnSpeech(LEASE_MS))
        elif not audible and self._renew_at is not None:
            self._renew_at = None
            self._emit(OwnSpeech(0))
