"""The daemon's skills together: due alarms are posted, lasting state is saved."""

import asyncio
import contextlib
import errno
import json
import resource
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from parleyd.app.announcer import Announcer
from parleyd.app.skill_runtime import SkillRuntime
from parleyd.config import AudioConfig, Config, SkillsConfig
from parleyd.core.events import (
    AlarmCommandRecognized,
    AlarmDue,
    InputEvent,
    QuietHoursChanged,
    RecognizeAlarmCommand,
    SetVolume,
    SpeechRequested,
)
from parleyd.simulation.clips import synthesize
from parleyd.skills.mute import BY_HOME, Holder
from parleyd.skills.store import Store
from parleyd.system import atomic_file
from parleyd.units import SERVER_RATE_HZ

pytestmark = pytest.mark.slow

WITHIN_S = 30.0  # for a wait of a second or two, on a loaded machine


class House:
    """A skill runtime with a file, and its requests to the rest of the daemon."""

    def __init__(self, folder: Path, volume: int = 70, store: Store | None = None) -> None:
        self.posted: asyncio.Queue[InputEvent] = asyncio.Queue()
        self.closed: list[bool] = []
        config = Config(
            audio=AudioConfig(volume=volume), skills=SkillsConfig(folder=str(folder / "skills"))
        )
        self.store = store or Store(folder / "skills.json")
        self.skills = SkillRuntime(config, self.store, self.posted.put_nowait, self.closed.append)

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
            await self.skills.alarm_listener.close()  # otherwise it ends with its daemon


def test_timer_rings_again_after_a_restart_until_dismissed(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1, "name": "pasta"})
        async with house.running():
            ring = await house.posted.get()
        assert isinstance(ring, AlarmDue)
        assert ring.name == "pasta"
        assert ring.spoken is not None
        assert len(ring.spoken) > SERVER_RATE_HZ / 2

        house = House(tmp_path)  # a power failure while it rang
        async with house.running():
            ring = await house.posted.get()
        assert isinstance(ring, AlarmDue)
        house.skills.timers.stopped([ring.ring_id])
        await house.skills.settle()
        assert Store(tmp_path / "skills.json").kept.alarms == ()

    asyncio.run(life())


def test_timed_mute_survives_a_restart(
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


@pytest.mark.parametrize("person", [False, True])
def test_who_closed_the_microphone_survives_a_restart(person: bool, tmp_path: Path) -> None:
    async def life() -> None:
        house = House(tmp_path)
        house.skills.mute.close_for(60, BY_HOME, Holder.HOME)
        if person:
            house.skills.mute.mute_microphone(10)
        await house.skills.settle()
        house = House(tmp_path)
        assert house.skills.mute.muted
        assert house.skills.mute.release(Holder.HOME) is not person
        assert house.skills.mute.muted is person
        await house.skills.settle()
        assert House(tmp_path).skills.mute.muted is person

    asyncio.run(life())


def test_older_version_that_keeps_the_record_of_home_does_not_make_it_homes(tmp_path: Path) -> None:
    """It preserves a field that it does not know, also when a person asks for another time."""

    async def life() -> None:
        house = House(tmp_path)
        house.skills.mute.close_for(60, BY_HOME, Holder.HOME)
        await house.skills.settle()
        path = tmp_path / "skills.json"
        kept = json.loads(path.read_bytes())
        assert kept["home_until"] == kept["muted_until"]
        path.write_text(json.dumps({**kept, "muted_until": kept["muted_until"] + 60}))
        assert not House(tmp_path).skills.mute.release(Holder.HOME)

    asyncio.run(life())


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"null", b'{"muted_until":"x"}', b'{"muted_until":-5}', b"\xff\xfe", "folder"],
)
def test_damaged_state_file_means_closed_over_restarts(damage: bytes | str, tmp_path: Path) -> None:
    path = tmp_path / "skills.json"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        path.mkdir()

    async def life() -> None:
        house = House(tmp_path)
        assert house.skills.mute.muted
        assert "the state file is damaged" in house.skills.mute.reason
        assert "press the push button" in house.skills.mute.reason
        await house.skills.settle()
        assert House(tmp_path).skills.mute.muted  # a second start finds a valid file
        house.skills.mute.reopen()
        assert not house.skills.mute.muted
        await house.skills.settle()
        if path.is_file():
            assert not House(tmp_path).skills.mute.muted

    asyncio.run(life())


