"""Our client against aimock's realtime server; see `tests/peers/run`.

It answers in text only, one message after the other, and confirms a cancel with an event that
does not exist. Its error messages are captured from the live service.
"""

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import peers
import pytest

from parleyd.app.server_address import server_address
from parleyd.config import RealtimeConfig
from parleyd.core.events import ButtonPressed, ConnectionDown, ConnectionUp, InputEvent
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.rehearsing import RATE_HZ, run, settings

AIMOCK = peers.folder("AIMOCK")
KEY = "sk-test-0123456789abcdef"

pytestmark = pytest.mark.skipif(AIMOCK is None, reason="peers are run by tests/peers/run")

SLOW_MS, SLOW_CHUNKS = 100, 12
FASTER = 2.0  # times real time: a cancelled response ends within the 3 s that our client waits
ANSWERS: list[dict[str, Any]] = [
    {"response": {"toolCalls": [{"name": "set_volume", "arguments": {"percent": 40}}]}},
    {"response": {"content": "The volume is forty percent."}},
    {"response": {"error": {"message": "Oops.", "type": "server_error"}, "status": 500}},
    {"response": {"content": "It is water that falls."}},
    {"response": {"content": "x" * SLOW_CHUNKS}, "latency": SLOW_MS, "chunkSize": 1},
    {"response": {"content": "From clouds."}},
]


@contextlib.asynccontextmanager
async def aimock(folder: Path) -> AsyncIterator[int]:
    """Run the server with one answer for each `response.create`; it accepts one key."""
    assert AIMOCK is not None
    instructions = RealtimeConfig().instructions[:20]
    fixtures = [
        {"match": {"systemMessage": instructions, "sequenceIndex": number}, **answer}
        for number, answer in enumerate(ANSWERS)
    ]
    script = folder / "answers.json"
    script.write_text(json.dumps({"fixtures": fixtures}))
    port = peers.free_port()
    command = ["env", f"AIMOCK_API_KEYS={KEY}", "node"]
    command += [str(AIMOCK / "node_modules/@copilotkit/aimock/dist/cli.js"), "--strict"]
    async with peers.serving([*command, "-p", str(port), "-f", script], port):
        yield port


def realtime(port: int, **more: Any) -> RealtimeConfig:
    """Return settings with OpenAI's profile, which aimock imitates."""
    return RealtimeConfig(server="openai", url=f"ws://127.0.0.1:{port}/v1/realtime", **more)


async def requests(port: int) -> list[dict[str, Any]]:
    """Return the requests that aimock received."""

    def fetch() -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/__aimock/journal", headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=peers.PATIENCE_S) as answer:
            return json.load(answer)

    return [entry for entry in await asyncio.to_thread(fetch) if entry["method"] == "WS"]


def test_aimock_conversation_with_function_failure_and_barge_in(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with aimock(tmp_path) as port:
            server = realtime(port)
            address = server_address(server, {"OPENAI_API_KEY": KEY})
            assert address is not None
            config = msgspec.structs.replace(settings(), realtime=server)
            room = Room(seed=3, echo_gain_db=-30, noise_dbfs=-75, loudspeaker_rate_hz=RATE_HZ)
            simulated = SimulatedSpeaker(config, address, None, room=room, faster=FASTER)
            async with simulated.connected():
                await converse(simulated)
            asked = await requests(port)
        text_only, failure = [
            note.what.fields["text"] for note in simulated.log_events("server_error")
        ]
        assert "set to text" in text_only
        assert "once more" in failure
        assert simulated.received(ev.ServerError) == []
        assert len(asked) == len(ANSWERS) == len(simulated.sent(ev.CreateResponse))
        *_, tool = asked[1]["body"]["messages"]
        assert (tool["role"], tool["content"]) == ("tool", "The volume is 40 percent now.")
        cancelled_before_the_next_was_asked_for(simulated)

    run(scene(), within_s=300)


async def converse(simulated: SimulatedSpeaker) -> None:
    speaker = simulated.speaker
    assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
    for words in ("Quieter, please.", "What is rain?"):
        await ask(simulated, words)
        assert await simulated.run(lambda: speaker.state is State.IDLE, longest_s=20)
    await ask(simulated, "Well.")
    began = lambda: len(simulated.received(ev.ResponseCreated)) == 5  # noqa: E731
    assert await simulated.run(began, longest_s=20)
    simulated.talker.say(normalised(synthesize("And where does it come from?", "rms"), -24.0))
    assert await simulated.run(lambda: speaker.state is State.LISTENING, longest_s=20)
    assert await simulated.run(lambda: speaker.state is State.IDLE, longest_s=30)


async def ask(simulated: SimulatedSpeaker, words: str) -> None:
    simulated.post(ButtonPressed())
    await simulated.run_for(0.3)
    simulated.talker.say(normalised(synthesize(words, "rms"), -24.0))
    thinking = lambda: simulated.speaker.state is State.THINKING  # noqa: E731
    assert await simulated.run(thinking, longest_s=20)


def cancelled_before_the_next_was_asked_for(simulated: SimulatedSpeaker) -> None:
    *_, slow, last = [m.what.response.id for m in simulated.received(ev.ResponseCreated)]
    (cancel,) = simulated.sent(ev.CancelResponse)
    assert cancel.what.response_id == slow
    kinds = ev.CancelResponse | ev.ResponseDone | ev.CreateResponse
    story = [m.what for m in simulated.moments if isinstance(m.what, kinds)]
    after = story[story.index(cancel.what) + 1 :]
    # aimock ends the cancelled response twice first; it may name the last response "".
    assert [type(event) for event in after] == [
        ev.ResponseDone, ev.ResponseDone, ev.CreateResponse, ev.ResponseDone,
    ]  # fmt: skip
    assert [after[0].response.id, after[3].response.id] in ([slow, last], [slow, ""])  # type: ignore[union-attr]


async def refused(folder: Path, key: str, **more: Any) -> list[InputEvent]:
    """Return the events of the connection until it is down."""
    told: list[InputEvent] = []
    down = asyncio.Event()

    def tell(event: InputEvent) -> None:
        told.append(event)
        if isinstance(event, ConnectionDown):
            down.set()

    async with aimock(folder) as port:
        address = server_address(realtime(port, **more), {"OPENAI_API_KEY": key})
        assert address is not None
        connection = asyncio.create_task(RealtimeConnection(address, tell).run())
        await down.wait()
        if not told[-1].fatal:  # type: ignore[union-attr]
            connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)  # a fatal error ends the task
    return told


def test_refused_beta_header_is_named_and_retried_later(tmp_path: Path) -> None:
    async def scene() -> None:
        told = await refused(tmp_path, KEY, headers={"OpenAI-Beta": "realtime=v1"})
        *_, down = told
        assert isinstance(down, ConnectionDown)
        assert (down.fatal, down.later) == (False, True)
        assert "remove beta headers" in down.reason
        assert any(
            isinstance(event, ConnectionUp) for event in told
        )  # refused after the upgrade (101)

    run(scene(), within_s=60)


def test_refused_key_is_final_and_named(tmp_path: Path) -> None:
    async def scene() -> None:
        (down,) = await refused(tmp_path, "sk-other")
        assert isinstance(down, ConnectionDown)
        assert down.fatal
        assert "refuses the key" in down.reason

    run(scene(), within_s=60)
