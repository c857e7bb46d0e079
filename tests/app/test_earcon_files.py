"""The owner's sounds: read, checked, replaced and removed."""

import asyncio
import os
import struct
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from parleyd import config
from parleyd.app import earcon_files, preflight
from parleyd.errors import ConfigError
from parleyd.playback import earcons
from parleyd.playback.cues import Cue


def wav_file(
    path: Path, seconds: float = 0.3, *, rate_hz: int = 44_100, width: int = 2, channels: int = 1,
    peak: float = 0.5, sine_hz: int = 440,
) -> Path:  # fmt: skip
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    sine = peak * np.sin(2 * np.pi * (sine_hz * time_s + 0.1))
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


def header(
    *, code: int = 1, bits: int = 16, channels: int = 1, rate_hz: int = 48_000,
    extensible: bool = False,
) -> bytes:  # fmt: skip
    """All before the samples, of a program that did not know how many would come."""
    frame = channels * bits // 8
    form = struct.pack("<HIIHH", channels, rate_hz, rate_hz * frame, frame, bits)
    form = struct.pack("<H", 0xFFFE if extensible else code) + form
    if extensible:
        guid = struct.pack("<H", code) + bytes.fromhex("000000001000800000aa00389b71")
        form += struct.pack("<HHI", 22, bits, 4) + guid
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST\x03\0\0\0abc\0"
    return b"RIFF\xff\xff\xff\xffWAVE" + chunks + b"data\xff\xff\xff\xff"


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
        (b"", "it is empty"),
        (b"RIFF", "it does not begin as a WAV file"),
        (b"RIFF\0\0\0\0WAVE", "it has no samples: it ends too early"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0", "it ends too early"),
        (b"RIFF\0\0\0\0WAVE" + bytes(100_000), "it has no samples: it ends too early"),
        (header(code=6, bits=8), "its samples have format 6 and 8 bits"),
        (header(bits=12), "its samples have format 1 and 12 bits"),
        (header(channels=0), "it has 0 channels"),
        (header(channels=64), "it has 64 channels"),
        (header(rate_hz=0), "the sample rate is 0 Hz"),
        (header(rate_hz=384_000), "the sample rate is 384000 Hz"),
        (b"ID3\x03 an mp3 file that is called wav " * 9, "it does not begin as a WAV file"),
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
    assert "allowed is a WAV file of 8, 16, 24 or 32 bits or of floats" in problem
    new = tmp_path / "x-parley.wav"
    assert f"`ffmpeg -i {path} -ac 1 -ar 24000 -c:a pcm_s16le {new}` makes one" in problem


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("code", "kind"), [(1, "<i2"), (1, "<i4"), (3, "<f4"), (3, "<f8")])
def test_files_as_sox_ffmpeg_and_audacity_write_them_are_read(
    tmp_path: Path, code: int, kind: str, extensible: bool
) -> None:
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(28_800) / 96_000)
    whole = np.rint(sine * (2 ** (8 * np.dtype(kind).itemsize - 1) - 1))
    data = (sine if code == 3 else whole).astype(kind).tobytes()
    bits = 8 * np.dtype(kind).itemsize
    path = tmp_path / "x.wav"
    path.write_bytes(header(code=code, bits=bits, rate_hz=96_000, extensible=extensible) + data)
    found, problems = loaded(timer=path)
    assert problems == []
    assert len(found[Cue.TIMER]) == 7200
    assert np.abs(found[Cue.TIMER]).max() == pytest.approx(16_384, rel=0.05)


def test_infinite_and_undefined_floats_are_played_at_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    values = np.repeat(np.array([np.nan, np.inf, -np.inf, 1e30], "<f4"), 2400)
    path.write_bytes(header(code=3, bits=32) + values.tobytes())
    found, problems = loaded(wake=path)
    assert problems == []
    assert np.abs(found[Cue.WAKE].astype(int)).max() > 16_000


@pytest.mark.parametrize(("width", "channels"), [(1, 2), (2, 2), (3, 2), (4, 7), (2, 8)])
@pytest.mark.parametrize("left", [45, 46, 957, 1001])
def test_start_survives_a_file_that_is_cut_off_anywhere(
    tmp_path: Path, width: int, channels: int, left: int
) -> None:
    path = wav_file(tmp_path / "x.wav", rate_hz=22_050, width=width, channels=channels)
    path.write_bytes(path.read_bytes()[:left])
    found, problems = loaded(timer=path)
    assert found == {}
    assert "is too soft for an alarm" in problems[0]


def test_pipe_and_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found, problems = loaded(wake=tmp_path / "pipe", timer="/dev/zero")
    assert found == {}
    assert all("it is not a regular file" in problem for problem in problems)
    assert len(problems) == 2


def test_disk_that_does_not_answer_costs_the_sound_and_not_the_start(tmp_path: Path) -> None:
    answers = threading.Event()

    def read(path: Path, rate_hz: int, longest_s: float) -> np.ndarray:
        answers.wait()
        return np.zeros(0, np.int16)

    settings = structs.replace(config.EarconsConfig(), wake="/dead/x.wav")
    found, (problem,) = earcon_files.load(settings, read, within_s=0.0)
    answers.set()
    assert found == {}
    assert problem.startswith("earcons.wake: /dead/x.wav: was not read within 0 s")


def test_whatever_goes_wrong_is_a_problem_of_that_file(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    found, problems = loaded(wake=f"{path}\0", error=wav_file(path))
    assert list(found) == [Cue.ERROR]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("seconds", "peak", "sine_hz", "rate_hz"),
    [
        (3 / 24_000, 0.5, 440, 24_000),
        (1 / 192_000, 1.0, 440, 192_000),
        (1.0, 0.03, 440, 44_100),
        (1.0, 1.0, 20, 44_100),
        (1.0, 1.0, 19_000, 96_000),
    ],
)
def test_inaudible_alarm_is_refused_with_its_level(
    tmp_path: Path, seconds: float, peak: float, sine_hz: int, rate_hz: int
) -> None:
    path = tmp_path / "x.wav"
    found, (problem,) = loaded(
        timer=wav_file(path, seconds, peak=peak, sine_hz=sine_hz, rate_hz=rate_hz)
    )
    assert found == {}
    assert "its loudest 0.2 s have -" in problem
    remedy = problem.split("allowed are -30 dBFS or more; ")[1]
    if (seconds, sine_hz) == (1.0, 440):
        assert remedy.startswith("`ffmpeg -i ")
    else:  # a louder click or hum is no alarm either
        assert remedy == 'take another file of 0.2 to 10 s, or "default"'


def test_parleys_own_alarm_is_well_above_the_limit() -> None:
    assert earcon_files.alarm_level_dbfs(earcons.alarm()) == pytest.approx(-15.1, abs=0.5)


def test_folder_is_refused(tmp_path: Path) -> None:
    _, (problem,) = loaded(error=tmp_path)
    assert "it is not a regular file" in problem


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
    assert [problem.split(": ", 2)[2] for problem in problems[:1]] == [
        'is silent, allowed is a sound, or "" for silence',
    ]
    for problem, seconds in ((problems[1], 2), (problems[2], 10)):
        assert f"is longer than {seconds} s, allowed is a WAV file" in problem
        assert f" -t {seconds} -ac 1 " in problem


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
