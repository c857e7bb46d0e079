"""The audio thread, with a counting core and a simple or real card."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pulse_rig import SPEAKER_RATE_HZ, PulseRig

from parleyd import config
from parleyd.alsa import sound_card
from parleyd.alsa.protocol import NullCard, SoundCard
from parleyd.alsa.sound_card import Card
from parleyd.app import audio_thread, card_recovery
from parleyd.app.audio_thread import AudioThread
from parleyd.app.event_queue import MOST_EVENTS, EventQueue
from parleyd.core.events import (
    ButtonPressed,
    CardBack,
    CardLost,
    Effect,
    LogEvent,
    MicPeriod,
    MuteSwitched,
    Show,
    TickResult,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import Indication
from parleyd.errors import AudioError
from parleyd.hearing.fuse import ComponentFault
from parleyd.units import SILENCE, Frames

DEADLINE_S = 30.0  # for a wait of milliseconds on an idle machine


class SimpleCard:
    """A card that is never late: `give` delivers a period or an error."""

    def __init__(self) -> None:
        self.xruns = 0
        self.calls: queue.Queue[tuple[str, object]] = queue.Queue()
        self.microphone_open = False
        self._periods: queue.Queue[Frames | AudioError] = queue.Queue()

    def give(self, period: Frames | AudioError) -> None:
        self._periods.put(period)

    def open_capture(self) -> None:
        self.microphone_open = True
        self.calls.put(("open_capture", None))

    def close_capture(self) -> None:
        self.microphone_open = False
        self.calls.put(("close_capture", None))

    def read(self) -> Frames | None:
        assert self.microphone_open
        try:
            period = self._periods.get(timeout=0.02)
        except queue.Empty:
            return None
        if isinstance(period, AudioError):
            raise period
        return period

    def queued_frames(self) -> int:
        return 77

    def write(self, frames: Frames) -> None:
        self.calls.put(("write", len(frames)))

    def drop(self) -> None:
        self.calls.put(("drop", None))

    def close(self) -> None:
        self.microphone_open = False
        self.calls.put(("close", None))


class CountingCore:
    """Reports each call through a queue; a button press drops and plays 480 frames."""

    def __init__(self) -> None:
        self.seen: queue.Queue[Any] = queue.Queue()
        self.threads: set[str] = set()
        self._pressed = False

    def handle(self, event: Any, now: float) -> None:
        self.threads.add(threading.current_thread().name)
        if event == "raise":
            raise ZeroDivisionError
        self._pressed |= isinstance(event, ButtonPressed)
        self.seen.put(event)

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        self.threads.add(threading.current_thread().name)
        self.seen.put(mic)
        pressed, self._pressed = self._pressed, False
        if not pressed:
            return TickResult(False, SILENCE, ())
        return TickResult(
            True, np.ones(480, np.int16), (Show(Indication.LISTENING), LogEvent("pressed", {}))
        )

    def wait_for(self, wanted: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            item = self.seen.get(timeout=DEADLINE_S)
            if wanted(item):
                return item
        pytest.fail("the core never received the event")


class Outcome:
    """The arguments of the audio thread's callbacks."""

    def __init__(self) -> None:
        self.effects: queue.Queue[Sequence[Effect]] = queue.Queue()
        self.errors: queue.Queue[Exception] = queue.Queue()


@dataclass
class Gate:
    closed: bool = False
    reason: str = ""


class Running:
    def __init__(self, card: SoundCard, closed: bool = False, **options: Any) -> None:
        self.core, self.outcome = CountingCore(), Outcome()
        self.queue, self.gate = EventQueue(), Gate(closed)
        self.audio_thread = AudioThread(
            card,
            self.core,
            self.queue,
            self.gate,
            on_effects=self.outcome.effects.put,
            on_error=self.outcome.errors.put,
            **options,
        )


