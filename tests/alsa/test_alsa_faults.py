"""Faults that no sound server produces: xruns, refused parameters, an unplugged card.

A scripted PCM returns the values that pyalsaaudio returns on a kernel card: xruns are return
values, the write that reports an xrun writes no frames, and errors name their device.
"""

import errno
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parleyd import config
from parleyd.alsa import card_names, pcm, sound_card
from parleyd.alsa.card_names import PcmFormat
from parleyd.alsa.sound_card import Card
from parleyd.errors import AudioError

PERIOD = np.arange(160, dtype=np.int16)


class ALSAAudioError(Exception):
    """Stands for pyalsaaudio's error."""


class Pcm:
    """One scripted device; `reads` and `writes` hold the results of the next calls."""

    granted: dict[str, object]
    refusal: str

    def __init__(self, direction: str, mode: str, *, device: str, **asked: Any) -> None:
        if self.refusal:
            raise ALSAAudioError(f"{self.refusal} [{device}]")
        assert mode == "nonblock"
        self._info = {
            "rate": asked["rate"],
            "channels": asked["channels"],
            "format_name": asked["format"],
            "period_size": asked["periodsize"],
            "buffer_size": asked["periodsize"] * asked["periods"],
            **self.granted,
        }
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.room = self._info["buffer_size"]
        self.calls: list[str] = []
        self.gone = False

    def info(self) -> dict[str, Any]:
        return self._info

    def polldescriptors(self) -> list[tuple[int, int]]:
        return []

    def read(self) -> tuple[int, bytes]:
        self._check("read")
        count = self.reads.pop(0) if self.reads else 0
        return count, PERIOD[: max(count, 0)].tobytes()

    def write(self, data: bytes) -> int:
        self._check("write")
        count = self.writes.pop(0) if self.writes else len(data) // 2
        if count > 0:
            self.room -= count
        return count

    def avail(self) -> int:
        return -errno.ENODEV if self.gone else self.room

    def drop(self) -> None:
        self._check("drop")
        self.room = -errno.EBADFD  # the kernel's result for a stopped stream

    def close(self) -> None:
        self.calls.append("close")

    def _check(self, call: str) -> None:
        self.calls.append(call)
        if self.gone:
            raise ALSAAudioError("No such device [card]")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = SimpleNamespace(
        PCM=Pcm,
        PCM_CAPTURE="capture",
        PCM_PLAYBACK="playback",
        PCM_NONBLOCK="nonblock",
        PCM_FORMAT_S16_LE="S16_LE",
        ALSAAudioError=ALSAAudioError,
    )
    for module in (sound_card, pcm):
        monkeypatch.setattr(module, "alsaaudio", lambda: namespace)
    monkeypatch.setattr(Pcm, "granted", {}, raising=False)
    monkeypatch.setattr(Pcm, "refusal", "", raising=False)


def opened() -> tuple[Card, Pcm, Pcm]:
    card = Card(config.AudioConfig(capture="card", playback="card"))
    card.open_capture()
    playback, capture = card._playback, card._capture
    assert isinstance(playback, Pcm)
    assert isinstance(capture, Pcm)
    return card, playback, capture


FRAMES = np.ones(480, np.int16)


def test_write_after_an_underrun_repeats_and_counts_it() -> None:
    card, playback, _ = opened()
    playback.room, playback.writes = -errno.EPIPE, [-errno.EPIPE, 480]
    assert card.queued_frames() == 0
    card.write(FRAMES)
    assert playback.calls == ["write", "write"]
    assert card.xruns == 1


def test_write_of_no_frames_after_a_reply_is_not_an_xrun() -> None:
    card, playback, _ = opened()
    card.write(FRAMES)
    playback.room = -errno.EPIPE
    card.write(FRAMES[:0])
    card.write(FRAMES[:0])
    assert playback.calls == ["write", "drop"]
    assert card.queued_frames() == 0
    card.write(FRAMES)
    assert card.xruns == 0


def test_write_of_no_frames_keeps_the_queue() -> None:
    card, playback, _ = opened()
    card.write(FRAMES)
    card.write(FRAMES[:0])
    assert playback.calls == ["write"]
    assert card.queued_frames() == 480


def test_drop_empties_the_queue_and_writes_count_again() -> None:
    card, playback, _ = opened()
    card.write(FRAMES)
    card.drop()
    assert card.queued_frames() == 0
    playback.room = playback.info()["buffer_size"]
    card.write(FRAMES)
    assert card.queued_frames() == 480


