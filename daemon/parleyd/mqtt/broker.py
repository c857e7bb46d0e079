"""The speaker at the broker: sends the content of the outbox, and hands commands on."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from parleyd.errors import ParleyError
from parleyd.mqtt.broker_link import BrokerAddress, BrokerLink, import_aiomqtt
from parleyd.mqtt.discovery import COMMANDS, DURATIONS, OFFLINE, ONLINE, Topics
from parleyd.mqtt.outbox import BrokerOutbox, CommandLimit

GOODBYE_S = 2.0
COMMANDS_PER_S = 10  # the control socket takes 100 of all clients

log = logging.getLogger(__name__)

Carry = Callable[[str, bytes], Awaitable[None]]
"""Carries out a command."""


class Broker:
    """Sends the content of the outbox, and hands commands on; on the event loop."""

    def __init__(
        self, address: BrokerAddress, topics: Topics, outbox: BrokerOutbox, carry: Carry
    ) -> None:
        self._topics, self._outbox, self._carry = topics, outbox, carry
        goodbye = (topics.status, OFFLINE)
        self._link = BrokerLink(address, topics.speaker, self._converse, last_will=goodbye)
        self._limit = CommandLimit(COMMANDS_PER_S)
        self._filled = asyncio.Event()
        self._told: set[str] = set()

    def filled(self) -> None:
        """Something new is in the outbox."""
        self._filled.set()

    async def serve(self) -> None:
        """Connect, and again after each loss, until cancelled. Raises `ConfigError`."""
        await self._link.serve()

    def tell_once(self, kind: str, text: str, *values: object) -> None:
        """Log a line of this kind, if it is the first one."""
        if kind not in self._told:
            self._told.add(kind)
            log.warning(text, *values)

    async def forget(self) -> None:
        """Clear every retained message of this speaker. Raises `ParleyError`."""
        aiomqtt = import_aiomqtt()
        values = ("status", "state", "mute", "volume", "problem", *DURATIONS)
        try:
            async with self._link.client() as client:
                for topic in (self._topics.device, *map(self._topics.of, values)):
                    await client.publish(topic, b"", qos=1, retain=True)
        except aiomqtt.MqttError as error:
            raise ParleyError(f"the MQTT broker cannot be reached: {error}") from None

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
