"""The audio thread: the one thread that drives the core, once every 10 ms."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from parleyd.alsa.protocol import NullCard, SoundCard
from parleyd.app.card_recovery import CardRecovery
from parleyd.app.event_queue import EventQueue
from parleyd.core.events import CardLost, Effect, InputEvent, MicPeriod, MuteSwitched, TickResult
from parleyd.errors import AudioError, ParleyError
from parleyd.host.scheduling import ask_for
from parleyd.units import PERIOD_MS, Frames

PERIOD_S = PERIOD_MS / 1000
HANDLING_S = 0.004  # of each 10 ms: a burst of server audio must not starve the loudspeaker
JOIN_S = 1.0  # the thread looks at `stop` every 50 ms at the latest
LATE_S = 0.1  # a period that is later than this is skipped, not caught up

Watcher = Callable[[MicPeriod, TickResult], None]
"""Sees what went into the core and what came out of it, at each period, on the audio thread."""

log = logging.getLogger(__name__)


class SpeakerCore(Protocol):
    """The part that the thread drives: `parleyd.core.speaker.SmartSpeaker`."""

    def handle(self, event: InputEvent, now: float, /) -> None:
        """Take one event."""
        ...

    def tick(self, period: MicPeriod, now: float, /) -> TickResult:
        """Take 10 ms of microphone; return the next playback and the effects."""
        ...


class Closable(Protocol):
    """Decides about the microphone; read at each period, so both must return at once."""

    @property
    def closed(self) -> bool:
        """Whether the microphone must be closed now."""
        ...

    @property
    def reason(self) -> str:
        """Why it is closed, for people; may be empty."""
        ...


class AudioThread(threading.Thread):
    """Reads a period, hands it to the core, writes the playback that the core returns.

    The thread owns the card: from `start` on nothing else touches card and core. It takes
    `queue` in order; its own events come before those that wait there. While `gate` is closed
    the microphone is closed, whatever the core asks for.

    `on_effects` (only called with effects), `watchers` and `on_error` are called on this
    thread and must return at once. After the first exception of a watcher, which is logged, no
    watcher is called again. `on_error` is called at most once, after the card was closed, with
    the reason for the end: an `AudioError` if the card was lost and there is no `reopen`, else
    an unexpected error, already logged with its traceback.

    With `reopen` a lost card (or a `NullCard` at the start) ends nothing. The core gets
    `CardLost`, periods continue without sound, and `reopen` is called on this thread with
    growing pauses, until it returns a card instead of raising `AudioError`. Then the core gets
    `CardBack`.
    """

    def __init__(
        self,
        card: SoundCard,
        core: SpeakerCore,
        queue: EventQueue,
        gate: Closable,
        *,
        on_effects: Callable[[Sequence[Effect]], None],
        on_error: Callable[[Exception], None],
        watchers: Sequence[Watcher] = (),
        reopen: Callable[[], SoundCard] | None = None,
        priority: int = 0,
    ) -> None:
        super().__init__(name="audio", daemon=True)
        self.periods = 0
        """Periods done; grows by about 100 a second while all is well."""
        self.last_period = time.monotonic()
        """Monotonic time of the newest period."""
        self._recovery = CardRecovery(card, reopen, time.monotonic)
        self._core, self._queue, self._gate = core, queue, gate
        self._on_effects, self._on_error, self._watchers = on_effects, on_error, watchers
        self._priority = priority
        self._own_events: deque[InputEvent] = deque()
        self._muted: bool | None = None
        self._reported_reason = ""
        self._xruns = 0
        self._next_period_at = self.last_period
        self._unheard = 0  # frames that the card had, or was given, at the newest period
        if isinstance(card, NullCard):
            self._own_events.append(CardLost(card.reason, 0))
        self._ending = threading.Event()

    @property
    def has_card(self) -> bool:
        """Whether the thread runs with a sound card that works; any thread."""
        return not self._ending.is_set() and not self._recovery.missing

    @property
    def _card(self) -> SoundCard:
        return self._recovery.card

    def stop(self) -> bool:
        """Silence at once (drop), close the card and end; waits for at most `JOIN_S`.

        Any other thread; may be called twice. False if the thread hangs in the driver.
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
                self._run_period_or_lose_card()
        except ParleyError as error:
            ended_by = error
        except Exception as error:  # the rim of the thread
            log.exception("the audio thread ended")
            ended_by = error
        finally:
            self._card.close()
        if ended_by is not None:
            self._on_error(ended_by)

    def _run_period_or_lose_card(self) -> None:
        try:
            self._run_period()  # first: the core hears of a loss before the next try
            if events := self._recovery.try_again(with_microphone=not self._must_close):
                self._own_events.append(events)
        except AudioError as error:
            self._own_events.append(self._recovery.lose(error, self._unheard))
            self._xruns = 0
            self._next_period_at = time.monotonic()

    # --- one period ---------------------------------------------------------------------

    def _run_period(self) -> None:
        self._follow_gate()
        frames = self._next_period()
        now = time.monotonic()
        self._handle_events(now)
        if frames is None and not self._paced_by_clock:
            return  # no whole period yet
        if self.periods == 0:
            self._xruns = self._card.xruns  # overruns before the first period: nothing was read
        xruns, self._xruns = self._card.xruns - self._xruns, self._card.xruns
        period = MicPeriod(frames, self._card.queued_frames(), xruns)
        step = self._core.tick(period, now)
        self._unheard = (0 if step.drop else period.queued_frames) + len(step.playback)
        if step.drop:
            self._card.drop()
        self._card.write(step.playback)
        if step.drop:  # tests/bench/device measures from this line
            log.debug("dropped", extra={"fields": {"tick_s": f"{now:.4f}"}})
        if step.effects:
            self._on_effects(step.effects)
        self._call_watchers(period, step)
        self.periods += 1
        self.last_period = now

    @property
    def _must_close(self) -> bool:
        return self._gate.closed or self._ending.is_set()

    def _follow_gate(self) -> None:
        closed = self._must_close
        why = self._gate.reason if closed else ""
        if closed == self._muted:
            if why != self._reported_reason:
                self._reported_reason = why
                self._own_events.append(MuteSwitched(closed, why))
            return
        if closed:
            self._card.close_capture()
            self._next_period_at = time.monotonic()
        else:
            self._card.open_capture()
        if closed or self._muted:  # at the start, an open microphone is no change
            self._own_events.append(MuteSwitched(closed, why))
        self._muted, self._reported_reason = closed, why

    @property
    def _paced_by_clock(self) -> bool:
        """Whether no open microphone sets the pace."""
        return bool(self._muted) or self._recovery.missing

    def _next_period(self) -> Frames | None:
        """Wait for the microphone, which sets the pace; without one the monotonic clock does."""
        if not self._paced_by_clock:
            return self._card.read()
        self._next_period_at += PERIOD_S
        now = time.monotonic()
        if now - self._next_period_at > LATE_S:
            self._next_period_at = now
        time.sleep(max(0.0, self._next_period_at - now))
        return None

    def _handle_events(self, now: float) -> None:
        deadline = time.monotonic() + HANDLING_S
        while (event := self._next_event()) is not None:
            self._core.handle(event, now)
            if time.monotonic() > deadline:
                break

    def _next_event(self) -> InputEvent | None:
        return self._own_events.popleft() if self._own_events else self._queue.take()

    def _call_watchers(self, period: MicPeriod, step: TickResult) -> None:
        """Recording and metering must not be able to end the speaker."""
        try:
            for watch in self._watchers:
                watch(period, step)
        except Exception:  # the rim of the watchers
            log.exception("recording and metering fail, and are off until the next start")
            self._watchers = ()


def _take_priority(priority: int) -> None:
    if refusal := ask_for(priority):
        log.info(
            "the audio thread runs without real-time priority (%s); "
            "allow it with LimitRTPRIO=%d or set audio.priority = 0",
            *(refusal, priority),
        )
