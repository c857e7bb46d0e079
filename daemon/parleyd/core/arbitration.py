"""Which of several speakers answers a wake word that all of them have heard. Pure.

Each publishes a claim when it detects the wake word, continues at once, and holds only its chime
and its commit for `HOLD_S`. Then it looks at all claims that it has, its own included:

- Equal to the loudest are the claims within `LOUDER_DB` of it.
- Of these the earliest wins, then the loudest, then the lowest id.

That is a rule about the set and not about pairs: "3 dB louder beats" alone can go in a circle
among three. So all speakers with the same claims find the same winner.

Earlier is a fact that all of them share, too, without a clock: a claim carries how many others
its speaker had already got when it detected the word. Ages alone would not do: the way over the
broker is unknown, so each of two would take itself for the earlier one.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, auto

from parleyd.units import PERIOD_MS

HOLD_S = 0.12  # adds to the chime only; detections of one word are 0 to 0.1 s apart
LATE_S = 0.7  # a later claim belongs to another wake word
GIVES_UP_S = 2.0  # after a slow broker two may answer, until one of them learns of the other
LOUDER_DB = 3.0  # smaller differences come from the direction of the head
FIRM_DB = 60.0  # of a claim that no level beats
MOST_SPEAKERS = 16  # whose claims are kept; a flood of others changes nothing
STOOD_DOWN_MOST, STOOD_DOWN_S = 4, 60.0  # as often in that time, a user repeats themselves in vain
ALONE_S = 60.0  # after that, every wake word is answered here


@dataclass(frozen=True, slots=True)
class WakeClaim:
    """A speaker's claim to a wake word."""

    id: str
    """Of this claim; random, so that ties are broken by chance."""
    level_db: float
    """Of the wake word, over the level that is usual at that speaker."""
    heard: int
    """Claims of others that the speaker had got when it detected the word."""
    answering: bool = False
    """The speaker answers already, whatever else is claimed."""


class Ruling(Enum):
    """What becomes of the own claim."""

    HOLD = auto()  # continue, without chime and commit
    ANSWER = auto()  # answer
    STAND_DOWN = auto()  # another speaker answers


@dataclass(frozen=True, slots=True)
class StoodDown:
    """Why the own claim was withdrawn."""

    speaker: str
    """Answers instead."""
    over_db: float
    """How much louder its claim is."""
    answering: bool
    """It answered already."""


@dataclass(frozen=True, slots=True)
class _Rival:
    claim: WakeClaim
    detected: float  # at the latest
    until: float  # it counts


def winner(claims: Collection[WakeClaim]) -> WakeClaim:
    """Return the claim that wins; the same wherever these claims are known."""
    loudest_db = max(claim.level_db for claim in claims)
    equal = (claim for claim in claims if claim.level_db > loudest_db - LOUDER_DB)
    return min(equal, key=lambda claim: (claim.heard, -claim.level_db, claim.id))


