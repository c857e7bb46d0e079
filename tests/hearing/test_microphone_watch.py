"""Microphones that process their sound are recognised; plain ones and bad loudspeakers are not."""

from collections.abc import Callable

import numpy as np
import pytest
import soxr

from parleyd.audio import float_to_int16
from parleyd.config import Config, HearingConfig
from parleyd.core.events import Effect, LogEvent
from parleyd.core.hearing_monitor import HearingMonitor
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.barge_in import BargeInDetector, Decision
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.echo_path import TAPS, EchoPath
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.hearing.microphone_watch import MicrophoneWatch, Processing
from parleyd.playback.lead import PlaybackLead
from parleyd.simulation.clips import synthesize
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ
from tests.bench.hearing.air import Distortion
from tests.bench.hearing.device import Device
from tests.hearing.echo_rooms import convolve, echo_path, noise

TEXTS = (
    "Once upon a time there was a small house at the edge of a very large forest.",
    "A man and his two children lived in it, and they had a cat.",
    "Every morning he went into the forest, and in the evening he came back with wood.",
    "One day he found a door between two trees.",
)
FINER = 8  # times the rate: linear interpolation is exact enough there
QUIET = np.zeros(MIC_PERIOD_FRAMES, np.int16)


def story(pause_s: float = 0.9) -> Signal:
    """Return four sentences, twice, with pauses, full scale 1.0."""
    rest = np.zeros(round(pause_s * 16_000))
    parts = [part for text in TEXTS * 2 for part in (synthesize(text, "slt") / 32768 * 0.7, rest)]
    return np.concatenate(parts)


def watched(
    *,
    traits: str = "",
    seed: int = 0,
    distortion_db: float | None = None,
    noise_rms: float = 0.0005,
    ppm: float = 0.0,
    changes: list[bool] | None = None,
) -> MicrophoneWatch:
    """Play the story in a room to a microphone with these traits; return what was learned."""
    spoken = story()
    loudspeaker = spoken
    if distortion_db is not None:
        loudspeaker = Distortion(spoken[np.abs(spoken) > 0.01], distortion_db)(spoken)
    echo = convolve(loudspeaker.astype(np.float32), echo_path(60.0)) * 0.8
    if ppm:
        late_s = np.arange(len(echo)) * (1 + ppm * 1e-6) * FINER
        finer = soxr.resample(echo, MIC_RATE_HZ, FINER * MIC_RATE_HZ)
        echo = np.interp(late_s, np.arange(len(finer)), finer)
    sound = (echo + noise(len(echo), noise_rms)).astype(np.float64)
    device = Device(frozenset(traits.split()), -36.0, (seed,)) if traits else None
    microphone = device.microphone() if device is not None else None
    hearing, watch = EchoControl(Config().hearing), MicrophoneWatch()
    for index in range(len(spoken) // MIC_PERIOD_FRAMES):
        part = slice(index * MIC_PERIOD_FRAMES, (index + 1) * MIC_PERIOD_FRAMES)
        period = microphone.process(sound[part]) if microphone is not None else sound[part]
        heard = hearing.process(
            float_to_int16(period), float_to_int16(spoken[part]), index / 100, attentive=False
        )
        changed = watch.update(heard, judged=True, held=False)
        if changes is not None:
            changes.append(changed)
    return watch


@pytest.mark.slow
def test_plain_microphone_is_not_recognised() -> None:
    watch = watched()
    assert watch.processing is None
    assert watch.removed_db is not None
    assert watch.removed_db > 18


@pytest.mark.slow
def test_distorting_loudspeaker_is_no_processing_microphone() -> None:
    watch = watched(distortion_db=20.0)
    assert watch.processing is None
    assert watch.removed_db is not None
    assert 15 < watch.removed_db < 21


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_gain_control_is_recognised(seed: int) -> None:
    assert watched(traits="gain", seed=seed).processing is Processing.GAIN_CONTROL


@pytest.mark.slow
def test_gate_that_spoils_the_echo_is_recognised() -> None:
    assert watched(traits="gate codec", seed=18).processing is Processing.GATE


@pytest.mark.slow
def test_codec_is_recognised_by_the_echo_that_is_left() -> None:
    watch = watched(traits="codec", seed=18)
    assert watch.processing is Processing.OTHER
    assert watch.removed_db is not None
    assert watch.removed_db < 14


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [100.0, 60.0])
def test_two_clocks_are_no_processing_microphone(ppm: float) -> None:
    changes: list[bool] = []
    assert watched(ppm=ppm, changes=changes).processing is None
    assert not any(changes)