@pytest.fixture
def simple() -> Iterator[tuple[SimpleCard, Running]]:
    card = SimpleCard()
    running = Running(card)
    yield card, running
    assert running.audio_thread.stop()


def is_period(item: object) -> bool:
    return isinstance(item, MicPeriod)


def drain(calls: "queue.Queue[tuple[str, object]]") -> list[tuple[str, object]]:
    items = []
    while not calls.empty():
        items.append(calls.get_nowait())
    return items


def test_period_handles_events_then_drops_then_writes(
    simple: tuple[SimpleCard, Running],
) -> None:
    card, running = simple
    running.queue.post(ButtonPressed())
    card.give(np.arange(160, dtype=np.int16))
    running.audio_thread.start()
    assert running.core.seen.get(timeout=DEADLINE_S) == ButtonPressed()
    period = running.core.seen.get(timeout=DEADLINE_S)
    assert period.frames.tolist() == list(range(160))
    assert period.queued_frames == 77
    effects = running.outcome.effects.get(timeout=DEADLINE_S)
    assert [type(effect) for effect in effects] == [Show, LogEvent]
    assert running.audio_thread.stop()
    assert drain(card.calls) == [
        ("open_capture", None),
        ("drop", None),
        ("write", 480),
        ("close", None),
    ]
    assert running.core.threads == {"audio"}
    assert running.audio_thread.periods == 1


def test_tick_needs_a_period_and_reports_only_real_effects(
    simple: tuple[SimpleCard, Running],
) -> None:
    card, running = simple
    running.audio_thread.start()
    for _ in range(3):
        card.give(np.zeros(160, np.int16))
        running.core.wait_for(is_period)
    assert running.audio_thread.stop()
    assert running.audio_thread.periods == 3
    assert running.outcome.effects.empty()


def test_xruns_are_reported_per_period_and_none_before_the_first(
    simple: tuple[SimpleCard, Running],
) -> None:
    card, running = simple
    running.audio_thread.start()
    told = []
    for total in (2, 2, 4, 7):
        card.xruns = total
        card.give(np.zeros(160, np.int16))
        told.append(running.core.wait_for(is_period).xruns)
    assert told == [0, 0, 2, 3]


def test_mute_closes_the_microphone_before_the_core_knows(
    simple: tuple[SimpleCard, Running],
) -> None:
    card, running = simple
    running.audio_thread.start()
    card.give(np.zeros(160, np.int16))
    running.core.wait_for(is_period)
    running.gate.closed = True
    running.core.wait_for(lambda item: item == MuteSwitched(True))
    assert not card.microphone_open
    for _ in range(5):
        assert running.core.wait_for(is_period).frames is None
    running.gate.closed = False
    running.core.wait_for(lambda item: item == MuteSwitched(False))
    assert card.microphone_open
    card.give(np.ones(160, np.int16))
    assert running.core.wait_for(is_period).frames is not None


def test_start_while_muted_never_opens_the_microphone() -> None:
    card = SimpleCard()
    running = Running(card, closed=True)
    running.audio_thread.start()
    assert running.core.seen.get(timeout=DEADLINE_S) == MuteSwitched(True)
    running.core.wait_for(is_period)
    assert running.audio_thread.stop()
    assert ("open_capture", None) not in drain(card.calls)


def test_lost_card_is_closed_and_ends_the_thread(simple: tuple[SimpleCard, Running]) -> None:
    card, running = simple
    running.audio_thread.start()
    lost = AudioError("lost")
    card.give(lost)
    assert running.outcome.errors.get(timeout=DEADLINE_S) is lost
    assert drain(card.calls)[-1] == ("close", None)
    running.audio_thread.join(DEADLINE_S)
    assert not running.audio_thread.is_alive()


