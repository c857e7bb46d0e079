"""Rings due alarms, and decides whether speech into the ringing stops them."""

from collections.abc import Callable

from parleyd.core.alarm_sound import Ringing
from parleyd.core.events import Effect, Note, RingStopped, Understand
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.hearing.front_end import Ears
from parleyd.playback.reply_player import Mouth

BEFORE_WORD_MS = 200  # of audio before the detected onset: words begin softly


class Bell:
    """Connects due alarms with playback and hearing; owned by the audio thread."""

    def __init__(
        self, ringing: Ringing, mouth: Mouth, ears: Ears, emit: Callable[[Effect], None]
    ) -> None:
        self._ringing = ringing
        self._mouth = mouth
        self._ears = ears
        self._emit = emit

    @property
    def audible(self) -> bool:
        """An alarm rings."""
        return self._ringing.audible

    def ring(self, now: float) -> None:
        """At every period outside a turn: play the next round, or stop after the longest time."""
        began = not self.audible
        self._mouth.play(self._ringing.round(now))
        if began and self.audible:
            self._ears.arm(now)
        if self._ringing.is_over(now):
            self.stop("nobody came")

    def judged(self, decision: BargeInDecision, now: float) -> None:
        """Take a decision about speech into the ringing: hold at once, then hush or resume."""
        match decision.kind:
            case Decision.HOLD:
                self._mouth.hold()
            case Decision.RESUME:
                self.resume(now)
            case Decision.INTERRUPT:
                self._mouth.give_up()
                self._ears.restart_endpointing(speaking=True)
                self._ringing.hush(decision.onset, now)

    def resume(self, now: float) -> None:
        """Resume the ringing where it was held."""
        self._mouth.resume()
        self._ears.rearm(now)

    def overhear(self, ended: bool, now: float) -> None:
        """At every period: hand on the user's words once they are complete.

        `ended`: the user's speech has just ended.
        """
        since = self._ringing.spoken(ended, now)
        if since is not None:
            said_ms = (now - since) * 1000 + BEFORE_WORD_MS
            self._emit(Understand(self._ears.recent(said_ms)))
            self._ears.arm(now)

    def understood(self, stop: bool, now: float) -> None:
        """The words were recognised: stop, or resume ringing if they were not a stop command."""
        if stop:
            self.stop("voice")
        elif self.audible:
            self._ringing.go_on(now)

    def stop(self, by: str) -> None:
        """Stop all alarms that ring; `by` names the reason in the log."""
        if self.audible:
            self._ears.disarm()
            self._mouth.give_up()
            self._emit(RingStopped(self._ringing.stop()))
            self._emit(Note("ring_stopped", {"by": by}))
