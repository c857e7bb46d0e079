from pathlib import Path

import numpy as np
import pytest

from parleyd.config import Audio
from parleyd.hearing.memory import TAPS, EchoMemory
from parleyd.host.echo_file import EchoFile

MEMORY = EchoMemory(np.linspace(0, 0.01, TAPS).astype(np.float32), 320.5, 640.0, 1e-5)


def test_what_was_learnt_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "echo.npz"
    EchoFile(path, Audio()).save(MEMORY)
    kept = EchoFile(path, Audio()).load()
    assert kept is not None
    np.testing.assert_array_equal(kept.weights, MEMORY.weights)
    assert (kept.late, kept.delay, kept.drift) == (320.5, 640.0, 1e-5)
    assert not path.with_suffix(".new").exists()


def test_another_pair_of_cards_has_another_echo(tmp_path: Path) -> None:
    path = tmp_path / "echo.npz"
    EchoFile(path, Audio()).save(MEMORY)
    assert EchoFile(path, Audio(playback="plughw:CARD=Device")).load() is None
    assert EchoFile(path, Audio(lead_ms=60)).load() is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"\x93NUMPY"])
def test_a_broken_file_is_told_and_forgotten(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "echo.npz"
    path.write_bytes(content)
    file = EchoFile(path, Audio())
    assert file.load() is None
    assert "the echo is learnt anew" in caplog.text
    file.save(MEMORY)
    assert file.load() is not None


def test_a_file_of_another_version_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "echo.npz"
    shorter = EchoMemory(MEMORY.weights[:1600], 320.0, 640.0, 0.0)
    EchoFile(path, Audio()).save(shorter)
    assert EchoFile(path, Audio()).load() is None


def test_a_disk_that_takes_nothing_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    EchoFile(tmp_path / "state" / "echo.npz", Audio()).save(MEMORY)
    assert "is not kept" in caplog.text