class Arbitration:
    """The claims to one wake word after the other; `now` in monotonic seconds.

    `to_publish` fills up with the own claims that the others must get; the owner empties it.
    """

    def __init__(self) -> None:
        self.to_publish: list[WakeClaim] = []
        self.own: WakeClaim | None = None
        """From the detection until `GIVES_UP_S` after it, or until it stands down."""
        self.stood_down: StoodDown | None = None
        """The newest one, for the log."""
        self._detected = float("-inf")
        self._firm = False  # the own claim is never withdrawn
        self._ruling: Ruling | None = None  # that `poll` has not returned yet
        self._rivals: dict[str, _Rival] = {}
        self._answered: set[str] = set()  # claims that got the own one as a reply
        self._stood_down: deque[float] = deque(maxlen=STOOD_DOWN_MOST)
        self._alone_until = float("-inf")

    @property
    def detected(self) -> float:
        """When the newest wake word was detected here."""
        return self._detected

    def alone(self, now: float) -> bool:
        """Whether this speaker ignores the others for a while."""
        return now < self._alone_until

    def hear(self, speaker: str, claim: WakeClaim, age_s: float, now: float) -> None:
        """Take the claim of another speaker, detected at least `age_s` ago."""
        self._forget(now)
        known = self._rivals.get(speaker)
        if age_s >= LATE_S or (known is None and len(self._rivals) >= MOST_SPEAKERS):
            return
        self._rivals[speaker] = _Rival(claim, now - age_s, now - age_s + LATE_S)
        if self.own is None or self._ruling is not None:
            return
        if now - age_s >= self._detected + LATE_S:
            return
        if not self.own.answering:
            if claim.answering:
                self._lose(speaker)
        elif claim.answering and not self._firm and winner((self.own, claim)) is claim:
            self._lose(speaker)
        elif claim.id not in self._answered and len(self._answered) < MOST_SPEAKERS:
            self._answered.add(claim.id)
            self.to_publish.append(self.own)

    def detect(self, claim_id: str, level_db: float, now: float, *, firm: bool = False) -> Ruling:
        """This speaker has detected a wake word. `firm`: it answers whatever others claim, because
        the word interrupts it, or belongs to its conversation.
        """
        self._forget(now)
        self._ruling, self._detected = None, now
        self._answered.clear()
        self._firm = firm or self.alone(now)
        level_db = FIRM_DB if firm else round(level_db, 1)  # as the others will read it
        self.own = claim = WakeClaim(claim_id, level_db, len(self._rivals))
        if self._firm:
            self._continue()
            return Ruling.ANSWER
        for speaker, rival in self._rivals.items():
            if rival.claim.answering or now - rival.detected > HOLD_S:
                self._lose(speaker)
                self._end(now)
                return Ruling.STAND_DOWN
        self.to_publish.append(claim)
        return Ruling.HOLD

    def poll(self, now: float) -> Ruling | None:
        """Return the ruling that is due; at each period."""
        if self.own is None:
            return None
        if self._ruling is None and not self.own.answering and self._held_long_enough(now):
            self._decide(now)
        if self._ruling is Ruling.STAND_DOWN:
            self._end(now)
            return Ruling.STAND_DOWN
        ruling, self._ruling = self._ruling, None
        if now >= self._detected + GIVES_UP_S:
            self.own = None
        return ruling

    def withdraw(self) -> None:
        """The turn has ended by other means."""
        self.own = self._ruling = None

    def commit(self) -> None:
        """The turn can no longer be taken back: the own claim, if there is one, answers."""
        self._firm, self._ruling = True, None
        if self.own is not None and not self.own.answering:
            self._continue()

    def _held_long_enough(self, now: float) -> bool:
        return now > self._detected + HOLD_S - PERIOD_MS / 2000  # the nearest period

    def _decide(self, now: float) -> None:
        assert self.own is not None
        self._forget(now)
        speakers = {rival.claim.id: speaker for speaker, rival in self._rivals.items()}
        best = winner((self.own, *(rival.claim for rival in self._rivals.values())))
        if best is self.own:
            self._continue()
            self._ruling = Ruling.ANSWER
        else:
            self._lose(speakers[best.id])

    def _continue(self) -> None:
        assert self.own is not None
        self.own = replace(self.own, answering=True)
        self.to_publish.append(self.own)

    def _lose(self, speaker: str) -> None:
        assert self.own is not None
        theirs = self._rivals[speaker].claim
        over_db = round(theirs.level_db - self.own.level_db, 1)
        self._ruling = Ruling.STAND_DOWN
        self.stood_down = StoodDown(speaker, over_db, theirs.answering)

    def _end(self, now: float) -> None:
        self.withdraw()
        self._stood_down.append(now)
        if len(self._stood_down) == STOOD_DOWN_MOST and now < self._stood_down[0] + STOOD_DOWN_S:
            self._stood_down.clear()
            self._alone_until = now + ALONE_S

    def _forget(self, now: float) -> None:
        self._rivals = {s: rival for s, rival in self._rivals.items() if now < rival.until}
