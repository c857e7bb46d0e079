"""News of a group on their way through the daemon: from the core to clients, and back."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from parleyd.app.control_events import OLDEST_MS, ControlEvents
from parleyd.app.control_requests import ControlRequests, Controls
from parleyd.app.event_queue import EventQueue
from parleyd.control.replies import AnyEvent, Code, Done, ErrorReply, GroupClaim, GroupSpeech
from parleyd.control.requests import GroupRequest, parse_request
from parleyd.core.arbitration import WakeClaim
from parleyd.core.events import ClaimHeard, OwnSpeech, PeerSpeaks, WakeClaimed

CLAIM = WakeClaim("mine-1", -2.5, 1, True)


def published(age_s: float) -> GroupClaim:
    taken: list[AnyEvent] = []
    events = ControlEvents(taken.append)
    events.share_claim(WakeClaimed(CLAIM, time.monotonic() - age_s))
    (claim,) = taken
    assert isinstance(claim, GroupClaim)
    return claim


def controls(queue: EventQueue, grouped: bool) -> Controls:
    nothing: Any = SimpleNamespace()
    return Controls(queue, nothing, nothing, "openai", nothing, nothing, nothing, grouped)


def act(line: bytes, *, grouped: bool = True) -> tuple[Any, EventQueue]:
    queue, nothing = EventQueue(), SimpleNamespace()
    request = parse_request(line)
    assert isinstance(request, GroupRequest)
    requests = ControlRequests(nothing, nothing)  # type: ignore[arg-type]
    return asyncio.run(requests.act(request, controls(queue, grouped))), queue


def test_claim_is_published_with_its_age() -> None:
    claim = published(0.25)
    assert 250 <= claim.age_ms < 2000
    assert (claim.claim, claim.level_db, claim.heard, claim.answering) == ("mine-1", -2.5, 1, True)
    assert published(1e6).age_ms == OLDEST_MS


def test_speech_is_published() -> None:
    taken: list[AnyEvent] = []
    ControlEvents(taken.append).share_speech(OwnSpeech(7000))
    assert taken == [GroupSpeech(lease_ms=7000)]


def test_claim_of_another_reaches_the_core() -> None:
    reply, queue = act(
        b'{"type":"group","id":3,"speaker":"b","news":{"type":"claim","claim":"c","level_db":-1.5,'
        b'"heard":2,"answering":true,"age_ms":7,"later":"version"}}'
    )
    assert reply == Done(id=3)
    assert queue.take() == ClaimHeard("b", WakeClaim("c", -1.5, 2, True), 7)


def test_speech_of_another_reaches_the_core() -> None:
    line = b'{"type":"group","speaker":"b","news":{"type":"speaking","lease_ms":500}}'
    reply, queue = act(line)
    assert reply == Done(id=0)
    assert queue.take() == PeerSpeaks("b", 500)


def test_news_without_a_group_are_refused() -> None:
    line = b'{"type":"group","id":4,"speaker":"b","news":{"type":"speaking","lease_ms":500}}'
    reply, queue = act(line, grouped=False)
    assert (reply.id, reply.code) == (4, Code.NO_GROUP)
    assert "group.name" in reply.message
    assert queue.take() is None


@pytest.mark.parametrize(
    "news",
    [
        b"null", b"{}", b'{"type":"state"}', b'{"type":"speaking"}',
        b'{"type":"speaking","lease_ms":60001}', b'{"type":"speaking","lease_ms":1.5}',
        b'{"type":"claim","claim":"c","level_db":121,"heard":0,"answering":true,"age_ms":0}',
        b'{"type":"claim","claim":"c","level_db":0,"heard":-1,"answering":true,"age_ms":0}',
        b'{"type":"claim","claim":"c","level_db":0,"heard":0,"answering":1,"age_ms":0}',
        b'{"type":"claim","claim":"","level_db":0,"heard":0,"answering":true,"age_ms":0}',
        b'{"type":"claim","claim":"c","level_db":NaN,"heard":0,"answering":true,"age_ms":0}',
    ],
)  # fmt: skip
def test_wrong_news_are_a_bad_request(news: bytes) -> None:
    reply = parse_request(b'{"type":"group","id":5,"speaker":"b","news":' + news + b"}")
    assert isinstance(reply, ErrorReply)
    assert reply.code == Code.BAD_REQUEST
