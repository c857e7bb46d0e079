"""The connection to the broker: one after the other, until cancelled.

aiomqtt is an extra, so it is imported when a broker is configured, and not before.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from parleyd.errors import ConfigError, ParleyError
from parleyd.mqtt.discovery import COMMANDS, DURATIONS, OFFLINE, ONLINE, Topics
from parleyd.mqtt.outbox import BrokerOutbox, CommandLimit, pause_s

KEEPALIVE_S = 30
ANSWERS_WITHIN_S = 10.0  # the broker; a slower one is left, and connected to again
GOODBYE_S = 2.0
LARGEST_PACKET = 1 << 14  # bytes that the broker may send: the longest text takes 1,600
MOST_WAITING = 64  # commands
COMMANDS_PER_S = 10  # the control socket takes 100 of all clients
STEADY_S = 60.0  # a connection that lasted: the pauses begin anew

log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.paho")  # it would log every dropped message of a flood
_quiet.setLevel(logging.CRITICAL)

Carry = Callable[[str, bytes], Awaitable[None]]
"""Carries out a command."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom Parley connects."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    user: str | None
    password: str | None = field(repr=False)


class Broker:
    """Sends what is in the outbox, and hands commands on; on the event loop."""

    def __init__(
        self, address: BrokerAddress, topics: Topics, outbox: BrokerOutbox, carry: Carry
    ) -> None:
        self._address, self._topics, self._outbox, self._carry = address, topics, outbox, carry
        self._limit = CommandLimit(COMMANDS_PER_S)
        self._filled = asyncio.Event()
        self._told: set[str] = set()

    def filled(self) -> None:
        """Something new is in the outbox."""
        self._filled.set()

    async def serve(self) -> None:
        """Connect, and again after each loss, until cancelled. Raises `ConfigError`."""
        import_aiomqtt()
        attempt, away = 0, False
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            reason = await self._connection(away)
            if loop.time() - began > STEADY_S:
                attempt, away = 0, False
            if not away:
                where = f"{self._address.host}:{self._address.port}"
                log.warning("the MQTT broker %s is away: %s; trying again and again", where, reason)
                away = True
            await asyncio.sleep(pause_s(attempt, random.random()))
            attempt += 1

    def tell_once(self, kind: str, text: str, *values: object) -> None:
        """Log a line of this kind, if it is the first one."""
        if kind not in self._told:
            self._told.add(kind)
            log.warning(text, *values)

    async def _connection(self, away: bool) -> str:
        """Serve one connection; return why it ended."""
        aiomqtt = import_aiomqtt()
        reason = "it has ended the connection"
        try:
            async with self._client(aiomqtt) as client:
                log.log(logging.WARNING if away else logging.INFO, "connected to the MQTT broker")
                await self._converse(client)
        except* aiomqtt.MqttError as errors:
            reason = str(errors.exceptions[0])
        return reason

    async def forget(self) -> None:
        """Clear every retained message of this speaker. Raises `ParleyError`."""
        aiomqtt = import_aiomqtt()
        values = ("status", "state", "mute", "volume", "problem", *DURATIONS)
        try:
            async with self._client(aiomqtt) as client:
                for topic in (self._topics.device, *map(self._topics.of, values)):
                    await client.publish(topic, b"", qos=1, retain=True)
        except aiomqtt.MqttError as error:
            raise ParleyError(f"the MQTT broker cannot be reached: {error}") from None

    def _client(self, aiomqtt: Any) -> Any:
        connect = import_module("paho.mqtt.packettypes").PacketTypes.CONNECT
        limits = import_module("paho.mqtt.properties").Properties(connect)
        limits.MaximumPacketSize = LARGEST_PACKET
        where = self._address
        return aiomqtt.Client(
            where.host,
            where.port,
            username=where.user,
            password=where.password,
            tls_context=where.tls,
            identifier=self._topics.speaker,
            protocol=aiomqtt.ProtocolVersion.V5,
            properties=limits,
            will=aiomqtt.Will(self._topics.status, OFFLINE, qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            timeout=ANSWERS_WITHIN_S,
            max_queued_incoming_messages=MOST_WAITING,
            logger=_quiet,
        )

    async def _converse(self, client: Any) -> None:
        with_flag = import_module("paho.mqtt.subscribeoptions").SubscribeOptions
        options = with_flag(qos=1, retainAsPublished=True)
        topics = [self._topics.birth, *map(self._topics.command, COMMANDS)]
        self._outbox.all_again(connected=True)
        try:
            await client.subscribe([(topic, options) for topic in topics])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(client))
                tasks.create_task(self._receive(client))
        finally:
            with contextlib.suppress(Exception):  # it has gone: its last will says the same
                async with asyncio.timeout(GOODBYE_S):
                    await client.publish(self._topics.status, OFFLINE, qos=1, retain=True)

    async def _send(self, client: Any) -> None:
        while True:
            self._filled.clear()
            while (message := self._outbox.next()) is not None:
                await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
                self._outbox.sent(message)
            await self._filled.wait()

    async def _receive(self, client: Any) -> None:
        loop = asyncio.get_running_loop()
        async for message in client.messages:
            topic = str(message.topic)
            payload = message.payload if isinstance(message.payload, bytes) else b""
            if topic == self._topics.birth:
                if payload == ONLINE.encode():
                    self._outbox.all_again()
                    self._filled.set()
                continue
            command = self._topics.command_of(topic)
            if command is None:
                continue
            if message.retain:
                self.tell_once(
                    "retained", "retained MQTT commands are ignored; clear the one at %s", topic
                )
            elif not self._limit.admits(loop.time()):
                self.tell_once(
                    "flood", "more than %d MQTT commands a second: ignored", COMMANDS_PER_S
                )
            else:
                await self._carry(command, payload)


def import_aiomqtt() -> Any:
    """The package of the extra. Raises `ConfigError` where it is not installed."""
    try:
        return import_module("aiomqtt")
    except ImportError as error:
        raise ConfigError(
            [f"mqtt.host: needs a package that is not installed ({error}): install.sh --mqtt"]
        ) from None
