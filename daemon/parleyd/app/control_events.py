"""The speaker's events as the clients of the control socket get them."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from parleyd.control.replies import (
    MOST_TURNS,
    AnyEvent,
    Fields,
    GroupClaim,
    GroupSpeech,
    Logged,
    StateChanged,
    TurnReported,
    plain_fields,
)
from parleyd.core.events import Effect, LogEvent, OwnSpeech, Show, WakeClaimed

OLDEST_MS = 10_000  # a claim's age
PRIVATE_EVENTS = frozenset({"transcript"})
"""Log events that no client gets: the words of the user and of Parley."""


class ControlEvents:
    """Publishes events and keeps the newest turns; on the event loop."""

    def __init__(self, publish: Callable[[AnyEvent], None]) -> None:
        self._publish = publish
        self._turns: deque[Fields] = deque(maxlen=MOST_TURNS)

    def newest_turns(self, count: int) -> tuple[Fields, ...]:
        """The newest turns, the oldest of them first."""
        return tuple(reversed(tuple(islice(reversed(self._turns), count))))

    def observe(self, effects: Sequence[Effect]) -> None:
        """Publish those effects of the core that clients may see."""
        for effect in effects:
            if isinstance(effect, Show):
                indication = str(effect.indication)
                self._publish(StateChanged(indication=indication, detail=effect.detail))
            elif isinstance(effect, LogEvent):
                self._logged(effect)

    def share_speech(self, speech: OwnSpeech) -> None:
        """Publish when this speaker speaks, for its group."""
        self._publish(GroupSpeech(lease_ms=speech.lease_ms))

    def share_claim(self, claimed: WakeClaimed) -> None:
        """Publish a claim with its present age, for the group."""
        age_ms = round((time.monotonic() - claimed.detected) * 1000)
        claim = claimed.claim
        self._publish(
            GroupClaim(
                claim=claim.id,
                level_db=claim.level_db,
                heard=claim.heard,
                answering=claim.answering,
                age_ms=min(max(age_ms, 0), OLDEST_MS),
            )
        )

    def _logged(self, event: LogEvent) -> None:
        if event.name in PRIVATE_EVENTS:
            return
        fields = plain_fields(event.fields)
        self._publish(Logged(name=event.name, fields=fields))
        if event.name == "turn":
            self._turns.append(fields)
            self._publish(TurnReported(fields=fields))
