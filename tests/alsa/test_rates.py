"""ALSA's converter plays at the right pitch on cards with another rate or channel count.

The cards are alsa-lib's file device, which accepts only its configured format and is not
paced.
"""

from pathlib import Path

import numpy as np
import pytest

from parleyd import config
from parleyd.alsa.sound_card import Card
from parleyd.units import MIC_RATE_HZ, Frames

TONE_HZ = 1000
LOUD = 16_000

CONFIG = """\
</usr/share/alsa/alsa.conf>
pcm.card {{
    type plug
    slave {{
        pcm {{ type file slave.pcm null file "{played}" infile "{said}" format raw }}
        rate {rate}
        channels {channels}
        format S16_LE
    }}
}}
"""


class FileCard:
    """A card with one rate and one number of channels, made of two files."""

    def __init__(
        self, folder: Path, rate_hz: int, channels: int, patch: pytest.MonkeyPatch
    ) -> None:
        self._channels = channels
        self._played, self._said = folder / "played", folder / "said"
        self._said.touch()
        path = folder / "asound.conf"
        text = CONFIG.format(played=self._played, said=self._said, rate=rate_hz, channels=channels)
        path.write_text(text)
        patch.setenv("ALSA_CONFIG_PATH", str(path))

    def played(self) -> Frames:
        """Return the played frames, one row for each channel."""
        data = np.frombuffer(self._played.read_bytes(), "<i2")
        return data.reshape(-1, self._channels).T

    def say(self, frames: Frames) -> None:
        self._said.write_bytes(np.repeat(frames, self._channels).astype("<i2").tobytes())


def tone(ms: int, rate_hz: int) -> Frames:
    phase = 2 * np.pi * TONE_HZ * np.arange(ms * rate_hz // 1000) / rate_hz
    return (LOUD * np.sin(phase)).astype(np.int16)


def pitch_hz(frames: Frames, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(len(frames))))
    return float(np.argmax(spectrum)) * rate_hz / len(frames)


@pytest.mark.parametrize("card_channels", [1, 2])
@pytest.mark.parametrize("card_hz", [44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("asked_hz", [16_000, 24_000, 44_100, 48_000])
def test_playback_tone_keeps_pitch_level_and_length_per_channel(
    asked_hz: int,
    channels: int,
    card_hz: int,
    card_channels: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = FileCard(tmp_path, card_hz, card_channels, monkeypatch)
    card = Card(
        config.AudioConfig(
            playback="card",
            playback_rate_hz=asked_hz,  # type: ignore[arg-type]
            playback_channels=channels,  # type: ignore[arg-type]
        )
    )
    for part in np.split(tone(500, asked_hz), 50):
        card.write(part)
    card.close()
    for heard in files.played():
        assert len(heard) == pytest.approx(card_hz // 2, rel=0.05)
        assert pitch_hz(heard, card_hz) == pytest.approx(TONE_HZ, rel=0.01)
        assert np.abs(heard.astype(np.int32)).max() == pytest.approx(LOUD, rel=0.05)


@pytest.mark.parametrize("card_channels", [1, 2])
@pytest.mark.parametrize("card_hz", [16_000, 24_000, 44_100, 48_000])
def test_capture_tone_keeps_pitch_and_level(
    card_hz: int, card_channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FileCard(tmp_path, card_hz, card_channels, monkeypatch)
    files.say(tone(500, card_hz))
    card = Card(config.AudioConfig(playback="null", capture="card"))
    card.open_capture()
    periods = [period for _ in range(45) if (period := card.read()) is not None]
    card.close()
    recorded = np.concatenate(periods)
    assert pitch_hz(recorded, MIC_RATE_HZ) == pytest.approx(TONE_HZ, rel=0.01)
    assert np.abs(recorded.astype(np.int32)).max() == pytest.approx(LOUD, rel=0.05)
