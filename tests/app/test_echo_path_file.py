import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parleyd.app.echo_path_file import EchoPathFile
from parleyd.config import AudioConfig
from parleyd.hearing.echo_path import TAPS, EchoPath
from parleyd.hearing.microphone_watch import Processing

MEMORY = EchoPath(np.linspace(0, 0.01, TAPS).astype(np.float32), 320.5, 640.0, 1e-5)


def test_echo_path_file_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "echo.npz"
    EchoPathFile(path, AudioConfig()).save(MEMORY)
    kept = EchoPathFile(path, AudioConfig()).load()
    assert kept is not None
    np.testing.assert_array_equal(kept.weights, MEMORY.weights)
    assert (kept.late, kept.delay, kept.drift) == (320.5, 640.0, 1e-5)
    assert kept.processing is None
    assert list(path.parent.iterdir()) == [path]


def test_echo_path_file_of_other_cards_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "echo.npz"
    EchoPathFile(path, AudioConfig()).save(MEMORY)
    assert EchoPathFile(path, AudioConfig(playback="plughw:CARD=Device")).load() is None
    assert EchoPathFile(path, AudioConfig(lead_ms=60)).load() is None


def npz(**members: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **members)  # type: ignore[arg-type]
    return file.getvalue()


GOOD = {
    "cards": "default default 48000 Hz 40 ms", "weights": MEMORY.weights,
    "late": 320.5, "delay": 640.0, "drift": 1e-5,
}  # fmt: skip


def claiming(shape: str) -> bytes:
    """Return a file with a wrong size in its header."""
    good = npz(**GOOD)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members["weights.npy"] = members["weights.npy"].replace(
        f"({TAPS},)".encode(), shape.encode().ljust(len(f"({TAPS},)"))
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return file.getvalue()


def compressed(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in GOOD:
            archive.writestr(f"{name}.npy", bytes(size))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 half a file",
        b"\x93NUMPY",
        npz(**GOOD)[:-30],
        npz(cards=GOOD["cards"]),
        npz(**{**GOOD, "late": "x"}),
        npz(**{**GOOD, "late": [1.0, 2.0]}),
        npz(**{**GOOD, "weights": np.array([None, {}], object)}),
        claiming("(10**9,)"),
        claiming("((((((("),
        compressed(2_000_000_000 // 100),
        bytes(2 << 20),
    ],
    ids=range(12),
)
def test_broken_echo_path_file_is_logged_and_ignored(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "echo.npz"
    path.write_bytes(content)
    file = EchoPathFile(path, AudioConfig())
    assert file.load() is None
    assert "relearning the echo path" in caplog.text
    file.save(MEMORY)
    assert file.load() is not None


def test_valid_echo_path_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "echo.npz"
    path.write_bytes(npz(**GOOD))
    assert EchoPathFile(path, AudioConfig()).load() is not None


@pytest.mark.parametrize("processing", list(Processing))
def test_echo_path_file_keeps_what_the_microphone_does(
    tmp_path: Path, processing: Processing
) -> None:
    path = tmp_path / "echo.npz"
    EchoPathFile(path, AudioConfig()).save(replace(MEMORY, processing=processing))
    kept = EchoPathFile(path, AudioConfig()).load()
    assert kept is not None
    assert kept.processing is processing


@pytest.mark.parametrize("processing", ["of a newer version", 7.0])
def test_echo_path_file_with_unknown_processing_is_loaded(
    tmp_path: Path, processing: object
) -> None:
    path = tmp_path / "echo.npz"
    path.write_bytes(npz(**GOOD, processing=processing))
    kept = EchoPathFile(path, AudioConfig()).load()
    assert kept is not None
    assert kept.processing is None


@pytest.mark.parametrize("late", [np.nan, np.inf, -1.0, 1e308])
def test_implausible_echo_path_is_ignored(tmp_path: Path, late: float) -> None:
    path = tmp_path / "echo.npz"
    path.write_bytes(npz(**{**GOOD, "late": late, "weights": MEMORY.weights * 1e30}))
    assert EchoPathFile(path, AudioConfig()).load() is None


@pytest.mark.parametrize("place", ["folder", "pipe", "loop", "dangling"])
def test_foreign_object_at_the_file_path_is_replaced(tmp_path: Path, place: str) -> None:
    path = tmp_path / "echo.npz"
    match place:
        case "folder":
            (path / "x").mkdir(parents=True)
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "dangling":
            path.symlink_to("nothing")
    file = EchoPathFile(path, AudioConfig())
    assert file.load() is None
    file.save(MEMORY)
    assert EchoPathFile(path, AudioConfig()).load() is not None


def test_echo_path_file_of_another_version_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "echo.npz"
    shorter = EchoPath(MEMORY.weights[:1600], 320.0, 640.0, 0.0)
    EchoPathFile(path, AudioConfig()).save(shorter)
    assert EchoPathFile(path, AudioConfig()).load() is None


def test_unwritable_disk_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    EchoPathFile(tmp_path / "state" / "echo.npz", AudioConfig()).save(MEMORY)
    assert "the echo path is not saved" in caplog.text
