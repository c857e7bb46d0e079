"""The hooks before a commit: the gate's own tools, and the form of the message."""

import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = (ROOT / ".pre-commit-config.yaml").read_text()
ENTRIES = re.findall(r"^ +entry: (.+)$", CONFIG, re.MULTILINE)
BODY = "\n\nThe reason for it.\n"


def test_hooks_run_tools_of_venv_in_pinned_versions() -> None:
    """A hook from another repository would have a separate version."""
    assert re.findall(r"- repo: (.+)", CONFIG) == ["local"]
    tools = {found[1] for e in ENTRIES if (found := re.match(r"\.venv/bin/python -m (\w+)", e))}
    test = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pinned = {line.partition("==")[0] for line in test["test"] if "==" in line}
    assert tools == {"ruff", "mypy"}
    assert tools <= pinned


def test_hooks_run_what_the_gate_runs() -> None:
    gate = set(
        re.findall(r'venv/bin/python" -m (ruff \w+|mypy)', (ROOT / "install.sh").read_text())
    )
    hooks = " ".join(ENTRIES)
    assert gate == {"ruff format", "ruff check", "mypy"}
    assert all(f"-m {command}" in hooks for command in gate)


faults = runpy.run_path(str(ROOT / ".ci/commit-message"))["faults"]


@pytest.mark.parametrize(
    "message",
    [
        "Refuse redirects from the server" + BODY,
        "Bring the alarm back" + BODY,
        "Pass the key to its own host alone" + BODY,
        "Focus the beam" + BODY + "\nSigned-off-by: A <a@b>\n",
        "Do " + "x" * 62 + BODY,
        "# a comment of git\nAdd a test" + BODY + "# ------------------------ >8\n+x",
        'Revert "Add a rule of the house that nobody can keep in one line of text"\n',
    ],
)
def test_message_of_good_form_passes(message: str) -> None:
    assert list(faults(message)) == []


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("Add " + "x" * 62 + BODY, "66 characters"),
        ("Added a test" + BODY, "'Added'"),
        ("Adding a test" + BODY, "'Adding'"),
        ("Adds a test" + BODY, "'Adds'"),
        ("add a test" + BODY, "'add'"),
        ("README: say more" + BODY, "'README:'"),
        ("Add a test." + BODY, "full stop"),
        ("Add a test\nThe reason for it.\n", "not empty"),
        ("Add a test\n", "no body"),
        ("Add a test\n\nSigned-off-by: A <a@b>\n", "no body"),
        ("Add a test\n\n# a comment of git\n", "no body"),
        ("Add a test\n\n# ------------------------ >8\n+x\n", "no body"),
        ("", "no body"),
    ],
)
def test_message_of_bad_form_is_refused(message: str, fault: str) -> None:
    assert fault in "\n".join(faults(message))


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_messages_of_a_range_are_checked(tmp_path: Path) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    run(tmp_path, "git", "init")
    for message in ("Old subject without a body", "Add a test" + BODY, "Adds a test" + BODY):
        run(tmp_path, "git", *who, "commit", "--allow-empty", "--no-verify", "-m", message)
    result = run(tmp_path, ROOT / ".ci/commit-message", "--range", "HEAD~2..HEAD")
    assert result.returncode == 1
    (line,) = result.stdout.splitlines()
    assert "'Adds'" in line


def test_message_in_a_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "message").write_text("Add a test" + BODY)
    result = run(tmp_path, ROOT / ".ci/commit-message", "message")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
