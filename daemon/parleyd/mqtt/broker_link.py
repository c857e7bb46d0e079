"""A connection to the broker: one after the other, until cancelled.

aiomqtt is an extra, so it is imported when a broker is configured, and not before.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from parleyd.errors import ConfigError
from parleyd.mqtt.outbox import pause_s

KEEPALIVE_S = 30
ANSWERS_WITHIN_S = 10.0  # the broker; a slower one is left, and connected to again
LARGEST_PACKET = 1 << 14  # bytes that the broker may send: the longest text takes 1,600
MOST_WAITING = 64  # messages
STEADY_S = 60.0  # a connection that lasted: the pauses begin anew
CUT_OFF = 3  # connections in a row that did not last: no broker restarts so often
_TWICE = (
    "the MQTT broker has ended %d connections at once: does another client use the name %s? "
    "Speakers with a copied card have the same machine id, see daemon/docs/home-assistant.md"
)

log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.paho")  # it would log every dropped message of a flood
_quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom Parley connects."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    user: str | None
    password: str | None = field(repr=False)


class BrokerLink:
    """Connects again and again; `converse` serves each connection. On the event loop."""

    def __init__(
        self,
        address: BrokerAddress,
        identifier: str,
        converse: Callable[[Any], Awaitable[None]],
        *,
        last_will: tuple[str, str] | None = None,
        level: int = logging.WARNING,
    ) -> None:
        """`last_will`: topic and text. `level`: of the log's lines about a broker that is away."""
        self._address, self._identifier, self._converse = address, identifier, converse
        self._last_will, self._level = last_will, level
        self._short = 0  # connections since one that lasted

    async def serve(self) -> None:
        """Connect, and again after each loss, until cancelled. Raises `ConfigError`."""
        import_aiomqtt()
        attempt, away = 0, False
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            reason = await self._connection(away)
            if loop.time() - began > STEADY_S:
                attempt, away, self._short = 0, False, 0
            if not away:
                where = f"{self._address.host}:{self._address.port}"
                text = "the MQTT broker %s is away: %s; trying again and again"
                log.log(self._level, text, where, reason)
                away = True
            if self._short == CUT_OFF:
                log.log(self._level, _TWICE, CUT_OFF, self._identifier)
                self._short += 1  # once
            await asyncio.sleep(pause_s(attempt, random.random()))
            attempt += 1

    def client(self) -> Any:
        """A client that is not connected yet: a context manager of aiomqtt."""
        aiomqtt = import_aiomqtt()
        connect = import_module("paho.mqtt.packettypes").PacketTypes.CONNECT
        limits = import_module("paho.mqtt.properties").Properties(connect)
        limits.MaximumPacketSize = LARGEST_PACKET
        where, last = self._address, self._last_will
        return aiomqtt.Client(
            where.host,
            where.port,
            username=where.user,
            password=where.password,
            tls_context=where.tls,
            identifier=self._identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            properties=limits,
            will=aiomqtt.Will(*last, qos=1, retain=True) if last is not None else None,
            keepalive=KEEPALIVE_S,
            timeout=ANSWERS_WITHIN_S,
            max_queued_incoming_messages=MOST_WAITING,
            logger=_quiet,
        )

    async def _connection(self, away: bool) -> str:
        """Serve one connection; return why it ended."""
        aiomqtt = import_aiomqtt()
        reason = "it has ended the connection"
        try:
            async with self.client() as client:
                log.log(self._level if away else logging.INFO, "connected to the MQTT broker")
                self._short += 1
                await self._converse(client)
        except* aiomqtt.MqttError as errors:
            reason = str(errors.exceptions[0])
        return reason


def import_aiomqtt() -> Any:
    """The package of the extra. Raises `ConfigError` where it is not installed."""
    try:
        return import_module("aiomqtt")
    except ImportError as error:
        raise ConfigError(
            [
                f"mqtt.host: needs a package that is not installed ({error}): "
                "run sudo ./install.sh --install --mqtt"
            ]
        ) from None
