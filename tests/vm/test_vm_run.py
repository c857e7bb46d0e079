"""`tests/vm/run` on machines where it cannot run; pytest never starts the guest."""

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).with_name("run")


def run(*arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUN), *arguments],
        env={"PATH": path, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
    )


def test_vm_run_without_packages_names_them_and_the_command(tmp_path: Path) -> None:
    (tmp_path / "git").touch(mode=0o755)
    done = run(path=str(tmp_path))
    assert done.returncode == 1
    assert "apt-get install qemu-system-x86 qemu-utils mmdebstrap e2fsprogs" in done.stderr
    assert "Traceback" not in done.stderr


def test_vm_run_with_unknown_part_is_refused(tmp_path: Path) -> None:
    done = run("--only", "figures,luck", path=str(tmp_path))
    assert done.returncode == 2
    assert "unknown: luck" in done.stderr


def test_vm_run_with_zero_jobs_is_refused(tmp_path: Path) -> None:
    for number in ("0", "-1", "two"):
        done = run(f"--jobs={number}", path=str(tmp_path))
        assert done.returncode == 2
        assert f"{number}: a number of guests, 1 or more, is expected" in done.stderr
