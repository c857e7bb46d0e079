"""Who may use the control socket, by the kernel's word; needs root, who can be any user."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.control.place import Place
from parleyd.control.server import ControlServer
from tests.control.socket_rig import done

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="PEERS OF THE CONTROL SOCKET ARE NOT TESTED: this needs root"
)

ROOT = Path(__file__).parents[2]
OTHER, SERVICE, GROUP = 65534, 61234, 54321
ASK = "import socket,sys; s=socket.socket(1); s.connect(sys.argv[1]); print(s.recv(999).decode())"
SERVE = f"""
import ctypes, os, pathlib, sys
from parleyd.control.place import Place
from parleyd.control.server import ControlServer
from tests.control.socket_rig import done
assert ctypes.CDLL(None).unshare(0x10000000) == 0  # CLONE_NEWUSER
print("mapped?", flush=True)
sys.stdin.readline()
os.setresgid({GROUP}, {GROUP}, {GROUP})
os.setresuid({SERVICE}, {SERVICE}, {SERVICE})
os.umask(0o077)
server = ControlServer(Place(pathlib.Path(sys.argv[1]), shared=True), done)
server.start()
print("serving", flush=True)
sys.stdin.readline()
server.close()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A runtime directory as the unit makes it; pytest's own is closed to other users."""
    with tempfile.TemporaryDirectory(prefix="parley-") as name:
        os.chown(name, SERVICE, GROUP)
        Path(name).chmod(0o710)
        yield Path(name)


def asked(path: Path, group: int = OTHER, groups: tuple[int, ...] = ()) -> str:
    """The first line that another user gets, or the error."""
    ended = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", ASK, str(path)],
        user=OTHER,
        group=group,
        extra_groups=groups,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.stdout or ended.stderr


@pytest.mark.parametrize(
    ("shared", "groups", "welcome"),
    [(True, (GROUP,), True), (True, (GROUP + 1,), False), (False, (GROUP,), False)],
)
def test_peer_is_known_by_its_group_whatever_the_mode(
    shared: bool,
    groups: tuple[int, ...],
    welcome: bool,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getegid", lambda: GROUP)
    path = folder / "control"
    server = ControlServer(Place(path, shared=shared), done)
    server.start()
    try:
        folder.chmod(0o711)
        path.chmod(0o666)
        told = asked(path, groups=groups)
    finally:
        server.close()
    assert ('"hello"' in told) is welcome
    assert ('"forbidden"' in told) is not welcome


@pytest.mark.slow
def test_group_is_known_in_the_user_namespace_of_the_service(folder: Path) -> None:
    """PrivateUsers= of the unit: only root, the service and its group have numbers there."""
    path = folder / "control"
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        if service.stdout.readline() != "mapped?\n":
            pytest.skip("USER NAMESPACES ARE NOT TESTED: the kernel refuses one")
        for kind, number in (("uid", SERVICE), ("gid", GROUP)):
            Path(f"/proc/{service.pid}/{kind}_map").write_text(f"0 0 1\n{number} {number} 1\n")
        service.stdin.write("\n")
        service.stdin.flush()
        assert service.stdout.readline() == "serving\n"
        status = path.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (SERVICE, GROUP, 0o660)
        assert '"hello"' in asked(path, groups=(GROUP,))
        assert '"hello"' in asked(path, group=GROUP)
        assert "PermissionError" in asked(path)
        folder.chmod(0o711)
        path.chmod(0o666)
        assert '"forbidden"' in asked(path)
        service.stdin.write("\n")
