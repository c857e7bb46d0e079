"""A state folder belongs to one daemon."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from parleyd.errors import ParleyError
from parleyd.system import atomic_file

pytestmark = pytest.mark.slow


def at(folder: Path) -> dict[str, str]:
    environ = {**os.environ, "XDG_STATE_HOME": str(folder)}
    for name in ("STATE_DIRECTORY", "OPENAI_API_KEY"):
        environ.pop(name, None)
    return environ


def run(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parleyd", *arguments],
        env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_second_daemon_refuses_to_start_with_the_reason(tmp_path: Path) -> None:
    environ = at(tmp_path)
    with atomic_file.held(tmp_path / "parley"):
        ended = run("run", "--wait-for-card", environ=environ)
    assert ended.returncode == 1
    *_, line = ended.stderr.splitlines()
    assert line.startswith(f"parley: another Parley (process {os.getpid()}) uses the state folder")
    assert str(tmp_path / "parley") in line


def test_doctor_and_check_do_not_need_the_folder(tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text('[realtime]\nserver = "embedded"\n')
    with atomic_file.held(tmp_path / "parley"):
        checked = run("check", str(config), environ=at(tmp_path))
        examined = run("doctor", "--config", str(config), environ=at(tmp_path))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "another Parley" not in examined.stdout + examined.stderr
    assert f"{tmp_path}/parley is writable" in examined.stdout


def test_reload_keeps_the_folder_and_sigkill_frees_it(tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text(
        '[audio]\ncapture = "hw:CARD=None"\nplayback = "hw:CARD=None"\n'
        '[realtime]\nserver = "embedded"\n[log]\nlevel = "info"\n'
    )
    daemon = subprocess.Popen(
        [sys.executable, "-m", "parleyd", "run", "--wait-for-card", "--config", str(config)],
        env={**at(tmp_path), "NOTIFY_SOCKET": ""}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert daemon.stderr is not None
        _until("ready", daemon.stderr)
        daemon.send_signal(signal.SIGHUP)
        _until("configuration reloaded", daemon.stderr)
        with pytest.raises(ParleyError, match=rf"process {daemon.pid}\)"):
            atomic_file.held(tmp_path / "parley").__enter__()
    finally:
        daemon.kill()
        daemon.communicate()
    with atomic_file.held(tmp_path / "parley"):
        pass


def _until(words: str, lines: IO[str]) -> None:
    seen = []
    for line in lines:
        seen.append(line)
        if words in line:
            return
    raise AssertionError("".join(seen))
