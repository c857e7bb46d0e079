"""Our embedded server against OpenAI's agents SDK for Python; see `tests/peers/run`."""

import asyncio
from pathlib import Path

import peers
import pytest
from conversing import assert_as_it_should_be, conversation, truncated

SDK = peers.folder("OPENAI_AGENTS")
CALLER = peers.HERE / "openai_agents_caller.py"

pytestmark = pytest.mark.skipif(SDK is None, reason="peers are run by tests/peers/run")


def test_agents_sdk_interrupts_and_calls_a_function(
    tmp_path: Path,
) -> None:
    assert SDK is not None
    python = SDK / "bin" / "python"
    talk = conversation(tmp_path, lambda url: [python, CALLER, url, tmp_path])
    report = asyncio.run(talk)
    assert_as_it_should_be(report, goes_on_with=1)
    assert [e["audio_end_ms"] for e in truncated(report)] == [5_000, 4_000]  # the heard parts
