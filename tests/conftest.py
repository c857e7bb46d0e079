"""What tests of several rooms share: the way to `tests/rig`, and a running rig."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "rig"))

from pulse_rig import PulseRig, RigUnavailable


@pytest.fixture(scope="module")
def rig() -> Iterator[PulseRig]:
    """A running rig for this module; the tests skip, with the reason, where it cannot run."""
    yield from _running()


@pytest.fixture
def own_rig() -> Iterator[PulseRig]:
    """A rig for one test, which may kill it or change it."""
    yield from _running()


def _running() -> Iterator[PulseRig]:
    try:
        with PulseRig() as rig:
            yield rig
    except RigUnavailable as reason:
        pytest.skip(f"ALSA IS NOT TESTED: {reason}")
