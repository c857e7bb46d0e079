"""The sound card that the audio thread has now: lost, waited for and opened again."""

import logging
from collections.abc import Callable

from parleyd.alsa.protocol import NullCard, SoundCard
from parleyd.core.events import CardBack, CardLost
from parleyd.errors import AudioError

RETRY_S = 0.25  # first pause, doubled up to MOST_RETRY_S: replugging takes seconds
MOST_RETRY_S = 4.0  # the longest wait for a speaker that was plugged in again
STEADY_S = 10.0  # after this long without a loss, the pauses start again at RETRY_S

log = logging.getLogger(__name__)


class CardRecovery:
    """Holds the card; while it is missing, a `NullCard` in its place. The audio thread alone."""

    def __init__(
        self,
        card: SoundCard,
        reopen: Callable[[], SoundCard] | None,
        clock: Callable[[], float],
    ) -> None:
        """`reopen`: raises `AudioError` while there is no card. `clock`: monotonic seconds."""
        self.card = card
        """The card to use now."""
        self._reopen = reopen
        self._clock = clock
        self._opened_at = clock()
        self._pause_s = RETRY_S
        self._due_at = self._opened_at + self._pause_s

    @property
    def missing(self) -> bool:
        """Whether there is no card now."""
        return isinstance(self.card, NullCard)

    def lose(self, error: AudioError, unheard_frames: int) -> CardLost:
        """Close the card, which was lost. Raises `error` if there is no `reopen`."""
        if self._reopen is None:
            raise error
        self.card.close()
        now = self._clock()
        if now - self._opened_at > STEADY_S:
            self._pause_s = RETRY_S
        self._due_at = now + self._pause_s
        return self._missing(error, unheard_frames)

    def try_again(self, *, with_microphone: bool) -> CardLost | CardBack | None:
        """When it is time, open a missing card; blocks for as long as opening takes.

        Returns the event for the core: the card is back, or is missing for another reason.
        """
        lost = self.card
        if self._reopen is None or not isinstance(lost, NullCard) or self._clock() < self._due_at:
            return None
        self._pause_s = min(self._pause_s * 2, MOST_RETRY_S)
        try:
            self.card = _opened(self._reopen, with_microphone)
        except AudioError as error:
            self._due_at = self._clock() + self._pause_s
            # unplugged, then busy: the reason that is shown stays true
            return self._missing(error, 0) if str(error) != lost.reason else None
        self._opened_at = self._clock()
        log.info("the sound card works again")
        return CardBack()

    def _missing(self, error: AudioError, unheard_frames: int) -> CardLost:
        log.error("%s", error)
        self.card = NullCard(str(error))
        return CardLost(str(error), unheard_frames)


def _opened(reopen: Callable[[], SoundCard], with_microphone: bool) -> SoundCard:
    card = reopen()
    try:
        if with_microphone:
            card.open_capture()
    except AudioError:
        card.close()
        raise
    return card
