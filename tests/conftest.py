"""Fixtures and marks of all tests: the rig, slow tests, and tests that must not run in parallel."""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent / "rig"))

from pulse_rig import PulseRig, RigUnavailable

# A deadline for each example would assert speed, on a machine that may be busy.
hypothesis.settings.register_profile("parley", deadline=None)
hypothesis.settings.load_profile("parley")

SLOW_FOLDERS = ("e2e", "install")
"""Tests of whole daemons, conversations and installations: each takes seconds."""
SLOW_FIXTURES = frozenset({"rig", "own_rig"})
"""Fixtures with a sound server that runs in real time."""
REAL_TIME_FILES = frozenset(
    {
        "app/test_clean_end.py",
        "app/test_state_folder.py",
        "control/test_control_server.py",
        "e2e/test_control.py",
        "e2e/test_daemon.py",
        "e2e/test_daemon_with_home.py",
        "e2e/test_lamp_by_voice.py",
        "e2e/test_objection.py",
        "e2e/test_demo.py",
        "e2e/test_failing_engine.py",
        "e2e/test_frozen.py",
        "e2e/test_reload.py",
        "e2e/test_watch.py",
        "alsa/test_sound_card.py",
        "embedded/test_child_process.py",
        "install/test_distribution.py",
        "app/test_audio_thread.py",
        "embedded/test_frozen_recognizer.py",
        "embedded/test_rude_clients.py",
        "embedded/test_server.py",
        "mcp/test_mcp_child.py",
        "mcp/test_mcp_process.py",
        "realtime/test_dialing.py",
    }
)
"""Tests with real-time processes and sockets; these and all of the rig run one at a time."""
QUICK_S = 1.0  # of processor time, on any machine; a test above it must be marked slow


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests by folder and fixture, and group tests that must not run in parallel."""
    here = Path(__file__).parent
    for item in items:
        inside = item.path.is_relative_to(here)
        file = item.path.relative_to(here).as_posix() if inside else item.path.name
        folder = file.partition("/")[0]
        rigged = not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        if folder in SLOW_FOLDERS or rigged:
            item.add_marker(pytest.mark.slow)
        keeps_time = rigged or file in REAL_TIME_FILES
        item.add_marker(pytest.mark.xdist_group("real time" if keeps_time else file))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Make the reports of a parallel run valid UTF-8: a lone surrogate in a log would end it."""
    return encodable((yield))


def encodable(part: Any) -> Any:
    """Return the report with each character without a UTF-8 form written as `\\udcff`."""
    if isinstance(part, str):
        return part.encode("utf-8", "backslashreplace").decode()
    if isinstance(part, dict):
        return {encodable(key): encodable(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(encodable(each) for each in part)
    return part


_unmarked: dict[str, float] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure the processor time of a quick test."""
    before = os.times()
    yield
    spent = sum(os.times()[:4]) - sum(before[:4])
    if spent > QUICK_S and item.get_closest_marker("slow") is None:
        _unmarked[item.nodeid] = spent


def pytest_terminal_summary(terminalreporter: Any) -> None:  # pytest names its type since 8.4
    """Name the tests that must be marked slow."""
    for name, spent in _unmarked.items():
        terminalreporter.write_line(f"mark it slow: {name} took {spent:.1f} s of processor time")


@pytest.fixture(scope="module")
def rig() -> Iterator[PulseRig]:
    """A running rig for one module; its tests skip, with the reason, if the rig cannot run."""
    yield from _running()


@pytest.fixture(autouse=True)
def _rig_is_alive(request: pytest.FixtureRequest) -> None:
    """Restart a sound server that died between two tests, or fail with one clear error."""
    if "rig" in request.fixturenames:
        request.getfixturevalue("rig").ensure()


@pytest.fixture
def own_rig() -> Iterator[PulseRig]:
    """A rig for one test, which may kill or change it."""
    yield from _running()


def _running() -> Iterator[PulseRig]:
    try:
        with PulseRig() as rig:
            yield rig
    except RigUnavailable as reason:
        pytest.skip(f"ALSA IS NOT TESTED: {reason}")