def test_write_on_stereo_duplicates_each_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(Pcm, "write", lambda _, data: written.append(data) or len(data) // 4)  # type: ignore[func-returns-value]
    Card(config.AudioConfig(playback_channels=2)).write(np.array([1, -2], np.int16))
    assert np.frombuffer(written[0], np.int16).tolist() == [1, 1, -2, -2]


def test_read_after_an_overrun_counts_it_and_skips_the_gap() -> None:
    card, _, capture = opened()
    capture.reads = [100, -errno.EPIPE, 160]
    period = card.read()
    assert period is not None
    assert period.tolist() == PERIOD.tolist()
    assert card.xruns == 1


def test_read_with_any_granted_period_returns_160_frames() -> None:
    card, _, capture = opened()
    capture.reads = [128, 128, 64]
    first, second = card.read(), card.read()
    assert first is not None
    assert second is not None
    joined = np.concatenate((PERIOD[:128], PERIOD[:128], PERIOD[:64]))
    assert np.concatenate((first, second)).tolist() == joined.tolist()


def test_read_without_audio_returns_none_then_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card, _, capture = opened()
    assert card.read() is None
    monkeypatch.setattr(sound_card, "STALL_S", 0.0)
    with pytest.raises(AudioError, match="delivered no audio for 0 s"):
        card.read()
    assert "read" in capture.calls


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A monotonic clock that returns `now`."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(sound_card.time, "monotonic", lambda: clock.now)  # type: ignore[attr-defined]
    return clock


def test_queued_frames_of_a_stalled_device_raises(clock: SimpleNamespace) -> None:
    card, playback, _ = opened()
    card.write(FRAMES)
    for _ in range(10):  # the device plays, and the test refills the buffer
        clock.now += 3.9
        playback.room += 480
        assert card.queued_frames() == 0
        card.write(FRAMES)
    clock.now += 3.9
    assert card.queued_frames() == 480
    clock.now += 0.2
    with pytest.raises(AudioError, match=r"played nothing for 4 s, although 480 frames were"):
        card.queued_frames()


def test_queued_frames_after_an_hour_of_rest_do_not_raise(
    clock: SimpleNamespace,
) -> None:
    card, playback, _ = opened()
    card.write(FRAMES)
    card.drop()
    clock.now += 3600.0
    playback.room = playback.info()["buffer_size"]
    card.write(FRAMES)
    assert card.queued_frames() == 480


def test_card_unplugged_raises_everywhere_except_in_close() -> None:
    card, playback, capture = opened()
    card.write(FRAMES)
    playback.gone = capture.gone = True
    for call in (card.read, card.queued_frames, card.drop, lambda: card.write(FRAMES)):
        with pytest.raises(AudioError, match=r'"card" was lost \(No such device\)'):
            call()
    card.close()
    card.close()
    assert playback.calls[-1] == capture.calls[-1] == "close"


@pytest.mark.parametrize(
    ("granted", "text"),
    [
        ({"rate": 44100}, "grants 44100 Hz, 1 channel(s), S16_LE; 48000 Hz"),
        ({"channels": 2}, "2 channel(s), S16_LE; 48000 Hz, 1 channel(s)"),
        (
            {"format_name": "S32_LE"},
            "S32_LE; 48000 Hz, 1 channel(s), S16_LE is required",
        ),
        ({"buffer_size": 2048}, "a lead of 40 ms needs 3840; use a smaller audio.lead_ms"),
    ],
)
def test_card_with_parameters_not_granted_raises(
    granted: dict[str, object], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pcm, "granted", granted)
    with pytest.raises(AudioError) as error:
        Card(config.AudioConfig(playback="hw:CARD=Device"))
    assert text in str(error.value)
    assert "plug" in str(error.value)


def test_open_of_hw_at_another_rate_uses_plughw_and_logs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    devices = []

    class Picky(Pcm):
        def __init__(self, direction: str, mode: str, *, device: str, **asked: Any) -> None:
            super().__init__(direction, mode, device=device, **asked)
            devices.append((device, self.calls))
            if device.startswith("hw:"):
                self._info |= {"rate": 44100, "channels": 2}

    monkeypatch.setattr(sound_card.alsaaudio(), "PCM", Picky)  # type: ignore[attr-defined]
    card = Card(config.AudioConfig(playback="hw:CARD=Device"))
    assert card._playback.info()["rate"] == 48000
    assert devices == [("hw:CARD=Device", ["drop", "close"]), ("plughw:CARD=Device", [])]
    assert '"hw:CARD=Device" grants 44100 Hz, 2 channel(s), S16_LE; ALSA converts' in caplog.text


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (PcmFormat(44100, 2, "S16_LE"), True),
        (PcmFormat(48000, 1, "S16_LE"), False),
        (None, False),
    ],
)
def test_open_of_a_converted_card_logs_its_real_format(
    card: PcmFormat | None,
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    asked = []
    monkeypatch.setattr(card_names, "runs_at", lambda info, suffix: asked.append(suffix) or card)  # type: ignore[func-returns-value]
    opened()
    assert asked == ["p", "c"]
    line = (
        '"card" runs at 44100 Hz, 2 channel(s), S16_LE; ALSA converts it to '
        "48000 Hz, 1 channel(s), S16_LE"
    )
    assert (f"audio.playback: {line}" in caplog.text) is told


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        ("Device or resource busy", "end the program that uses it"),
        ("No such device", "DeviceAllow=char-alsa"),
        ("No such file or directory", "plug in a sound card"),
        ("Permission denied", "group audio"),
        ("Something new", "choose a device from `aplay -L`"),
    ],
)
def test_card_that_cannot_be_opened_names_the_remedy(
    refusal: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pcm, "refusal", refusal)
    with pytest.raises(AudioError) as error:
        Card(config.AudioConfig())
    assert str(error.value).startswith(f'audio.playback: "default" cannot be opened ({refusal})')
    assert remedy in str(error.value)
