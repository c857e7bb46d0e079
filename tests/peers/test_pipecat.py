"""Our embedded server against pipecat; see `tests/peers/run`."""

import asyncio
from pathlib import Path

import peers
import pytest
from conversing import assert_as_it_should_be, conversation

PIPECAT = peers.folder("PIPECAT")
CALLER = peers.HERE / "pipecat_caller.py"

pytestmark = pytest.mark.skipif(PIPECAT is None, reason="peers are run by tests/peers/run")


def test_pipecat_interrupts_and_calls_a_function(tmp_path: Path) -> None:
    assert PIPECAT is not None
    python = PIPECAT / "bin" / "python"
    report = asyncio.run(conversation(tmp_path, lambda url: [python, CALLER, url, tmp_path]))
    # All error events but two end its session, so there must be none.
    assert_as_it_should_be(report, goes_on_with=0)  # it assumes playback in real time