def test_core_exception_is_logged_and_ends_the_thread(
    simple: tuple[SimpleCard, Running], caplog: pytest.LogCaptureFixture
) -> None:
    card, running = simple
    running.queue.post("raise")  # type: ignore[arg-type]
    card.give(np.zeros(160, np.int16))
    running.audio_thread.start()
    assert isinstance(running.outcome.errors.get(timeout=DEADLINE_S), ZeroDivisionError)
    assert caplog.records[0].exc_info is not None
    assert drain(card.calls)[-1] == ("close", None)


def test_audio_thread_survives_a_raising_recorder(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[MicPeriod] = []

    def broken(period: MicPeriod, step: TickResult) -> None:
        seen.append(period)
        raise OSError("the disk is full")

    card = SimpleCard()
    running = Running(card, watchers=[broken])
    running.audio_thread.start()
    for _ in range(3):
        card.give(np.zeros(160, np.int16))
        running.core.wait_for(lambda item: isinstance(item, MicPeriod))
    assert running.audio_thread.is_alive()
    assert running.audio_thread.stop()
    assert len(seen) == 1
    assert caplog.text.count("Traceback") == 1
    assert running.outcome.errors.empty()


class RaisingEngine:
    """A wake-word engine whose library fails at every call."""

    name = "raising"
    keywords: tuple[str, ...] = ("hey_test",)
    score = None
    bands = None

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        raise RuntimeError("invoke failed")

    def close(self) -> None:
        pass


def test_audio_thread_survives_a_raising_wake_engine() -> None:
    card = SimpleCard()
    running = Running(card)
    running.audio_thread = AudioThread(
        card,
        SmartSpeaker(config.Config(), RaisingEngine()),
        EventQueue(),
        Gate(),
        on_effects=running.outcome.effects.put,
        on_error=running.outcome.errors.put,
    )
    running.audio_thread.start()
    for _ in range(50):
        card.give(np.zeros(160, np.int16))
    deadline = time.monotonic() + DEADLINE_S
    while running.audio_thread.periods < 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.audio_thread.is_alive()
    assert running.audio_thread.stop()
    effects = [effect for some in list(running.outcome.effects.queue) for effect in some]
    (fault,) = [effect for effect in effects if isinstance(effect, ComponentFault)]
    assert (fault.part, str(fault.error)) == ("wake engine", "invoke failed")
    assert running.outcome.errors.empty()


def test_stop_before_start_closes_the_card(simple: tuple[SimpleCard, Running]) -> None:
    card, running = simple
    assert running.audio_thread.stop()
    assert running.audio_thread.stop()
    assert drain(card.calls) == [("close", None)] * 2


def test_inbox_is_bounded(
    simple: tuple[SimpleCard, Running], caplog: pytest.LogCaptureFixture
) -> None:
    _, running = simple
    for number in range(MOST_EVENTS + 1):
        assert running.queue.is_crowded() == (number >= 1000)
        running.queue.post(number)  # type: ignore[arg-type]
    assert "does not take events" in caplog.text


def test_thousands_of_lost_events_are_two_log_lines(
    simple: tuple[SimpleCard, Running], caplog: pytest.LogCaptureFixture
) -> None:
    card, running = simple
    for number in range(8192 + 2500):
        running.queue.post(number)  # type: ignore[arg-type]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    for _ in range(200):
        card.give(np.zeros(160, np.int16))
    running.audio_thread.start()
    running.core.wait_for(lambda item: item == 8191)
    running.queue.post("next")  # type: ignore[arg-type]
    running.core.wait_for(lambda item: item == "next")
    lines = [record.getMessage() for record in caplog.records if "events" in record.getMessage()]
    assert lines[1:] == ["the audio thread takes events again, 2500 are lost"]


def test_burst_of_events_keeps_its_order_and_delays_no_period(
    simple: tuple[SimpleCard, Running],
) -> None:
    card, running = simple
    for number in range(1000):
        running.queue.post(number)  # type: ignore[arg-type]
    for _ in range(200):
        card.give(np.zeros(160, np.int16))
    running.audio_thread.start()
    numbers: list[int] = []
    while len(numbers) < 1000:
        item = running.core.seen.get(timeout=DEADLINE_S)
        if isinstance(item, int):
            numbers.append(item)
    assert numbers == list(range(1000))


def test_refused_real_time_priority_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.sched_setscheduler", refuse)
    caplog.set_level("INFO")
    running = Running(SimpleCard(), closed=True, priority=20)
    running.audio_thread.start()
    for _ in range(3):
        running.core.wait_for(is_period)
    assert running.audio_thread.stop()
    assert caplog.text.count("LimitRTPRIO=20") == 1


# --- unplugging and plugging of a card -----------------------------------------------------


class Drawer:
    """The `reopen` callback: each item is the result of one attempt."""

    def __init__(self, *items: SoundCard | AudioError) -> None:
        self.items = list(items)
        self.tries = 0

    def __call__(self) -> SoundCard:
        self.tries += 1
        item = self.items.pop(0) if self.items else AudioError("still nothing")
        if isinstance(item, AudioError):
            raise item
        return item


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_recovery, "RETRY_S", 0.0)
    monkeypatch.setattr(card_recovery, "MOST_RETRY_S", 0.0)


