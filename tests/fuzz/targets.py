"""The fuzz targets: a strategy for inputs, and a check for each input."""

import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import hypothesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.fuzz import (
    config_text,
    conversation,
    embedded,
    kept_files,
    recordings,
    settings_changes,
    skill_files,
)

HANGS_S = 20  # processor time for one input: inputs take milliseconds, with real hearing a second


class Hang(AssertionError):
    """An input takes forever."""


@dataclass(frozen=True)
class Target:
    """A check that must not raise for any input from `inputs`."""

    name: str
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    weight: int = 1
    """Relative number of inputs."""

    def run(self, examples: int, seed: int | None) -> None:
        """Check `examples` inputs; `seed` None: always the same ones.

        Raises the exception of the smallest failing input; its notes show the input.
        """

        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=seed is None,
            print_blob=False,
            report_multiple_bugs=False,  # one at a time, each as small as possible
            suppress_health_check=list(HealthCheck),
        )
        @given(self.inputs)
        def fuzz(value: Any) -> None:
            with _bounded():
                self.check(value)

        test: Callable[[], None] = hypothesis.seed(seed)(fuzz) if seed is not None else fuzz
        with _quiet():
            test()


TARGETS = (
    Target("server events", conversation.programs(), conversation.run, 4),
    Target("embedded server", embedded.PROGRAMS, embedded.run, 4),
    Target("configuration", config_text.TEXTS, config_text.check, 20),
    Target("change of settings", settings_changes.CHANGES, settings_changes.check, 10),
    Target("state file", kept_files.STATE_FILES, kept_files.check_state, 10),
    Target("log of turns", kept_files.JOURNALS, kept_files.check_journal, 10),
    Target("recorded conversation", recordings.changes(), recordings.check, 10),
    Target("recording", kept_files.RECORDINGS, kept_files.check_recording, 4),
    Target("credential", kept_files.CREDENTIALS, kept_files.check_credential, 2),
    Target("state folder", kept_files.FOLDERS, kept_files.check_folder, 4),
    Target("skill file", skill_files.TEXTS, skill_files.check, 4),
)


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def ring(signum: int, frame: FrameType | None) -> None:
        raise Hang(f"still running after {HANGS_S} s of processor time")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Format all log records but print none: only failures to log matter here."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, [_Formatting()]
    try:
        yield
    finally:
        root.handlers = before


class _Formatting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)