@pytest.mark.parametrize("ends_s", [None, 0.0, 5.0])
def test_mute_whose_end_is_damaged_stays_closed(ends_s: float | None, tmp_path: Path) -> None:
    async def life() -> None:
        house = House(tmp_path)
        house.skills.mute.mute_microphone(60)
        await house.skills.settle()
        path = tmp_path / "skills.json"
        kept = json.loads(path.read_bytes())
        assert kept.pop("muted_ends_s") > 3600
        if ends_s is not None:
            kept["muted_ends_s"] = ends_s
        path.write_text(json.dumps(kept))
        assert House(tmp_path).skills.mute.muted

    asyncio.run(life())


def test_state_file_that_does_not_exist_means_open(tmp_path: Path) -> None:
    assert not House(tmp_path).skills.mute.muted


def test_unsaved_mute_survives_a_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life() -> None:
        house = House(tmp_path)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(atomic_file, "write", full)
        book = await house.skills.book()
        await book.call("mute_microphone", {"minutes": 10})
        await house.skills.settle()
        monkeypatch.undo()
        store, mute = Store(tmp_path / "skills.json"), house.skills.mute
        assert SkillRuntime(Config(), store, house.posted.put_nowait, mute=mute).mute.muted

    asyncio.run(life())


@pytest.mark.parametrize("jump_s", [-1e9, -7200.0, 7200.0, 1e9])
def test_clock_jump_during_a_restart_opens_nothing(
    jump_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("mute_microphone", {"minutes": 60})
        await house.skills.settle()
        jumped = time.time() + jump_s
        monkeypatch.setattr(time, "time", lambda: jumped)
        house.skills.mute.look()
        assert house.skills.mute.muted
        house = House(tmp_path)
        assert house.skills.mute.muted
        house.skills.mute.look()
        assert house.skills.mute.muted

    asyncio.run(life())


def test_changes_are_saved_in_order(tmp_path: Path) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        for _ in range(20):
            house.skills.mute.reopen()
            await book.call("mute_microphone", {"minutes": 10})
        await house.skills.settle()
        assert House(tmp_path).skills.mute.muted

    asyncio.run(life())


def test_volume_by_voice_lasts_until_the_configuration_changes(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        assert house.skills.volume.percent == 70
        await book.call("change_volume", {"steps": -3})
        assert house.posted.get_nowait() == SetVolume(40)
        await house.skills.settle()
        house = House(tmp_path)
        assert house.skills.volume.percent == 40
        book = await house.skills.book()
        await book.call("change_volume", {"steps": 1})
        assert house.posted.get_nowait() == SetVolume(50)
        await house.skills.settle()
        assert House(tmp_path, volume=55).skills.volume.percent == 55

    asyncio.run(life())


def test_volume_that_is_set_at_night_is_not_kept_for_the_day(tmp_path: Path) -> None:
    async def life() -> None:
        house = House(tmp_path)
        house.skills.quiet_hours(True)
        assert house.posted.get_nowait() == QuietHoursChanged(True)
        assert house.skills.volume.percent == 40
        house.skills.volume.change_volume(-1)
        assert house.posted.get_nowait() == SetVolume(30)
        await house.skills.settle()
        assert House(tmp_path).skills.volume.percent == 70

    asyncio.run(life())


def test_alarm_command_is_recognised_offline_while_ringing(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1, "name": "pasta"})
        async with house.running():
            ring = await house.posted.get()
            assert isinstance(ring, AlarmDue)
            for words, stop in (("hello", False), ("stop the alarm", True)):
                command = RecognizeAlarmCommand(synthesize(words, "rms"), ring_ids=(ring.ring_id,))
                house.skills.alarm_listener.recognize(command)
                assert await house.posted.get() == AlarmCommandRecognized(stop, (ring.ring_id,))
            house.skills.alarm_dismissed([ring.ring_id])
        await house.skills.settle()
        assert Store(tmp_path / "skills.json").kept.alarms == ()

    asyncio.run(life())


def test_snooze_into_the_ringing_is_confirmed_aloud(tmp_path: Path) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1})
        async with house.running():
            ring = await house.posted.get()
            assert isinstance(ring, AlarmDue)
            frames = synthesize("snooze for ten minutes", "rms")
            command = RecognizeAlarmCommand(frames, ring_ids=(ring.ring_id,))
            house.skills.alarm_listener.recognize(command)
            assert await house.posted.get() == AlarmCommandRecognized(True, (ring.ring_id,))
            said = await house.posted.get()
            assert isinstance(said, SpeechRequested)
            assert len(said.frames) > SERVER_RATE_HZ
            house.skills.alarm_dismissed([ring.ring_id])
            left = (await book.call("list_timers", {})).output
            assert left in ("timer: in 599 seconds.", "timer: in 600 seconds.")
        await house.skills.settle()

    asyncio.run(life())


