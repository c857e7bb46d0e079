"""A scripted realtime server that calls functions of the home, and a speaker that has them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from parleyd.config import Config
from parleyd.core.events import ButtonPressed, ToolsChanged
from parleyd.core.states import State
from parleyd.mcp.servers import McpServers
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.skills.built_in import BUILT_IN
from tests.e2e.fault_server import Faults, FaultServer, Json, _Talk
from tests.e2e.rehearsing import RATE_HZ, settings


class HomeServer(FaultServer):
    """Each turn calls the next of `plan`: the end of a function's name, and its arguments."""

    def __init__(self, *plan: tuple[str, Json]) -> None:
        super().__init__(Faults(reply_ms=1000))
        self.plan = list(plan)

    @property
    def functions(self) -> list[str]:
        """The functions of the newest session."""
        return [tool["name"] for tool in self.of("session.update")[-1]["session"]["tools"]]

    @property
    def results(self) -> list[str]:
        items = [event["item"] for event in self.of("conversation.item.create")]
        return [item["output"] for item in items if item["type"] == "function_call_output"]

    async def _talk(self, socket: Any) -> None:
        self.sockets += 1
        self.talk = _HomeTalk(self, socket)
        with contextlib.suppress(Exception):
            await self.talk.run()


class _HomeTalk(_Talk):
    async def create(self, event: Json) -> None:
        assert isinstance(self.server, HomeServer)
        if not self.server.plan or self.server.received[-2]["type"] == "conversation.item.create":
            await self.begin(event)  # an answer in the voice of the server
            return
        end, arguments = self.server.plan.pop(0)
        (name,) = (name for name in self.server.functions if name.endswith(end))
        self.server.responses += 1
        response = {
            "id": f"resp_{self.server.responses}",
            "metadata": event["response"]["metadata"],
        }
        await self.send("response.created", response={**response, "status": "in_progress"})
        item = {
            "type": "function_call", "status": "completed", "id": f"item_{response['id']}",
            "call_id": f"call_{response['id']}", "name": name, "arguments": json.dumps(arguments),
        }  # fmt: skip
        await self.send("response.output_item.done", response_id=response["id"], item=item)
        done = {**response, "status": "completed", "output": [item]}
        await self.send("response.done", response=done)


@contextlib.asynccontextmanager
async def home_speaker(
    server: HomeServer, home: Config, realtime: str, environ: dict[str, str]
) -> AsyncIterator[SimulatedSpeaker]:
    """Run a connected speaker at a realtime server of this kind, with the MCP servers of `home`.

    Waits until the realtime server knows their functions.
    """
    base = settings()
    config = msgspec.structs.replace(
        base,
        skills=home.skills,
        home=home.home,
        realtime=msgspec.structs.replace(base.realtime, server=realtime, url="ws://nas/v1"),
    )

    def changed() -> None:
        tools, guards = servers.declarations(), servers.guards()
        simulated.post(ToolsChanged(tools, guards, servers.instructions()))

    servers = McpServers(config, BUILT_IN, changed, environ)
    room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
    simulated = SimulatedSpeaker(config, server.address, None, room=room, more=servers)
    task = asyncio.create_task(servers.run())
    try:
        async with simulated.connected():

            def ready() -> bool:
                return bool(simulated.log_events("ready")) and "home_" in str(server.functions)

            assert await simulated.run(ready, longest_s=600), "the server knows no function"
            yield simulated
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def say(simulated: SimulatedSpeaker, words: str) -> None:
    """Press the button and say the words."""
    simulated.post(ButtonPressed())
    await simulated.run_for(0.2)
    simulated.talker.say(synthesize(words, "slt"))
    speaks = lambda: simulated.speaker.state is State.SPEAKING  # noqa: E731
    assert await simulated.run(speaks, longest_s=60), words


async def until_state(simulated: SimulatedSpeaker, state: State) -> None:
    assert await simulated.run(lambda: simulated.speaker.state is state, longest_s=60), state
