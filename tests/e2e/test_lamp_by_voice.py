"""A spoken request switches a lamp of an MCP server: real sockets, a real child process."""

from pathlib import Path

import pytest

from parleyd import config
from parleyd.core.states import State
from parleyd.simulation.clips import synthesize
from tests.e2e.rehearsing import run
from tests.mcp.home_by_voice import HomeServer, home_speaker, say, until_state
from tests.mcp.test_mcp_child import KEY, calls, serving

ENVIRON = {"HOME_MCP_KEY": KEY}


def at_home(port: int) -> config.Config:
    return config.parse(
        f"""
        [home]
        area = "Kitchen"
        device = "device1"
        [[skills.mcp]]
        label = "home"
        where = "here"
        url = "http://127.0.0.1:{port}/api/mcp"
        key = "HOME_MCP_KEY"
        """
    )


def test_lamp_is_switched_on_at_once(tmp_path: Path) -> None:
    async def scene(port: int) -> None:
        lamp = ("HassTurnOn", {"name": "Kitchen lamp", "domain": "light"})
        server = HomeServer(lamp)
        async with server.running(), home_speaker(server, at_home(port), "openai", ENVIRON) as one:
            await say(one, "Turn on the kitchen lamp.")
            await until_state(one, State.IDLE)
            assert server.results == ["Kitchen lamp is on."]
            assert one.log_events("permission") == []
        instructions = server.of("session.update")[-1]["session"]["instructions"]
        assert "names: Kitchen lamp, Cooker light" in instructions
        assert "This speaker is in the room Kitchen." in instructions

    with serving("http", tmp_path) as port:
        run(scene(port), within_s=120)
    (call,) = calls(tmp_path)
    assert (call["tool"], call["device"]) == ("HassTurnOn", "device1")


@pytest.mark.parametrize(("answer", "opened"), [("Yes please.", 1), ("No thanks.", 0)])
def test_lock_is_opened_after_a_yes_that_no_server_hears(
    answer: str, opened: int, tmp_path: Path
) -> None:
    """The device itself recognises the answer; a server that cannot judge gets none of it."""

    async def scene(port: int) -> None:
        server = HomeServer(("HassTurnOff", {"name": "Front door"}))
        async with server.running(), home_speaker(server, at_home(port), "localai", ENVIRON) as one:
            await say(one, "Please unlock the front door.")
            assert not (tmp_path / "calls").exists()
            await until_state(one, State.LISTENING)
            sent = len(server.of("input_audio_buffer.append"))
            one.talker.say(synthesize(answer, "slt"))
            await until_state(one, State.THINKING)
            await until_state(one, State.SPEAKING)
            assert len(server.of("input_audio_buffer.append")) == sent
            (note,) = one.log_events("permission")
            assert note.what.fields["granted"] is bool(opened)
        words = "Front door is off." if opened else "This was not done: the user did not say yes."
        assert server.results == [words]

    with serving("http", tmp_path) as port:
        run(scene(port), within_s=120)
    assert (len(calls(tmp_path)) if opened else 0) == opened


def test_server_that_dies_in_a_call_is_explained_to_the_model(tmp_path: Path) -> None:
    async def scene(port: int) -> None:
        plan = ("misbehave", {"how": "die"})
        server = HomeServer(plan)
        home = at_home(port)
        trusting = config.McpServerConfig(
            label="home", where="here", url=home.skills.mcp[0].url, key="HOME_MCP_KEY",
            never_ask=("misbehave",),
        )  # fmt: skip
        home = config.Config(skills=config.SkillsConfig(mcp=(trusting,)), home=home.home)
        async with server.running(), home_speaker(server, home, "compatible", ENVIRON) as one:
            await say(one, "Do something that no server should do.")
            (result,) = server.results
            assert result == "The connection was lost; it is not known whether it was done."
            assert one.log_events("reply_failed") == []

    with serving("http", tmp_path) as port:
        run(scene(port), within_s=120)
