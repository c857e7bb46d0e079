"""The socket of the embedded server in the file system: real folders, real sockets."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.embedded import private_socket
from parleyd.embedded.private_socket import PrivateSocket
from parleyd.errors import OfflineSpeechError


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder with a short path, like a runtime directory."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


@pytest.mark.parametrize("name", ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"])
def test_socket_in_runtime_folder_is_private(runtime: Path, name: str) -> None:
    private = PrivateSocket({name: str(runtime), "TMPDIR": "/nowhere"})
    assert private.folder.parent == runtime
    assert stat.S_IMODE(private.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(os.stat(private.path).st_mode) == 0o600
    assert os.listdir(private.folder) == [Path(private.path).name]
    assert connects(private.path)
    private.close()
    assert os.listdir(runtime) == []
    private.close()  # twice


def test_first_of_several_runtime_folders_is_used(runtime: Path) -> None:
    private = PrivateSocket({"RUNTIME_DIRECTORY": f"{runtime}:/elsewhere", "XDG_RUNTIME_DIR": "/"})
    assert private.folder.parent == runtime
    private.close()


def test_umask_of_0_leaves_the_socket_private(runtime: Path) -> None:
    before = os.umask(0)
    try:
        private = PrivateSocket({"XDG_RUNTIME_DIR": str(runtime)})
    finally:
        os.umask(before)
    assert stat.S_IMODE(private.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(os.stat(private.path).st_mode) == 0o600
    private.close()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_runtime_folder_that_others_write_to_is_not_used(
    runtime: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    temporary, shared = runtime / "tmp", runtime / "shared"
    temporary.mkdir()
    shared.mkdir()
    shared.chmod(mode)
    private = PrivateSocket({"XDG_RUNTIME_DIR": str(shared), "TMPDIR": str(temporary)})
    assert private.folder.parent == temporary
    assert "XDG_RUNTIME_DIR is not a private folder of this user" in caplog.text
    private.close()


@pytest.mark.parametrize("given", ["relative/path", "/no/such/folder", ""])
def test_invalid_runtime_folder_is_not_used(runtime: Path, given: str) -> None:
    private = PrivateSocket({"XDG_RUNTIME_DIR": given, "TMPDIR": str(runtime)})
    assert private.folder.parent == runtime
    private.close()


def test_path_over_107_bytes_falls_back_to_a_short_one(runtime: Path) -> None:
    # in bytes: 28 umlauts take 56
    long = runtime / ("ü" * 28) / ("x" * 20)
    long.mkdir(parents=True)
    private = PrivateSocket({"XDG_RUNTIME_DIR": str(long), "TMPDIR": str(runtime)})
    assert len(os.fsencode(private.path)) <= 107
    assert private.folder.parent == runtime
    assert os.listdir(long) == []  # the attempt there left nothing
    private.close()


def test_no_usable_folder_is_one_clear_error(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_socket, "LAST_RESORT", str(runtime / "gone"))
    with pytest.raises(OfflineSpeechError, match="set XDG_RUNTIME_DIR") as caught:
        PrivateSocket({"TMPDIR": str(runtime / "missing")})
    assert "\n" not in str(caught.value)


def test_two_daemons_have_separate_sockets(runtime: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(runtime)}
    first, second = PrivateSocket(environ), PrivateSocket(environ)
    assert first.path != second.path
    first.close()
    assert connects(second.path)
    second.close()


def test_folder_of_a_killed_daemon_is_removed(runtime: Path) -> None:
    code = (
        "import os, signal; from parleyd.embedded.private_socket import PrivateSocket;"
        f"s = PrivateSocket({{'XDG_RUNTIME_DIR': {str(runtime)!r}}});"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = runtime.iterdir()
    other = runtime / "parley-embedded-other-people"
    target = runtime / "target"
    target.mkdir()
    other.symlink_to(target)
    private = PrivateSocket({"XDG_RUNTIME_DIR": str(runtime)})
    assert not left.exists()
    assert other.is_symlink()  # not one of our folders, so it stays
    assert target.exists()
    private.close()


def test_folder_without_socket_is_kept_for_60_s(runtime: Path) -> None:
    young, old = (runtime / f"{private_socket.PREFIX}{name}" for name in ("young", "old"))
    young.mkdir()
    old.mkdir()
    age = old.stat().st_mtime - 61
    os.utime(old, (age, age))
    PrivateSocket({"XDG_RUNTIME_DIR": str(runtime)}).close()
    assert young.exists()
    assert not old.exists()
