"""Runs the nearest tests on one mutant, in a forked process with a time limit."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

LOADED_BEFORE = (
    "numpy", "hypothesis", "msgspec", "websockets.asyncio.client", "websockets.asyncio.server",
    "soxr", "onnxruntime", "pymicro_wakeword", "gpiozero", "rich.table", "click",
)  # fmt: skip
"""Loaded once, before the fork; Parley itself is loaded again for each mutant."""
CPU_S = 60  # the nearest tests take up to 15; the kernel ends a mutant that loops
WALL_S = 300.0  # ends a mutant that waits; ample on a busy machine
MEMORY_BYTES = 8 << 30  # address space: a mutant that leaks memory fails


class Outcome(Enum):
    """The result of the tests on a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"
    UNTESTED = "untested"


def load_before() -> None:
    """Import the libraries of every run once, before the fork."""
    for name in LOADED_BEFORE:
        importlib.import_module(name)
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "mutation",
        derandomize=True,  # equal seeds give equal scores
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")


@dataclass
class Run:
    """A run of the tests, unchanged or with the source of one module replaced."""

    tests: Sequence[str]
    module: str = ""
    source: str = ""
    log: Path | None = None
    times: int = 1
    """Factor for `CPU_S` and `WALL_S`, for the tests of many modules at once."""


def run_all(runs: Sequence[Run], jobs: int) -> Iterator[Outcome]:
    """Yield the outcome of each run in order, with `jobs` parallel processes.

    Forks, so the process must have only one thread.
    """
    waiting, outcomes = deque(enumerate(runs)), dict[int, Outcome]()
    running: dict[int, tuple[int, float]] = {}  # process to the run's index and deadline
    try:
        for index in range(len(runs)):
            while index not in outcomes:
                while waiting and len(running) < jobs:
                    number, run = waiting.popleft()
                    running[_start(run)] = number, time.monotonic() + WALL_S * run.times
                _collect(running, outcomes)
            yield outcomes[index]
    finally:
        for pid in running:
            _end(pid)


def _collect(running: dict[int, tuple[int, float]], outcomes: dict[int, Outcome]) -> None:
    for pid, (number, deadline) in list(running.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            outcomes[number] = _outcome(status)
        elif time.monotonic() > deadline:
            _end(pid)
            outcomes[number] = Outcome.TIMED_OUT
        else:
            continue
        del running[pid]
    time.sleep(0.02)


def _start(run: Run) -> int:
    pid = os.fork()
    if pid == 0:
        _child(run)
    return pid


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _outcome(status: int) -> Outcome:
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return Outcome.TIMED_OUT
    if code == pytest.ExitCode.OK:
        return Outcome.SURVIVED
    return Outcome.UNTESTED if code == pytest.ExitCode.NO_TESTS_COLLECTED else Outcome.KILLED


def _child(run: Run) -> None:
    code = 70
    try:
        os.setpgid(0, 0)
        cpu_s = CPU_S * run.times
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 2))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        out = os.open(run.log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        if run.module:
            sys.meta_path.insert(0, _Replaced(run.module, run.source))
        quick = ("-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist")
        loaded = "ignore::pytest.PytestAssertRewriteWarning"  # hypothesis is imported early
        code = int(pytest.main([*quick, "-W", loaded, "--tb=short", *run.tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from the given source; leaves other modules to Python."""

    def __init__(self, module: str, source: str) -> None:
        self._module, self._source = module, source
        self._path = ""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        true = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert true is not None
        assert true.origin is not None
        self._path = true.origin
        return importlib.util.spec_from_file_location(
            fullname,
            true.origin,
            loader=self,
            submodule_search_locations=true.submodule_search_locations,
        )

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._path, "exec"), vars(module))
