"""What is fuzzed: a way to make inputs, and what must hold for each."""

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

from tests.fuzz import config_text, conversation, embedded, kept_files, recordings, skill_files

HANGS_S = 20  # of the processor, for one input: they take milliseconds, with hearing a second


class Hang(AssertionError):
    """An input that takes for ever."""


@dataclass(frozen=True)
class Target:
    """`check` raises nothing for any input that `inputs` makes."""

    name: str
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    weight: int = 1
    """How many inputs, compared with the others."""

    def run(self, examples: int, seed: int | None) -> None:
        """Check so many inputs; `seed` None: always the same ones. Raises what the smallest
        failing input raised; its notes show the input."""

        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=seed is None,
            print_blob=False,
            report_multiple_bugs=False,  # one after the other, each as small as can be
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
        raise Hang(f"not over after {HANGS_S} s of work")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What Parley logs about nonsense is not what is asked here; that it can, is."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, [_Formatting()]
    try:
        yield
    finally:
        root.handlers = before


class _Formatting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)
