"""The session under any order of events: one create at a time, the dead stay dead, no growth."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from openai.types.realtime import ResponseCreateEventWithReferencesParam
from pydantic import TypeAdapter

from parleyd import config
from parleyd.config.servers import PROFILES
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime.responses import TURN_KEY
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import ReplyAudio
from tests.openai_types import assert_valid

pytestmark = pytest.mark.slow

CREATED_WITHIN_S = 5.0

_with_references = TypeAdapter(ResponseCreateEventWithReferencesParam)

IDS = st.sampled_from(["r1", "r2", "r3", "r4"])
DETECTIONS = st.sampled_from(["local", "server_vad", "semantic_vad"])
ERRORS = st.sampled_from(
    [
        "response_cancel_not_active",
        "conversation_already_has_active_response",
        "input_audio_buffer_commit_empty",
        "item_truncate_invalid_item_id",
        "server_error",
        "rate_limit_exceeded",
        "invalid_value",
        "unheard_of",
    ]
)

REFUSING = (
    "conversation_already_has_active_response",
    "input_audio_buffer_commit_empty",
    "server_error",
    "rate_limit_exceeded",
)


def _name(event: ev.ServerEvent) -> str:
    """The name of the response that an event is about."""
    if isinstance(event, ev.ResponseDone):
        return event.response.id
    name: str = getattr(event, "response_id", "")
    return name


class SessionMachine(RuleBasedStateMachine):
    """A server that sends anything at any time, and a speaker with arbitrary requests."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.asked_at, self.interrupted_at = 1.0, 0.0, 0.0  # 0: never
        self.outstanding: str | None = None  # token of an unanswered create
        self.announces = False
        self.dead: set[str] = set()
        self.current: str | None = None

    @initialize(server=st.sampled_from(sorted(PROFILES)), detection=DETECTIONS)
    def begin(self, server: Any, detection: Any) -> None:
        realtime = config.RealtimeConfig(server=server, url="ws://nas/v1")
        self.session = RealtimeSession(realtime, config.TurnConfig(detection=detection))

    def take(self, event: ev.ServerEvent) -> None:
        if isinstance(event, ev.ResponseCreated):
            self.announces = True
        elif (name := _name(event)) and not (
            self.announces and self.session._answer.responses.over(name)
        ):
            self.outstanding = None  # without response.created, a name that may live is the answer
        for item in self.session.receive(event, self.now):
            if isinstance(item, ReplyAudio):
                assert item.item_id not in {f"i{dead}" for dead in self.dead}

    @rule(seconds=st.floats(0.0, 6.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        interrupted_for_s = self.now - self.interrupted_at if self.interrupted_at else 0.0
        if self.now - self.asked_at >= 20.0 or interrupted_for_s >= CREATED_WITHIN_S:
            self.outstanding = None  # the session abandons the wait
        self.session.poll(self.now)

    @rule()
    def new_socket(self) -> None:
        self.session.opened()
        self.outstanding = None
        self.take(ev.SessionCreated())
        self.take(ev.SessionUpdated())

    @rule()
    def socket_lost(self) -> None:
        self.session.lost()
        self.outstanding = None

    @rule(count=st.integers(0, 5000))
    def user_speaks(self, count: int) -> None:
        self.session.append(np.zeros(count, np.int16))

    @rule()
    def turn_ends(self) -> None:
        self.session.ask_for_reply(self.now)

    @rule(heard_ms=st.integers(0, 100))
    def interrupt(self, heard_ms: int) -> None:
        self.interrupted_at = self.interrupted_at or self.now
        if self.current is not None:
            self.dead.add(self.current)
        heard = (
            [PlaybackProgress(f"i{self.current}", 0, heard_ms, 100, False)] if self.current else []
        )
        self.session.interrupt(heard, self.now)

    @rule()
    def speech_begins(self) -> None:
        self.take(ev.SpeechStarted(item_id="u"))

    @rule()
    def speech_ends(self) -> None:
        self.take(ev.SpeechStopped(item_id="u"))
        self.take(ev.AudioCommitted(item_id="u"))

    @rule(response_id=IDS)
    def audio_done(self, response_id: str) -> None:
        self.take(ev.AudioDone(response_id=response_id, item_id=f"i{response_id}"))

    @rule(response_id=IDS, ours=st.booleans())
    def created(self, response_id: str, ours: bool) -> None:
        if response_id in self.dead:
            return  # servers do not reuse ids
        metadata = {TURN_KEY: self.outstanding} if ours and self.outstanding else None
        self.take(ev.ResponseCreated(response=ev.Response(id=response_id, metadata=metadata)))
        self.outstanding = None
        self.current = response_id

    @rule(response_id=IDS, data=st.binary(max_size=9))
    def delta(self, response_id: str, data: bytes) -> None:
        item_id = f"i{response_id}"
        self.take(ev.AudioDelta(response_id=response_id, item_id=item_id, delta=data))

    @rule(response_id=IDS, status=st.sampled_from(["completed", "cancelled", "failed", None]))
    def done(self, response_id: str, status: str | None) -> None:
        self.take(ev.ResponseDone(response=ev.Response(id=response_id, status=status)))

    @rule(code=ERRORS)
    def error(self, code: str) -> None:
        self.take(ev.ServerError(error=ev.ErrorDetail(code=code, message="some text")))
        if code in REFUSING:
            self.outstanding = None  # refused, or abandoned

    @rule(call=st.sampled_from(["c1", "c2"]), response_id=IDS)
    def function_call(self, call: str, response_id: str) -> None:
        item = {"type": "function_call", "status": "completed", "call_id": call, "name": "x"}
        self.take(ev.OutputItemDone(response_id=response_id, item=item))

    @rule(call=st.sampled_from(["c1", "c2"]))
    def function_done(self, call: str) -> None:
        self.session.skill_done(call, "ok", self.now)

    @rule(call=st.sampled_from(["m1", "m2"]), response_id=IDS)
    def remote_call(self, call: str, response_id: str) -> None:
        item = {"type": "mcp_call", "id": call, "output": None}
        self.take(ev.OutputItemAdded(response_id=response_id, item=item))
        self.take(ev.McpCallBegun(item_id=call))

    @rule(call=st.sampled_from(["m1", "m2", "m3"]))
    def remote_call_over(self, call: str) -> None:
        self.take(ev.McpCallCompleted(item_id=call))

    @rule(request=st.sampled_from(["a1", "a2"]), response_id=IDS)
    def permission_wanted(self, request: str, response_id: str) -> None:
        item = {"type": "mcp_approval_request", "id": request, "name": "x", "server_label": "y"}
        self.take(ev.OutputItemDone(response_id=response_id, item=item))

    @rule()
    def talk_ends(self) -> None:
        self.session.rest(self.now)

    @invariant()
    def one_create_at_a_time_and_every_event_is_official_and_has_an_id(self) -> None:
        for event in self.session.to_send():
            assert event.event_id
            if isinstance(event, ev.CreateResponse) and "input" in event.response:  # type: ignore[operator]
                _with_references.validate_python(msgspec.json.decode(ev.encode(event)))
            elif self.session.realtime.server != "xai":  # its session has a different shape
                assert_valid(event)
            if isinstance(event, ev.CreateResponse):
                assert isinstance(event.response, dict)
                assert self.outstanding is None, "a second create while the first is in progress"
                self.outstanding = event.response["metadata"][TURN_KEY]
                self.asked_at, self.interrupted_at = self.now, 0.0

    @invariant()
    def nothing_grows(self) -> None:
        session = self.session
        for kept in (
            session._answer.responses._over,
            session._answer.calls._seen,
            session._answer.calls._open,
            session._answer.calls._names,
            session._answer.calls._complete,
            session._answer.remote._calls,
            session._permissions._seen,
            session._truncations._sent,
            session._answer.usage._turn_of,
        ):
            assert len(kept) <= 256


SessionMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestSession = SessionMachine.TestCase
