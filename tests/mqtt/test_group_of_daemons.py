"""Whole daemons at the real mosquitto: one answers, and the broker's end leaves each alone."""

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from parleyd.control.replies import Done
from parleyd.control.requests import StopRequest
from tests.mqtt.broker_rig import Home, Rig, needs_broker, rig
from tests.mqtt.group_rig import TOPIC, Roommate, eventually, household

pytestmark = [pytest.mark.slow, needs_broker]

SETTLES_S = 1.5  # after the last message that could change who answers


def wake(*mates: Roommate) -> None:
    for mate in mates:
        mate.engine.next = "hey_test"


async def the_one(mates: list[Roommate], loudest: Roommate) -> Roommate:
    """Wait until one answers: the loudest, unless a busy machine delayed it for too long."""
    await eventually(lambda: sum(mate.count("stood_down") for mate in mates) == len(mates) - 1)
    await asyncio.sleep(SETTLES_S)
    (answers,) = [mate for mate in mates if mate.listens]
    lines = [line for mate in mates for line in mate.logged if line.name == "stood_down"]
    assert answers is loudest or any(line.fields["answering"] for line in lines)
    return answers


async def end(*mates: Roommate) -> None:
    for mate in mates:
        assert mate.link is not None
        await mate.link.ask(StopRequest(), Done)
    await eventually(lambda: not any(mate.listens for mate in mates))


def test_one_of_three_daemons_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(place: Rig) -> None:
        broker = place.broker()
        levels = {"kitchen": 0.0, "study": 9.0, "hall": -9.0}
        async with household(tmp_path, broker, monkeypatch, caplog, **levels) as mates:
            _, study, hall = mates
            wake(*mates)
            assert await the_one(mates, loudest=study) in mates
            await end(*mates)
            wake(hall)  # alone: no other has heard it
            await eventually(lambda: hall.listens)

    with rig(tmp_path) as place:
        asyncio.run(life(place))


def test_broker_that_dies_in_mid_arbitration_leaves_each_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(place: Rig) -> None:
        broker = place.broker()
        async with household(tmp_path, broker, monkeypatch, caplog, a=0.0, b=9.0) as mates:
            broker.pause(signal.SIGSTOP)
            wake(*mates)
            await eventually(lambda: all(mate.listens for mate in mates))
            broker.kill()
            await asyncio.sleep(SETTLES_S)
            assert all(mate.listens for mate in mates)
            assert not any(mate.count("stood_down") for mate in mates)
            await end(*mates)
            await eventually(lambda: not any(m.process.desk._server.relays for m in mates))
            wake(*mates)  # and without a broker
            await eventually(lambda: all(mate.listens for mate in mates))
            await end(*mates)
            broker.start()
            joined = caplog.text.count("joined the group home")
            await eventually(lambda: caplog.text.count("joined the group home") == joined + 2)
            for mate in mates:
                await mate.joined()
            wake(*mates)
            assert await the_one(mates, loudest=mates[1]) in mates

    with rig(tmp_path) as place:
        asyncio.run(life(place))


def test_broker_that_hangs_for_seconds_brings_no_old_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(place: Rig) -> None:
        broker = place.broker()
        async with household(tmp_path, broker, monkeypatch, caplog, a=0.0, b=9.0) as mates:
            broker.pause(signal.SIGSTOP)
            wake(*mates)
            await eventually(lambda: all(mate.listens for mate in mates))
            await asyncio.sleep(1.2)
            broker.pause(signal.SIGCONT)
            await asyncio.sleep(SETTLES_S)
            assert all(mate.listens for mate in mates)

    with rig(tmp_path) as place:
        asyncio.run(life(place))


def test_liar_and_flood_at_the_broker_silence_no_daemon_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client of the broker claims every wake word, 1,000 times a second."""
    lie = {"type": "claim", "claim": "x", "level_db": 120.0, "heard": 0, "answering": True}

    def flood(home: Home, ends: float) -> None:
        number = 0
        while time.monotonic() < ends:
            number += 1
            payload = json.dumps({**lie, "claim": f"x{number}", "age_ms": 0}).encode()
            home._client.publish(f"{TOPIC}liar{number % 40}", payload)
            home._client.publish(f"{TOPIC}liar", b"{" * (number % 3000))
            time.sleep(0.001)

    async def life(place: Rig) -> None:
        broker = place.broker()
        async with household(tmp_path, broker, monkeypatch, caplog, a=0.0) as (mate,):
            home = place.home(broker)
            flooding = asyncio.to_thread(flood, home, time.monotonic() + 8.0)
            task = asyncio.create_task(flooding)
            tries = 0
            while not mate.listens and tries < 8:
                await asyncio.sleep(0.5)
                tries += 1
                wake(mate)
                await asyncio.sleep(0.3)
            assert mate.listens
            assert tries <= 5
            assert mate.count("group_ignored") == 1 or tries == 1
            await task
            assert mate.listens

    with rig(tmp_path) as place:
        asyncio.run(life(place))


def test_retained_claim_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lie = b'{"type":"claim","claim":"x","level_db":99,"heard":0,"answering":true,"age_ms":0}'

    async def life(place: Rig) -> None:
        broker = place.broker()
        place.home(broker).publish(f"{TOPIC}liar", lie, retain=True)
        async with household(tmp_path, broker, monkeypatch, caplog, a=0.0) as (mate,):
            wake(mate)
            await eventually(lambda: mate.listens)
            await asyncio.sleep(SETTLES_S)
            assert mate.listens

    with rig(tmp_path) as place:
        asyncio.run(life(place))
