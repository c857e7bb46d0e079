"""Whole daemons of a group in one event loop: real cores, sockets, relays, and one real broker."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from waiting import until

from parleyd import config
from parleyd.app.assembly import ProcessState, assembled
from parleyd.app.audio_thread import AudioThread
from parleyd.app.preflight import Parts
from parleyd.app.supervision import running
from parleyd.control.link import ControlLink, linked
from parleyd.control.replies import AnyEvent, Done, EventsDropped, Logged, StateChanged
from parleyd.control.requests import SubscribeRequest
from parleyd.core.usual_level import KEPT, NOMINAL_DBFS
from parleyd.mqtt.broker_link import BrokerAddress
from parleyd.mqtt.group import GroupRelay, GroupTopics
from parleyd.skills.loading import Loaded
from tests.app.assembling import process_state
from tests.mqtt.broker_rig import WITHIN_S, Mosquitto
from tests.paper_server import WakeOnDemand

CONFIG = """
[audio]
playback = "null"
capture = "null"
boot_chime = false
priority = 0
[earcons]
wake = ""
follow_up = ""
ended = ""
[realtime]
server = "embedded"
[turn]
no_speech_timeout_s = 60.0
[wake]
refractory_s = 0.2
[mqtt]
host = "localhost"
[group]
name = "home"
"""
TOPIC = "parley/group/home/"


@dataclass
class Roommate:
    """A running daemon of the group."""

    name: str
    engine: WakeOnDemand
    environ: dict[str, str]
    process: ProcessState
    audio_thread: AudioThread | None = None
    link: ControlLink | None = None
    shown: list[str] = field(default_factory=lambda: ["idle"])
    logged: list[Logged] = field(default_factory=list)

    def take(self, event: AnyEvent | EventsDropped | None) -> None:
        """Keep an event of the control socket."""
        if isinstance(event, StateChanged):
            self.shown.append(event.indication)
        elif isinstance(event, Logged):
            self.logged.append(event)

    async def joined(self) -> None:
        """Wait until the core knows that the others can be reached."""
        await until(lambda: self.process.desk._server.relays, WITHIN_S)
        audio_thread = self.audio_thread
        assert audio_thread is not None
        periods = audio_thread.periods
        await until(lambda: audio_thread.periods > periods + 3, WITHIN_S)

    def count(self, name: str) -> int:
        """How many log events of this name there were."""
        return sum(event.name == name for event in self.logged)

    @property
    def listens(self) -> bool:
        return self.shown[-1] == "listening"


@contextlib.asynccontextmanager
async def roommate(
    folder: Path, name: str, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch, near_db: float
) -> AsyncIterator[Roommate]:
    """Run a daemon and its relay inside the block.

    The null device is silent, and so are the cues, whose echo would change the level. `near_db`
    sets how loud silence is for this speaker, by the levels that it has saved.
    """
    home = folder / name
    state = home / "parley"
    state.mkdir(parents=True)
    kept = {"microphone": "null", "levels": [NOMINAL_DBFS - near_db] * KEPT}
    (state / "wake_levels.json").write_text(json.dumps(kept))
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    process = process_state(state)
    mate = Roommate(name, WakeOnDemand(), {"XDG_STATE_HOME": str(home)}, process)
    parts = Parts(mate.engine, Loaded(), {})
    address = BrokerAddress("localhost", broker.port, None, None, None)
    relay = GroupRelay(address, GroupTopics(name, "parley", "home"), mate.environ)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(process.desk.open())
        running_parts = await stack.enter_async_context(
            assembled(config.parse(CONFIG), process, parts)
        )
        mate.audio_thread = running_parts.audio_thread
        mate.link = await stack.enter_async_context(linked(mate.take, mate.environ))
        await mate.link.ask(SubscribeRequest(topics=("state", "log")), Done)
        await stack.enter_async_context(running(relay=relay.run))
        await until(lambda: process.status.line.startswith("idle"), WITHIN_S)
        yield mate


@contextlib.asynccontextmanager
async def household(
    folder: Path,
    broker: Mosquitto,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    **near_db: float,
) -> AsyncIterator[list[Roommate]]:
    """Run daemons of these names, which have all joined the group."""
    caplog.set_level(logging.INFO)
    async with contextlib.AsyncExitStack() as stack:
        mates = [
            await stack.enter_async_context(roommate(folder, name, broker, monkeypatch, level))
            for name, level in near_db.items()
        ]
        await until(lambda: caplog.text.count("joined the group home") >= len(mates), WITHIN_S)
        for mate in mates:
            await mate.joined()
        yield mates


async def eventually(there: Callable[[], bool]) -> None:
    """Wait for a condition in other threads."""
    await until(there, WITHIN_S)