def is_lost(item: object) -> bool:
    return isinstance(item, CardLost)


@pytest.mark.usefixtures("_at_once")
def test_lost_card_is_reported_and_reopened() -> None:
    card, again = SimpleCard(), SimpleCard()
    running = Running(card, reopen=Drawer(AudioError("still nothing"), again))
    running.queue.post(ButtonPressed())
    running.audio_thread.start()
    card.give(np.zeros(160, np.int16))
    running.core.wait_for(is_period)
    card.give(AudioError("pulled out"))
    # 480 frames were written after a drop: they may not have been heard
    assert running.core.wait_for(is_lost) == CardLost("pulled out", 480)
    assert running.core.wait_for(is_lost) == CardLost("still nothing", 0)
    running.core.wait_for(lambda item: item == CardBack())
    again.give(np.ones(160, np.int16))
    assert running.core.wait_for(is_period).frames is not None
    assert drain(card.calls)[-1] == ("close", None)
    assert running.audio_thread.stop()
    assert running.outcome.errors.empty()
    assert drain(again.calls) == [("open_capture", None), ("write", 0), ("close", None)]


def test_periods_continue_silently_without_a_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(card_recovery, "RETRY_S", 1000.0)
    drawer = Drawer()
    running = Running(NullCard("never there"), reopen=drawer)
    running.audio_thread.start()
    assert running.core.seen.get(timeout=DEADLINE_S) == CardLost("never there", 0)
    for _ in range(5):
        assert running.core.wait_for(is_period) == MicPeriod(None, 0)
    running.queue.post(ButtonPressed())
    assert running.outcome.effects.get(timeout=DEADLINE_S)
    assert running.audio_thread.stop()
    assert drawer.tries == 0


@pytest.mark.usefixtures("_at_once")
def test_card_returning_during_mute_has_its_microphone_closed() -> None:
    card, again = SimpleCard(), SimpleCard()
    running = Running(card, reopen=Drawer(again))
    running.audio_thread.start()
    card.give(AudioError("pulled out"))
    running.gate.closed = True
    running.core.wait_for(lambda item: item == MuteSwitched(True))
    running.core.wait_for(lambda item: item == CardBack())
    running.core.wait_for(is_period)
    assert not again.microphone_open
    running.gate.closed = False
    running.core.wait_for(lambda item: item == MuteSwitched(False))
    assert again.microphone_open
    assert running.audio_thread.stop()


@pytest.mark.usefixtures("_at_once")
def test_card_without_microphone_is_closed_and_retried() -> None:
    class Deaf(SimpleCard):
        def open_capture(self) -> None:
            raise AudioError("no microphone")

    deaf, again = Deaf(), SimpleCard()
    running = Running(NullCard("nothing"), reopen=Drawer(deaf, again))
    running.audio_thread.start()
    running.core.wait_for(lambda item: item == CardLost("no microphone", 0))
    running.core.wait_for(lambda item: item == CardBack())
    assert drain(deaf.calls) == [("close", None)]
    assert running.audio_thread.stop()


