"""The heartbeat: the one audio thread, which drives the core once every 10 ms."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from parleyd.alsa.protocol import NoCard, SoundCard
from parleyd.core.events import CardBack, CardLost, Effect, Happening, MicPeriod, MuteSwitched, Step
from parleyd.errors import AudioError, ParleyError
from parleyd.host.scheduling import ask_for
from parleyd.units import PERIOD_MS, Frames

PERIOD_S = PERIOD_MS / 1000
HANDLING_S = 0.004  # of each 10 ms: a burst of server audio must not starve the loudspeaker
INBOX_EVENTS = 8192  # minutes of audio deltas; more means that nobody drains, the watchdog's case
CROWD = 1000  # the events of the longest burst that servers send; taken in a tenth of a second
JOIN_S = 1.0  # the thread looks at `stop` every 50 ms at the latest
LATE_S = 0.1  # after that a missed beat is skipped, not caught up
RETRY_S = 0.25  # first wait for a lost card, doubled up to MOST_RETRY_S: replugging takes seconds
MOST_RETRY_S = 4.0  # nobody waits longer for a speaker that was plugged in again
STEADY_S = 10.0  # a card that lasted so long is well: its next loss is waited for from RETRY_S on

log = logging.getLogger(__name__)


class Core(Protocol):
    """What the heartbeat drives: `parleyd.core.speaker.Speaker`."""

    def handle(self, event: Happening, now: float, /) -> None:
        """Take in one event."""
        ...

    def tick(self, period: MicPeriod, now: float, /) -> Step:
        """Take in 10 ms of microphone and say what to play."""
        ...


class Heartbeat(threading.Thread):
    """Reads a period, hands it to the core, writes what the core returns; owns the card.

    From `start` on only this thread touches card and core. `on_effects` (only called with
    effects), `on_beat` (with all that went in and out) and `on_error` are called on this
    thread and must return at once. An `on_beat` that raises is logged and not called again.
    `on_error` is called at most once, after the card was closed, with what ended the
    thread: an `AudioError` when the card was lost and there is no `reopen`, else an
    unexpected error, already logged with its traceback.

    While `switch` says True the microphone is closed whatever `set_muted` was told; it is
    asked at every beat, on this thread, and must return at once. So must `why_muted`, the
    reason to show, which is asked while the microphone is closed.

    With `reopen` a lost card (or a `NoCard` at the start) ends nothing: the core is told
    by `CardLost`, beats go on without sound, and `reopen` is called with growing pauses,
    on this thread, until it returns a card and not an `AudioError`; then comes `CardBack`.
    """

    def __init__(
        self,
        card: SoundCard,
        core: Core,
        *,
        on_effects: Callable[[Sequence[Effect]], None],
        on_error: Callable[[Exception], None],
        on_beat: Callable[[MicPeriod, Step], None] | None = None,
        reopen: Callable[[], SoundCard] | None = None,
        muted: bool = False,
        switch: Callable[[], bool] = lambda: False,
        why_muted: Callable[[], str] = lambda: "",
        priority: int = 0,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.beats = 0
        """Ticks done; grows by about 100 a second while all is well."""
        self.last_beat = time.monotonic()
        """Monotonic time of the latest tick."""
        self._card = card
        self._core = core
        self._on_effects = on_effects
        self._on_error = on_error
        self._on_beat = on_beat
        self._reopen = reopen
        self._priority = priority
        self._inbox: deque[Happening] = deque()
        self._lost = 0  # events since the inbox was full
        self._mute_asked = muted
        self._switch, self._why_muted = switch, why_muted
        self._muted: bool | None = None
        self._told_why = ""
        self._xruns = 0
        self._next_beat = self.last_beat
        self._unheard = 0  # frames that the card had, or was given, at the latest beat
        self._pause_s = RETRY_S
        self._opened_at = self.last_beat
        self._retry_at = self.last_beat + self._pause_s
        if isinstance(card, NoCard):
            self._inbox.append(CardLost(card.reason, 0))
        self._ending = threading.Event()

    def post(self, event: Happening) -> None:
        """Hand an event to the core, in order, at the next beat; any thread, does not block.

        Events beyond `INBOX_EVENTS` are lost: then the thread hangs, or a burst does not end.
        The log has the first of them, and their number once there is room again.
        """
        if len(self._inbox) >= INBOX_EVENTS:
            if self._lost == 0:
                log.error("the audio thread does not take events, %s is lost", type(event).__name__)
            self._lost += 1
            return
        if self._lost and not self.crowded:
            lost, self._lost = self._lost, 0
            log.error("the audio thread takes events again, %d are lost", lost)
        self._inbox.append(event)

    @property
    def crowded(self) -> bool:
        """So many events wait that whoever posts in bursts had better pause; any thread."""
        return len(self._inbox) >= CROWD

    @property
    def has_card(self) -> bool:
        """Whether the sound card works as far as is known; any thread."""
        return not isinstance(self._card, NoCard)

    def set_muted(self, muted: bool) -> None:
        """Have the microphone closed, or opened if the switch is off, before the next beat.

        Any thread. The core is told by `MuteSwitched` when it is done, before the first period.
        """
        self._mute_asked = muted

    def stop(self) -> bool:
        """Silence at once (drop), close the card and end; waits for at most `JOIN_S`.

        Any other thread; may be called twice. False when the thread hangs in the driver.
        """
        self._ending.set()
        if self.ident is None:
            self._card.close()
            return True
        self.join(JOIN_S)
        return not self.is_alive()

    def run(self) -> None:
        """The thread's body."""
        _take_priority(self._priority)
        ended_by: Exception | None = None
        try:
            while not self._ending.is_set():
                self._beat_or_lose()
        except ParleyError as error:
            ended_by = error
        except Exception as error:  # the rim of the thread
            log.exception("the audio thread ended")
            ended_by = error
        finally:
            self._card.close()
        if ended_by is not None:
            self._on_error(ended_by)

    def _beat_or_lose(self) -> None:
        try:
            self._beat()  # first: a loss is told before the next try
            self._try_again()
        except AudioError as error:
            if self._reopen is None:
                raise
            self._lose(error)

    def _beat(self) -> None:
        self._follow_mute_switch()
        frames = self._next_period()
        now = time.monotonic()
        self._drain_inbox(now)
        if frames is None and not self._beats_by_clock:
            return  # no whole period yet
        if self.beats == 0:
            self._xruns = self._card.xruns  # the microphone was open before anybody listened
        xruns, self._xruns = self._card.xruns - self._xruns, self._card.xruns
        period = MicPeriod(frames, self._card.queued_frames(), xruns)
        step = self._core.tick(period, now)
        self._unheard = (0 if step.drop else period.queued_frames) + len(step.playback)
        if step.drop:
            self._card.drop()
        self._card.write(step.playback)
        if step.drop:  # what tests/bench/device measures from
            log.debug("dropped", extra={"fields": {"tick_s": f"{now:.4f}"}})
        if step.effects:
            self._on_effects(step.effects)
        self._look_on(period, step)
        self.beats += 1
        self.last_beat = now

    def _look_on(self, period: MicPeriod, step: Step) -> None:
        """Whoever records or meters must not be able to end the speaker."""
        if self._on_beat is None:
            return
        try:
            self._on_beat(period, step)
        except Exception:
            log.exception("recording and metering fail, and are off until the next start")
            self._on_beat = None

    @property
    def _beats_by_clock(self) -> bool:
        """No microphone is open to give the beat."""
        return bool(self._muted) or isinstance(self._card, NoCard)

    # --- a card that comes and goes -----------------------------------------------------

    def _lose(self, error: AudioError) -> None:
        self._card.close()
        self._xruns = 0
        now = time.monotonic()
        if now - self._opened_at > STEADY_S:
            self._pause_s = RETRY_S
        self._next_beat, self._retry_at = now, now + self._pause_s
        self._go_without(error, self._unheard)

    def _go_without(self, error: AudioError, unheard_frames: int) -> None:
        log.error("%s", error)
        self._card = NoCard(str(error))
        self._inbox.appendleft(CardLost(str(error), unheard_frames))

    def _try_again(self) -> None:
        """When it is time to, open a lost card as it was, microphone and all."""
        lost = self._card
        if self._reopen is None or not isinstance(lost, NoCard):
            return
        if time.monotonic() < self._retry_at:
            return
        self._pause_s = min(self._pause_s * 2, MOST_RETRY_S)
        try:
            self._card = self._opened(self._reopen)
        except AudioError as error:
            self._retry_at = time.monotonic() + self._pause_s
            if str(error) != lost.reason:
                self._go_without(error, 0)  # unplugged, then busy: what is shown stays true
            return
        self._opened_at = time.monotonic()
        log.info("the sound card works again")
        self._inbox.appendleft(CardBack())

    def _opened(self, reopen: Callable[[], SoundCard]) -> SoundCard:
        card = reopen()
        try:
            if not self._mute_wanted:
                card.open_capture()
        except AudioError:
            card.close()
            raise
        return card

    # --- one beat -------------------------------------------------------------------------

    @property
    def _mute_wanted(self) -> bool:
        """The switch is read here, each time: no message about it can be lost or come too late."""
        return self._switch() or self._mute_asked or self._ending.is_set()

    def _follow_mute_switch(self) -> None:
        wanted = self._mute_wanted
        why = self._why_muted() if wanted else ""
        if wanted == self._muted:
            if why != self._told_why:
                self._told_why = why
                self._inbox.appendleft(MuteSwitched(wanted, why))
            return
        if wanted:
            self._card.close_capture()
            self._next_beat = time.monotonic()
        else:
            self._card.open_capture()
        if wanted or self._muted:  # at start, an open microphone is nothing to tell
            self._inbox.appendleft(MuteSwitched(wanted, why))
        self._muted, self._told_why = wanted, why

    def _next_period(self) -> Frames | None:
        """From the microphone, which gives the beat; without one the monotonic clock does."""
        if not self._beats_by_clock:
            return self._card.read()
        self._next_beat += PERIOD_S
        now = time.monotonic()
        if now - self._next_beat > LATE_S:
            self._next_beat = now
        time.sleep(max(0.0, self._next_beat - now))
        return None

    def _drain_inbox(self, now: float) -> None:
        deadline = time.monotonic() + HANDLING_S
        while self._inbox:
            self._core.handle(self._inbox.popleft(), now)
            if time.monotonic() > deadline:
                break


def _take_priority(priority: int) -> None:
    if refusal := ask_for(priority):
        log.info(
            "the audio thread runs without real-time priority (%s); "
            "allow it with LimitRTPRIO=%d or set audio.priority = 0",
            *(refusal, priority),
        )
