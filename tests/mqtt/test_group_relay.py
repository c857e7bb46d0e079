"""The relay of a group between real control sockets and the real mosquitto."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from waiting import until

from parleyd.app.supervision import running
from parleyd.control.place import Place
from parleyd.control.replies import (
    AnyReply,
    Code,
    Done,
    ErrorReply,
    GroupClaim,
    GroupNews,
    GroupSpeech,
)
from parleyd.control.requests import ActRequest, GroupRequest
from parleyd.control.server import ControlServer
from parleyd.mqtt.broker_link import BrokerAddress
from parleyd.mqtt.group import LARGEST_NEWS, NEWS_PER_S, GroupRelay, GroupTopics, NewsQueue
from tests.mqtt.broker_rig import WITHIN_S, Mosquitto, Rig, needs_broker, rig

CLAIM = GroupClaim(claim="c-1", level_db=-1.5, heard=0, answering=False, age_ms=3)


class Outpost:
    """A daemon's control socket that keeps the news of the others."""

    def __init__(self, folder: Path, name: str, grouped: bool = True) -> None:
        self._grouped = grouped
        (folder / name / "parley").mkdir(parents=True)
        self.environ = {"XDG_STATE_HOME": str(folder / name)}
        self.came: list[tuple[str, GroupNews]] = []
        self._server = ControlServer(Place(folder / name / "parley/control", False), self._answer)
        self._server.start()

    def tell(self, news: GroupNews) -> None:
        self._server.publish(news)

    def close(self) -> None:
        self._server.close()

    async def _answer(self, request: ActRequest) -> AnyReply:
        assert isinstance(request, GroupRequest)
        self.came.append((request.speaker, request.news))
        if not self._grouped:
            return ErrorReply(id=request.id, code=Code.NO_GROUP, message="no group")
        return Done(id=request.id)


@contextlib.asynccontextmanager
async def relayed(
    folder: Path, broker: Mosquitto, caplog: pytest.LogCaptureFixture, grouped: bool = True
) -> AsyncIterator[tuple[Outpost, Outpost]]:
    caplog.set_level(logging.DEBUG, "parleyd.mqtt.group")
    address = BrokerAddress("localhost", broker.port, None, None, None)
    posts = {name: Outpost(folder, name, grouped) for name in ("a", "b")}
    relays = {
        name: GroupRelay(address, GroupTopics(name, "parley", "home"), post.environ).run
        for name, post in posts.items()
    }
    try:
        async with running(**relays):
            await until(lambda: caplog.text.count("joined the group home") == 2, WITHIN_S)
            await until(lambda: all("group" in p._server._topics for p in posts.values()), WITHIN_S)
            yield posts["a"], posts["b"]
    finally:
        for post in posts.values():
            post.close()


@pytest.mark.slow
@needs_broker
def test_news_reach_the_other_and_never_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(place: Rig) -> None:
        async with relayed(tmp_path, place.broker(), caplog) as (a, b):
            a.tell(CLAIM)
            b.tell(GroupSpeech(lease_ms=7000))
            await until(lambda: bool(a.came and b.came), WITHIN_S)
            (speaker, claim), ((other, speech),) = b.came[0], a.came
            assert isinstance(claim, GroupClaim)
            assert (speaker, claim.claim, claim.level_db) == ("a", "c-1", -1.5)
            assert claim.age_ms >= 3
            assert (other, speech) == ("b", GroupSpeech(lease_ms=7000))
            assert len(b.came) == 1

    with rig(tmp_path) as place:
        asyncio.run(life(place))