# --- what it does to a reply, and when it deceives -------------------------------------


def period(
    level_dbfs: float, echo_dbfs: float = -120.0, *, near_end: float = 0.0, voice: float = 0.0
) -> ProcessedPeriod:
    return ProcessedPeriod(
        cleaned=QUIET, excess_db=5.0, voice=voice, voice_chunk=True, near_end=near_end,
        speech=near_end, level_dbfs=level_dbfs, echo_dbfs=echo_dbfs,
    )  # fmt: skip


def learned(left_db: float = 8.0) -> MicrophoneWatch:
    """Return a watch after 20 s of an echo of -30 dBFS of which `left_db` are removed, with
    pauses."""
    watch = MicrophoneWatch()
    for index in range(2000):
        loud = index % 200 < 150
        sound = period(-30.0 - left_db, -30.0) if loud else period(-70.0)
        watch.update(sound, judged=True, held=False)
    return watch


def replies(watch: MicrophoneWatch, periods: int) -> None:
    for _ in range(periods):
        watch.update(period(-38.0, -30.0), judged=True, held=False)


def deceiving(left_db: float = 8.0) -> MicrophoneWatch:
    """Return the same after two holds for nothing within a minute."""
    watch = learned(left_db)
    watch.was_nothing()
    watch.was_nothing()
    return watch


def test_two_holds_for_nothing_within_a_minute_deceive() -> None:
    watch = learned()
    watch.was_nothing()
    replies(watch, 6000)
    watch.was_nothing()
    assert not watch.deceives
    replies(watch, 5000)
    watch.was_nothing()
    assert watch.deceives


def test_holds_for_nothing_are_forgotten_after_ten_minutes_of_replies() -> None:
    watch = deceiving()
    for _ in range(60_000):
        watch.update(period(-70.0), judged=False, held=False)  # nothing is played
    assert watch.deceives
    replies(watch, 60_000)
    assert watch.processes
    assert not watch.deceives


def test_plain_microphone_does_not_deceive() -> None:
    assert not deceiving(left_db=25.0).deceives


def test_processing_microphone_that_becomes_plain_is_released() -> None:
    watch = learned()
    changes = [watch.update(period(-55.0, -30.0), judged=True, held=False) for _ in range(3000)]
    assert sum(changes) == 1
    assert not watch.processes


def beside_a_television(seed: int) -> MicrophoneWatch:
    """Return what 40 s of replies teach whose echo is removed by 25 dB, while a set 10 dB below
    the echo talks on."""
    random, watch = np.random.default_rng(seed), MicrophoneWatch()
    for index in range(4000):
        if index % 15 == 0:
            set_dbfs = random.choice([-65.0, random.uniform(-46.0, -36.0)], p=[0.2, 0.8])
        echo_dbfs = -30.0 if index % 250 < 190 else -120.0
        sound = period(max(set_dbfs, echo_dbfs - 25.0), echo_dbfs)
        watch.update(sound, judged=True, held=False)
    return watch


@pytest.mark.parametrize("seed", range(8))
def test_television_is_no_processing_microphone(seed: int) -> None:
    assert beside_a_television(seed).processing is None


