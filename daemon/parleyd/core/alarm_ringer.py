"""The bell: plays what rings, and listens to what is said or done about it."""

from collections.abc import Callable

from parleyd.core.alarm_sound import Ringing
from parleyd.core.events import Effect, Note, RingStopped, Understand
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.hearing.front_end import Ears
from parleyd.playback.reply_player import Mouth

BEFORE_WORD_MS = 200  # of what was heard before somebody spoke into the ringing


class Bell:
    """Couples what rings with mouth and ears; owned by the audio thread."""

    def __init__(
        self, ringing: Ringing, mouth: Mouth, ears: Ears, emit: Callable[[Effect], None]
    ) -> None:
        self._ringing = ringing
        self._mouth = mouth
        self._ears = ears
        self._emit = emit

    @property
    def audible(self) -> bool:
        """It rings."""
        return self._ringing.audible

    def ring(self, now: float) -> None:
        """At every heartbeat in which nobody talks with Parley: the next round, or the end."""
        began = not self.audible
        self._mouth.play(self._ringing.round(now))
        if began and self.audible:
            self._ears.arm(now)
        if self._ringing.is_over(now):
            self.stop("nobody came")

    def judged(self, decision: BargeInDecision, now: float) -> None:
        """Somebody speaks into it. As with an answer: silence at once, then listen or go on."""
        match decision.kind:
            case Decision.HOLD:
                self._mouth.hold()
            case Decision.RESUME:
                self.resume(now)
            case Decision.INTERRUPT:
                self._mouth.give_up()
                self._ears.endpoint.reset(True)
                self._ringing.hush(decision.onset, now)

    def resume(self, now: float) -> None:
        """Go on where it was held."""
        self._mouth.resume()
        self._ears.barge_in.arm(now)

    def overhear(self, ended: bool, now: float) -> None:
        """What was said into it is complete (`ended`): whoever understands words gets it."""
        since = self._ringing.spoken(ended, now)
        if since is not None:
            said_ms = (now - since) * 1000 + BEFORE_WORD_MS
            self._emit(Understand(self._ears.recent(said_ms)))
            self._ears.arm(now)

    def understood(self, stop: bool, now: float) -> None:
        """It is known what was said: that it stop, or something else."""
        if stop:
            self.stop("voice")
        elif self.audible:
            self._ringing.go_on(now)

    def stop(self, by: str) -> None:
        """Somebody came, or nobody will."""
        if self.audible:
            self._ears.barge_in.disarm()
            self._mouth.give_up()
            self._emit(RingStopped(self._ringing.stop()))
            self._emit(Note("ring_stopped", {"by": by}))
