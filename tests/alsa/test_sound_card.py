"""`Card` through the real alsa-lib, on a private PulseAudio.

The tests assert only which audio was heard, never a duration, because the machine may be
loaded. If a preempted test thread can spoil a single try (all frames were heard before the call
of `drop`), the test makes a few tries; broken code fails all of them.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pulse_rig import MIC_RATE_HZ, SPEAKER_RATE_HZ, PulseRig, Recording, loud_frames

from parleyd import config
from parleyd.alsa import sound_card
from parleyd.alsa.sound_card import Card
from parleyd.errors import AudioError
from parleyd.units import Frames

LEAD_MS = 200
LOUD, QUIET = 12_000, 3_000
TRIES = 5


def ms(count: int, level: int) -> Frames:
    return np.full(count * SPEAKER_RATE_HZ // 1000, level, np.int16)


def audio(**changes: object) -> config.AudioConfig:
    settings: Any = {"capture": "mic", "playback": "speaker", "lead_ms": LEAD_MS, **changes}
    return config.AudioConfig(**settings)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "STALL_S", 30.0)  # the rig may stall on a loaded machine


@pytest.fixture
def card(rig: PulseRig) -> Iterator[Card]:
    card = Card(audio())
    yield card
    card.close()


@pytest.fixture
def heard(rig: PulseRig) -> Recording:
    rig.heard.clear()
    return rig.heard


def feed(card: Card, frames: Frames) -> None:
    """Play like the audio thread: top up to the lead, paced by the microphone."""
    card.open_capture()
    while len(frames):
        room = LEAD_MS * SPEAKER_RATE_HZ // 1000 - card.queued_frames()
        card.write(frames[:room])
        frames = frames[room:]
        card.read()


def read_until_it_fails(card: Card) -> None:
    for _ in range(3000):
        card.read()


def heard_of_a_silenced_quarter_second(card: Card, heard: Recording) -> int:
    """Return the loud frames heard when `drop` directly follows a write of 250 ms."""
    card.drop()
    before = loud_frames(heard.frames(), LOUD // 2)
    card.write(ms(250, LOUD))
    card.drop()
    quiet = loud_frames(heard.frames(), QUIET // 2)
    feed(card, np.concatenate((ms(300, QUIET), ms(200, 0))))
    assert heard.wait_for(QUIET // 2, quiet + len(ms(150, 0)), 30), (
        "playback did not resume after a drop"
    )
    return loud_frames(heard.frames(), LOUD // 2) - before


def test_write_is_heard_unchanged(card: Card, heard: Recording) -> None:
    feed(card, np.concatenate((ms(300, LOUD), ms(200, 0))))
    assert heard.wait_for(LOUD // 2, len(ms(250, 0)), 30)
    assert set(np.unique(heard.frames())) <= {0, LOUD}


def test_write_of_mono_plays_on_both_channels_of_stereo(heard: Recording) -> None:
    card = Card(audio(playback_channels=2))
    try:
        feed(card, np.concatenate((ms(300, LOUD), ms(200, 0))))
        assert heard.wait_for(LOUD // 2, len(ms(250, 0)), 30)
        assert loud_frames(heard.frames(), LOUD // 2) <= len(ms(300, 0))  # not played at half speed
    finally:
        card.close()


def test_drop_frames_are_never_heard(card: Card, heard: Recording) -> None:
    least = min(heard_of_a_silenced_quarter_second(card, heard) for _ in range(TRIES))
    assert least < len(ms(125, 0))


def test_close_drops_and_does_not_drain(heard: Recording) -> None:
    def heard_after_close() -> int:
        before = loud_frames(heard.frames(), LOUD // 2)
        card, after = Card(audio()), Card(audio())
        card.write(ms(250, LOUD))
        card.close()
        card.close()
        quiet = loud_frames(heard.frames(), QUIET // 2)
        feed(after, np.concatenate((ms(500, QUIET), ms(200, 0))))
        assert heard.wait_for(QUIET // 2, quiet + len(ms(450, 0)), 30)
        after.close()
        return loud_frames(heard.frames(), LOUD // 2) - before

    assert min(heard_after_close() for _ in range(TRIES)) < len(ms(125, 0))


def test_queued_frames_counts_written_frames_not_yet_heard(card: Card, heard: Recording) -> None:
    assert card.queued_frames() == 0
    written = ms(250, LOUD)
    card.write(written)
    assert 0 <= card.queued_frames() <= len(written)
    assert heard.wait_for(LOUD // 2, len(ms(200, 0)), 30)
    assert card.queued_frames() <= len(ms(100, 0))
    card.write(ms(100, LOUD))
    card.drop()
    assert card.queued_frames() == 0


def test_write_beyond_the_buffer_raises(card: Card) -> None:
    with pytest.raises(AudioError, match="the card has room for"):
        card.write(ms(1000, LOUD))


def test_capture_is_paced_and_returns_whole_periods(card: Card) -> None:
    card.open_capture()
    periods = []  # type: ignore[var-annotated]
    start = time.monotonic()
    while len(periods) < 100:
        if (period := card.read()) is not None:
            periods.append(period)
    # a lower bound, which no load can break: 1 s minus the frames in the buffer at the start
    assert time.monotonic() - start > 0.5
    assert {(p.shape, p.dtype) for p in periods} == {((160,), np.dtype(np.int16))}
    assert card.xruns == 0


def test_capture_reads_the_sound_in_the_room(card: Card, rig: PulseRig) -> None:
    card.open_capture()
    rig.say(np.full(MIC_RATE_HZ // 10, LOUD, np.int16))
    for _ in range(3000):
        period = card.read()
        if period is not None and loud_frames(period, LOUD // 2):
            return
    pytest.fail("the microphone never read the sound in the room")


def test_close_capture_really_closes_the_microphone(card: Card, rig: PulseRig) -> None:
    assert rig.open_microphones() == 0
    for _ in range(2):
        card.open_capture()
        card.open_capture()
        assert card.capturing
        assert rig.open_microphones() == 1
        card.close_capture()
        card.close_capture()
        assert not card.capturing
        assert card.read() is None
        assert rig.open_microphones() == 0


@pytest.mark.slow
def test_card_with_a_lost_server_raises_and_close_still_works() -> None:
    with PulseRig() as rig:
        card = Card(audio())
        card.open_capture()
        card.write(ms(50, LOUD))
        rig.kill()
        with pytest.raises(AudioError, match=r"audio.capture: .mic. was lost .* plug it in again"):
            read_until_it_fails(card)
        card.close()
        card.close()


@pytest.mark.parametrize("name", ["nowhere", "hw:9", "plughw:CARD=Nowhere"])
def test_card_unknown_raises_one_line_with_a_remedy(
    name: str, rig: PulseRig, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AudioError) as playback:
        Card(audio(playback=name))
    card = Card(audio(capture=name))
    with pytest.raises(AudioError) as capture:
        card.open_capture()
    card.close()
    for error, key, lister in ((playback, "playback", "aplay"), (capture, "capture", "arecord")):
        text = str(error.value)
        assert text.startswith(f'audio.{key}: "{name}" cannot be opened (No such ')
        assert f"`{lister} -L`" in text
        assert "\n" not in text
    assert capfd.readouterr().err == ""  # alsa-lib's own messages are silenced


def test_card_default_without_hardware_raises(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", f"{tmp_path}/none.conf")
    with pytest.raises(AudioError, match=r'audio.playback: "default" cannot be opened'):
        Card(config.AudioConfig())
