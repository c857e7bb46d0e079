"""A folder of recordings: every kind of file gets a line, and none stops the rest."""

import os
import struct
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from parleyd import wav
from parleyd.cli.main import parley
from parleyd.diagnostics.recordings import RecordedPair, microphone, recordings
from parleyd.units import Frames

SOUND = (np.random.default_rng(1).standard_normal(32_000) * 3000).astype(np.int16)
QUIET = np.zeros(32_000, np.int16)


def write(path: Path, frames: Frames, rate_hz: int = 16_000, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(frames.astype("<i2").tobytes())


def write_raw(path: Path, kind: int, bits: int, body: bytes) -> None:
    form = struct.pack("<HHIIHH", kind, 1, 16_000, 16_000 * bits // 8, bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST\x03\x00\x00\x00abc\x00"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)


def only(folder: Path) -> RecordedPair:
    (found,) = recordings(folder)
    return found


def test_recordings_of_a_pair_have_the_common_length(tmp_path: Path) -> None:
    write(tmp_path / "a_lpb.wav", SOUND)
    write(tmp_path / "a_mic.wav", SOUND[:20_000])
    found = only(tmp_path)
    assert found.name == "a"
    assert found.stereo is not None
    assert len(found.stereo.loudspeaker) == len(found.stereo.microphone) == 20_000


def test_recordings_of_other_rates_are_resampled(tmp_path: Path) -> None:
    write(tmp_path / "a_lpb.wav", SOUND, 8_000)
    write(tmp_path / "a_mic.wav", SOUND, 16_000)
    found = only(tmp_path)
    assert found.stereo is not None
    assert len(found.stereo.loudspeaker) == len(SOUND)


@pytest.mark.parametrize(
    ("played", "heard"),
    [
        ("A_LPB.WAV", "A_MIC.WAV"), ("A_lpb.WAV", "A_mic.wav"), ("A_Lpb.wav", "a_mic.Wav"),
        ("a_lpb.wav", "A_MIC.WAV"),
    ],
)  # fmt: skip
def test_recordings_find_a_pair_in_upper_and_lower_case(
    tmp_path: Path, played: str, heard: str
) -> None:
    write(tmp_path / played, SOUND)
    write(tmp_path / heard, SOUND)
    found = only(tmp_path)
    assert found.name == played[0]
    assert found.stereo is not None


def test_recordings_that_differ_only_in_case_are_not_mixed(tmp_path: Path) -> None:
    for name, frames in (("a_lpb", QUIET), ("a_mic", SOUND), ("A_MIC", QUIET)):
        write(tmp_path / f"{name}.wav", frames)
    upper, lower = recordings(tmp_path)
    assert upper.name == "A_MIC.wav"
    assert "a_lpb.wav belongs to another one" in upper.problem
    assert lower.stereo is not None
    np.testing.assert_array_equal(lower.stereo.microphone, SOUND)


def test_recordings_read_stereo_turns(tmp_path: Path) -> None:
    wav.write(tmp_path / "turn-1.wav", wav.Stereo(QUIET, SOUND), 16_000)
    found = only(tmp_path)
    assert found.stereo is not None
    np.testing.assert_array_equal(found.stereo.microphone, SOUND)


@pytest.mark.parametrize(
    ("kind", "bits", "body"),
    [
        (3, 32, (SOUND / 32768).astype("<f4").tobytes()),
        (1, 32, (SOUND.astype("<i4") << 16).tobytes()),
        (1, 24, (SOUND.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()),
    ],
)
def test_recordings_read_other_samples(tmp_path: Path, kind: int, bits: int, body: bytes) -> None:
    write_raw(tmp_path / "a_lpb.wav", kind, bits, body)
    write(tmp_path / "a_mic.wav", SOUND)
    found = only(tmp_path)
    assert found.stereo is not None
    np.testing.assert_allclose(found.stereo.loudspeaker, SOUND, atol=2)


def _text(folder: Path) -> None:
    (folder / "notes.txt").write_text("what happened")


def _no_wav(folder: Path) -> None:
    (folder / "x.wav").write_text("RIFF, but not one")


def _empty(folder: Path) -> None:
    (folder / "x.wav").touch()


def _byte(folder: Path) -> None:
    (folder / "x.wav").write_bytes(b"R")


def _no_samples(folder: Path) -> None:
    write(folder / "x.wav", SOUND[:0], channels=2)


def _lonely(folder: Path) -> None:
    write(folder / "x_mic.wav", SOUND)


def _mono(folder: Path) -> None:
    write(folder / "x.wav", SOUND)


def _folder(folder: Path) -> None:
    (folder / "x.wav").mkdir()


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "x.wav")


def _compressed(folder: Path) -> None:
    write_raw(folder / "x_lpb.wav", 85, 16, b"1234" * 9000)
    write(folder / "x_mic.wav", SOUND)


def _dangling(folder: Path) -> None:
    (folder / "x.wav").symlink_to(folder / "gone.wav")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (_text, "is no WAV file"),
        (_no_wav, "is no WAV file"),
        (_empty, "is no WAV file"),
        (_byte, "is no WAV file"),
        (_no_samples, "shorter than a second"),
        (_lonely, "has no file x_lpb.wav"),
        (_mono, "has 1 channels"),
        (_folder, "is a folder"),
        (_pipe, "is no file"),
        (_compressed, "format 85"),
        (_dangling, "is no file"),
    ],
)
def test_recordings_name_a_bad_file_and_read_the_rest(
    tmp_path: Path, bad: object, says: str
) -> None:
    bad(tmp_path)  # type: ignore[operator]
    wav.write(tmp_path / "zz.wav", wav.Stereo(QUIET, SOUND), 16_000)
    broken, good = recordings(tmp_path)
    assert says in broken.problem
    assert broken.stereo is None
    assert good.stereo is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_recordings_name_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.wav").touch(mode=0)
    assert "cannot be read" in only(tmp_path).problem


