"""A remote function that needs permission, on a real socket.

The server runs the tool only after the user's yes, and speaks about the result on request.
"""

from typing import Any

import numpy as np

from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.fault_server import Faults, FaultServer, Json, _Talk
from tests.e2e.rehearsing import RATE_HZ, run, speaker_at, tones_heard

REQUEST = {
    "type": "mcp_approval_request", "id": "ask_1", "server_label": "home", "name": "open_door",
    "arguments": '{"door": "front"}',
}  # fmt: skip
CALL = {
    "type": "mcp_call", "id": "mcp_1", "server_label": "home", "name": "open_door",
    "arguments": "{}", "approval_request_id": "ask_1", "output": "open",
}  # fmt: skip


class DoorServer(FaultServer):
    """Requests permission in its first response; runs the tool after the approval."""

    opened = 0

    async def _talk(self, socket: Any) -> None:
        self.sockets += 1
        self.talk = _DoorTalk(self, socket)
        await self.talk.run()


class _DoorTalk(_Talk):
    requested = False

    async def create(self, event: Json) -> None:
        given = event["response"].get("input")
        if given is None and self.requested:
            await self.begin(event)  # an ordinary answer, in the voice of the server
            return
        self.server.responses += 1
        number = self.server.responses
        response = {"id": f"resp_{number}", "metadata": event["response"]["metadata"]}
        await self.send("response.created", response={**response, "status": "in_progress"})
        output: list[Json] = []
        if given is None:
            self.requested, output = True, [REQUEST]
        else:
            output = [{
                "type": "function_call", "status": "completed", "call_id": "call_v",
                "name": "report_permission", "arguments": '{"granted": true}',
            }]  # fmt: skip
        for item in output:
            item_done = {"response_id": response["id"], "output_index": 0, "item": item}
            await self.send("response.output_item.done", **item_done)
            await self.send("conversation.item.done", item=item, previous_item_id=None)
        done = {**response, "status": "completed", "output": output}
        await self.send("response.done", response=done)

    async def take(self, event: Json) -> None:
        await super().take(event)
        item = event.get("item", {})
        if item.get("type") == "mcp_approval_response" and item["approve"]:
            assert item["approval_request_id"] == "ask_1"
            assert isinstance(self.server, DoorServer)
            self.server.opened += 1
            await self.send("response.mcp_call.in_progress", item_id="mcp_1", output_index=0)
            await self.send("response.mcp_call.completed", item_id="mcp_1", output_index=0)
            await self.send("conversation.item.done", item=CALL, previous_item_id=None)


async def ask(simulated: SimulatedSpeaker) -> None:
    """Ask to open the door, and wait for the end of the question."""
    simulated.post(ButtonPressed())
    await simulated.run_for(0.2)
    simulated.talker.say(synthesize("Please open the front door.", "slt"))
    assert await simulated.run(lambda: simulated.speaker.state is State.SPEAKING, longest_s=20)
    assert await simulated.run(lambda: simulated.speaker.state is State.LISTENING, longest_s=20)


def sounding_s(simulated: SimulatedSpeaker, since_s: float, until_s: float) -> float:
    """Return the duration of sound from the loudspeaker."""
    frames = simulated.recording.loudspeaker[int(since_s * RATE_HZ) : int(until_s * RATE_HZ)]
    blocks = frames[: len(frames) // 480 * 480].reshape(-1, 480).astype(float)
    return float(np.count_nonzero(np.abs(blocks).max(axis=1) > 300)) / 100


def test_spoken_yes_runs_the_tool_and_gets_an_answer() -> None:
    async def scene() -> None:
        server = DoorServer(Faults(reply_ms=1500))
        async with server.running(), speaker_at(server) as simulated:
            asked = simulated.card.now
            await ask(simulated)
            assert server.opened == 0
            answered = simulated.card.now
            # the offline voice takes 7 s for the question; the server sent none of it
            assert sounding_s(simulated, asked, answered) > 4.5
            assert server.responses == 1
            simulated.talker.say(synthesize("Yes please.", "slt"))
            idle = lambda: simulated.speaker.state is State.IDLE  # noqa: E731
            assert await simulated.run(idle, longest_s=20)
            assert server.opened == 1
            assert tones_heard(simulated, after_s=answered) == {server.responses}
        (judged,) = [e for e in server.of("response.create") if e["response"].get("input")]
        assert [item["id"] for item in judged["response"]["input"]] == ["user_2"]
        assert server.sockets == 1

    run(scene())


def test_silence_refuses_the_tool_and_the_next_turn_is_ordinary() -> None:
    async def scene() -> None:
        server = DoorServer(Faults(reply_ms=1500))
        async with server.running(), speaker_at(server) as simulated:
            await ask(simulated)
            idle = lambda: simulated.speaker.state is State.IDLE  # noqa: E731
            assert await simulated.run(idle, longest_s=20)
            simulated.post(ButtonPressed())
            await simulated.run_for(0.2)
            simulated.talker.say(synthesize("Yes please.", "slt"))
            assert await simulated.run(lambda: not idle(), longest_s=5)  # type: ignore[no-untyped-call]
            assert await simulated.run(idle, longest_s=20)
        assert server.opened == 0
        answers = [e["item"] for e in server.of("conversation.item.create")]
        assert [item["approve"] for item in answers] == [False]
        assert server.sockets == 1

    run(scene())
