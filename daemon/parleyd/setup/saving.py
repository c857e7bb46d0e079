"""Saves the answers: changed keys of the configuration, the key's file, the questions asked."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from parleyd import config
from parleyd.config.editing import Value, with_values
from parleyd.config.parser import tables
from parleyd.diagnostics.remedies import CHECKOUT
from parleyd.errors import ConfigError, ParleyError
from parleyd.printable import named
from parleyd.setup import key_file
from parleyd.setup.questions import QUESTIONS, SetupAnswers
from parleyd.system import atomic_file, kept_file
from parleyd.system.child_environment import child_environment

ASKED = ".answered"
"""Beside the configuration: the questions that have an answer, one a line."""
MODE = 0o644  # the service's user, who exists only while it runs, reads the configuration
PASS_ON_S = 30.0
SCRIPT = "etc_parley.sh"


def answered(path: Path) -> frozenset[str]:
    """The questions with an answer: the recorded ones, all of a file that its owner has edited."""
    with suppress(OSError):
        text = atomic_file.read(path.with_name(ASKED), 1000).decode("ascii", "replace")
        return frozenset(text.split()) & frozenset(QUESTIONS)
    with suppress(OSError, ConfigError):
        if any(tables(config.text_of(path), str(path)).values()):
            return frozenset(QUESTIONS)
    return frozenset()


def edited(text: str, answers: SetupAnswers, source: str) -> tuple[str, list[str]]:
    """The text with the answers that differ from it, and the changed lines. Pure.

    Raises: `ConfigError` for a text or an answer that is not valid.
    """
    lines: list[str] = []
    if answers.board is not None:
        text = _with(text, {"board": answers.board}, source, lines)
    values: dict[str, Value] = {}
    if answers.sound is not None:
        values |= {
            key: name
            for key, name in (
                ("audio.capture", answers.sound.capture),
                ("audio.playback", answers.sound.playback),
            )
            if name
        }
    if answers.wake_words is not None:
        values["wake.keywords"] = answers.wake_words
    if answers.server is not None:
        values["realtime.server"] = answers.server
    return _with(text, values, source, lines), lines


def _with(text: str, values: dict[str, Value], source: str, lines: list[str]) -> str:
    present = config.parse(text, source=source)
    differing = {name: value for name, value in values.items() if _value(present, name) != value}
    after, changes = with_values(text, differing, source)
    config.parse(after, source=source)
    lines += [
        f"[{change.section}] {change.after}" if change.section else change.after
        for change in changes
    ]
    return after


def _value(settings: config.Config, name: str) -> object:
    section, _, key = name.rpartition(".")
    return getattr(getattr(settings, section) if section else settings, key)


def save(path: Path, answers: SetupAnswers) -> list[str]:
    """Write what differs; return the changes as lines, which never hold the key.

    Each file is replaced whole, and the key only after the configuration. The key's file is for
    its owner alone from its first moment on. Raises `ConfigError`, and `ParleyError` for a file
    that cannot be written: then nothing is saved. Blocks.
    """
    try:
        with kept_file.locked(path):
            text = config.text_of(path) if path.exists() else ""
            after, lines = edited(text, answers, named(str(path)))
            with key_file.stored(path.parent, answers.key) as stored:
                _write(path, text, after)
                if answers.given or after != text:  # also without an answer: the file has keys now
                    _record(path, answers.given)
            lines += stored
    except OSError as error:
        raise ParleyError(
            f"{path}: cannot be written ({error.strerror}); mend that, then: sudo parley setup"
        ) from None
    return lines


def _write(path: Path, before: str, after: str) -> None:
    if not path.exists():
        with atomic_file.draft(path) as draft:
            draft.write_text(after, "utf-8")
            draft.chmod(MODE)
        return
    if after != before:
        kept_file.replace(path, after, of_others=True)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & MODE != MODE or mode & 0o022:  # as after an editor with umask 077
        path.chmod((mode | MODE) & ~0o022)


def _record(path: Path, given: Iterable[str]) -> None:
    recorded = path.with_name(ASKED)
    before: frozenset[str] = answered(path) if recorded.exists() else frozenset()
    names = [name for name in QUESTIONS if name in before or name in given]
    if recorded.exists() and before >= set(names):
        return
    with atomic_file.draft(recorded) as draft:
        draft.write_text("".join(f"{name}\n" for name in names), "ascii")
        draft.chmod(MODE)


def pass_key_on() -> None:
    """Name the keys in /etc/parley to the service, as the installation does. Blocks.

    Raises: `ParleyError` if the installation's script is missing or fails.
    """
    installed = Path(sys.prefix).resolve().parent / SCRIPT
    script = installed if installed.exists() else CHECKOUT / "systemd" / SCRIPT
    bash = shutil.which("bash") or "/bin/bash"
    try:
        subprocess.run(
            [bash, "-euc", 'umask 022; dest=""; source "$1"; name_keys', "bash", str(script)],
            check=True,
            capture_output=True,
            timeout=PASS_ON_S,
            env=child_environment(os.environ),
        )
    except (OSError, subprocess.SubprocessError):
        raise ParleyError(
            f"{script} could not pass the key to the service; run the installation again"
        ) from None
