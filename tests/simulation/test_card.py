import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parleyd.core.events import LogEvent, MicPeriod, TickResult
from parleyd.errors import AudioError
from parleyd.simulation.acoustics import Room
from parleyd.simulation.card import EchoShift, SimulatedCard, Stall
from parleyd.simulation.recording import Drop, Recording
from parleyd.simulation.talker import Talker
from parleyd.units import SILENCE
from tests.simulation.players import Player, noise_frames


def card_for(core: Player, **options: object) -> tuple[SimulatedCard, Recording]:
    recording = Recording(48_000)
    room = Room(noise="silence", rt60_s=0.0)
    return SimulatedCard(core, room, Talker(), recording=recording, **options), recording  # type: ignore[arg-type]


class Scripted:
    """A core that follows a script with one step for each period."""

    def __init__(self, script: list[tuple[bool, int]]) -> None:
        self._script = iter(script)
        self._given = 0
        self.queued: list[int] = []

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        self.queued.append(mic.queued_frames)
        drop, frames = next(self._script)
        playback = np.arange(self._given, self._given + frames).astype(np.int16)
        self._given += frames
        return TickResult(drop, playback, ())


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 480)), min_size=1, max_size=30),
    st.sampled_from([-300.0, 0.0, 300.0]),
)
def test_card_counts_each_frame_as_played_dropped_or_queued(
    script: list[tuple[bool, int]], drift_ppm: float
) -> None:
    card = SimulatedCard(
        Scripted(script), Room(noise="silence", rt60_s=0.0), Talker(), drift_ppm=drift_ppm
    )
    for _ in script:
        card.step()
        assert card.written_frames == card.played_frames + card.dropped_frames + card.queued_frames
    assert card.written_frames == sum(frames for _, frames in script)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 480)), min_size=2, max_size=30))
def test_card_never_plays_dropped_frames_and_keeps_the_order(
    script: list[tuple[bool, int]],
) -> None:
    recording = Recording(48_000)
    core = Scripted([*script, *[(False, 0)] * 40])
    card = SimulatedCard(core, Room(noise="silence", rt60_s=0.0), Talker(), recording=recording)
    queued: list[int] = []
    heard: list[int] = []
    written = 0
    for drop, frames in script:  # a minimal queue for comparison
        heard, queued = heard + queued[:480], queued[480:]
        queued = ([] if drop else queued) + list(range(written, written + frames))
        written += frames
    heard += queued
    for _ in range(len(script) + 40):
        card.step()
    played = recording.loudspeaker
    np.testing.assert_array_equal(played[played > 0], [frame for frame in heard if frame > 0])


def test_card_drop_silences_the_next_period() -> None:
    core = Player(noise_frames(48_000), drop_when=lambda now: now >= 0.5)
    core.lead_frames = 1920
    card, recording = card_for(core)
    card.run_until(0.49)
    core.sound = core.sound[: core.given]
    effects = card.run_until(0.52)
    assert effects[0] == LogEvent("dropped", {"queued": 1440})
    assert card.queued_frames == 0
    assert recording.drops[0] == Drop(0.5, 1440)
    loudspeaker = recording.loudspeaker
    assert np.any(loudspeaker[23_520:24_000])
    assert not np.any(loudspeaker[24_000:])


def test_card_reports_the_queue_at_the_end_of_the_period() -> None:
    core = Scripted([(False, 1000), (False, 0), (False, 480), (True, 100), (False, 0)])
    card = SimulatedCard(core, Room(noise="silence"), Talker())
    for _ in range(5):
        card.step()
    assert core.queued == [0, 520, 40, 40, 0]


def test_card_end_of_playback_is_not_an_underrun() -> None:
    sound = noise_frames(24_000)
    core = Player(sound)
    card, recording = card_for(core)
    card.run_until(1.0)
    np.testing.assert_array_equal(recording.loudspeaker[480:24_480], sound)
    core.sound = np.concatenate((sound, sound))
    card.run_until(2.0)
    assert card.underruns == 0
    assert not any(period.xruns for period in core.periods)


def test_card_write_after_running_dry_is_reported_as_an_xrun() -> None:
    core = Player(noise_frames(48_000), lead_frames=400)
    card, _ = card_for(core)
    card.run_until(0.05)
    assert card.underruns == 4
    assert [period.xruns for period in core.periods] == [0, 0, 1, 1, 1]


def test_card_same_run_twice_is_identical() -> None:
    def run() -> Recording:
        recording = Recording(48_000)
        talker = Talker()
        talker.say(noise_frames(1600, seed=9), at=0.2)
        room = Room(seed=4, noise="kitchen", noise_dbfs=-45)
        SimulatedCard(
            Player(noise_frames(30_000)), room, talker, recording=recording, drift_ppm=80
        ).run_until(1.0)
        return recording

    once, again = run(), run()
    np.testing.assert_array_equal(once.loudspeaker, again.loudspeaker)
    np.testing.assert_array_equal(once.microphone, again.microphone)
    assert np.any(once.microphone)


def test_card_muted_gives_the_core_none_and_records_silence() -> None:
    core = Player(noise_frames(48_000))
    card, recording = card_for(core)
    card.run_until(0.2)
    card.muted = True
    card.run_until(0.4)
    assert all(period.frames is not None for period in core.periods[:20])
    assert all(period.frames is None for period in core.periods[20:])
    assert np.any(recording.microphone[1600:3200])
    assert not np.any(recording.microphone[3200:])


def test_card_short_stall_delays_capture_and_underruns_once() -> None:
    core = Player(noise_frames(48_000))
    card, recording = card_for(core, faults=[Stall(at_s=0.2, ms=60)])
    card.run_until(0.4)
    assert (card.underruns, card.overruns) == (1, 0)
    assert core.times[19:27] == [0.2, *[0.26] * 6, 0.27]
    assert [period.xruns for period in core.periods[20:23]] == [0, 1, 0]
    heard = np.concatenate([p.frames for p in core.periods if p.frames is not None])
    np.testing.assert_array_equal(heard, recording.microphone)
    assert not np.any(recording.loudspeaker[11_520:12_480])


def test_card_long_stall_loses_captured_periods() -> None:
    core = Player(SILENCE)
    card, _ = card_for(core, faults=[Stall(at_s=0.2, ms=150)])
    card.run_until(0.4)
    assert card.overruns == 1
    assert len(core.periods) == 40 - 8
    assert [period.xruns for period in core.periods if period.xruns] == [1]


def test_card_echo_shift_reports_the_drivers_xruns() -> None:
    core = Player(noise_frames(48_000))
    card, _ = card_for(core, faults=[EchoShift(at_s=0.3, ms=20, xruns=1), EchoShift(0.35, 10)])
    card.run_until(0.4)
    assert [t for t, p in zip(core.times, core.periods, strict=True) if p.xruns] == [0.31]


def test_card_fast_playback_clock_takes_more_frames() -> None:
    core = Player(noise_frames(200_000))
    card, _ = card_for(core, drift_ppm=1000)
    card.run_until(3.0)
    assert card.played_frames == pytest.approx(3 * 48_000 * 1.001 - 480, abs=2)
    assert card.underruns == 0


def test_card_write_beyond_the_buffer_raises() -> None:
    card, _ = card_for(Player(noise_frames(48_000), lead_frames=30_000))
    with pytest.raises(AudioError, match="wrote 30000 frames, but only 24000 fit"):
        card.run_until(0.1)