def pause(watch: MicrophoneWatch, rises_db: float) -> None:
    """Let a reply pause for half a second, after half a second of it."""
    for index in range(100):
        paused = index - 50
        level_dbfs = -60.0 + rises_db * max(0, paused) / 50
        watch.update(period(level_dbfs, -120.0 if paused >= 0 else -45.0), judged=True, held=False)


def test_gain_control_from_before_a_restart_is_kept_until_pauses_show() -> None:
    watch = MicrophoneWatch()
    watch.restore(Processing.GAIN_CONTROL)
    pause(watch, 6.0)
    for _ in range(1500):  # an echo without pauses
        watch.update(period(-55.0, -30.0), judged=True, held=False)
    assert watch.processing is Processing.GAIN_CONTROL
    for _ in range(6):
        pause(watch, 0.0)
    assert watch.processing is None


def test_other_microphone_after_a_restart_is_not_taken_for_the_old_one_for_ever() -> None:
    watch = MicrophoneWatch()
    watch.restore(Processing.GAIN_CONTROL)
    for _ in range(120):
        pause(watch, 0.0)  # its echo is too quiet to judge
    assert watch.processing is None


def hold(watch: MicrophoneWatch, near_end: float) -> bool:
    detector = BargeInDetector(Config().hearing, microphone=watch)
    detector.arm(0.0)
    sound = period(-30.0, -30.0, near_end=near_end)
    decisions = [detector.update(sound, index / 100) for index in range(8)]
    return any(d is not None and d.decision is Decision.HOLD for d in decisions)


@pytest.mark.parametrize(
    ("make", "near_end", "held"),
    [
        (lambda: deceiving(25.0), 0.7, True),
        (lambda: learned(), 0.7, True),
        (lambda: deceiving(), 0.7, False),
        (lambda: deceiving(), 0.9, True),
    ],
    ids=["plain", "no hold for nothing", "doubtful", "sure"],
)
def test_deceiving_microphone_needs_a_surer_user(
    make: Callable[[], MicrophoneWatch], near_end: float, held: bool
) -> None:
    assert hold(make(), near_end) is held


# --- over a restart -------------------------------------------------------------------


def reported(processing: Processing | None) -> list[LogEvent]:
    """Calibrate after a restart; return the log events about the microphone."""
    lead, effects = PlaybackLead(40), list[Effect]()
    front = AudioFrontEnd(Config(), None, lead)
    front.restore(EchoPath(np.zeros(TAPS, np.float32), 320.0, 640.0, 0.0, processing))
    monitor = HearingMonitor(front, lead, effects.append)
    for _ in range(2):
        front.calibrate(-20.0, 0.0)
        for index in range(610):
            result = front.listen(QUIET, index / 100, speaking=False, attentive=False)
            assert result is not None
            monitor.report(result, index / 100)
    events = [effect for effect in effects if isinstance(effect, LogEvent)]
    assert sum(event.name == "loudspeaker_not_heard" for event in events) == 2
    return [event for event in events if event.name == "microphone_processes"]


def test_reply_through_a_canceller_of_hardware_is_no_pause() -> None:
    settings = Config(hearing=HearingConfig(canceller="hardware"))
    front = AudioFrontEnd(settings, None, PlaybackLead(40))
    sound = float_to_int16(noise(MIC_PERIOD_FRAMES, 0.01))
    lead, effects = PlaybackLead(40), list[Effect]()
    monitor = HearingMonitor(front, lead, effects.append)
    for index in range(2000):
        part = sound * (2 if index % 200 > 150 else 1)  # a reply that is loudest at its end
        result = front.listen(part, index / 100, speaking=index % 200 > 50, attentive=True)
        assert result is not None
        monitor.report(result, index / 100)
    assert effects == []


def test_calibration_tells_once_of_a_microphone_that_processes() -> None:
    (event,) = reported(Processing.GAIN_CONTROL)
    assert event.fields["shows"] == "gain control"
    assert "alsamixer" in str(event.fields["means"])
    assert not reported(None)
