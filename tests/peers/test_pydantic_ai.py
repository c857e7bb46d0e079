"""Our embedded server against pydantic-ai; see `tests/peers/run`."""

import asyncio
from pathlib import Path

import peers
import pytest
from conversing import assert_as_it_should_be, conversation, truncated

PYDANTIC_AI = peers.folder("PYDANTIC_AI")
CALLER = peers.HERE / "pydantic_ai_caller.py"

pytestmark = pytest.mark.skipif(PYDANTIC_AI is None, reason="peers are run by tests/peers/run")


def test_pydantic_ai_interrupts_and_calls_a_function(tmp_path: Path) -> None:
    assert PYDANTIC_AI is not None
    python = PYDANTIC_AI / "bin" / "python"
    report = asyncio.run(conversation(tmp_path, lambda url: [python, CALLER, url, tmp_path]))
    assert_as_it_should_be(report, goes_on_with=1)
    assert [e["audio_end_ms"] for e in truncated(report)] == [5_000, 4_000]  # the heard parts