@pytest.mark.slow
@needs_broker
def test_unreadable_large_and_too_many_messages_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(place: Rig) -> None:
        broker = place.broker()
        home = place.home(broker)
        async with relayed(tmp_path, broker, caplog) as (_, b):
            good = b'{"type":"speaking","lease_ms":%d}'
            for payload in (
                b"\xff\xfe", b"{", b"[]", b"null", b'{"type":"say"}', b"[" * 300,
                b'{"type":"speaking","lease_ms":-1}', b'{"type":"claim","claim":"","level_db":1}',
                good % 1 + b" " * LARGEST_NEWS,
            ):  # fmt: skip
                home.publish("parley/group/home/x", payload)
            home.publish("parley/group/home/x/y", good % 1)
            home.publish("parley/group/other/x", good % 1)
            await asyncio.sleep(1.1)
            for number in range(200):
                home._client.publish("parley/group/home/x", good % number)
            await until(lambda: len(b.came) >= NEWS_PER_S // 2, WITHIN_S)
            await asyncio.sleep(0.5)
            assert len(b.came) <= 2 * NEWS_PER_S
            assert {speaker for speaker, _ in b.came} == {"x"}

    with rig(tmp_path) as place:
        asyncio.run(life(place))


@pytest.mark.slow
@needs_broker
def test_daemon_without_the_group_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(place: Rig) -> None:
        async with relayed(tmp_path, place.broker(), caplog, grouped=False) as (a, b):
            for _ in range(3):
                a.tell(CLAIM)
            await until(lambda: len(b.came) == 3, WITHIN_S)
        assert caplog.text.count("the daemon is in no group") == 1

    with rig(tmp_path) as place:
        asyncio.run(life(place))


@pytest.mark.slow
@needs_broker
def test_copied_card_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two speakers with one machine id write to the same topic."""

    async def life(place: Rig) -> None:
        broker = place.broker()
        home = place.home(broker)
        async with relayed(tmp_path, broker, caplog) as (a, b):
            for _ in range(3):
                home.publish("parley/group/home/a", b'{"type":"speaking","lease_ms":1}')
            await until(lambda: len(b.came) == 3, WITHIN_S)
            await until(lambda: "another speaker has this one's id" in caplog.text, WITHIN_S)
            assert a.came == []
        assert caplog.text.count("another speaker has this one's id") == 1

    with rig(tmp_path) as place:
        asyncio.run(life(place))


@pytest.mark.slow
@needs_broker
def test_access_list_of_the_page_keeps_others_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has the rights of a may read the group, and speak for a alone."""

    async def life(place: Rig) -> None:
        rights = tmp_path / "rights"
        rights.write_text("topic read parley/group/home/+\ntopic write parley/group/home/a\n")
        rights.chmod(0o600)
        broker = place.broker("allow_anonymous true", f"acl_file {rights}")
        async with relayed(tmp_path, broker, caplog) as (a, b):
            b.tell(CLAIM)  # the broker takes it for nothing
            a.tell(CLAIM)
            await until(lambda: bool(b.came), WITHIN_S)
            await asyncio.sleep(0.3)
            assert [speaker for speaker, _ in b.came] == ["a"]
            assert a.came == []

    with rig(tmp_path) as place:
        asyncio.run(life(place))


def test_claim_that_waited_too_long_is_dropped() -> None:
    async def life() -> None:
        news = NewsQueue()
        news.put("a", CLAIM)
        loop = asyncio.get_running_loop()
        really = loop.time
        loop.time = lambda: really() + 0.71  # type: ignore[method-assign]
        news.put("a", GroupSpeech(lease_ms=0))
        assert await news.next() == ("a", GroupSpeech(lease_ms=0))
        news.put("b", CLAIM)
        loop.time = lambda: really() + 0.81  # type: ignore[method-assign]
        waiting = await news.next()
        assert waiting is not None
        assert isinstance(waiting[1], GroupClaim)
        assert 103 <= waiting[1].age_ms < 150
        news.end()
        assert await news.next() is None

    asyncio.run(life())


def test_topics_name_the_speaker() -> None:
    topics = GroupTopics("parley_1", "home/parley", "flat")
    assert topics.own == "home/parley/group/flat/parley_1"
    assert topics.speaker_of("home/parley/group/flat/parley_2") == "parley_2"
    assert topics.speaker_of("home/parley/group/flat/x/y") is None
    assert topics.speaker_of("home/parley/group/flat/") is None
    assert topics.speaker_of("home/parley/group/flat/" + "x" * 61) is None
