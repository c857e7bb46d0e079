"""The requests of `parley calibrate` on the event loop: what is refused, and what is let go."""

import asyncio
from datetime import datetime, timedelta

from parleyd import config
from parleyd.app.measurements import Measurements
from parleyd.app.measuring_core import Ended, MeasuringCore
from parleyd.calibration.steps import MeasuringStep
from parleyd.config import HomeConfig
from parleyd.control.replies import AnyReply, Code, ErrorReply
from parleyd.control.requests import MeasureRequest
from tests.bare_core import BareCore, at


def measurements(quiet_hours: str = "") -> Measurements:
    """Of a core that no thread drives."""
    settings = config.Config(home=HomeConfig(quiet_hours=quiet_hours))
    return Measurements(MeasuringCore(BareCore(at("openai")).speaker), settings)


def refused(reply: AnyReply) -> Code:
    assert isinstance(reply, ErrorReply)
    assert reply.message
    return Code(reply.code)


def test_quiet_hours_refuse_what_is_not_urgent() -> None:
    now = datetime.now()
    span = f"{now - timedelta(minutes=5):%H:%M}-{now + timedelta(minutes=5):%H:%M}"
    quiet = measurements(span)
    reply = asyncio.run(quiet.measure(MeasureRequest(what="silence", id=3)))
    assert (refused(reply), reply.id) == (Code.QUIET, 3)
    urgent = MeasureRequest(what="sweeps", urgent=True)
    assert refused(asyncio.run(quiet.measure(urgent))) is Code.BAD_REQUEST


def test_sweeps_without_volumes_are_a_bad_request() -> None:
    reply = asyncio.run(measurements().measure(MeasureRequest(what="sweeps")))
    assert refused(reply) is Code.BAD_REQUEST


def test_core_that_ends_ends_its_measurement() -> None:
    async def run() -> AnyReply:
        ending = measurements()
        asked = asyncio.create_task(ending.measure(MeasureRequest(what="silence")))
        await asyncio.sleep(0)
        ending.give_up()
        return await asked

    assert refused(asyncio.run(run())) is Code.RELOADING


def test_client_that_leaves_a_core_that_has_ended_does_not_wait() -> None:
    async def run() -> bool:
        ending = measurements()
        asked = asyncio.create_task(ending.measure(MeasureRequest(what="silence")))
        await asyncio.sleep(0)
        asked.cancel()
        ending.give_up()
        await asyncio.wait([asked])
        return asked.cancelled()

    assert asyncio.run(run())


class EndingCore(MeasuringCore):
    """Ends each measurement at once."""

    ends: Code | None = None

    def begin(self, step: MeasuringStep, ended: Ended) -> None:
        ended(self.ends, "a reason")


def test_two_calibrations_are_not_mixed() -> None:
    """Between two measurements of one, the other waits; one that failed holds nothing."""
    core = EndingCore(BareCore(at("openai")).speaker)
    both = Measurements(core, config.Config())

    async def ask(series: int) -> Code | None:
        reply = await both.measure(MeasureRequest(what="silence", series=series))
        return refused(reply) if isinstance(reply, ErrorReply) else None

    async def run() -> list[Code | None]:
        codes = [await ask(1), await ask(2), await ask(0), await ask(1)]
        core.ends = Code.STOPPED
        codes.append(await ask(1))
        core.ends = None
        return [*codes, await ask(2)]

    assert asyncio.run(run()) == [None, Code.BUSY, Code.BUSY, None, Code.STOPPED, None]
