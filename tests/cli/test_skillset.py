"""The daemon's skills put together: what rings is posted, what must survive is written down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from parleyd.boundary import Happening, Ring, SetVolume, Understood
from parleyd.cli.skillset import Skillset
from parleyd.config import Audio, Config, Skills
from parleyd.room.clips import synthesize
from parleyd.skills.store import Store
from parleyd.units import SERVER_RATE_HZ

WITHIN_S = 30.0  # a loaded machine; what is waited for takes a second or two


class House:
    """A skillset with a file, and what it asks of the rest of the daemon."""

    def __init__(self, folder: Path, volume: int = 70) -> None:
        self.posted: asyncio.Queue[Happening] = asyncio.Queue()
        self.closed: list[bool] = []
        config = Config(audio=Audio(volume=volume), skills=Skills(folder=str(folder / "skills")))
        store = Store(folder / "skills.json")
        self.skills = Skillset(config, store, self.posted.put_nowait, self.closed.append)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.skills.run())
        try:
            async with asyncio.timeout(WITHIN_S):
                yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self.skills.overhearing.close()  # which dies with its daemon otherwise


def test_a_timer_rings_with_its_name_and_rings_again_after_a_restart_until_it_was_stopped(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1, "name": "pasta"})
        async with house.running():
            ring = await house.posted.get()
        assert isinstance(ring, Ring)
        assert ring.name == "pasta"
        assert ring.spoken is not None
        assert len(ring.spoken) > SERVER_RATE_HZ / 2

        house = House(tmp_path)  # the power failed while it rang
        async with house.running():
            ring = await house.posted.get()
        assert isinstance(ring, Ring)
        house.skills.timers.stopped([ring.ring_id])
        await house.skills.settle()
        assert Store(tmp_path / "skills.json").kept.alarms == ()

    asyncio.run(life())


def test_a_microphone_that_was_closed_for_a_time_stays_closed_over_a_restart(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        assert not house.skills.mute.muted
        await book.call("mute_microphone", {"minutes": 10})
        assert house.closed == [True]
        await house.skills.settle()
        house = House(tmp_path)
        assert house.skills.mute.muted
        house.skills.mute.reopen()
        assert house.closed == [False]

    asyncio.run(life())


def test_a_volume_that_was_asked_for_is_kept_until_the_configuration_says_otherwise(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        assert house.skills.volume_percent == 70
        await book.call("change_volume", {"steps": -3})
        assert house.posted.get_nowait() == SetVolume(40)
        await house.skills.settle()
        house = House(tmp_path)
        assert house.skills.volume_percent == 40
        book = await house.skills.book()
        await book.call("change_volume", {"steps": 1})
        assert house.posted.get_nowait() == SetVolume(50)
        await house.skills.settle()
        assert House(tmp_path, volume=55).skills.volume_percent == 55

    asyncio.run(life())


def test_what_is_said_into_a_ringing_alarm_is_understood_offline_while_it_rings(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1, "name": "pasta"})
        async with house.running():
            ring = await house.posted.get()
            assert isinstance(ring, Ring)
            for words, stop in (("hello", False), ("stop the alarm", True)):
                house.skills.overhearing.understand(synthesize(words, "rms"))
                assert await house.posted.get() == Understood(stop)
            house.skills.ring_stopped([ring.ring_id])
        await house.skills.settle()
        assert Store(tmp_path / "skills.json").kept.alarms == ()

    asyncio.run(life())


def test_functions_of_the_user_stand_beside_those_that_are_built_in(tmp_path: Path) -> None:
    (tmp_path / "skills").mkdir()
    (tmp_path / "skills" / "cat.py").write_text(
        "from parleyd.skills import skill\n\n\n@skill\ndef feed(grams: int) -> str:\n"
        "    'Feed the cat.'\n    return f'{grams} g'\n"
    )

    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        assert {"feed", "set_volume"} <= {tool["name"] for tool in book.declarations()}
        assert (await book.call("feed", {"grams": 20})).output == "20 g"
        await book.call("set_volume", {"percent": 20})
        assert house.posted.get_nowait() == SetVolume(20)

    asyncio.run(life())