def test_retry_delays_grow_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Time:
        now = 100.0

    clock = SimpleNamespace(monotonic=lambda: Time.now, sleep=lambda seconds: None)
    monkeypatch.setattr(audio_thread, "time", clock)
    tried: list[float] = []

    def reopen() -> SoundCard:
        tried.append(Time.now)
        raise AudioError("nothing")

    running = Running(NullCard("nothing"), reopen=reopen)
    while len(tried) < 7:
        Time.now += 0.01
        running.audio_thread._run_period_or_lose_card()
    pauses = np.diff(tried)
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 4.0, 4.0], abs=0.02)


# --- on the real alsa-lib ----------------------------------------------------------------


@pytest.fixture
def real(rig: PulseRig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(sound_card, "STALL_S", DEADLINE_S)
    running = Running(Card(config.AudioConfig(capture="mic", playback="speaker")))
    running.audio_thread.start()
    yield running
    running.audio_thread.stop()


def test_audio_thread_runs_on_alsa(real: Running) -> None:
    for _ in range(20):
        period = real.core.wait_for(is_period)
        assert period.frames.shape == (160,)
        assert period.xruns == 0
    real.queue.post(ButtonPressed())
    real.core.wait_for(lambda item: item == ButtonPressed())
    assert real.outcome.effects.get(timeout=DEADLINE_S)


def test_mute_leaves_no_open_microphone_in_the_system(real: Running, rig: PulseRig) -> None:
    real.core.wait_for(is_period)
    assert rig.open_microphones() == 1
    real.gate.closed = True
    real.core.wait_for(lambda item: item == MuteSwitched(True))
    assert rig.open_microphones() == 0
    real.gate.closed = False
    real.core.wait_for(lambda item: item == MuteSwitched(False))
    assert real.core.wait_for(is_period).frames is not None
    assert rig.open_microphones() == 1


def test_playback_of_the_core_is_audible(rig: PulseRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "STALL_S", DEADLINE_S)

    class Tone(CountingCore):
        """Keeps 40 ms of tone queued, like the lead of the core."""

        def tick(self, mic: MicPeriod, now: float) -> TickResult:
            lead = 40 * SPEAKER_RATE_HZ // 1000
            return TickResult(False, np.full(max(0, lead - mic.queued_frames), 9000, np.int16), ())

    outcome = Outcome()
    audio_thread = AudioThread(
        Card(config.AudioConfig(capture="mic", playback="speaker")),
        Tone(),
        EventQueue(),
        Gate(),
        on_effects=outcome.effects.put,
        on_error=outcome.errors.put,
    )
    rig.heard.clear()
    audio_thread.start()
    try:
        assert rig.heard.wait_for(8000, SPEAKER_RATE_HZ // 2, DEADLINE_S)
    finally:
        assert audio_thread.stop()
    assert outcome.errors.empty()


@pytest.mark.slow
def test_audio_thread_survives_a_restart_of_the_sound_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sound_card, "STALL_S", DEADLINE_S)
    audio = config.AudioConfig(capture="mic", playback="speaker")
    with PulseRig() as rig:
        running = Running(Card(audio), reopen=lambda: Card(audio))
        running.audio_thread.start()
        try:
            running.core.wait_for(is_period)
            rig.kill()
            assert "was lost" in running.core.wait_for(is_lost).reason
            for _ in range(3):
                assert running.core.wait_for(is_period).frames is None
            rig.restart()
            running.core.wait_for(lambda item: item == CardBack())
            for _ in range(20):
                assert running.core.wait_for(is_period).frames.shape == (160,)
        finally:
            assert running.audio_thread.stop()
    assert running.outcome.errors.empty()
