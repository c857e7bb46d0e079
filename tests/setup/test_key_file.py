"""Where a new key is put: beside the configuration, and encrypted where the old one was."""

import os
import stat
from pathlib import Path

import pytest

from parleyd.errors import ParleyError
from parleyd.setup.key_file import stored

KEY = ("OPENAI_API_KEY", "sk-proj-Zq7wXy9vBn3mKl5jHg8fDs2a")
ENCRYPTS = """\
#!/bin/bash
[[ $* == "encrypt --name=openai_api_key - -" ]] || exit 1
tr a-z b-za
"""


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    file = tmp_path / "openai_api_key.cred"
    file.write_text("old")
    return file


def test_block_that_fails_leaves_no_key(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), stored(tmp_path, KEY):
        raise OSError("full")
    assert os.listdir(tmp_path) == []


def test_encrypted_key_is_replaced_by_an_encrypted_one(
    encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = encrypted.parent / "bin" / "systemd-creds"
    program.parent.mkdir()
    program.write_text(ENCRYPTS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    plain = encrypted.with_name("openai_api_key")
    plain.write_text("of an earlier try")
    with stored(encrypted.parent, KEY) as lines:
        assert encrypted.read_text() == "old"
    assert encrypted.read_text() == "tl-qspk-Zr7xXz9wBo3nKm5kHh8gDt2b"
    assert stat.S_IMODE(encrypted.stat().st_mode) == 0o600
    assert not plain.exists()
    assert KEY[1] not in str(lines)


def test_key_that_cannot_be_encrypted_changes_nothing(
    encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with (
        pytest.raises(ParleyError, match=r"nothing is saved; for a plain file: sudo rm"),
        stored(encrypted.parent, KEY),
    ):
        raise AssertionError("the configuration would be written")
    assert os.listdir(encrypted.parent) == ["openai_api_key.cred"]
    assert encrypted.read_text() == "old"
