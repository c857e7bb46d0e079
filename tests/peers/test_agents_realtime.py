"""Our embedded server against OpenAI's agents SDK for JavaScript; see `tests/peers/run`."""

import asyncio
from pathlib import Path

import peers
import pytest
from conversing import assert_as_it_should_be, conversation

SDK = peers.folder("AGENTS_REALTIME")
CALLER = peers.HERE / "agents_realtime_caller.cjs"

pytestmark = pytest.mark.skipif(SDK is None, reason="peers are run by tests/peers/run")


def test_agents_sdk_for_js_interrupts_and_calls_a_function(
    tmp_path: Path,
) -> None:
    assert SDK is not None
    talk = conversation(tmp_path, lambda url: ["node", CALLER, SDK, url, tmp_path])
    report = asyncio.run(talk)
    assert_as_it_should_be(report, goes_on_with=0)  # it assumes playback in real time
    assert report["unread"] == []  # all our events fit the SDK's schemas
