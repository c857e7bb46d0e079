"""Speech that other programs ask for: one after the other, outside every turn."""

from collections import deque
from collections.abc import Callable

from parleyd.core.events import Effect, LogEvent, RequestAnswered, RequestRefusal, SpeechRequested
from parleyd.playback.reply_player import ReplyPlayer
from parleyd.units import SERVER_RATE_HZ

MOST_WAITING = 4  # more is a program out of control
WAITS_S = 300.0  # for the end of a conversation; older news is of no use
LONGEST_S = 30.0  # the smallest playback buffer


class Announcements:
    """Plays speech while no turn and no alarm needs the loudspeaker; owned by the audio thread.

    It neither opens the microphone nor begins a turn. Speech is not interrupted by voices of the
    room, which did not call Parley: stop word, wake word, button and `stop` end it.
    """

    def __init__(self, player: ReplyPlayer, emit: Callable[[Effect], None]) -> None:
        self._player, self._emit = player, emit
        self._waiting: deque[tuple[SpeechRequested, float]] = deque()  # with the time of arrival
        self._playing: SpeechRequested | None = None

    @property
    def audible(self) -> bool:
        """Speech is being played."""
        return self._playing is not None

    def add(self, speech: SpeechRequested, now: float) -> None:
        """A program asks for speech; `RequestAnswered` follows its end, or a refusal."""
        if len(self._waiting) >= MOST_WAITING:
            self._refuse(speech, RequestRefusal.BUSY, f"{MOST_WAITING} texts are waiting already")
        elif not 0 < len(speech.frames) <= LONGEST_S * SERVER_RATE_HZ:
            self._refuse(speech, RequestRefusal.VOICE, f"it takes 0 s, or over {LONGEST_S:.0f} s")
        else:
            self._waiting.append((speech, now))

    def poll(self, now: float, *, free: bool, without_card: str = "") -> None:
        """At every period. `free`: no turn and no alarm needs the loudspeaker.

        `without_card`: why there is no loudspeaker; "" if there is one.
        """
        if self._playing is not None and not self._player.busy:
            self._emit(RequestAnswered(self._playing.number))
            self._playing = None
        while self._waiting and now - self._waiting[0][1] >= WAITS_S:
            speech, _ = self._waiting.popleft()
            refusal, reason = RequestRefusal.EXPIRED, f"Parley was busy for {WAITS_S:.0f} s"
            if without_card:
                refusal, reason = RequestRefusal.NO_CARD, without_card
            self._refuse(speech, refusal, reason)
        if free and not without_card and self._waiting and not self._player.busy:
            self._playing, _ = self._waiting.popleft()
            self._player.play(self._playing.frames)
            seconds = round(len(self._playing.frames) / SERVER_RATE_HZ, 1)
            self._emit(LogEvent("announcement", {"seconds": seconds}))

    def interrupt(self, reason: str) -> None:
        """End the speech that is played, at once."""
        if self._playing is not None:
            self._player.interrupt()
            self._refuse(self._playing, RequestRefusal.STOPPED, f"it was ended by {reason}")
            self._playing = None

    def stop(self, reason: str) -> None:
        """End the speech that is played, and everything that waits."""
        self.interrupt(reason)
        while self._waiting:
            speech, _ = self._waiting.popleft()
            self._refuse(speech, RequestRefusal.STOPPED, f"it was ended by {reason}")

    def _refuse(self, speech: SpeechRequested, refusal: RequestRefusal, reason: str) -> None:
        self._emit(RequestAnswered(speech.number, refusal, reason))
