"""The dispatcher: each effect has one handler, and no log line acts."""

import asyncio
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from parleyd.app.daemon_effects import DaemonEffects
from parleyd.app.effect_dispatcher import EffectDispatcher, EffectHost
from parleyd.app.service_status import ServiceStatus
from parleyd.core.events import Effect, LogEvent, RecordTurn, ReportXruns, Show
from parleyd.core.states import Indication
from parleyd.hearing.front_end import WAKE_ENGINE
from parleyd.hearing.fuse import ComponentFault
from parleyd.host.systemd import Notifier


class Calls:
    """Stands for any part: its methods only note that they were called."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.made.append(name)


class Bench:
    """The daemon's handlers on parts that only note their calls."""

    def __init__(self) -> None:
        self.parts = Calls()
        self.status = ServiceStatus(Notifier({}))
        part: Any = self.parts
        skills = SimpleNamespace(
            alarm_listener=part, mute=part, alarm_dismissed=part.alarm_dismissed
        )
        self.host = DaemonEffects(
            self.status,
            skills,  # type: ignore[arg-type]
            part,
            part,
            part,
            part,
            part,
            part,
        )
        self.dispatcher = dispatcher(self.host)

    def carry(self, effects: Sequence[Effect]) -> list[str]:
        """The calls that these effects lead to, those of worker threads too."""

        async def carry() -> None:
            self.dispatcher.dispatch(effects)
            await asyncio.get_running_loop().shutdown_default_executor()

        self.parts.made.clear()
        asyncio.run(carry())
        return self.parts.made


def dispatcher(host: EffectHost) -> EffectDispatcher:
    nothing: Any = SimpleNamespace()
    return EffectDispatcher(nothing, nothing, lambda event: None, host)


def test_dispatcher_has_a_handler_for_each_effect() -> None:
    assert set(dispatcher(EffectHost()).handlers) == set(get_args(Effect))


def test_dispatcher_handlers_take_the_type_they_are_for() -> None:
    for effect, handler in dispatcher(EffectHost()).handlers.items():
        (taken,) = (kind for name, kind in get_type_hints(handler).items() if name != "return")
        assert taken is effect


def test_daemon_acts_on_every_effect_that_the_base_ignores() -> None:
    base = {name for name, value in vars(EffectHost).items() if callable(value)}
    logged = {"log"}
    assert base - vars(DaemonEffects).keys() == logged


def test_log_event_of_any_name_acts_on_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench()
    assert bench.carry([LogEvent("turn", {"turn": 1}), LogEvent("xrun", {"count": 5})]) == []
    assert bench.status.line == "starting"
    assert [record.getMessage() for record in caplog.records] == ["turn", "xrun"]


def test_turn_is_recorded_by_its_effect() -> None:
    assert Bench().carry([RecordTurn()]) == ["save"]


def test_xruns_stand_in_the_status_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.carry([Show(Indication.LISTENING), ReportXruns(2), ReportXruns(1)])
    assert bench.status.line == "listening, 2 xruns"
    bench.carry([Show(Indication.ERROR, "no card")])
    assert bench.status.line == "error, 3 xruns: no card"
    (line,) = caplog.records
    assert (line.levelname, line.getMessage()) == ("WARNING", "xrun")
    assert {**line.fields, "means": ""} == {"count": 2, "total": 2, "means": ""}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("part", "calls"), [(WAKE_ENGINE, ["renew"]), ("voice", [])])
def test_fault_of_the_wake_engine_renews_it(
    part: str, calls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    fault = ComponentFault(part, "no wake word is heard", 1, RuntimeError("invoke failed"))
    assert Bench().carry([fault]) == calls
    assert "invoke failed" in caplog.text
