"""Checks in child processes: whatever hangs, crashes or floods, the findings end in time."""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from parleyd.diagnostics import asking
from parleyd.diagnostics.asking import NoAnswer, answer
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.limited import REPORT, LimitedCheck

FAILURE = Finding("server", Severity.FAIL, "", "replug it")
GOOD = Finding("key", Severity.OK, "a text with\na line break, and \u201cquotes\u201d")
LONG_S, SHORT_S = 30.0, 0.3


def found(check: "object", allowed_s: float = LONG_S, failure: Finding = FAILURE) -> list[Finding]:
    return list(LimitedCheck.begin(failure, allowed_s, check).findings())  # type: ignore[arg-type]


def hangs() -> Iterator[Finding]:
    yield GOOD
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        time.sleep(1000)


def test_findings_of_the_child_arrive_unchanged() -> None:
    assert found(lambda: [GOOD] * 500) == [GOOD] * 500


def test_check_that_hangs_keeps_its_findings_and_fails() -> None:
    first, late = found(hangs, SHORT_S)
    assert first == GOOD
    assert late == Finding(
        "server", Severity.FAIL, "the check does not end within 0.3 s", "replug it"
    )


def test_check_that_floods_ends_at_the_deadline() -> None:
    def floods() -> Iterator[Finding]:
        while True:
            yield GOOD

    assert found(floods, SHORT_S)[-1].text == "the check does not end within 0.3 s"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_check_that_crashes_is_named(number: signal.Signals) -> None:
    def crashes() -> Iterable[Finding]:
        faulthandler.disable()
        os.kill(os.getpid(), number)
        return []

    (crashed,) = found(crashes)
    assert crashed.text == f"the check crashed ({number.name})"


def test_check_with_an_error_is_reported_with_its_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fails() -> Iterable[Finding]:
        raise LookupError("a fault of ours")

    (failed,) = found(fails, failure=Finding("server", Severity.FAIL, ""))
    assert (failed.text, failed.remedy) == ("the check has an internal error", REPORT)
    assert "a fault of ours" in capfd.readouterr().err


def ended(pid: int) -> bool:
    """Whether the process ends, at once or in a moment."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return True

    ends = time.monotonic() + 10
    while not gone() and time.monotonic() < ends:
        time.sleep(0.01)
    return gone()


def test_children_of_a_check_end_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def starts() -> Iterator[Finding]:
        child = subprocess.Popen(["sleep", "1000"])
        pid.write_text(str(child.pid))
        yield GOOD
        child.wait()

    found(starts, 2.0)
    assert ended(int(pid.read_text()))


def test_check_ends_with_its_parent(tmp_path: Path) -> None:
    """Ctrl+C, or a killed doctor."""
    code = (
        "import os, signal, time\n"
        "from parleyd.diagnostics.limited import LimitedCheck\n"
        "from parleyd.diagnostics.findings import Finding, Severity\n"
        "check = LimitedCheck.begin(Finding('a', Severity.FAIL, ''), 99, lambda: time.sleep(99))\n"
        "print(check._pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ended(int(ran.stdout))


# --- other programs ---------------------------------------------------------------------------


def program(folder: Path, text: str) -> str:
    path = folder / "systemctl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_answer_is_the_output(tmp_path: Path) -> None:
    assert answer([program(tmp_path, "echo a; echo b >&2")]) == "a\n"


@pytest.mark.parametrize(
    "text", ["sleep 1000", "sleep 1000 & exec sleep 1000", "trap '' TERM INT; sleep 1000"]
)
def test_program_that_hangs_is_left_with_its_children(tmp_path: Path, text: str) -> None:
    with pytest.raises(NoAnswer, match=r"does not answer within 0\.2 s"):
        answer([program(tmp_path, text)], allowed_s=0.2)


def test_program_whose_child_keeps_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        answer([program(tmp_path, "sleep 1000 &\necho told")], allowed_s=0.5)
    assert time.monotonic() - began < asking.ANSWER_S


def test_program_that_fails_or_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="systemctl fails: no bus"):
        answer([program(tmp_path, "echo no bus >&2; exit 1")])
    with pytest.raises(NoAnswer, match="nothing cannot be run: No such file"):
        answer(["/nothing"])