@pytest.mark.parametrize(
    ("set_too", "words", "stop", "left"),
    [
        ("pasta", "cancel the pasta timer", False, "No timer and no alarm is set."),
        ("pasta", "cancel the egg timer", True, "pasta timer"),
        ("pasta", "cancel the timer", True, "pasta timer"),
        ("tea", "cancel the pasta timer", False, "tea timer"),
    ],
    ids=["another", "the one that rings", "no name", "nothing with this name"],
)
def test_command_about_another_timer_ends_that_one(
    tmp_path: Path, set_too: str, words: str, stop: bool, left: str
) -> None:
    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1, "name": "eggs"})
        await book.call("set_timer", {"seconds": 600, "name": set_too})
        async with house.running():
            ring = await house.posted.get()
            assert isinstance(ring, AlarmDue)
            command = RecognizeAlarmCommand(synthesize(words, "rms"), ring_ids=(ring.ring_id,))
            house.skills.alarm_listener.recognize(command)
            assert await house.posted.get() == AlarmCommandRecognized(stop, (ring.ring_id,))
            assert (await book.call("list_timers", {})).output.startswith(left)
        await house.skills.settle()

    asyncio.run(life())


def test_user_functions_join_the_built_in_ones(tmp_path: Path) -> None:
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


def test_reload_on_a_full_disk_loses_no_timer(tmp_path: Path) -> None:
    """The reload uses the same store; later the disk has room again."""

    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            said = await book.call("set_timer", {"seconds": 600, "name": "bread"})
            assert "would be lost if the power failed" in said.output
            await book.call("set_volume", {"percent": 35})
            await house.skills.settle()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        house = House(tmp_path, store=house.store)
        assert house.skills.volume.percent == 35
        book = await house.skills.book()
        assert "bread timer: in" in (await book.call("list_timers", {})).output
        await house.skills.settle()
        (kept,) = Store(tmp_path / "skills.json").kept.alarms
        assert kept.name == "bread"

    asyncio.run(life())


def test_alarm_rings_even_if_its_name_cannot_be_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Announcer, words: str) -> None:
        raise ValueError("NULL pointer access")

    monkeypatch.setattr(Announcer, "say", fails)

    async def life() -> None:
        house = House(tmp_path)
        book = await house.skills.book()
        await book.call("set_timer", {"seconds": 1, "name": "tea"})
        async with house.running():
            ring = await house.posted.get()
        assert isinstance(ring, AlarmDue)
        assert (ring.name, ring.spoken) == ("tea", None)

    asyncio.run(life())


def test_time_zone_is_read_again_while_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pi starts in UTC and gets its time zone later."""

    async def life() -> None:
        monkeypatch.setenv("TZ", "UTC")
        house = House(tmp_path)
        book = await house.skills.book()
        day = datetime.now() + timedelta(days=3)
        await book.call("set_alarm", {"time": "07:00", "day": f"{day:%Y-%m-%d}"})
        (before,) = house.skills.timers._alarms.waiting
        monkeypatch.setenv("TZ", "Asia/Tokyo")  # nine hours ahead, the whole year
        house.skills.timers.take_due()
        (after,) = house.skills.timers._alarms.waiting
        assert before.due - after.due == 9 * 3600

    try:
        asyncio.run(life())
    finally:
        monkeypatch.undo()
        time.tzset()
