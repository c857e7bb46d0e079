"""The levels of the newest wake words survive a restart, and no file can do harm."""

from pathlib import Path

import pytest

from parleyd.app.wake_levels_file import LONGEST_FILE, WakeLevelsFile
from parleyd.config import AudioConfig
from parleyd.core.usual_level import KEPT

AUDIO = AudioConfig(capture="hw:1")


def test_levels_survive_a_restart_with_the_same_microphone(tmp_path: Path) -> None:
    path = tmp_path / "wake_levels.json"
    WakeLevelsFile(path, AUDIO).save((-41.5, -38.0))
    assert WakeLevelsFile(path, AUDIO).load() == (-41.5, -38.0)
    assert WakeLevelsFile(path, AudioConfig(capture="hw:2")).load() == ()


def test_full_history_fits_into_the_file(tmp_path: Path) -> None:
    file = WakeLevelsFile(tmp_path / "wake_levels.json", AUDIO)
    levels = tuple([-119.9] * KEPT)
    file.save(levels)
    assert file.load() == levels


def test_missing_file_is_an_empty_history(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert WakeLevelsFile(tmp_path / "wake_levels.json", AUDIO).load() == ()
    assert caplog.text == ""


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe\x00", b"[" * 3000,
        b'{"microphone": "hw:1"}',
        b'{"microphone": "hw:1", "levels": 7}',
        b'{"microphone": "hw:1", "levels": ["x"]}',
        b'{"microphone": "hw:1", "levels": [null]}',
        b'{"microphone": "hw:1", "levels": [NaN]}',
        b'{"microphone": "hw:1", "levels": [Infinity]}',
        b'{"microphone": "hw:1", "levels": [1e400]}',
        b'{"microphone": "hw:1", "levels": [500]}',
        b'{"microphone": "hw:1", "levels": [-40' + b" " * LONGEST_FILE + b"]}",
    ],
)  # fmt: skip
def test_damaged_file_is_logged_and_learned_again(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "wake_levels.json"
    path.write_bytes(content)
    file = WakeLevelsFile(path, AUDIO)
    assert file.load() == ()
    assert "is unreadable" in caplog.text
    file.save((-40.0,))
    assert file.load() == (-40.0,)


def test_disk_that_takes_nothing_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wake_levels.json").mkdir()
    file = WakeLevelsFile(tmp_path / "wake_levels.json", AUDIO)
    assert file.load() == ()
    file.save((-40.0,))
    assert "are not saved" in caplog.text
