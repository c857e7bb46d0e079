"""The due answer: its response, the calls that it makes, and the permission for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from parleyd.config.servers import Profile
from parleyd.realtime import events as ev
from parleyd.realtime.auto_response import AutoResponse
from parleyd.realtime.endings import (
    SPEAK,
    about_a_message,
    claims_sound,
    messages,
    only_messages,
    reason,
    shortfall,
    takes_no_settings,
)
from parleyd.realtime.function_calls import FunctionCalls
from parleyd.realtime.guards import Guard
from parleyd.realtime.mcp_calls import McpCalls, McpToolListing
from parleyd.realtime.outbox import Outbox
from parleyd.realtime.permission import Permissions, PermissionState
from parleyd.realtime.reply_audio import AudioParts
from parleyd.realtime.responses import NAMELESS, Ending, Responses
from parleyd.realtime.server_errors import (
    ClassifiedError,
    ErrorAction,
    classify_error,
    is_retryable,
)
from parleyd.realtime.session_events import (
    CutOff,
    Permission,
    ReplyDone,
    ServerProblem,
    SessionEvent,
    SkillCalled,
)
from parleyd.realtime.session_setup import SessionSetup
from parleyd.realtime.turn_input import TurnInput
from parleyd.realtime.usage import ContextWindow, Usage

CUT_OFF_HEARD_S = 0.5  # speech_started after a cancelled response; otherwise the user was silent


@dataclass(slots=True)
class ResponseChain:
    """Requests one response after the other until the answer is complete; pure.

    The model answers in a response. It continues in a further one when the functions and remote
    tools that it called have returned, and the user has answered the question for permission.
    """

    profile: Profile
    outbox: Outbox
    setup: SessionSetup
    input: TurnInput
    auto: AutoResponse
    responses: Responses
    permissions: Permissions
    listing: McpToolListing
    context: ContextWindow
    audio: AudioParts
    calls: FunctionCalls = field(default_factory=FunctionCalls)
    remote: McpCalls = field(default_factory=McpCalls)
    usage: Usage = field(default_factory=Usage)
    guards: Mapping[str, Guard] = field(default_factory=dict)
    """The functions of Parley that may need permission."""

    _cancelled_by_server_at: float | None = None  # the server may have detected speech of the user

    @property
    def working(self) -> bool:
        """Whether the answer waits for functions or remote tools; each has its time limit."""
        return self.calls.living or self.remote.living

    @property
    def living(self) -> bool:
        """Whether the answer is incomplete, and was not interrupted."""
        asks = self.permissions.pending or self.permissions.judging_here
        return self.responses.living or self.working or asks

    @property
    def awaiting(self) -> bool:
        """Whether the server owes an answer, or the rest of one."""
        undecided = self._cancelled_by_server_at is not None
        return self.responses.wanted or self.living or undecided

    # --- commands ---------------------------------------------------------------------

    def begin_turn(self) -> None:
        """The user's turn has ended: the next responses are for this one."""
        self.usage.turns += 1

    def want(self, now: float) -> None:
        """Request a response, now or as soon as possible."""
        self.responses.want()
        self.create(now)

    def create(self, now: float) -> None:
        """Send `response.create` if a response is wanted and nothing must come first."""
        if not self.responses.wanted:
            return
        wait = (
            self.input.waits(now)
            or self.calls.living
            or self.remote.living
            or self.listing.waits(now)
            or self.permissions.waits
        )
        if self.outbox.ready and not wait:
            create = self.responses.create(now, self.permissions.response())
            if create is not None:
                self.auto.asked()
                self.outbox.say(create)
                self.responses.sent(create.event_id)

    def stop_generating(self, now: float) -> None:
        """The rest of the response is not wanted; the received part is."""
        self.outbox.say_if(self.responses.cancel(now))

    def interrupt(self, now: float) -> None:
        """Abandon the answer: cancel its response and ignore its calls."""
        self._cancelled_by_server_at = None
        self.outbox.say_if(self.responses.interrupt(now))
        self.calls.interrupt()
        self.remote.interrupt()

    def skill_done(
        self, call_id: str, output: str, now: float, *, reply: bool
    ) -> list[SessionEvent]:
        """A function has returned; see `Session.skill_done`."""
        server_id = self.calls.call_id(call_id)
        asked, lives = self.calls.done(call_id, reply=reply)
        if not asked:
            return []
        item = {"type": "function_call_output", "call_id": server_id, "output": output}
        self.outbox.say(ev.CreateItem(item=item))
        return self._continue(now) if lives else []

    def question_failed(self, why: str, now: float) -> list[SessionEvent]:
        """The user cannot hear the question: refuse, and let the model say so."""
        events = self.decide(self.permissions.refuse(why), now)
        self.want(now)
        return events

    def answer_recognized(self, number: int, now: float, *, yes: bool) -> list[SessionEvent]:
        """The answer to the question for permission was recognised on the device."""
        decided = self.decide(self.permissions.recognized(number, yes=yes), now)
        if not decided:
            return []
        if question := self.permissions.question(now):
            return [*decided, question]
        self.want(now)
        return decided

    def decide(
        self, decisions: Sequence[ev.CreateItem | Permission], now: float
    ) -> list[SessionEvent]:
        """Send the decisions about tools; returns the part for the log, and the calls that may
        run now."""
        events: list[SessionEvent] = []
        for decision in decisions:
            if isinstance(decision, ev.CreateItem):
                self.outbox.say(decision)
                continue
            events.append(decision)
            if decision.call is not None:
                events += self._decided(decision, decision.call)
            elif decision.granted:
                self.remote.permitted(decision.request_id, now)
        return events

    def _decided(self, decision: Permission, call: SkillCalled) -> list[SessionEvent]:
        """Run a function that waited for permission, or answer the model that it will not run."""
        if decision.granted:
            self.calls.hold(call.call_id, held=False)
            return [call]
        output = "This was not done: the user did not say yes."
        if decision.reason:
            output = f"This was not done, and the user was not asked: {decision.reason}."
        server_id = self.calls.call_id(call.call_id)
        if self.calls.done(call.call_id, reply=False)[0]:
            item = {"type": "function_call_output", "call_id": server_id, "output": output}
            self.outbox.say(ev.CreateItem(item=item))
        return []

    def lost(self) -> None:
        """The socket is gone, along with the answer; a wanted response is still wanted."""
        self.responses.lost()
        self.remote.interrupt()
        self.listing.forget()
        self.calls.forget()
        self.audio.decoder.reset()
        self._cancelled_by_server_at = None
        self.context.forget()

    # --- server events ----------------------------------------------------------------

    def receive(self, event: ev.ServerEvent, now: float) -> list[SessionEvent]:
        """Take an event about responses, their items, or remote tools; ignore any other."""
        match event:
            case ev.ResponseCreated():
                self._begun(event.response, now)
            case ev.AudioDelta():
                return self._audio(event, now)
            case ev.AudioDone():
                if (number := self.number(event.response_id, now)) is not None:
                    self._may_be_done(now)
                    return [*self.audio.part_done(number, event)]
            case ev.OutputItemAdded():
                if self.number(event.response_id, now) is not None:
                    self.responses.goes_on()
                    self.calls.announce(event.item)
                    self.audio.names.added(event.item, event.output_index)
                    self.remote.claim(event.item, now, event.output_index)
            case ev.FunctionCallArgumentsDone():
                if self.number(event.response_id, now) is not None:
                    self._may_be_done(now)
                    self.calls.arguments(event)
            case ev.OutputItemDone():
                if self.number(event.response_id, now) is not None:
                    self._may_be_done(now)
                    return self._item_done(event.item, now, event.output_index)
            case ev.ItemAdded():
                self.listing.named(event.item)
            case ev.ItemDone():
                self.listing.named(event.item)
                lives = self.responses.living
                asked = self.permissions.take(event.item, lives=lives, of_response=False)
                return self.decide(asked, now)
            case ev.ResponseDone():
                return self._response_done(event.response, now)
            case _:
                return self._remote_tool(event, now)
        return []

    def _remote_tool(self, event: ev.ServerEvent, now: float) -> list[SessionEvent]:
        match event:
            case ev.McpCallBegun():
                self.remote.begun(event.item_id, now)
            case ev.McpCallCompleted() | ev.McpCallFailed():
                return self._continue(now) if self.remote.ended(event.item_id) else []
            case ev.McpListed():
                self.listing.listed(event.item_id)
                self.create(now)
            case ev.McpNotListed():
                text = self.listing.failed(event.item_id)
                self.create(now)
                return [ServerProblem(ErrorAction.CLIENT_ERROR, text)]
        return []

    def number(self, response_id: str, now: float) -> int | None:
        """The number of the living response that an event belongs to; None for any other."""
        if self.responses.unannounced(response_id):
            self._begun(ev.Response(id=response_id), now, announced=False)
        return self.responses.number(response_id)

    def cut_off(self, now: float) -> list[SessionEvent]:
        """The server detects the user and ends its response itself: no cancel is needed yet."""
        if not self.profile.interrupts:
            return []
        self._cancelled_by_server_at = None
        self.responses.cut_off(now)
        return [CutOff()]

    def poll(self, now: float) -> list[SessionEvent]:
        """At every period: end everything that the server, or the offline voice, fails to end."""
        self.outbox.say_if(self.responses.late_cancel(now))
        events: list[SessionEvent] = []
        if (failure := self.responses.overdue(now)) is not None:
            events.append(ReplyDone(failure))
        ended = self.responses.ended_silently(now)
        if ended:
            events.append(ReplyDone(ended))
        elif ended is not None or self.remote.overdue(now):
            events += self._continue(now)
        if self.permissions.overdue(now):
            events += self.question_failed("the offline voice does not answer", now)
        return [*events, *self._not_cut_off(now)]

    def refused(
        self, error: ev.ErrorDetail, refusal: ClassifiedError, now: float
    ) -> list[SessionEvent]:
        """An error may be the only event of the server about the due answer."""
        about_it = self.responses.is_create(error.event_id)
        about_it = about_it or str(error.param or "").startswith("response")
        if takes_no_settings(error, about_it) and self.responses.create_plainly():
            return []
        refused = about_it or refusal.action is ErrorAction.BACK_OFF
        if refused and self.responses.create_failed(now, named=about_it):
            return [ReplyDone(refusal.text)]
        if not self.profile.ends and not about_a_message(error):
            self.responses.fails(refusal.text, now)
        return []

    # --- a response -------------------------------------------------------------------

    def _begun(self, response: ev.Response, now: float, *, announced: bool = True) -> None:
        """The server begins a response; `announced`: by `response.created`."""
        before, asked = self.responses.newest, self.responses.asked
        self.usage.created(response)
        self.outbox.say_if(self.responses.created(response, now, announced=announced))
        if self.responses.newest == before:
            return
        self.audio.begin_response()
        self.calls.begin_response()
        self.permissions.response_began()
        if not asked:
            self.auto.began_by_itself()

    def _audio(self, event: ev.AudioDelta, now: float) -> list[SessionEvent]:
        number = self.number(event.response_id, now)
        if number is None or not event.delta:
            return []
        self.responses.sounds()
        self.remote.answered(event.output_index)
        return [*self.audio.push(number, event)]

    def _may_be_done(self, now: float) -> None:
        if not self.profile.ends:
            self.responses.may_be_done(now)

    def _item_done(
        self, item: ev.Json, now: float, index: int, *, calls: bool = True
    ) -> list[SessionEvent]:
        """An output item of the living response. `calls`: run it if it is a function call."""
        if self.permissions.stage is PermissionState.VERDICT:
            return []
        self.remote.claim(item, now, index)
        asked = self.permissions.take(item, lives=True)
        called = self.calls.take(item) if calls else []
        return [*self._guarded(called, now), *self.decide(asked, now)]

    def _guarded(self, called: Sequence[SkillCalled], now: float) -> list[SessionEvent]:
        """Hold the calls that need permission; returns the others."""
        events: list[SessionEvent] = []
        for call in called:
            guard = self.guards.get(call.name)
            if guard is None:
                events.append(call)
                continue
            call = replace(call, guarded=True)
            if not guard.asks(call.arguments):
                events.append(call)
            else:
                self.calls.hold(call.call_id, held=True)
                events += self.decide(self.permissions.hold(call, guard), now)
        return events

    def _response_done(self, response: ev.Response, now: float) -> list[SessionEvent]:
        if not self.responses.announces and self.responses.unannounced(response.id):
            self._begun(response, now, announced=False)
        if not self.responses.over(response.id) and self.audio.names.have(response.output or []):
            response.id = NAMELESS  # its items show that it is the current one
        ending = self.responses.done(response.id)
        events: list[SessionEvent] = [*self.usage.done(response)]
        self.context.read(response.usage or {})
        if ending is Ending.LIVING:
            events += [*self.audio.rest(), *self._ended(response, now)]
        self.create(now)
        return events

    # --- the end of the living response -----------------------------------------------

    def _ended(self, response: ev.Response, now: float) -> list[SessionEvent]:
        """The living response is complete: decide what follows."""
        if self.permissions.stage is PermissionState.VERDICT:
            decided = self.decide(self.permissions.judged(response), now)
            if question := self.permissions.question(now):
                return [*decided, question]
            self.responses.want()  # the model responds to the user's answer
            return decided
        output = response.output or []
        events: list[SessionEvent] = []
        completed = response.status in (None, "completed")
        for index, item in enumerate(output):
            events += self._item_done(item, now, index, calls=not completed)
        if completed:
            events += self._guarded(self.calls.rest(output), now)
        else:
            events += self.decide(self.permissions.refuse("its answer did not complete"), now)
        if response.status == "cancelled" and self._by_the_user(response, now):
            return [*events, CutOff()] if self._cancelled_by_server_at is None else events
        if response.status == "failed" and not self.calls.living:
            return [*events, *self._failed(response, now)]
        if short := shortfall(response):
            over = ReplyDone(short) if not self.living else ServerProblem(ErrorAction.IGNORE, short)
            return [*events, over]
        end = self._continue(now)
        if end == [ReplyDone()] and only_messages(output) and not self.calls.called:
            end = self._unheard(output, now)
        return [*events, *end]

    def _continue(self, now: float) -> list[SessionEvent]:
        """Once all results are in, the model continues, or the answer is complete."""
        if not self.responses.living and (question := self.permissions.question(now)):
            return [question]
        if self.living:
            return []
        results = self.calls.complete() | self.remote.complete() | self.permissions.complete()
        if not results and not self.responses.wanted:
            return [ReplyDone()]
        self.input.wait_no_longer()
        self.want(now)
        return []

    def _by_the_user(self, response: ev.Response, now: float) -> bool:
        """Whether the server ended its response because it detected the user. Some servers give no
        reason: if no audio has arrived yet, they must report the user's speech soon."""
        if reason(response):
            return reason(response) == "turn_detected"
        if self.profile.interrupts and not self.responses.sounded:
            self._cancelled_by_server_at = now
        return self.profile.interrupts

    def _not_cut_off(self, now: float) -> list[SessionEvent]:
        at = self._cancelled_by_server_at
        if at is None or now < at + CUT_OFF_HEARD_S:
            return []
        self._cancelled_by_server_at = None
        return [ReplyDone("the server cancelled its answer (no reason given)")]

    def _unheard(self, output: Sequence[ev.Json], now: float) -> list[SessionEvent]:
        """A complete answer; if it has no audio, request a spoken one, once."""
        if self.responses.sounded:
            return [ReplyDone()]
        if claims_sound(output):
            return [ReplyDone("the server sent the words of its answer, but no sound")]
        what = "the server answered in text only" if output else "the server's answer was empty"
        if self.setup.text_only or not self.responses.want_again(now, SPEAK):
            return [ReplyDone(what)]
        if self.profile.truncates:
            for item_id in messages(output):
                self.outbox.say(ev.DeleteItem(item_id=item_id))  # the second answer replaces it
        return [ServerProblem(ErrorAction.IGNORE, f"{what}: asking once more")]

    def _failed(self, response: ev.Response, now: float) -> list[SessionEvent]:
        """Why the living response failed; if the failure is temporary, request again, once."""
        error = _error_of(response)
        refusal = classify_error(error)
        alone = self.permissions.stage is PermissionState.NONE and not self.remote.living
        if is_retryable(error) and alone and self.responses.want_again(now):
            return [ServerProblem(refusal.action, "the server failed to answer: asking once more")]
        return [ServerProblem(refusal.action, refusal.text), ReplyDone(refusal.text)]


def _error_of(response: ev.Response) -> ev.ErrorDetail:
    details = response.status_details
    detail = details.get("error") if isinstance(details, dict) else None
    try:
        return msgspec.convert(detail, ev.ErrorDetail)
    except msgspec.ValidationError:
        return ev.ErrorDetail(message="the answer failed")
