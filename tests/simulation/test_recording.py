import wave
from pathlib import Path

import numpy as np
import pytest

from parleyd.simulation.recording import Drop, Recording


@pytest.mark.parametrize("loudspeaker_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_recording_wav_has_loudspeaker_left_microphone_right(
    tmp_path: Path, loudspeaker_hz: int, rate_hz: int
) -> None:
    recording = Recording(loudspeaker_hz)
    played = np.rint(8000 * np.sin(2 * np.pi * 500 * np.arange(loudspeaker_hz) / loudspeaker_hz))
    heard = np.rint(2000 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000))
    for left, right in zip(np.split(played, 100), np.split(heard, 100), strict=True):
        recording.add(left.astype(np.int16), right.astype(np.int16))
    recording.write_wav(tmp_path / "room.wav", rate_hz=rate_hz)
    with wave.open(str(tmp_path / "room.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, rate_hz)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(frames) == pytest.approx(rate_hz, abs=2)
    for channel, hz, peak in ((0, 500, 8000), (1, 1000, 2000)):
        spectrum = np.abs(np.fft.rfft(frames[:, channel], rate_hz)) / (rate_hz / 2)
        assert int(np.argmax(spectrum)) == hz
        assert spectrum[hz] == pytest.approx(peak, rel=0.02)


def test_recording_stops_at_its_limit() -> None:
    recording = Recording(16_000, limit_s=0.05)
    for number in range(10):
        recording.add(np.full(160, number, np.int16), np.full(160, -number, np.int16))
        recording.add_drop(number / 100, number)
    assert recording.duration_s == 0.05
    assert recording.loudspeaker.max() == 4
    assert recording.microphone.min() == -4
    assert recording.drops == tuple(Drop(n / 100, n) for n in range(4))


def test_recording_empty_writes_an_empty_file(tmp_path: Path) -> None:
    Recording(48_000).write_wav(tmp_path / "room.wav")
    with wave.open(str(tmp_path / "room.wav")) as file:
        assert file.getnframes() == 0
