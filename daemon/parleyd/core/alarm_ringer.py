"""Rings due alarms, and decides whether speech into the ringing stops them."""

from collections import deque
from collections.abc import Callable

from parleyd.core.alarm_sound import HUSH_S, REST_OF_WORD_S, AlarmSound
from parleyd.core.events import AlarmDismissed, Effect, LogEvent, RecognizeAlarmCommand
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.playback.reply_player import ReplyPlayer

IN_VAIN_S = 15.0  # in which words in vain are counted
TALKS = 3  # so many in that time are a television, or a talk: only a clear voice holds the alarm
HELD_S = 5.0  # the longest silence: an utterance, and most of the time to recognise it
RINGS_S, RINGS_ON_S = 4.0, 30.0  # after one silence in vain, after several: nothing silences it
SEVERAL, SEVERAL_WITHIN_S = 3, 45.0
BEFORE_WORD_MS = 800  # of audio before the detected onset: the tones may have hidden the word


class AlarmRinger:
    """Connects due alarms with playback and hearing; owned by the audio thread.

    Everything that may be a voice silences the ringing at once, and is recognised: also what
    barge-in takes for none. The ringing continues after everything but a stop command, and then
    nothing silences it for a while: a television must not hide an alarm. Words are recognised then,
    too, under the tones.
    """

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
        self._judged: deque[float] = deque(maxlen=TALKS)  # when words were handed on
        self._listens = False  # sound into the ringing is being judged
        self._held_at: float | None = None  # a round waits since then; words may not stop it
        self._in_vain_at: deque[float] = deque(maxlen=SEVERAL)  # when silences ended in vain
        self._rings_until = 0.0  # nothing silences the ringing

    @property
    def audible(self) -> bool:
        """An alarm rings."""
        return self._alarm_sound.audible

    def ring(self, now: float) -> None:
        """At every period outside a turn: play the next round, or stop after the longest time."""
        began = not self.audible
        if self._listens and (self._alarm_sound.waited(now) or self._held_s(now) >= HELD_S):
            self.resume(now)  # the words were not recognised
        elif self._held_at is None:
            self._player.play(self._alarm_sound.round(now))
        if began and self.audible:
            self._front_end.arm(now, alarm=True)
        tones = self.audible and not self._alarm_sound.speaks(now)
        self._front_end.tones = tones and self._in_vain(now) < TALKS
        if self._alarm_sound.is_over(now):
            self.stop("nobody came")

    def judged(self, decision: BargeInDecision, now: float) -> None:
        """Take a decision about sound into the ringing: hold at once, then have it recognised."""
        for_s = HUSH_S
        match decision.decision:
            case Decision.HOLD:
                if self._held_at is None and now >= self._rings_until:
                    self._player.hold()
                    self._held_at = now
            case Decision.RESUME:
                for_s = REST_OF_WORD_S
            case Decision.INTERRUPT:
                self._front_end.restart_endpointing(speaking=True)
        self._listens = True
        silent = self._held_at is not None
        self._alarm_sound.hush(decision.onset, now, for_s=for_s, silent=silent)

    def resume(self, now: float) -> None:
        """Resume the ringing where it was held."""
        self._listens = False
        if self._held_at is None:
            self._alarm_sound.give_up()
        else:
            self._held_at = None
            self._player.resume()
            self._alarm_sound.resume(self._player.buffered_ms / 1000, now)
            self._in_vain_at.append(now)
            several = len(self._in_vain_at) == SEVERAL
            on = several and now - self._in_vain_at[0] < SEVERAL_WITHIN_S
            self._rings_until = now + (RINGS_ON_S if on else RINGS_S)
        self._front_end.rearm(now)

    def _held_s(self, now: float) -> float:
        return 0.0 if self._held_at is None else now - self._held_at

    def listen(self, ended: bool, now: float) -> None:
        """At every period: hand on the user's words once they are complete.

        `ended`: the user's speech has just ended.
        """
        if self._front_end.deciding:
            return
        since = self._alarm_sound.spoken(ended, now)
        if since is not None:
            said_ms = (now - since) * 1000 + BEFORE_WORD_MS
            frames = self._front_end.recent(said_ms)
            self._emit(RecognizeAlarmCommand(frames, self._in_vain(now), self._alarm_sound.ids))
            self._judged.append(now)

    def command_recognized(
        self, stop: bool, now: float, ring_ids: tuple[int, ...] | None = None
    ) -> None:
        """The words were recognised: stop, or resume ringing if they were not a stop command.

        `ring_ids`: the alarms that they meant; one that is due since rings on. None: all.
        """
        ringing = self._alarm_sound.ids
        meant = tuple(set(ringing) & set(ringing if ring_ids is None else ring_ids))
        if stop and len(meant) == len(ringing):
            self.stop("voice")
            return
        if stop and meant:
            self._alarm_sound.remove(meant)
            self._emit(AlarmDismissed(meant))
            self._emit(LogEvent("alarm_dismissed", {"by": "voice"}))
        if self.audible and self._listens:
            self.resume(now)

    def _in_vain(self, now: float) -> int:
        return sum(now - at < IN_VAIN_S for at in self._judged)

    def stop(self, by: str) -> None:
        """Stop all alarms that ring; `by` names the reason in the log."""
        if self.audible:
            self._listens = self._front_end.tones = False
            self._held_at, self._rings_until = None, 0.0
            self._judged.clear()
            self._in_vain_at.clear()
            self._front_end.disarm()
            self._player.interrupt()
            self._emit(AlarmDismissed(self._alarm_sound.stop()))
            self._emit(LogEvent("alarm_dismissed", {"by": by}))
