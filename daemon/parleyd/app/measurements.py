"""Carries out the requests of `parley calibrate`; on the event loop."""

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from parleyd import config
from parleyd.app.measuring_core import MeasuringCore
from parleyd.app.preflight import WAKE_KEY
from parleyd.app.threads import on_loop
from parleyd.calibration.steps import MeasuringStep, SilenceStep, WordStep
from parleyd.calibration.sweep_step import SweepStep
from parleyd.control.replies import AnyReply, Code, ErrorReply, MeasuredReply
from parleyd.control.requests import MeasureRequest
from parleyd.errors import ParleyError
from parleyd.system.daily_span import DailySpan
from parleyd.wake import WakeEngine
from parleyd.wake import factory as wake

HOLDS_S = 3.0  # a series, between two of its measurements
KEEPS_S = 60.0  # a wake-word engine: longer than the longest word

log = logging.getLogger(__name__)

_Ending = tuple[Code | None, str]
_Figures = TypeVar("_Figures")
_Step = TypeVar("_Step", bound=MeasuringStep)


class Measurements:
    """The measurements of one configuration. The mute switch holds: a measurement opens nothing."""

    def __init__(self, core: MeasuringCore, settings: config.Config) -> None:
        self._core, self._settings = core, settings
        self._endings: set[asyncio.Future[_Ending]] = set()
        self._engine: WakeEngine | None = None
        self._freeing: asyncio.TimerHandle | None = None
        self._series, self._held_until = 0, 0.0

    async def measure(self, request: MeasureRequest) -> AnyReply:
        """Measure, and return the figures or the reason for having none.

        If the coroutine is cancelled, the measurement ends within a period.
        """
        quiet = DailySpan(self._settings.home.quiet_hours)
        if not request.urgent and quiet.holds(datetime.now().time()):
            message = f"these are quiet hours, until {quiet.end}: use --urgent to measure now"
            return ErrorReply(id=request.id, code=Code.QUIET, message=message)
        now = asyncio.get_running_loop().time
        if request.series != self._series and now() < self._held_until:
            message = "another calibration is under way: try again afterwards"
            return ErrorReply(id=request.id, code=Code.BUSY, message=message)
        if not request.series:
            return await self._measured(request)
        self._series, self._held_until = request.series, math.inf
        reply: AnyReply | None = None
        try:
            reply = await self._measured(request)
            return reply
        finally:
            goes_on = isinstance(reply, MeasuredReply)
            self._held_until = now() + HOLDS_S if goes_on else 0.0

    async def _measured(self, request: MeasureRequest) -> AnyReply:
        log.info("a client of the control socket measures the room: %s", request.what)
        audio = self._settings.audio
        try:
            match request.what:
                case "silence":
                    silence = SilenceStep()
                    figures = await self._run(silence, silence.figures)
                    return MeasuredReply(id=request.id, silence=figures)
                case "sweeps" if not request.volumes:
                    message = "sweeps need volumes, such as [40, 60, 80]"
                    return ErrorReply(id=request.id, code=Code.BAD_REQUEST, message=message)
                case "sweeps":
                    sweeps = SweepStep(request.volumes, audio.playback_rate_hz, audio.lead_ms)
                    swept = await self._run(sweeps, sweeps.figures)
                    with contextlib.suppress(ParleyError):  # the word, if one follows, reports it
                        await self._wake_engine()  # a user who is asked for the word speaks at once
                    return MeasuredReply(id=request.id, sweeps=swept)
                case "word":
                    word = WordStep(await self._wake_engine())
                    heard = await self._run(word, word.figures)
                    return MeasuredReply(id=request.id, word=heard)
        except _Refused as refused:
            return ErrorReply(id=request.id, code=refused.code, message=str(refused))
        except ParleyError as error:
            return ErrorReply(id=request.id, code=Code.FAILED, message=str(error))

    async def _wake_engine(self) -> WakeEngine:
        """An engine for the words, kept while one may follow. Raises `ParleyError`."""
        if self._freeing is not None:
            self._freeing.cancel()
        if self._engine is None:
            key = config.secret(WAKE_KEY, os.environ)
            self._engine = await asyncio.to_thread(wake.create, self._settings.wake, key)
        self._freeing = asyncio.get_running_loop().call_later(KEEPS_S, self._free)
        return self._engine

    def _free(self) -> None:
        if self._freeing is not None:
            self._freeing.cancel()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    async def _run(self, step: _Step, figures: Callable[[], _Figures]) -> _Figures:
        loop = asyncio.get_running_loop()
        ending: asyncio.Future[_Ending] = loop.create_future()

        def ended(code: Code | None, reason: str) -> None:
            if not ending.done():
                ending.set_result((code, reason))

        self._endings.add(ending)
        self._core.begin(step, on_loop(loop, ended))
        try:
            code, reason = await asyncio.shield(ending)
        except asyncio.CancelledError:
            self._core.cancel(step)
            await ending  # the audio thread lets go of the step, and of its engine
            raise
        finally:
            self._endings.discard(ending)
        if code is not None:
            raise _Refused(code, reason)
        return await asyncio.to_thread(figures)

    def give_up(self) -> None:
        """The core has ended: a measurement that ran ends with it. Frees the engine."""
        for ending in self._endings:
            if not ending.done():
                ending.set_result((Code.RELOADING, "the configuration changes: try again"))
        self._free()


class _Refused(Exception):
    """The measurement was refused, or ended early."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
