"""The process that alone writes the configuration, started as systemd starts it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from parleyd.cli.page_save import page_save
from parleyd.page.saving import LONGEST_REQUEST
from parleyd.page.settings import revision

pytestmark = pytest.mark.slow

TEXT = "[audio]\nvolume = 40   # Anna's\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parley.toml"
    path.write_text(TEXT)
    path.chmod(0o644)
    return path


def saved(file: Path, line: bytes) -> tuple[int, dict[str, object]]:
    """Exit status and answer of a process that gets this and then the end of its input."""
    ours, its = socket.socketpair()
    with ours:
        with its:
            command = [sys.executable, "-m", "parleyd", "page-save", "--config", str(file)]
            process = subprocess.Popen(command, stdin=its.fileno(), stdout=its.fileno())
        ours.sendall(line)
        ours.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # it has not read all of a long line
            while data := ours.recv(1 << 16):
                answer += data
        return process.wait(60), json.loads(answer or b'{"saved":false,"problems":["cut"]}')


def request(**changes: object) -> bytes:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return json.dumps({"revision": revision(TEXT), "changes": named}).encode() + b"\n"


def test_change_is_saved_beside_the_file_before(file: Path) -> None:
    assert saved(file, request(audio__volume=55)) == (
        0,
        {"saved": True, "changed": False, "problems": []},
    )
    assert file.read_text() == "[audio]\nvolume = 55   # Anna's\n"
    before = file.with_name("parley.toml.before")
    assert before.read_text() == TEXT
    assert {path.stat().st_mode & 0o777 for path in (file, before)} == {0o644}
    assert sorted(os.listdir(file.parent)) == ["parley.toml", "parley.toml.before"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]\n",
        b"[" * LONGEST_REQUEST + b"\n",
        b"\xff\xfe\n",
        b"x" * (2 * LONGEST_REQUEST),
        request(skills__folder="/tmp/evil"),
        request(wake__keywords="/tmp/evil.tflite"),
        request(realtime__url="wss://evil.example"),
        request(log__transcripts=True),
        request(page__host="0.0.0.0"),
        request(audio__volume=101),
        request(audio__volume=None),
        request(audio__volume=10**400),
        request(lights__night='"\n[skills]\nfolder = "/tmp/evil'),
        b'{"revision":"x","changes":{"audio.volume":3},"path":"/etc/passwd"}\n',
        b'{"revision":"../x","changes":{"audio.volume":3}}\n',
    ],
)
def test_anything_else_changes_nothing(line: bytes, file: Path) -> None:
    status, answer = saved(file, line)
    assert (status, answer["saved"]) == (1, False)
    assert answer["problems"] or answer["changed"]
    assert os.listdir(file.parent) == ["parley.toml"]
    assert file.read_text() == TEXT


def test_link_to_the_file_is_kept(file: Path) -> None:
    link = file.with_name("link.toml")
    link.symlink_to(file)
    assert saved(link, request(audio__volume=55))[0] == 0
    assert link.is_symlink()
    assert "volume = 55" in file.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give a file away")
def test_file_of_another_user_is_left_to_them(file: Path) -> None:
    os.chown(file, 12345, -1)
    status, answer = saved(file, request(audio__volume=55))
    assert status == 1
    assert "belongs to another user" in str(answer["problems"])
    assert file.stat().st_uid == 12345


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    status, answer = saved(tmp_path / "missing/parley.toml", request(audio__volume=55))
    assert status == 1
    assert "missing/parley.toml" in str(answer["problems"])


def test_file_must_be_named() -> None:
    told = CliRunner().invoke(page_save, [])
    assert told.exit_code == 2
    assert "--config" in told.output
