"""Which response lives: one `response.create` at a time, and the dead stay dead.

A response is *dead* from the moment it was interrupted: whatever still comes for it is
to be dropped. The next `response.create` waits until the response before it is done,
says that there is nothing to cancel, or stays silent for too long.

Servers name responses. Their names may be missing, come late, or be used again, so each
response that begins to live gets a number of its own, and the number is what is played.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from msgspec import UNSET

from parleyd.realtime.events import CancelResponse, CreateResponse, Json, Response

CREATED_WITHIN_S = 5.0  # response.created of a create that was interrupted; the next one waits
CANCELLED_WITHIN_S = 3.0  # response.done after response.cancel; some servers never send it
CUT_OFF_WITHIN_S = 0.5  # response.done of a server that interrupts itself; else it did not
DONE_WITHIN_S = 3.0  # response.done after the last audio, of a server that left one out before
FAILED_WITHIN_S = 1.0  # response.done after an error, of a server that may leave it out
AGAIN_AFTER_S = 1.0  # after a failure of the server's own; to a user it is a longer thought
CREATE_TRIES = 3  # how often "already has an active response" is believed
REMEMBERED = 256  # names of responses that are over; late deltas come within seconds

TURN_KEY = "parley_turn"  # in a response's metadata: which of our creates it answers
NAMELESS = ""  # the id in an event of a server that does not name its responses


class Ending(Enum):
    """Whose end a `response.done` is."""

    LIVING = auto()  # the reply that is being played
    DEAD = auto()  # one that was interrupted, or that blocked ours
    STRANGER = auto()  # late news of an older one, which change nothing


@dataclass(slots=True)
class _Create:
    """A `response.create` that the server has not answered yet."""

    token: str
    deadline: float
    event_id: str | None = None
    cancelled: bool = False  # interrupted before response.created named it
    failure: str = ""  # why the server will not answer it


@dataclass(slots=True)
class _Active:
    """The response that the server is generating."""

    response_id: str
    number: int
    dead: bool = False
    stranger: bool = False  # the server says that one is active, and never announced it
    cancel_deadline: float | None = None
    done_deadline: float | None = None
    failure: str = ""  # why the server will not finish it
    cancel_at: float | None = None  # if it is not over by itself then


@dataclass(slots=True)
class Responses:
    """The life of responses on one socket; pure, the session sends what is returned."""

    answer_within_s: float = 20.0
    """The user's patience: no wait for a server's next sign of life is shorter."""

    wanted: bool = False
    """A reply is to be created as soon as it may."""

    _create: _Create | None = None
    _active: _Active | None = None
    _tries: int = 0
    _again: bool = False  # the wanted reply is a second try
    _special: Json = field(default_factory=dict)  # how the second try differs from the first
    _not_before: float = 0.0
    _sounded: bool = False  # audio of the newest response has come
    _announces: bool = False  # this server sends response.created
    _plain: bool = False  # it refuses a response.create that carries metadata
    _leaves_out_done: bool = False  # it ended a response without response.done
    _tokens: "count[int]" = field(default_factory=lambda: count(1))
    _newest: int = 0
    _over: OrderedDict[str, None] = field(default_factory=OrderedDict)  # dead, or done

    @property
    def living(self) -> bool:
        """A response of ours is asked for or generated, and was not interrupted."""
        if self._create is not None and not self._create.cancelled:
            return True
        return self._active is not None and not self._active.dead

    @property
    def asked(self) -> bool:
        """A `response.create` is on its way that was not answered yet."""
        return self._create is not None

    @property
    def announces(self) -> bool:
        """This server sends `response.created`, as the protocol has it."""
        return self._announces

    @property
    def newest(self) -> int:
        """The number of the newest response that began to live; 0 before the first."""
        return self._newest

    @property
    def sounded(self) -> bool:
        """Audio of the newest response has come."""
        return self._sounded

    def number(self, response_id: str) -> int | None:
        """The number of the living response, if its event has this id, none, or one that no other
        response had: a server that gets an id wrong means the response under way."""
        active = self._active
        if active is None or active.dead:
            return None
        if active.response_id == NAMELESS and response_id not in self._over:
            active.response_id = response_id  # it has a name after all
        own = response_id in (active.response_id, NAMELESS) or response_id not in self._over
        return active.number if own else None

    def over(self, response_id: str) -> bool:
        """A response of this name is known to be over, or not wanted."""
        return response_id in self._over

    def unannounced(self, response_id: str) -> bool:
        """An event of this response can only mean that it has begun: some servers do not send
        `response.created`, or send it late."""
        due = self._create is not None or (self.wanted and not self._announces)
        busy = self._active is not None and (self._active.stranger or not self._active.dead)
        if not due or busy or response_id in self._over:
            return False
        return response_id != NAMELESS or not self._announces

    def want(self) -> None:
        """A turn has ended and is to be answered."""
        self.wanted = True
        self._tries = 0
        self._again, self._not_before, self._special = False, 0.0, {}

    def want_again(self, now: float, special: Json | None = None) -> bool:
        """The living response had no sound, and a second one may have; False: it was to be
        heard already, or was the second try. `special`: how the second is asked for."""
        if self._again or self._sounded:
            return False
        self._again, self._not_before = True, now + AGAIN_AFTER_S
        self._special = special or {}
        self.wanted = True
        return True

    def create(self, now: float, special: Json) -> CreateResponse | None:
        """The one place where a response is asked for: if one is wanted and none is under way.

        `special`: how it differs from an ordinary one.
        """
        if not self.wanted or self._create is not None or self._active is not None:
            return None
        if now < self._not_before:
            return None
        self.wanted = False
        token = str(next(self._tokens))
        self._create = _Create(token, now + self.answer_within_s)
        settings = {} if self._plain else {"metadata": {TURN_KEY: token}}
        settings |= self._special | special
        return CreateResponse(response=settings or UNSET)

    def sent(self, event_id: str | None) -> None:
        """The create went out under this event id, which an error about it may repeat."""
        if self._create is not None:
            self._create.event_id = event_id

    def created(
        self, response: Response, now: float, *, announced: bool = True
    ) -> CancelResponse | None:
        """The server began a response; returned is its cancel, if it is not to live.

        `announced`: by `response.created`, and not by the first other event of it.
        """
        self._announces = self._announces or announced
        active = self._active
        if active is not None and not active.stranger and active.response_id == response.id:
            return None  # announced twice, or late
        ours = (response.metadata or {}).get(TURN_KEY)
        create, self._create = self._create, None
        if create is None and self.wanted and ours is None:
            self.wanted = False  # a server that answers by itself: take it as our answer
        elif create is None or (ours is not None and ours != create.token):
            self._create = create
            self._remember(response.id)  # nobody asked for it, or nobody does any more
            return CancelResponse(response_id=response.id)
        self._over.pop(response.id, None)  # a name that is used again
        self._newest += 1
        self._active = _Active(response.id, self._newest)
        self._sounded = False
        return self.cancel(now) if create is not None and create.cancelled else None

    def done(self, response_id: str) -> Ending:
        """The server ended a response."""
        active = self._active
        if active is None:
            return Ending.STRANGER
        nameless = active.response_id == NAMELESS and response_id not in self._over
        nameless = nameless or response_id == NAMELESS
        if not active.stranger and not nameless and active.response_id != response_id:
            return Ending.STRANGER
        self._active = None
        if active.stranger:
            return Ending.DEAD
        self._tries = 0
        self._remember(active.response_id)
        if active.dead:
            return Ending.DEAD
        self._leaves_out_done = False
        return Ending.LIVING

    def interrupt(self, now: float) -> CancelResponse | None:
        """Nothing that was asked for is wanted any more; returned is what cancels it."""
        self.wanted = False
        self._abandon_create(now)
        return self.cancel(now)

    def cancel(self, now: float) -> CancelResponse | None:
        """Kill the active response, by its id, unless it is dead already."""
        active = self._active
        if active is None or active.dead:
            return None
        active.dead = True
        self._remember(active.response_id)
        active.cancel_deadline = now + CANCELLED_WITHIN_S
        active.done_deadline = None  # from here on the answer to the cancel is waited for
        return CancelResponse(response_id=active.response_id or None)

    def cut_off(self, now: float) -> None:
        """The server probably ends the active response by itself: it is dead for us."""
        if self.cancel(now) is not None and self._active is not None:
            self._active.cancel_at = now + CUT_OFF_WITHIN_S

    def late_cancel(self, now: float) -> CancelResponse | None:
        """The cancel of a response that was not cut off after all; by its id it harms no other."""
        active = self._active
        if active is None or active.cancel_at is None or now < active.cancel_at:
            return None
        active.cancel_at = None
        active.cancel_deadline = now + CANCELLED_WITHIN_S
        return CancelResponse(response_id=active.response_id or None)

    def nothing_to_cancel(self) -> None:
        """The response that we cancelled was over before the cancel came."""
        if self._active is not None and self._active.cancel_deadline is not None:
            self._active = None

    def refused(self, now: float) -> bool:
        """Our create came while another response is active; True when we give up."""
        create, self._create = self._create, None
        if create is None or create.cancelled:
            return False
        self._tries += 1
        if self._tries >= CREATE_TRIES:
            return True
        self.wanted = True
        if self._active is None:
            self._active = _Active(NAMELESS, 0, dead=True, stranger=True)
            self._active.cancel_deadline = now + CANCELLED_WITHIN_S
        return False

    def create_failed(self, now: float, *, named: bool) -> bool:
        """Our create was refused for good; True when the user waits for its answer.

        `named`: the error says that it is about the create. Else the server may answer all the
        same, and its answer is not wanted any more.
        """
        create = self._create
        waited = create is not None and not create.cancelled
        if named:
            self._create = None
        else:
            self._abandon_create(now)
        return waited

    def _abandon_create(self, now: float) -> None:
        """A response that answers it is not to live; the next create waits for that one."""
        if self._create is not None and not self._create.cancelled:
            self._create.cancelled = True
            self._create.deadline = min(self._create.deadline, now + CREATED_WITHIN_S)

    def create_plainly(self) -> bool:
        """The server refuses what our create carries: from now on none has metadata, and the
        answer is asked for once more without. False if it carried none that can be left out."""
        create = self._create
        if create is None or (self._plain and not self._special):
            return False
        if self._plain:
            self._special = {}
        self._plain, self._create = True, None
        self.wanted = self.wanted or not create.cancelled
        return True

    def is_create(self, event_id: str | None) -> bool:
        """An error with this event id is about the create that is under way."""
        create = self._create
        return create is not None and event_id is not None and event_id == create.event_id

    def fails(self, failure: str, now: float) -> None:
        """The server reports an error and may report nothing else: unless more of the response
        comes, it is over soon. `failure`: the reason in words."""
        active, create = self._active, self._create
        if active is not None and not active.dead:
            active.failure, active.done_deadline = failure, now + FAILED_WITHIN_S
        elif create is not None and not create.cancelled:
            create.failure, create.deadline = failure, now + FAILED_WITHIN_S

    def may_be_done(self, now: float) -> None:
        """A part of the living response is complete; on some servers nothing else follows."""
        if self._active is not None and not self._active.dead and not self._active.failure:
            wait_s = DONE_WITHIN_S if self._leaves_out_done else self.answer_within_s
            self._active.done_deadline = now + wait_s

    def goes_on(self) -> None:
        """More of the living response came."""
        if self._active is not None:
            self._active.done_deadline, self._active.failure = None, ""

    def sounds(self) -> None:
        """Audio of the living response came."""
        self._sounded = True
        self.goes_on()

    def ended_silently(self, now: float) -> str | None:
        """The living response is over, though its server never sent its end: why, in words,
        or "" when all of it came. Returned once; None while it is not so."""
        active = self._active
        if active is None or active.done_deadline is None or now < active.done_deadline:
            return None
        self._active = None
        self._remember(active.response_id)
        self._leaves_out_done = self._leaves_out_done or not active.failure
        return active.failure

    def overdue(self, now: float) -> str | None:
        """Give up waiting for what should have come; the reason in words when the user waits
        for it, else None."""
        active, create = self._active, self._create
        deadline = active.cancel_deadline if active is not None else None
        if deadline is not None and now >= deadline:
            self._active = None
        if create is not None and now >= create.deadline:
            self._create = None
            words = create.failure or "the server did not begin an answer"
            return None if create.cancelled else words
        return None

    def lost(self) -> bool:
        """The socket is gone and its responses with it; True when one of them lived."""
        living = self.living
        if self._active is not None:
            self._remember(self._active.response_id)
        self._create = self._active = None
        return living

    def _remember(self, response_id: str) -> None:
        if response_id == NAMELESS:
            return
        self._over[response_id] = None
        self._over.move_to_end(response_id)
        while len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
