"""Our embedded server against LiveKit's agents; see `tests/peers/run`."""

import asyncio
from pathlib import Path

import peers
import pytest
from conversing import assert_as_it_should_be, conversation, truncated

AGENTS = peers.folder("LIVEKIT")
CALLER = peers.HERE / "livekit_caller.py"

pytestmark = pytest.mark.skipif(AGENTS is None, reason="peers are run by tests/peers/run")


def test_livekit_interrupts_and_calls_a_function(tmp_path: Path) -> None:
    assert AGENTS is not None
    python = AGENTS / "bin" / "python"
    report = asyncio.run(conversation(tmp_path, lambda url: [python, CALLER, url, tmp_path]))
    # It cancels, without an id, responses that the server has already interrupted.
    harmless = frozenset({"response_cancel_not_active"})
    assert_as_it_should_be(report, goes_on_with=1, harmless=harmless)
    assert [e["audio_end_ms"] for e in truncated(report)] == [5_000, 4_000]  # the heard parts
    creates = [e for e in report["sent"] if e["type"] == "response.create"]
    assert [create["response"]["instructions"] for create in creates] == [None]
