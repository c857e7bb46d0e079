"""Rings due alarms, and decides whether speech into the ringing stops them."""

from collections.abc import Callable

from parleyd.core.alarm_sound import AlarmSound
from parleyd.core.events import AlarmDismissed, Effect, LogEvent, RecognizeAlarmCommand
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.playback.reply_player import ReplyPlayer

BEFORE_WORD_MS = 200  # of audio before the detected onset: words begin softly


class AlarmRinger:
    """Connects due alarms with playback and hearing; owned by the audio thread."""

    def __init__(
        self,
        ringing: AlarmSound,
        player: ReplyPlayer,
        front_end: AudioFrontEnd,
        emit: Callable[[Effect], None],
    ) -> None:
        self._alarm_sound = ringing
        self._player = player
        self._front_end = front_end
        self._emit = emit

    @property
    def audible(self) -> bool:
        """An alarm rings."""
        return self._alarm_sound.audible

    def ring(self, now: float) -> None:
        """At every period outside a turn: play the next round, or stop after the longest time."""
        began = not self.audible
        self._player.play(self._alarm_sound.round(now))
        if began and self.audible:
            self._front_end.arm(now)
        if self._alarm_sound.is_over(now):
            self.stop("nobody came")

    def judged(self, decision: BargeInDecision, now: float) -> None:
        """Take a decision about speech into the ringing: hold at once, then hush or resume."""
        match decision.decision:
            case Decision.HOLD:
                self._player.hold()
            case Decision.RESUME:
                self.resume(now)
            case Decision.INTERRUPT:
                self._player.interrupt()
                self._front_end.restart_endpointing(speaking=True)
                self._alarm_sound.hush(decision.onset, now)

    def resume(self, now: float) -> None:
        """Resume the ringing where it was held."""
        self._player.resume()
        self._front_end.rearm(now)

    def listen(self, ended: bool, now: float) -> None:
        """At every period: hand on the user's words once they are complete.

        `ended`: the user's speech has just ended.
        """
        since = self._alarm_sound.spoken(ended, now)
        if since is not None:
            said_ms = (now - since) * 1000 + BEFORE_WORD_MS
            self._emit(RecognizeAlarmCommand(self._front_end.recent(said_ms)))
            self._front_end.arm(now)

    def command_recognized(self, stop: bool, now: float) -> None:
        """The words were recognised: stop, or resume ringing if they were not a stop command."""
        if stop:
            self.stop("voice")
        elif self.audible:
            self._alarm_sound.resume(now)

    def stop(self, by: str) -> None:
        """Stop all alarms that ring; `by` names the reason in the log."""
        if self.audible:
            self._front_end.disarm()
            self._player.interrupt()
            self._emit(AlarmDismissed(self._alarm_sound.stop()))
            self._emit(LogEvent("alarm_dismissed", {"by": by}))