def test_explain_of_a_folder_prints_a_line_each(tmp_path: Path) -> None:
    _text(tmp_path)
    write(tmp_path / "a_lpb.wav", SOUND)
    write(tmp_path / "a_mic.wav", np.roll(SOUND, 800) // 2)
    ended = CliRunner().invoke(parley, ["explain", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    head, pair, text = ended.output.splitlines()
    assert head.split()[:3] == ["recording", "length", "removed"]
    assert pair.split()[:3] == ["a", "2.0", "s"]
    assert "50 ms" in pair
    assert text == "notes.txt: is no WAV file"


@pytest.mark.parametrize("data", [b"", b"R", b"RIFF\x04\x00\x00\x00WAVE"])
def test_explain_says_why_a_file_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(data)
    ended = CliRunner().invoke(parley, ["explain", str(tmp_path / "x.wav")])
    assert ended.exit_code != 0
    said = str(ended.output or ended.exception)
    assert "cannot be read as WAV (" in said
    assert "()" not in said


def test_explain_of_a_folder_without_recordings_fails(tmp_path: Path) -> None:
    _text(tmp_path)
    ended = CliRunner().invoke(parley, ["explain", str(tmp_path)])
    assert ended.exit_code != 0
    assert "notes.txt: is no WAV file" in ended.output


def test_explain_of_a_folder_refuses_a_picture(tmp_path: Path) -> None:
    ended = CliRunner().invoke(parley, ["explain", str(tmp_path), "--picture", "x.png"])
    assert ended.exit_code == 2


def test_a_long_recording_is_in_memory_twice_at_most(tmp_path: Path) -> None:
    """A Pi has 1 GB, and a recording 500 MB."""
    path = tmp_path / "long.wav"
    write(path, np.arange(5_000_000, dtype=np.int16))
    tracemalloc.start()
    try:
        heard = microphone(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(heard) == 5_000_000
    assert most < 2.1 * path.stat().st_size
