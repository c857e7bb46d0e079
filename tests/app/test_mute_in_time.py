"""The mute switch in simulated time: closes and shows within 100 ms, above everything else."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from parleyd import config
from parleyd.alsa.protocol import NullCard
from parleyd.alsa.sound_card import READ_WAIT_S
from parleyd.app import audio_thread
from parleyd.app.audio_thread import PERIOD_S, AudioThread
from parleyd.app.event_queue import EventQueue
from parleyd.app.microphone_gate import MicrophoneGate
from parleyd.core.events import Effect, Show
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import Indication
from parleyd.errors import AudioError
from parleyd.lights import Colour
from parleyd.lights.patterns import colour
from parleyd.skills.mute import Mute
from parleyd.units import Frames

SHOWN_WITHIN_S = 0.1


class Clock:
    """Replaces the time module of the audio thread."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.0)


class TimedCard:
    """A card whose reads take real durations: a period, or the whole timeout on a stall."""

    def __init__(self, clock: Clock) -> None:
        self.xruns = 0
        self.stalls = False
        self.opened: list[float] = []
        self.is_open = False
        self._clock = clock

    def open_capture(self) -> None:
        self.opened.append(self._clock.now)
        self.is_open = True

    def close_capture(self) -> None:
        self.is_open = False

    def read(self) -> Frames | None:
        assert self.is_open
        self._clock.sleep(READ_WAIT_S if self.stalls else PERIOD_S)
        return None if self.stalls else np.zeros(160, np.int16)

    def queued_frames(self) -> int:
        return 0

    def write(self, frames: Frames) -> None: ...

    def drop(self) -> None: ...

    def close(self) -> None:
        self.is_open = False


class Bench:
    """An audio thread stepped by the test, with the real core, and its indications with times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr(
            audio_thread,
            "time",
            SimpleNamespace(monotonic=self.clock.monotonic, sleep=self.clock.sleep),
        )
        self.card = TimedCard(self.clock)
        self.buttons = SimpleNamespace(muted=False, mute_trouble="")
        self.mute = Mute(until=0.0, clock=self.clock.monotonic)
        self.details: list[str] = []
        self.shown: list[tuple[float, Indication]] = []
        self.spare = TimedCard(self.clock)
        self.audio_thread = AudioThread(
            self.card,
            SmartSpeaker(config.Config(), None),
            EventQueue(),
            MicrophoneGate(self.buttons, self.mute),  # type: ignore[arg-type]
            on_effects=self._take,
            on_error=lambda error: pytest.fail(str(error)),
            reopen=lambda: self.spare,
        )

    def period(self, times: int = 1) -> None:
        for _ in range(times):
            self.audio_thread._run_period_or_lose_card()

    def _take(self, effects: Sequence[Effect]) -> None:
        self.details += [e.detail for e in effects if isinstance(e, Show)]
        self.shown += [(self.clock.now, e.indication) for e in effects if isinstance(e, Show)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.mark.parametrize("stalls", [False, True])
def test_mute_closes_the_microphone_and_shows_within_100_ms(stalls: bool, bench: Bench) -> None:
    bench.period(20)
    bench.card.stalls = stalls
    bench.buttons.muted, moved = True, bench.clock.now  # worst case: just after a read
    if stalls:
        assert bench.card.read() is None
    while bench.card.is_open:
        bench.period()
    assert bench.clock.now - moved <= SHOWN_WITHIN_S
    while bench.shown[-1][1] is not Indication.MUTED:
        bench.period()
    assert bench.shown[-1][0] - moved <= SHOWN_WITHIN_S
    # the player shows a change at once, and this pattern is lit from its start
    assert colour(Indication.MUTED, 0.0, 0.0) == Colour(0.4, 0.0, 0.0)


def test_no_request_opens_the_microphone_while_the_switch_is_on(bench: Bench) -> None:
    bench.buttons.muted = True
    bench.period(5)
    for ask in (bench.mute.reopen, bench.mute.look, lambda: bench.mute.switched(False)) * 7:
        ask()  # the button, a timeout, a switch that reports off
        bench.period()
    assert bench.card.opened == []
    bench.buttons.muted = False
    bench.period()
    assert len(bench.card.opened) == 1


def test_switch_moved_back_within_a_period_changes_nothing(bench: Bench) -> None:
    bench.period(5)
    bench.buttons.muted = True
    bench.buttons.muted = False
    bench.period(5)
    assert len(bench.card.opened) == 1
    assert Indication.MUTED not in [shown for _, shown in bench.shown]


def test_returning_card_stays_closed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.buttons.muted = True
    bench.period(5)

    def gone() -> int:
        raise AudioError("was lost")

    monkeypatch.setattr(bench.card, "queued_frames", gone)
    bench.period()
    assert isinstance(bench.audio_thread._card, NullCard)
    while bench.audio_thread._card is not bench.spare:
        bench.period()
    bench.period(20)
    assert bench.spare.opened == []
    assert bench.shown[-1][1] is Indication.MUTED


def test_ending_thread_opens_nothing(bench: Bench) -> None:
    assert bench.audio_thread.stop()
    bench.period()
    assert bench.card.opened == []


def test_reason_is_shown_and_follows_its_changes(bench: Bench) -> None:
    bench.buttons.muted, bench.buttons.mute_trouble = True, "GPIO busy"
    bench.period(3)
    bench.buttons.mute_trouble = "no gpiochip"
    bench.period(3)
    bench.buttons.mute_trouble = ""
    bench.period(3)
    bench.buttons.muted = False
    bench.period(3)
    assert bench.details[:3] == ["GPIO busy", "no gpiochip", ""]
    assert [shown for _, shown in bench.shown[:3]] == [Indication.MUTED] * 3
    assert bench.shown[-1][1] is not Indication.MUTED
    assert len(bench.card.opened) == 1
