"""Skills: declared by their types, checked against real models' mistakes, never blocking."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from parleyd.core.events import AfterTool
from parleyd.skills import Skill, conversation, skill, skills_of
from parleyd.skills.alarms import ClockReading
from parleyd.skills.mute import Mute
from parleyd.skills.registry import LONGEST_OUTPUT, SkillRegistry
from parleyd.skills.timers import Timers
from parleyd.skills.volume import LOWEST_PERCENT, Volume
from parleyd.skills.workers import MOST

LONGEST_S = 86400


def call(book: SkillRegistry, name: str, /, **arguments: object) -> str:
    return asyncio.run(book.call(name, arguments)).output


def built_in() -> SkillRegistry:
    mute = Mute(until=0.0, apply=lambda closed: None, clock=lambda: 0.0)
    timers = Timers((), lambda: ClockReading(0.0, 0.0))
    owners = (Volume(70, lambda percent: None), mute, timers, conversation)
    return SkillRegistry([s for owner in owners for s in skills_of(owner)])


def test_every_skill_is_declared_with_a_schema_and_a_description() -> None:
    declared = {tool["name"]: tool for tool in built_in().declarations()}
    assert set(declared) == {
        "set_volume", "change_volume", "mute_microphone", "set_timer", "set_alarm",
        "list_timers", "cancel_timers", "snooze", "get_time", "say_again", "end_conversation",
    }  # fmt: skip
    for tool in declared.values():
        assert tool["type"] == "function"
        assert tool["description"]
        assert tool["parameters"]["type"] == "object"
        assert set(tool["parameters"].get("required", [])) <= set(tool["parameters"]["properties"])
    assert declared["set_volume"]["parameters"] == {
        "type": "object",
        "properties": {"percent": {"type": "integer", "minimum": 0, "maximum": 100}},
        "required": ["percent"],
        "additionalProperties": False,
    }


def test_a_property_is_no_skill_and_is_not_read() -> None:
    class Owner:
        @property
        def early(self) -> str:
            raise AssertionError

        @skill
        def hello(self) -> str:
            """Say hello."""
            return "hello"

    assert [found.name for found in skills_of(Owner())] == ["hello"]


def test_schema_expresses_the_types() -> None:
    @dataclass
    class Bowl:
        room: str

    @skill
    def feed(
        food: Literal["dry", "wet"],
        grams: Annotated[int, Meta(ge=5, le=80, description="how much")],
        bowls: list[Bowl] = [],  # noqa: B006 - people write this, and it is copied
        when: str | None = None,
    ) -> str:
        """Feed the cat."""
        return f"{food} {grams} {[bowl.room for bowl in bowls]} {when}"

    made = Skill.of(feed, blocking=False)
    properties = made.parameters["properties"]
    assert properties["food"] == {"enum": ["dry", "wet"]}
    assert properties["grams"]["description"] == "how much"
    assert properties["when"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert made.parameters["required"] == ["food", "grams"]
    assert "room" in made.parameters["$defs"]["Bowl"]["properties"]
    said = call(SkillRegistry([made]), "feed", food="wet", grams="20", bowls=[{"room": "hall"}])
    assert said == "wet 20 ['hall'] None"


def test_wrong_arguments_are_reported_in_words() -> None:
    book = built_in()
    for arguments in ({}, {"percent": "loud"}, {"percent": True}, {"percent": 101}):
        said = call(book, "set_volume", **arguments)
        assert "wrong arguments" in said
        assert "percent" in said
    assert call(book, "set_volume", percent=101).endswith("percent: expected int <= 100.")
    assert "unknown field colour" in call(book, "set_volume", percent=1, colour="red")
    assert "seconds: expected int <=" in call(book, "set_timer", seconds=LONGEST_S + 1)
    assert "no function dance" in call(book, "dance")
    assert "set_volume" in call(book, "dance")


def test_volume_is_set_and_changed_but_never_silent() -> None:
    applied: list[int] = []
    book = SkillRegistry(skills_of(Volume(70, applied.append)))
    assert "30" in call(book, "set_volume", percent=30)
    call(book, "change_volume", steps=2)
    call(book, "change_volume", steps=-10)
    call(book, "set_volume", percent=100.0)
    call(book, "change_volume", steps=10)
    assert applied == [30, 50, LOWEST_PERCENT, 100, 100]


def test_end_and_repeat_skills_return_their_action() -> None:
    book = built_in()
    assert asyncio.run(book.call("say_again", {})).after is AfterTool.REPLAY
    assert asyncio.run(book.call("end_conversation", {})).after is AfterTool.END
    assert asyncio.run(book.call("get_time", {})).after is AfterTool.RESPOND


def of_users(*functions: Callable[..., Any], within_s: float = 5.0) -> SkillRegistry:
    return SkillRegistry([Skill.of(f, blocking=True) for f in functions], within_s)


def test_user_skills_run_off_the_event_loop() -> None:
    seen: list[str] = []

    @skill
    def plain() -> int:
        """Plain."""
        seen.append(threading.current_thread().name)
        return 7

    @skill
    async def waiting() -> dict[str, int]:
        """Waiting."""
        seen.append(threading.current_thread().name)
        await asyncio.sleep(0)
        return {"a": 1}

    book = of_users(plain, waiting)
    assert call(book, "plain") == "7"
    assert call(book, "waiting") == '{"a":1}'
    assert seen == ["skill", "skill"]


def raises(error: BaseException) -> Callable[[], str]:
    @skill
    def broken() -> str:
        """Broken."""
        raise error

    return broken


class Exits(ValueError):
    def __str__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exits(), "That did not work: its message cannot be shown."),
        (ValueError("no cat at home"), "That did not work: no cat at home."),
        (RuntimeError("boom"), "broken failed: RuntimeError: boom"),
        (TimeoutError("timed out"), "broken failed: TimeoutError: timed out"),
        (StopIteration("x"), "StopIteration"),
        (SystemExit(3), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_failing_skill_is_reported_and_ends_nothing(error: BaseException, told: str) -> None:
    assert told in call(of_users(raises(error)), "broken")


def waits(release: threading.Event) -> None:
    release.wait(60)


def computes(release: threading.Event) -> None:
    while not release.is_set():
        pass


@pytest.mark.parametrize("how", [waits, computes])
def test_hanging_skill_is_reported_and_the_event_loop_runs(
    how: Callable[[threading.Event], None],
) -> None:
    release = threading.Event()

    @skill
    def hang() -> str:
        """Hang."""
        how(release)
        return "late"

    async def life() -> list[str]:
        book = of_users(hang, within_s=0.2)
        calls: list[Awaitable[Any]] = [book.call("hang", {}) for _ in range(MOST + 1)]
        said = [outcome.output for outcome in await asyncio.gather(*calls)]
        for _ in range(10):
            await asyncio.sleep(0)  # it hangs while the loop runs
        release.set()
        return said

    said = asyncio.run(life())
    assert said.count("hang did not answer within 0.2 seconds.") == MOST
    assert said.count("Too many functions are still running; try again later.") == 1


def test_async_skill_that_blocks_blocks_only_its_thread() -> None:
    release = threading.Event()

    @skill
    async def blocks() -> str:
        """Blocks."""
        release.wait(60)
        return "late"

    assert "did not answer" in call(of_users(blocks, within_s=0.1), "blocks")
    release.set()


def test_skill_output_never_reaches_another_skill(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @skill
    def chatters() -> object:
        """Chatters."""
        for _ in range(1000):
            print("x" * 100)
        return object()  # JSON cannot express it

    @skill
    def works() -> str:
        """Works."""
        return "fine"

    book = of_users(chatters, works)
    assert "chatters failed: TypeError" in call(book, "chatters")
    assert call(book, "works") == "fine"
    assert len(capsys.readouterr().out) == 101_000


def test_long_result_is_cut_and_none_becomes_done() -> None:
    @skill
    def endless() -> str:
        """Endless."""
        return "x" * (2 * LONGEST_OUTPUT)

    @skill
    def silent() -> None:
        """Silent."""

    book = of_users(endless, silent)
    assert len(call(book, "endless")) < LONGEST_OUTPUT + 100
    assert call(book, "silent") == "Done."


def unnamed(*things: int) -> str:
    """Many."""
    return ""


def untyped(thing) -> str:  # type: ignore[no-untyped-def]
    """No type."""
    return ""


def unsayable(thing: threading.Lock) -> str:
    """No such type in JSON."""
    return ""


def undescribed() -> str:
    return ""


@pytest.mark.parametrize("function", [unnamed, untyped, unsayable, undescribed])
def test_function_that_cannot_be_declared_is_refused(function: Callable[..., str]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        Skill.of(function, blocking=True)
