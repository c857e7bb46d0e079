"""Events and effects between the speakers of a group; part of `parleyd.core.events`."""

from dataclasses import dataclass

from parleyd.core.arbitration import WakeClaim


@dataclass(frozen=True, slots=True)
class ClaimHeard:
    """Another speaker of the group claims a wake word."""

    speaker: str
    """Its name at the broker."""
    claim: WakeClaim
    age_ms: float
    """Since its detection, without the way over the broker, which no clock measures."""


@dataclass(frozen=True, slots=True)
class PeerSpeaks:
    """Another speaker of the group speaks, or renews that it does."""

    speaker: str
    lease_ms: int
    """For how long that holds without a renewal; 0: it has ended."""


@dataclass(frozen=True, slots=True)
class GroupReached:
    """The way to the other speakers is open, or no longer."""

    reached: bool


@dataclass(frozen=True, slots=True)
class WakeClaimed:
    """This speaker claims a wake word: the others must get it at once."""

    claim: WakeClaim
    detected: float
    """On the clock of `now`."""


@dataclass(frozen=True, slots=True)
class OwnSpeech:
    """This speaker is audible, or no longer: the others must know."""

    lease_ms: int
    """As in `PeerSpeaks`."""


@dataclass(frozen=True, slots=True)
class WakeLevelsLearned:
    """The levels of the newest wake words, worth saving for the next start."""

    levels: tuple[float, ...]
    """dBFS."""


GroupInput = ClaimHeard | PeerSpeaks | GroupReached
GroupEffect = WakeClaimed | OwnSpeech | WakeLevelsLearned
