"""Files and folders on a disk that may be full, damaged, shared or missing."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parleyd.errors import ParleyError
from parleyd.system import atomic_file

HOLDER = """
import sys, time
from pathlib import Path
from parleyd.system import atomic_file
with atomic_file.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_held_by_another_process_raises_with_its_pid(tmp_path: Path) -> None:
    first = holder(tmp_path / "state")
    try:
        with pytest.raises(ParleyError, match=rf"\(process {first.pid}\).*/state"):
            atomic_file.held(tmp_path / "state").__enter__()
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert first.stdout is not None
        first.stdout.close()
    with atomic_file.held(tmp_path / "state"):
        assert (tmp_path / "state/pid").read_text() == f"{os.getpid()}\n"


def test_held_is_not_inherited_by_a_child(tmp_path: Path) -> None:
    with atomic_file.held(tmp_path):
        child = subprocess.Popen(["sleep", "60"])
    try:
        with atomic_file.held(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("damage", ["folder", "pipe", "nonsense", "binary", "dangling"])
def test_held_with_a_damaged_pid_file_still_works(tmp_path: Path, damage: str) -> None:
    pid = tmp_path / atomic_file.PID
    match damage:
        case "folder":
            (pid / "x").mkdir(parents=True)
        case "pipe":
            os.mkfifo(pid)
        case "nonsense":
            pid.write_text("1; rm -rf /")
        case "binary":
            pid.write_bytes(b"\xff\x00")
        case "dangling":
            pid.symlink_to("/nowhere")
    with atomic_file.held(tmp_path):
        if damage in ("nonsense", "binary"):
            pid.write_text("1; rm -rf /")
        with pytest.raises(ParleyError, match="another Parley") as refused:
            atomic_file.held(tmp_path).__enter__()
    assert "rm -rf" not in str(refused.value)


def test_held_on_a_folder_that_cannot_be_created_logs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    with atomic_file.held(tmp_path / "file" / "parley"):
        assert "cannot be locked" in caplog.text


@pytest.mark.parametrize("place", ["pipe", "folder", "socket", "device", "missing", "long"])
def test_read_of_anything_but_a_short_file_raises(tmp_path: Path, place: str) -> None:
    path = tmp_path / "x"
    match place:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "socket":
            import socket

            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path))
        case "device":
            path = Path("/dev/zero")
        case "long":
            path.write_bytes(bytes(11))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r".+") as failed:
        atomic_file.read(path, 10)
    assert failed.value.errno in (errno.EINVAL, errno.ENXIO, errno.ENOENT, errno.EFBIG)
    assert len(os.listdir("/proc/self/fd")) == before


def test_draft_of_a_failed_writer_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")

    def write() -> None:
        with atomic_file.draft(path) as new:
            new.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_draft_with_the_name_of_an_older_one_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic_file.write(path, b"1")
    number = next(atomic_file._numbers)
    for ahead in range(1, 4):
        (tmp_path / f".a.{os.getpid()}-{number + ahead}.new").write_text("old")
    atomic_file.write(path, b"2")
    assert path.read_bytes() == b"2"
    atomic_file.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
