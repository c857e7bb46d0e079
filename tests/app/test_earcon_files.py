"""The owner's sounds: read, checked, replaced and removed."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from parleyd import config
from parleyd.app import earcon_files, preflight
from parleyd.errors import ConfigError
from parleyd.playback.cues import Cue


def wav_file(
    path: Path, seconds: float = 0.3, *, rate_hz: int = 44_100, width: int = 2, channels: int = 1,
    peak: float = 0.5,
) -> Path:  # fmt: skip
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    sine = peak * np.sin(2 * np.pi * 440 * time_s)
    whole = np.rint(sine * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        whole += 128
    data = whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    both = np.repeat(data[:, None, :], channels, axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(both.tobytes())
    return path


def loaded(**paths: object) -> tuple[dict[Cue, np.ndarray], list[str]]:
    settings = structs.replace(
        config.EarconsConfig(), **{key: str(path) for key, path in paths.items()}
    )
    return earcon_files.load(settings)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_pcm_file_becomes_mono_at_24_khz(
    tmp_path: Path, rate_hz: int, width: int, channels: int
) -> None:
    path = wav_file(tmp_path / "x.wav", rate_hz=rate_hz, width=width, channels=channels)
    found, problems = loaded(wake=path)
    assert problems == []
    assert len(found[Cue.WAKE]) == pytest.approx(7200, abs=50)
    assert np.abs(found[Cue.WAKE]).max() == pytest.approx(16_384, rel=0.05)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "it ends too early"),
        (b"RIFF", "it ends too early"),
        (b"ID3\x03 an mp3 file that is called wav " * 9, "file does not start with RIFF id"),
    ],
)
def test_unreadable_file_is_named_with_the_reason(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "x.wav"
    if content is not None:
        path.write_bytes(content)
    found, (problem,) = loaded(error=path)
    assert found == {}
    assert problem.startswith(f"earcons.error: {path}: cannot be read as WAV ({says}")
    assert "allowed is an uncompressed WAV file" in problem


def test_folder_is_refused(tmp_path: Path) -> None:
    _, (problem,) = loaded(error=tmp_path)
    assert "Is a directory" in problem


def test_truncated_file_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = wav_file(tmp_path / "x.wav")
    path.write_bytes(path.read_bytes()[:-10_001])
    found, problems = loaded(wake=path)
    assert problems == []
    assert 0 < len(found[Cue.WAKE]) < 7200


def test_silent_and_endless_files_are_refused(tmp_path: Path) -> None:
    silent = wav_file(tmp_path / "silent.wav", peak=0.0)
    long = wav_file(tmp_path / "long.wav", 2.1)
    bell = wav_file(tmp_path / "bell.wav", 10.1)
    found, problems = loaded(wake=silent, ended=long, timer=bell)
    assert found == {}
    assert [problem.split(": ", 2)[2] for problem in problems] == [
        'is silent, allowed is a sound, or "" for silence',
        "is longer than 2 s, allowed is a shorter sound",
        "is longer than 10 s, allowed is a shorter sound",
    ]


def test_alarm_may_be_longer_but_never_silent(tmp_path: Path) -> None:
    found, problems = loaded(timer=wav_file(tmp_path / "bell.wav", 9.0))
    assert problems == []
    assert len(found[Cue.TIMER]) == 9 * 24_000
    with pytest.raises(ConfigError, match='"default", or a path from the root'):
        config.parse('[earcons]\ntimer = ""\n')


@pytest.mark.parametrize("value", ["ding.wav", "defaults", "~/ding.wav", " "])
def test_other_values_are_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"earcons\.wake: .*allowed is \"default\", a path"):
        config.parse(f'[earcons]\nwake = "{value}"\n')


def test_check_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "parley.toml"
    file.write_text(f'[earcons]\nwake = "{tmp_path}/missing.wav"\n')
    with pytest.raises(ConfigError) as caught:
        preflight.check(file, {}, lambda name: True)
    assert f"earcons.wake: {tmp_path}/missing.wav: cannot be read" in str(caught.value)


def test_start_uses_parleys_sound_instead_and_a_reload_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = config.parse(
        f'[earcons]\nwake = "{tmp_path}/missing.wav"\n[skills]\nfolder = "{tmp_path}"\n'
        '[realtime]\nserver = "embedded"\n'
    )
    parts = asyncio.run(preflight.prepare(settings, {}))
    parts.engine.close()
    assert parts.sounds == {}
    assert "Parley's own sound is played instead" in caplog.text
    running = preflight.Running(parts.skills, settings.lights)
    with pytest.raises(ConfigError, match=r"earcons\.wake"):
        asyncio.run(preflight.prepare(settings, {}, running=running))
    wav_file(tmp_path / "missing.wav")
    parts = asyncio.run(preflight.prepare(settings, {}, running=running))
    parts.engine.close()
    assert list(parts.sounds) == [Cue.WAKE]
