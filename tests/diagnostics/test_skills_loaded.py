"""`parley doctor` loads the skills really, without root's rights, and survives what they do."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.limited import LimitedCheck
from parleyd.diagnostics.skill_checks import CORRECT, NOBODY, loaded

GOOD = "from parleyd.skills import skill\n\n@skill\ndef feed(grams: int) -> str:\n    'Feed it.'\n"
pytestmark = pytest.mark.xdist_group("skills of doctor")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that every user can enter, as /etc/parley/skills is."""
    made = Path(
        subprocess.check_output(["mktemp", "-d", "/tmp/parley-skills-XXXX"]).decode().strip()
    )
    made.chmod(0o755)
    yield made
    subprocess.run(["rm", "-r", str(made)], check=True)


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(0o644)


def found(folder: Path, allowed_s: float = 20.0) -> list[Finding]:
    failure = Finding("skills", Severity.FAIL, "", "correct it")
    return list(LimitedCheck.begin(failure, allowed_s, lambda: loaded(folder)).findings())


def test_skills_that_load_are_named(folder: Path) -> None:
    assert found(folder) == []
    put(folder, "cat.py", GOOD)
    assert found(folder) == [Finding("skills", Severity.OK, "loaded: feed")]


def test_skill_that_does_not_load_is_named_and_its_correction_helps(folder: Path) -> None:
    put(folder, "cat.py", "import nothing_like_this\n" + GOOD)
    (bad,) = found(folder)
    assert bad.level is Severity.FAIL
    assert "cat.py" in bad.text
    assert "nothing_like_this" in bad.text
    assert bad.remedy == CORRECT
    put(folder, "cat.py", GOOD)
    assert [finding.level for finding in found(folder)] == [Severity.OK]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up its rights")
def test_skills_run_without_roots_rights(folder: Path) -> None:
    attempt = f"import os\nassert os.getuid() == os.getgid() == {NOBODY}, os.getuid()\n"
    attempt += "assert not os.access('/etc/shadow', os.R_OK)\n"
    put(folder, "cat.py", attempt + GOOD)
    assert [finding.level for finding in found(folder)] == [Severity.OK]
    assert os.geteuid() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads every file")
def test_skill_that_the_service_cannot_read_is_named(folder: Path) -> None:
    put(folder, "cat.py", GOOD)
    (folder / "cat.py").chmod(0o600)
    (bad,) = found(folder)
    assert "cat.py" in bad.text
    (folder / "cat.py").chmod(0o644)
    assert [finding.level for finding in found(folder)] == [Severity.OK]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os._exit(0)", "the check has an internal error"),
        ("os._exit(3)", "the check has an internal error"),
        (
            "import faulthandler; faulthandler.disable(); os.kill(os.getpid(), 11)",
            "the check crashed (SIGSEGV)",
        ),
    ],
)
def test_skill_that_ends_the_process_is_a_failure(folder: Path, code: str, words: str) -> None:
    put(folder, "cat.py", f"import os\n{code}\n")
    assert found(folder)[-1].text == words


def test_skill_that_prints_does_not_reach_the_output(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(folder, "cat.py", "import os, sys\nprint('x')\nos.write(2, b'y')\n" + GOOD)
    assert [finding.level for finding in found(folder)] == [Severity.OK]
    assert capfd.readouterr() == ("", "")


def test_skill_that_leaves_a_process_is_not_waited_for(folder: Path) -> None:
    (folder / "pid").touch()
    (folder / "pid").chmod(0o666)
    leaves = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
        f"    open('{folder}/pid', 'w').write(str(os.getpid()))\n    time.sleep(100)\n"
        "    os._exit(0)\n"
    )
    put(folder, "cat.py", leaves + GOOD)
    began = time.monotonic()
    assert [finding.level for finding in found(folder, 60.0)] == [Severity.OK]
    assert time.monotonic() - began < 50
    if pid := (folder / "pid").read_text():
        os.kill(int(pid), signal.SIGKILL)


def test_skill_that_hangs_ends_at_the_deadline(folder: Path) -> None:
    put(folder, "cat.py", "import re\nre.match('(a+)+$', 'a' * 64 + 'b')\n")  # holds the lock in C
    assert found(folder, 1.0)[-1].text == "the check does not end within 1 s"
