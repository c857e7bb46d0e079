"""Carries out the requests of the control socket with the parts of one configuration."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from parleyd import __version__
from parleyd.app.control_events import ControlEvents
from parleyd.app.event_queue import EventQueue
from parleyd.app.measurements import Measurements
from parleyd.app.microphone_gate import MicrophoneGate
from parleyd.app.service_status import ServiceStatus
from parleyd.app.skill_runtime import SkillRuntime
from parleyd.control.replies import (
    AnyReply,
    Code,
    Done,
    ErrorReply,
    GroupClaim,
    Microphone,
    StatusReply,
    TimerEntry,
    TimersReply,
    TurnsReply,
    VolumeReply,
)
from parleyd.control.requests import (
    ActRequest,
    GroupRequest,
    ListenRequest,
    MeasureRequest,
    MuteRequest,
    SayRequest,
    StatusRequest,
    StopRequest,
    TimersRequest,
    TurnsRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.core.arbitration import WakeClaim
from parleyd.core.events import (
    ClaimHeard,
    ListenRequested,
    ModelSpeechRequested,
    PeerSpeaks,
    RequestAnswered,
    SpeechRequested,
    StopRequested,
)
from parleyd.embedded.synthesizer import speakable
from parleyd.realtime.connection_events import Link
from parleyd.skills.alarms import Alarm
from parleyd.skills.mute import BY_COMMAND, BY_HOME, Holder
from parleyd.system.daily_span import DailySpan

ANSWERS_WITHIN_S = 2.0  # the audio thread takes events every 10 ms
SPEAKS_WITHIN_S = 600.0  # the core's own limits end speech before that
BY_SWITCH = "the mute switch keeps the microphone closed: no command opens it"


@dataclass(frozen=True, slots=True)
class Controls:
    """The parts of the running configuration that requests reach."""

    queue: EventQueue
    runtime: SkillRuntime
    gate: MicrophoneGate
    server: str
    """The name of the one that answers."""
    link: Callable[[], Link]
    """Describes the connection to it."""
    quiet_hours: DailySpan
    """In which only urgent texts are spoken."""
    measurements: Measurements
    grouped: bool = False
    """The speaker is in a group."""


class ControlRequests:
    """Carries out requests; on the event loop."""

    def __init__(self, status: ServiceStatus, events: ControlEvents) -> None:
        self._status, self._events = status, events
        self._began = time.monotonic()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[RequestAnswered | None]] = {}

    async def act(self, request: ActRequest, controls: Controls) -> AnyReply:
        """Do as the request asks; return its reply."""
        match request:
            case StatusRequest():
                return self._describe(request, controls)
            case ListenRequest():
                return await self._ask(request, ListenRequested(next(self._numbers)), controls)
            case StopRequest():
                return await self._ask(request, StopRequested(next(self._numbers)), controls)
            case MuteRequest():
                return _mute(request, controls)
            case UnmuteRequest():
                return _unmute(request, controls)
            case VolumeRequest():
                return _set_volume(request, controls)
            case SayRequest():
                return await self._say(request, controls)
            case TimersRequest():
                entries = controls.runtime.timers.waiting()
                return TimersReply(id=request.id, timers=tuple(map(_entry, entries)))
            case TurnsRequest():
                turns = self._events.newest_turns(request.count)
                return TurnsReply(id=request.id, turns=turns)
            case MeasureRequest():
                return await controls.measurements.measure(request)
            case GroupRequest():
                return _tell(request, controls)

    def answered(self, answered: RequestAnswered) -> None:
        """The core has taken a request."""
        asked = self._asked.get(answered.number)
        if asked is not None and not asked.done():
            asked.set_result(answered)

    def give_up(self) -> None:
        """The core ends: it answers no more."""
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result(None)

    async def _say(self, request: SayRequest, controls: Controls) -> AnyReply:
        quiet = controls.quiet_hours
        if not request.urgent and quiet.holds(datetime.now().time()):
            message = f"these are quiet hours, until {quiet.end}: only urgent texts are spoken"
            return refused(request, Code.QUIET, message)
        text = " ".join(request.text.split())
        if request.voice == "model":
            return await self._ask(
                request, ModelSpeechRequested(next(self._numbers), text), controls, SPEAKS_WITHIN_S
            )
        if not speakable(text):
            message = "the text holds nothing that the offline voice can speak: it is English"
            return refused(request, Code.VOICE, message)
        frames = await controls.runtime.speak(text)
        if frames is None:
            return refused(request, Code.VOICE, "the offline voice is missing: install flite")
        event = SpeechRequested(next(self._numbers), frames)
        return await self._ask(request, event, controls, SPEAKS_WITHIN_S)

    async def _ask(
        self,
        request: ActRequest,
        event: ListenRequested | StopRequested | SpeechRequested | ModelSpeechRequested,
        controls: Controls,
        within_s: float = ANSWERS_WITHIN_S,
    ) -> AnyReply:
        """Post an event to the core, and wait for its answer."""
        answer: asyncio.Future[RequestAnswered | None]
        answer = self._asked[event.number] = asyncio.get_running_loop().create_future()
        controls.queue.post(event)
        try:
            async with asyncio.timeout(within_s):
                answered = await answer
        except TimeoutError:
            return refused(request, Code.FAILED, "the audio thread does not answer")
        finally:
            del self._asked[event.number]
        if answered is None:
            return refused(request, Code.RELOADING, "the configuration changes: try again")
        if answered.refusal is not None:
            return refused(request, Code(answered.refusal.value), answered.reason)
        return Done(id=request.id)

    def _describe(self, request: StatusRequest, controls: Controls) -> StatusReply:
        shown, gate = self._status.shown, controls.gate
        closed, link = gate.closed, controls.link()
        microphone = Microphone(
            closed=closed,
            by_switch=gate.closed_by_switch,
            left_s=round(controls.runtime.mute.left_s),
            reason=gate.reason if closed else "",
        )
        return StatusReply(
            id=request.id,
            indication=str(shown.indication),
            detail=shown.detail,
            microphone=microphone,
            volume=controls.runtime.volume.percent,
            server=controls.server,
            link=link.state,
            round_trip_ms=link.round_trip_ms and round(link.round_trip_ms, 1),
            xruns=self._status.xruns,
            uptime_s=int(time.monotonic() - self._began),
            version=__version__,
        )


def refused(request: ActRequest, code: Code, message: str) -> ErrorReply:
    """The reply to a request that is not carried out."""
    return ErrorReply(id=request.id, code=code, message=message)


def _tell(request: GroupRequest, controls: Controls) -> AnyReply:
    """Hand the news of another speaker to the core, which answers nothing to it."""
    if not controls.grouped:
        return refused(request, Code.NO_GROUP, "group.name is empty: set it and reload the daemon")
    news = request.news
    if isinstance(news, GroupClaim):
        claim = WakeClaim(news.claim, news.level_db, news.heard, news.answering)
        controls.queue.post(ClaimHeard(request.speaker, claim, news.age_ms))
    else:
        controls.queue.post(PeerSpeaks(request.speaker, news.lease_ms))
    return Done(id=request.id)


def _mute(request: MuteRequest, controls: Controls) -> Done:
    by_home = request.by == "home"
    holder = Holder.HOME if by_home else Holder.PERSON
    controls.runtime.mute.close_for(request.minutes, BY_HOME if by_home else BY_COMMAND, holder)
    return Done(id=request.id)


def _unmute(request: UnmuteRequest, controls: Controls) -> AnyReply:
    """End the requested time; nothing here opens the microphone against the switch."""
    mute = controls.runtime.mute
    if (
        request.by == "home"
        and not mute.release(Holder.HOME)
        and not controls.gate.closed_by_switch
    ):
        return refused(request, Code.HELD, f"home automation cannot open it: {mute.reason}")
    if controls.gate.closed_by_switch:
        return refused(request, Code.SWITCH, controls.gate.reason or BY_SWITCH)
    if request.by == "person":
        mute.reopen()
    return Done(id=request.id)


def _entry(waiting: tuple[Alarm, float]) -> TimerEntry:
    alarm, left_s = waiting
    due = datetime.fromtimestamp(alarm.due).isoformat(timespec="seconds")
    return TimerEntry(name=alarm.name, timer=alarm.kind == "timer", left_s=round(left_s), due=due)


def _set_volume(request: VolumeRequest, controls: Controls) -> AnyReply:
    volume = controls.runtime.volume
    if request.percent is not None and request.steps:
        return refused(request, Code.BAD_REQUEST, "percent and steps exclude each other")
    if request.percent is not None:
        volume.set_volume(request.percent)
    elif request.steps:
        volume.change_volume(request.steps)
    return VolumeReply(id=request.id, percent=volume.percent)
