"""Real runs of install.sh in a miniature checkout (see conftest)."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.install.conftest import Checkout

SOURCE = Path(__file__).parents[2]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
CLOSED = "http://127.0.0.1:9"  # the discard port: no server listens there

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_option_and_changes_nothing(
    checkout: Checkout, arguments: tuple[str, ...]
) -> None:
    result = checkout.run(*arguments)
    assert result.returncode == 0
    for option in (
        *("--demo", "--test", "--help", "PARLEY_PYTHON", "DESTDIR"),
        *("--install", "--upgrade", "--uninstall", "--purge", "--wheels", "--board"),
    ):
        assert option in result.stdout
    assert not checkout.venv.exists()


def test_unknown_option_is_refused(checkout: Checkout) -> None:
    assert "unknown option --dmeo" in checkout.refusal("--dmeo")
    assert not checkout.venv.exists()


def test_32_bit_system_is_refused(checkout: Checkout) -> None:
    checkout.machine(architecture="armhf")
    line = checkout.refusal("--demo")
    assert "armhf" in line
    assert "64-bit" in line


def test_system_without_dpkg_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    line = checkout.refusal("--demo", by=("/bin/bash",), PATH=str(tmp_path))
    assert "not a Debian system" in line


def test_old_python_is_refused(checkout: Checkout) -> None:
    old = checkout.root / "machine/python3"
    old.write_text("#!/bin/sh\necho 3.9.2\n")
    old.chmod(0o755)
    line = checkout.refusal("--demo", PARLEY_PYTHON=str(old))
    assert f"{old} is 3.9.2" in line
    assert "3.11" in line


def test_python_that_does_not_run_is_refused(checkout: Checkout) -> None:
    assert "does not run" in checkout.refusal("--demo", PARLEY_PYTHON="/nowhere/python3")


@needs_root
def test_checkout_of_another_user_is_refused(checkout: Checkout) -> None:
    line = checkout.refusal("--demo", by=NOBODY)
    assert "belongs to root" in line
    assert f"sudo chown -R 65534:65534 '{checkout.root}', or clone" in line


@needs_root
def test_checkout_with_another_name_does_not_suggest_chown(checkout: Checkout) -> None:
    """If Parley is unpacked into /opt or /srv, the folder may contain other files."""
    with TemporaryDirectory(prefix="srv-") as place:
        Path(place).chmod(0o755)
        script = Path(shutil.copytree(checkout.root, Path(place) / "opt")) / "install.sh"
        refused = checkout.call(*NOBODY, str(script), "--demo")
    assert "belongs to root" in refused.stderr
    assert "chown" not in refused.stderr
    assert refused.stderr.endswith("do: clone Parley into your home directory\n")


@needs_root
def test_missing_packages_without_root_are_reported(checkout: Checkout) -> None:
    checkout.machine(dpkg_query="exit 1")
    for path in (checkout.root, *checkout.root.rglob("*")):
        os.chown(path, 65534, 65534)
    line = checkout.refusal("--demo", by=NOBODY)
    assert "needs root" in line
    assert "flite" in line


@needs_root
def test_apt_without_network_is_reported(checkout: Checkout, tmp_path: Path) -> None:
    """Uses the real apt-get, with separate directories and a mirror that does not answer."""
    checkout.machine(dpkg_query="exit 1")
    for directory in ("state/lists/partial", "cache/archives/partial", "etc"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "sources").write_text(f"deb [trusted=yes] {CLOSED}/debian stable main\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::State "{tmp_path}/state"; Dir::State::status "{tmp_path}/status";\n'
        f'Dir::Cache "{tmp_path}/cache"; Dir::Etc "{tmp_path}/etc";\n'
        f'Dir::Etc::SourceList "{tmp_path}/sources"; APT::Sandbox::User "root";\n'
    )
    line = checkout.refusal("--test", APT_CONFIG=str(tmp_path / "apt.conf"))
    assert "no network" in line


def test_index_with_an_unknown_certificate_names_the_clock(checkout: Checkout) -> None:
    """As pip and apt report it on a device whose clock was never set."""
    checkout.machine(dpkg_query="exit 1")
    checkout.stand_in("apt-get", 'echo "SSLError: CERTIFICATE_VERIFY_FAILED"; exit 1')
    checkout.stand_in("sudo", 'while [[ $1 == -* ]]; do shift; done; "$@"')
    line = checkout.refusal("--demo")
    assert "the certificate of the package index is not accepted" in line
    assert "sudo timedatectl set-ntp true" in line


@pytest.mark.parametrize(
    "told",
    [
        "E: Release file for http://mirror/InRelease is not valid yet (invalid for another 9d 2h)",
        "sqv returned an error code (1): Verifying signature: Not live until 2026-11-21T08:46:20Z",
        "E: Release file for http://mirror/InRelease is expired (invalid since 392d 3h)",
    ],
)
def test_archive_from_another_time_names_the_clock(checkout: Checkout, told: str) -> None:
    """As apt-get of Debian 12 and 13 reports it on a device without a battery for its clock."""
    checkout.machine(dpkg_query="exit 1")
    checkout.stand_in("apt-get", f'echo "{told}"; exit 100')
    checkout.stand_in("sudo", 'while [[ $1 == -* ]]; do shift; done; "$@"')
    assert "sudo timedatectl set-ntp true" in checkout.refusal("--demo")


def test_lock_of_another_program_is_named_and_waited_for(checkout: Checkout) -> None:
    """The daily update holds the lock at two calls, and has ended at the third."""
    held = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 71 (apt-get)"
    calls = checkout.root / "calls"
    checkout.machine(dpkg_query="exit 1")
    checkout.stand_in("sleep", "exit 0")
    checkout.stand_in("sudo", 'while [[ $1 == -* ]]; do shift; done; "$@"')
    checkout.stand_in(
        "apt-get",
        f'echo x >>{calls}; (($(wc -l <{calls}) > 2)) && exit; echo "{held}"; exit 100',
    )
    result = checkout.run("--demo")
    assert result.stdout.count("process 71 (apt-get) uses apt; waiting") == 1
    assert len(calls.read_text().splitlines()) == 4  # update three times, then install


def test_started_by_dash_it_runs_in_bash(checkout: Checkout) -> None:
    told = checkout.call("dash", str(checkout.root / "install.sh"), "--help")
    assert told.stdout.startswith("Usage: ")


def test_packages_missing_after_apt_are_named(checkout: Checkout) -> None:
    checkout.machine(dpkg_query="shift 3; printf 'installed %s\\n' \"${@:2}\"")
    for tool in ("apt-get", "sudo"):
        fake = checkout.root / f"machine/{tool}"
        fake.write_text("#!/bin/sh\nexit 0\n")
        fake.chmod(0o755)
    assert "installing flite failed" in checkout.refusal("--demo")


def test_second_run_changes_nothing(installed: Checkout) -> None:
    log = installed.venv / "install.log"
    installed.run("--demo")
    before = log.stat().st_mtime_ns
    result = installed.run("--demo", "--report", "a directory")
    assert result.stdout == "ran parley demo --report a directory\n"
    assert result.returncode == 0
    assert log.stat().st_mtime_ns == before


def test_demo_exit_status_is_passed_on(installed: Checkout) -> None:
    assert installed.run("--demo", FAILING="parley").returncode == 1


def test_ci_checks_style_and_types_and_runs_the_tests(installed: Checkout) -> None:
    for tool in ("node", "npm"):
        installed.stand_in(tool, "exit 0")
    result = installed.call("bash", str(installed.root / ".ci/run"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "warning: pvporcupine" in result.stdout  # only this package may be missing
    ran = [line for line in result.stdout.splitlines() if "ran " in line]
    gate = [
        "ruff format",
        "ruff check",
        "mypy",
        "pytest",
        "pytest",
        "coverage",
        "mutation",
        "peers",
    ]
    assert len(ran) == len(gate)
    assert all(name in line for line, name in zip(ran, gate, strict=True))
    assert result.stdout.splitlines()[-1] == ran[-1]


@pytest.mark.parametrize("failing", ["ruff", "mypy", "pytest", "mutation"])
def test_ci_with_a_failing_part_fails(installed: Checkout, failing: str) -> None:
    for tool in ("node", "npm"):
        installed.stand_in(tool, "exit 0")
    result = installed.call("bash", str(installed.root / ".ci/run"), FAILING=failing)
    assert result.returncode != 0


@pytest.mark.parametrize("failing", ["ruff", "mypy", "pytest"])
def test_failing_check_fails_ci_but_still_runs_pytest(installed: Checkout, failing: str) -> None:
    result = installed.run("--test", "-k", "some", FAILING=failing)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "ran pytest -k some"


@pytest.mark.parametrize("name", ["build", "runtime", "plots"])
def test_changed_lock_is_installed_and_no_network_is_reported(
    installed: Checkout, name: str
) -> None:
    locked = installed.root / f"daemon/requirements/{name}.txt"
    text = locked.read_text()
    locked.write_text(f"setuptools==80.9.0 --hash=sha256:{'0' * 64}\n")
    try:
        line = installed.refusal(
            "--demo", PIP_NO_INDEX="0", PIP_INDEX_URL=f"{CLOSED}/simple", PIP_RETRIES="0"
        )
    finally:
        locked.write_text(text)
    assert "no network" in line
    healed = installed.run("--demo")
    assert healed.returncode == 0
    assert "creating .venv" not in healed.stdout


def test_broken_venv_is_rebuilt(installed: Checkout) -> None:
    (installed.venv / "bin/python3").unlink()
    result = installed.run("--demo")
    assert result.returncode == 0, result.stderr
    assert "creating .venv" in result.stdout
    assert result.stdout.endswith("ran parley demo\n")


def test_killed_setup_is_restarted(installed: Checkout) -> None:
    backend = installed.root / "daemon/backend.py"
    text = backend.read_text()
    reached = installed.root / "reached"
    os.mkfifo(reached)
    hook = "def build_editable("
    wait = f"    import signal\n    open({str(reached)!r}, 'w').close()\n    signal.pause()\n"
    backend.write_text(text.replace(hook, f"def build_editable(*_):\n{wait}\ndef unused("))
    (installed.venv / "installed-plots").unlink()
    end = os.open(reached, os.O_RDONLY | os.O_NONBLOCK)
    running = subprocess.Popen(
        [installed.root / "install.sh", "--demo"], env=installed.environ, start_new_session=True
    )
    try:
        poll = select.poll()
        poll.register(end, select.POLLIN | select.POLLHUP)
        assert poll.poll(30_000), "pip did not build the package"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        os.close(end)
        backend.write_text(text)
    result = installed.run("--demo")
    assert result.returncode == 0, result.stderr
    assert "creating .venv" in result.stdout


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_scripts_pass_shellcheck() -> None:
    own = ("install.sh", ".ci/run", "tests/versions", "tests/install/arm64", "tests/install/debs")
    packaging = SOURCE / "daemon/packaging"
    scripts = [SOURCE / name for name in own] + [packaging / "build", packaging / "build_here.sh"]
    scripts += [packaging / "configure", packaging / "inside", *packaging.glob("debian/p*")]
    command = ["shellcheck", "-x", "-P", SOURCE, *scripts]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # type: ignore[arg-type]
    assert result.stdout == ""
    assert result.returncode == 0
