"""Which response lives: one `response.create` at a time, and the dead stay dead.

A response is *dead* from the moment it was interrupted: all its later events are dropped. The next
`response.create` waits until the previous response is done, until the server says that there is
nothing to cancel, or until it has been silent for too long.

Servers name responses. A name may be missing, arrive late, or be reused, so each response that
begins to live gets a separate number, which playback uses.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from msgspec import UNSET

from parleyd.realtime.events import CancelResponse, CreateResponse, Json, Response

CREATED_WITHIN_S = 5.0  # response.created of an interrupted create; the next one waits
CANCELLED_WITHIN_S = 3.0  # response.done after response.cancel; some servers never send it
CUT_OFF_WITHIN_S = 0.5  # response.done of a server that interrupts itself; otherwise it did not
DONE_WITHIN_S = 3.0  # response.done after the last audio, of a server that omitted one before
FAILED_WITHIN_S = 1.0  # response.done after an error, of a server that may omit it
AGAIN_AFTER_S = 1.0  # after an internal failure of the server; the user perceives a longer pause
CREATE_TRIES = 3  # attempts until "already has an active response" counts as a failure
REMEMBERED = 256  # names of finished responses; late deltas arrive within seconds

TURN_KEY = "parley_turn"  # in a response's metadata: identifies our create
NAMELESS = ""  # the id in an event of a server that does not name its responses


class Ending(Enum):
    """The response that a `response.done` ends."""

    LIVING = auto()  # the reply that is playing
    DEAD = auto()  # one that was interrupted, or that blocked ours
    STRANGER = auto()  # an older one; its late end changes nothing


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
    """The response in progress on the server."""

    response_id: str
    number: int
    dead: bool = False
    stranger: bool = False  # the server reports it as active, but never announced it
    cancel_deadline: float | None = None
    done_deadline: float | None = None
    failure: str = ""  # why the server will not finish it
    cancel_at: float | None = None  # unless it is over by itself before that


@dataclass(slots=True)
class Responses:
    """The lifecycle of responses on one socket; pure, the session sends the returned events."""

    response_timeout_s: float = 20.0
    """The user's patience: no wait for a server's next sign of life is shorter."""

    wanted: bool = False
    """A reply must be created as soon as possible."""

    _create: _Create | None = None
    _active: _Active | None = None
    _tries: int = 0
    _again: bool = False  # the wanted reply is a second attempt
    _special: Json = field(default_factory=dict)  # settings of the second attempt only
    _not_before: float = 0.0
    _sounded: bool = False  # audio of the newest response has arrived
    _announces: bool = False  # this server sends response.created
    _plain: bool = False  # it refuses a response.create with metadata
    _leaves_out_done: bool = False  # it ended a response without response.done
    _tokens: "count[int]" = field(default_factory=lambda: count(1))
    _newest: int = 0
    _over: OrderedDict[str, None] = field(default_factory=OrderedDict)  # dead, or done

    @property
    def living(self) -> bool:
        """Whether a response of ours is requested or in progress, and was not interrupted."""
        if self._create is not None and not self._create.cancelled:
            return True
        return self._active is not None and not self._active.dead

    @property
    def asked(self) -> bool:
        """Whether a `response.create` was sent that is not answered yet."""
        return self._create is not None

    @property
    def announces(self) -> bool:
        """Whether this server sends `response.created`, as the protocol defines it."""
        return self._announces

    @property
    def newest(self) -> int:
        """The number of the newest response that began to live; 0 before the first."""
        return self._newest

    @property
    def sounded(self) -> bool:
        """Whether audio of the newest response has arrived."""
        return self._sounded

    def number(self, response_id: str) -> int | None:
        """The number of the living response if an event with this id belongs to it: its own id, no
        id, or an unknown one, because a server that gets an id wrong means the current response."""
        active = self._active
        if active is None or active.dead:
            return None
        if active.response_id == NAMELESS and response_id not in self._over:
            active.response_id = response_id  # it has a name after all
        own = response_id in (active.response_id, NAMELESS) or response_id not in self._over
        return active.number if own else None

    def over(self, response_id: str) -> bool:
        """Whether a response of this name is over, or not wanted."""
        return response_id in self._over

    def unannounced(self, response_id: str) -> bool:
        """Whether an event of this response can only mean that it has begun: some servers do not
        send `response.created`, or send it late."""
        due = self._create is not None or (self.wanted and not self._announces)
        busy = self._active is not None and (self._active.stranger or not self._active.dead)
        if not due or busy or response_id in self._over:
            return False
        return response_id != NAMELESS or not self._announces

    def want(self) -> None:
        """A turn has ended and needs an answer."""
        self.wanted = True
        self._tries = 0
        self._again, self._not_before, self._special = False, 0.0, {}

    def want_again(self, now: float, special: Json | None = None) -> bool:
        """Request a second response if the living one had no sound. False if it had, or if it was
        the second attempt. `special`: the settings of the second request."""
        if self._again or self._sounded:
            return False
        self._again, self._not_before = True, now + AGAIN_AFTER_S
        self._special = special or {}
        self.wanted = True
        return True

    def create(self, now: float, special: Json) -> CreateResponse | None:
        """The only place that requests a response: if one is wanted and none is in progress.

        `special`: settings that differ from those of an ordinary response.
        """
        if not self.wanted or self._create is not None or self._active is not None:
            return None
        if now < self._not_before:
            return None
        self.wanted = False
        token = str(next(self._tokens))
        self._create = _Create(token, now + self.response_timeout_s)
        settings = {} if self._plain else {"metadata": {TURN_KEY: token}}
        settings |= self._special | special
        return CreateResponse(response=settings or UNSET)

    def sent(self, event_id: str | None) -> None:
        """The create was sent with this event id, which an error about it may repeat."""
        if self._create is not None:
            self._create.event_id = event_id

    def created(
        self, response: Response, now: float, *, announced: bool = True
    ) -> CancelResponse | None:
        """The server began a response. Returns a cancel event if the response is not wanted.

        `announced`: by `response.created`, rather than by another event of the response.
        """
        self._announces = self._announces or announced
        active = self._active
        if active is not None and not active.stranger and active.response_id == response.id:
            return None  # announced twice, or late
        ours = (response.metadata or {}).get(TURN_KEY)
        create, self._create = self._create, None
        if create is None and self.wanted and ours is None:
            self.wanted = False  # the server answers by itself: use it as our answer
        elif create is None or (ours is not None and ours != create.token):
            self._create = create
            self._remember(response.id)  # unrequested, or no longer wanted
            return CancelResponse(response_id=response.id)
        self._over.pop(response.id, None)  # a reused name
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
        """Abandon all requested responses; returns the cancel event, if one is needed."""
        self.wanted = False
        self._abandon_create(now)
        return self.cancel(now)

    def cancel(self, now: float) -> CancelResponse | None:
        """Kill the active response, by its id, unless it is already dead."""
        active = self._active
        if active is None or active.dead:
            return None
        active.dead = True
        self._remember(active.response_id)
        active.cancel_deadline = now + CANCELLED_WITHIN_S
        active.done_deadline = None  # from now on the response to the cancel is due
        return CancelResponse(response_id=active.response_id or None)

    def cut_off(self, now: float) -> None:
        """The server probably ends the active response by itself: for us it is dead."""
        if self.cancel(now) is not None and self._active is not None:
            self._active.cancel_at = now + CUT_OFF_WITHIN_S

    def late_cancel(self, now: float) -> CancelResponse | None:
        """The cancel of a response that was not cut off after all; its id protects all others."""
        active = self._active
        if active is None or active.cancel_at is None or now < active.cancel_at:
            return None
        active.cancel_at = None
        active.cancel_deadline = now + CANCELLED_WITHIN_S
        return CancelResponse(response_id=active.response_id or None)

    def nothing_to_cancel(self) -> None:
        """The response that we cancelled was over before the cancel arrived."""
        if self._active is not None and self._active.cancel_deadline is not None:
            self._active = None

    def refused(self, now: float) -> bool:
        """Our create arrived while another response was active; True if Parley stops retrying."""
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
        """The server refused our create for good; True if the user waits for its answer.

        `named`: the error refers to the create. Otherwise the server may still answer it, but that
        answer is no longer wanted.
        """
        create = self._create
        waited = create is not None and not create.cancelled
        if named:
            self._create = None
        else:
            self._abandon_create(now)
        return waited

    def _abandon_create(self, now: float) -> None:
        """A response that answers the create must not live; the next create waits for it."""
        if self._create is not None and not self._create.cancelled:
            self._create.cancelled = True
            self._create.deadline = min(self._create.deadline, now + CREATED_WITHIN_S)

    def create_plainly(self) -> bool:
        """The server refuses the settings of our create: omit metadata from now on, and repeat the
        request. False if it had no settings that could be omitted."""
        create = self._create
        if create is None or (self._plain and not self._special):
            return False
        if self._plain:
            self._special = {}
        self._plain, self._create = True, None
        self.wanted = self.wanted or not create.cancelled
        return True

    def is_create(self, event_id: str | None) -> bool:
        """Whether an error with this event id is about the current create."""
        create = self._create
        return create is not None and event_id is not None and event_id == create.event_id

    def fails(self, failure: str, now: float) -> None:
        """The server reports an error and may report nothing else: the response is over soon,
        unless more of it arrives. `failure`: the reason in words."""
        active, create = self._active, self._create
        if active is not None and not active.dead:
            active.failure, active.done_deadline = failure, now + FAILED_WITHIN_S
        elif create is not None and not create.cancelled:
            create.failure, create.deadline = failure, now + FAILED_WITHIN_S

    def may_be_done(self, now: float) -> None:
        """A part of the living response is complete; on some servers nothing else follows."""
        if self._active is not None and not self._active.dead and not self._active.failure:
            wait_s = DONE_WITHIN_S if self._leaves_out_done else self.response_timeout_s
            self._active.done_deadline = now + wait_s

    def goes_on(self) -> None:
        """More of the living response arrived."""
        if self._active is not None:
            self._active.done_deadline, self._active.failure = None, ""

    def sounds(self) -> None:
        """Audio of the living response arrived."""
        self._sounded = True
        self.goes_on()

    def ended_silently(self, now: float) -> str | None:
        """The living response is over, but its server never sent its end. Returns the reason in
        words, or "" if all of it arrived; only once. None if it is not over."""
        active = self._active
        if active is None or active.done_deadline is None or now < active.done_deadline:
            return None
        self._active = None
        self._remember(active.response_id)
        self._leaves_out_done = self._leaves_out_done or not active.failure
        return active.failure

    def overdue(self, now: float) -> str | None:
        """Stop waiting for overdue events; returns the reason in words if the user waits for one,
        otherwise None."""
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
        """The socket is gone, along with its responses; True if one of them lived."""
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
