"""The process between broker and daemon: both may come and go."""

import asyncio
import contextlib
import logging
import os
import random
import signal
import ssl
from collections.abc import Mapping

from parleyd import config
from parleyd.control.link import ControlLink, linked
from parleyd.control.replies import (
    AnyEvent,
    Done,
    EventsDropped,
    Logged,
    StateChanged,
    StatusReply,
    TurnReported,
    VolumeReply,
)
from parleyd.control.requests import SayRequest, StatusRequest, SubscribeRequest, VolumeRequest
from parleyd.errors import ConfigError, ControlError
from parleyd.mqtt import mapping
from parleyd.mqtt.broker import Broker
from parleyd.mqtt.broker_link import BrokerAddress
from parleyd.mqtt.discovery import OFFLINE, ONLINE, Topics, device_message
from parleyd.mqtt.group import GroupRelay, GroupTopics
from parleyd.mqtt.mapping import UnusableCommand
from parleyd.mqtt.outbox import BrokerOutbox, pause_s

LOOK_S = 5.0  # between looks at the volume, which a command may have changed
SPEAKS_WITHIN_S = 660.0  # the daemon gives up earlier
MOST_TEXTS = 5  # that are spoken or wait: as many as the daemon takes
LONGEST_PAUSE_S = 10.0  # before the next try to reach the daemon

log = logging.getLogger(__name__)


def broker_address(mqtt: config.MqttConfig, environ: Mapping[str, str]) -> BrokerAddress:
    """The broker of the configuration. Raises `ConfigError`. Reads files."""
    if not mqtt.host:
        raise ConfigError(["mqtt.host: is empty, allowed is the name or address of your broker"])
    password = config.password("MQTT_PASSWORD", environ)
    if password is not None and not mqtt.user:
        raise ConfigError(["mqtt.user: is empty, but there is a password"])
    tls = None
    if mqtt.tls:
        try:
            tls = ssl.create_default_context(cafile=mqtt.ca_file or None)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError([f"mqtt.ca_file: cannot be used: {error}"]) from None
    return BrokerAddress(mqtt.host, mqtt.port, tls, mqtt.user or None, password)


async def serve(address: BrokerAddress, topics: Topics, area: str, group: str = "") -> None:
    """Run a `Bridge`, and a `GroupRelay` if there is a group, until SIGTERM or SIGINT."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Bridge(address, topics, area).run())
            if group:
                relay = GroupRelay(address, GroupTopics(topics.speaker, topics.root, group))
                tasks.create_task(relay.run())


class Bridge:
    """Shows the daemon at the broker, and carries commands to it; on one event loop."""

    def __init__(
        self,
        address: BrokerAddress,
        topics: Topics,
        area: str,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._topics, self._environ = topics, environ
        self._outbox = BrokerOutbox()
        self._broker = Broker(address, topics, self._outbox, self._carry)
        self._link: ControlLink | None = None
        self._stale = asyncio.Event()
        self._speaking: set[asyncio.Task[None]] = set()
        self._outbox.put({topics.device: device_message(topics, area)})
        self._outbox.put({topics.status: OFFLINE.encode()})

    async def run(self) -> None:
        """Serve until cancelled. Raises `ConfigError`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._broker.serve())
            tasks.create_task(self._follow())

    async def forget(self) -> None:
        """Remove the speaker from the broker. Raises `ParleyError`."""
        await self._broker.forget()

    # --- from the daemon to the broker ----------------------------------------------------

    async def _follow(self) -> None:
        attempt, away = 0, False
        while True:
            try:
                async with linked(self._take, self._environ) as link:
                    await link.ask(SubscribeRequest(topics=("state", "turns", "log")), Done)
                    self._link, attempt, away = link, 0, False
                    log.info("connected to the daemon")
                    await self._look(link)
            except ControlError as error:
                if not away:
                    log.warning("the daemon cannot be reached: %s; trying again and again", error)
                    away = True
            finally:
                self._link = None
                self._put(status=OFFLINE)
            await asyncio.sleep(pause_s(attempt, random.random(), LONGEST_PAUSE_S))
            attempt += 1

    async def _look(self, link: ControlLink) -> None:
        """Send the status whenever it may have changed, until the daemon has gone."""
        while True:
            self._stale.clear()
            status = await link.ask(StatusRequest(), StatusReply)
            self._put(status=ONLINE, **mapping.status_values(status))
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._stale.wait()
            except TimeoutError:
                continue

    def _take(self, event: AnyEvent | EventsDropped | None) -> None:
        match event:
            case None:
                self._stale.set()  # the next look finds that the daemon has gone
            case StateChanged():
                self._put(**mapping.shown_values(event.indication))
                self._stale.set()
            case TurnReported():
                self._put(**mapping.turn_values(event.fields))
                self._stale.set()
            case Logged():
                if (payload := mapping.voice_event(event.name)) is not None:
                    self._outbox.event(self._topics.of("voice"), payload)
                    self._broker.filled()

    def _put(self, **values: str) -> None:
        self._outbox.put({self._topics.of(name): text.encode() for name, text in values.items()})
        self._broker.filled()

    # --- from the broker to the daemon ----------------------------------------------------

    async def _carry(self, command: str, payload: bytes) -> None:
        """Carry out a command; a mistake is told once, without its payload."""
        try:
            request = mapping.request_of(command, payload)
        except UnusableCommand as error:
            self._broker.tell_once(command, "an MQTT command %s is ignored: it %s", command, error)
            return
        if isinstance(request, SayRequest):
            self._say(request)
            return
        if self._link is None:
            self._broker.tell_once("away", "MQTT commands are ignored while no daemon runs")
            return
        try:
            if isinstance(request, VolumeRequest):
                await self._link.ask(request, VolumeReply)
            else:
                await self._link.ask(request, Done)
        except ControlError as error:
            log.info("the MQTT command %s was refused: %s", command, error)
        # a refused change leaves the value as it was: say so to whom expects another
        self._outbox.again(*(self._topics.of(name) for name in ("mute", "volume")))
        self._stale.set()

    def _say(self, request: SayRequest) -> None:
        """Have a text spoken on a separate connection, because that takes its time."""
        if len(self._speaking) >= MOST_TEXTS:
            self._broker.tell_once("texts", "more than %d texts at once: ignored", MOST_TEXTS)
            return
        task = asyncio.create_task(self._speak(request))
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def _speak(self, request: SayRequest) -> None:
        try:
            async with linked(environ=self._environ) as link:
                await link.ask(request, Done, SPEAKS_WITHIN_S)
        except ControlError as error:
            log.info("a text over MQTT was not spoken: %s", error)
