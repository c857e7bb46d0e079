"""The speakers of a group over the broker: news go out and come in, or are dropped, at once.

It has separate connections to the broker and to the daemon, so that no command and no text
delays a claim. A claim that has waited too long is not sent: the others have decided without it.
It subscribes at the daemon while it has the broker, so that the daemon holds nothing in vain.
"""

import asyncio
import logging
import os
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import msgspec
from msgspec import structs

from parleyd.control.link import ControlLink, linked
from parleyd.control.replies import (
    UNREADABLE,
    AnyEvent,
    Code,
    Done,
    EventsDropped,
    GroupClaim,
    GroupNews,
    GroupSpeech,
)
from parleyd.control.requests import GroupRequest, SubscribeRequest
from parleyd.errors import ControlError
from parleyd.mqtt.broker_link import BrokerAddress, BrokerLink
from parleyd.mqtt.outbox import CommandLimit, pause_s

LARGEST_NEWS = 400  # bytes; a claim has 110
NEWS_PER_S = 20  # of all other speakers: three of them need two in a turn
MOST_NEWS = 16  # that wait, in each direction
OLDEST_CLAIM_S = 0.7  # no speaker looks at an older one
EXPIRY_S = 1  # the broker keeps no news for longer
LONGEST_PAUSE_S = 10.0  # before the next try to reach the daemon
NEVER_RETAINED = 2  # retained messages are not sent at the subscription

log = logging.getLogger(__name__)
_news = msgspec.json.Decoder(GroupNews)


@dataclass(frozen=True, slots=True)
class GroupTopics:
    """The topics of a group; each speaker writes to its own."""

    speaker: str
    """This speaker's id."""
    root: str
    """`mqtt.topic`."""
    group: str
    """`group.name`."""

    @property
    def own(self) -> str:
        """The topic to which this speaker writes."""
        return f"{self.root}/group/{self.group}/{self.speaker}"

    @property
    def every(self) -> str:
        """The filter for the topics of all speakers."""
        return f"{self.root}/group/{self.group}/+"

    def speaker_of(self, topic: str) -> str | None:
        """The other speaker that writes to this topic; None for a topic that is none."""
        speaker = topic.removeprefix(self.every.removesuffix("+"))
        return speaker if 0 < len(speaker) <= 60 and "/" not in speaker else None


class NewsQueue:
    """News with the times of their arrival; the oldest are dropped. On the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, GroupNews, float]] = deque(maxlen=MOST_NEWS)
        self._filled = asyncio.Event()
        self._ended = False

    def put(self, speaker: str, news: GroupNews) -> None:
        """Add news of a speaker."""
        self._waiting.append((speaker, news, asyncio.get_running_loop().time()))
        self._filled.set()

    def begin(self) -> None:
        """Drop everything; `next` waits from now on."""
        self._waiting.clear()
        self._ended = False

    def end(self) -> None:
        """Let `next` return None."""
        self._ended = True
        self._filled.set()

    async def next(self) -> tuple[str, GroupNews] | None:
        """Wait for news that are not too old; claims have aged. None after `end`."""
        while not self._ended:
            while self._waiting:
                speaker, news, came = self._waiting.popleft()
                aged = _aged(news, asyncio.get_running_loop().time() - came)
                if aged is not None:
                    return speaker, aged
            self._filled.clear()
            await self._filled.wait()
        return None


class GroupRelay:
    """Carries news between the daemon and the other speakers; on one event loop."""

    def __init__(
        self,
        address: BrokerAddress,
        topics: GroupTopics,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._topics, self._environ = topics, environ
        level = logging.DEBUG  # the speaker's other connection logs a broker that is away
        self._broker = BrokerLink(address, f"{topics.speaker}_group", self._converse, level=level)
        self._limit = CommandLimit(NEWS_PER_S)
        self._out, self._in = NewsQueue(), NewsQueue()
        self._told: set[str] = set()

    async def run(self) -> None:
        """Serve until cancelled. Raises `ConfigError`."""
        await self._broker.serve()

    # --- the daemon -----------------------------------------------------------------------

    async def _follow(self) -> None:
        attempt = 0
        while True:
            self._in.begin()
            try:
                async with linked(self._take, self._environ) as link:
                    await link.ask(SubscribeRequest(topics=("group",)), Done)
                    attempt = 0
                    await self._hand_on(link)
            except ControlError as error:
                log.debug("no group: %s", error)
            await asyncio.sleep(pause_s(attempt, random.random(), LONGEST_PAUSE_S))
            attempt += 1

    async def _hand_on(self, link: ControlLink) -> None:
        """Hand the others' news to the daemon until it has gone."""
        while (came := await self._in.next()) is not None:
            speaker, news = came
            try:
                await link.ask(GroupRequest(speaker=speaker, news=news), Done)
            except ControlError as error:
                if error.code not in (Code.NO_GROUP, Code.RELOADING):
                    raise
                if error.code == Code.NO_GROUP:
                    self._tell_once("the daemon is in no group: systemctl reload parleyd")

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            log.warning("%s", text)

    def _take(self, event: AnyEvent | EventsDropped | None) -> None:
        if event is None:
            self._in.end()
        elif isinstance(event, GroupClaim | GroupSpeech):
            self._out.put(self._topics.speaker, event)

    # --- the broker -----------------------------------------------------------------------

    async def _converse(self, client: Any) -> None:
        with_flags = import_module("paho.mqtt.subscribeoptions").SubscribeOptions
        options = with_flags(qos=0, noLocal=True, retainHandling=NEVER_RETAINED)
        await client.subscribe([(self._topics.every, options)])
        self._out.begin()
        log.info("joined the group %s", self._topics.group)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._send(client))
            tasks.create_task(self._receive(client))

    async def _send(self, client: Any) -> None:
        publish = import_module("paho.mqtt.packettypes").PacketTypes.PUBLISH
        properties = import_module("paho.mqtt.properties").Properties(publish)
        properties.MessageExpiryInterval = EXPIRY_S
        while True:
            if (waiting := await self._out.next()) is not None:
                payload = msgspec.json.encode(waiting[1])
                await client.publish(self._topics.own, payload, qos=0, properties=properties)

    async def _receive(self, client: Any) -> None:
        loop = asyncio.get_running_loop()
        async for message in client.messages:
            speaker = self._topics.speaker_of(str(message.topic))
            payload = message.payload if isinstance(message.payload, bytes) else b""
            if speaker is None or message.retain:
                continue
            if speaker == self._topics.speaker:  # the broker sends no own messages back
                self._tell_once("another speaker has this one's id : is its card a copy?")
                continue
            if not self._limit.admits(loop.time()) or len(payload) > LARGEST_NEWS:
                continue
            try:
                self._in.put(speaker, _news.decode(payload))
            except UNREADABLE:
                log.debug("a message of the group speaker %s cannot be read", speaker)


def _aged(news: GroupNews, waited_s: float) -> GroupNews | None:
    """The news after this time; None for a claim that is too old."""
    if isinstance(news, GroupSpeech):
        return news
    age_ms = news.age_ms + round(waited_s * 1000)
    return structs.replace(news, age_ms=age_ms) if age_ms < OLDEST_CLAIM_S * 1000 else None
