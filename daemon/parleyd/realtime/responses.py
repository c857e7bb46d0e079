"""Which response lives: one `response.create` at a time, and the dead stay dead.

A response is *dead* from the moment it was interrupted: whatever still comes for it is
to be dropped. The next `response.create` waits until the response before it is done,
says that there is nothing to cancel, or stays silent for too long.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from parleyd.realtime.events import CancelResponse, CreateResponse, Json, Response

CREATED_WITHIN_S = 5.0  # response.created after response.create; seen: well under a second
CANCELLED_WITHIN_S = 3.0  # response.done after response.cancel; some servers never send it
CUT_OFF_WITHIN_S = 0.5  # response.done of a server that interrupts itself; else it did not
DONE_WITHIN_S = 3.0  # response.done after the last audio, of servers that may leave it out
AGAIN_AFTER_S = 1.0  # after a failure of the server's own; to a user it is a longer thought
CREATE_TRIES = 3  # how often "already has an active response" is believed
REMEMBERED_DEAD = 256  # late deltas come within seconds

TURN_KEY = "parley_turn"  # in a response's metadata: which of our creates it answers
UNKNOWN = ""  # the id of an active response that the server never announced to us


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
    cancelled: bool = False  # interrupted before response.created told its id


@dataclass(slots=True)
class _Active:
    """The response that the server is generating."""

    response_id: str
    cancel_deadline: float | None = None
    done_deadline: float | None = None
    cancel_at: float | None = None  # if it is not over by itself then


@dataclass(slots=True)
class Responses:
    """The life of responses on one socket; pure, the session sends what is returned."""

    wanted: bool = False
    """A reply is to be created as soon as it may."""

    _create: _Create | None = None
    _active: _Active | None = None
    _tries: int = 0
    _again: bool = False  # the wanted reply is a second try
    _not_before: float = 0.0
    _sounded: bool = False  # audio of the newest response has come
    _tokens: "count[int]" = field(default_factory=lambda: count(1))
    _dead: OrderedDict[str, None] = field(default_factory=OrderedDict)

    @property
    def living(self) -> bool:
        """A response of ours is asked for or generated, and was not interrupted."""
        if self._create is not None and not self._create.cancelled:
            return True
        return self._active is not None and self._active.response_id not in self._dead

    def alive(self, response_id: str) -> bool:
        """What comes for this response is to be played."""
        active = self._active
        return (
            active is not None
            and active.response_id == response_id
            and response_id not in self._dead
        )

    def want(self) -> None:
        """A turn has ended and is to be answered."""
        self.wanted = True
        self._tries = 0
        self._again, self._not_before = False, 0.0

    def want_again(self, now: float) -> bool:
        """The living response failed, and may succeed in a moment; False: it was to be heard
        already, or was the second try."""
        if self._again or self._sounded:
            return False
        self._again, self._not_before = True, now + AGAIN_AFTER_S
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
        self._create = _Create(token, now + CREATED_WITHIN_S)
        return CreateResponse(response={"metadata": {TURN_KEY: token}, **special})

    def created(self, response: Response, now: float) -> CancelResponse | None:
        """The server began a response; returned is its cancel, if it is not to live."""
        ours = (response.metadata or {}).get(TURN_KEY)
        create, self._create = self._create, None
        if create is None and self.wanted and ours is None:
            self.wanted = False  # a server that answers by itself: take it as our answer
        elif create is None or (ours is not None and ours != create.token):
            self._create = create
            self._bury(response.id)  # nobody asked for it, or nobody does any more
            return CancelResponse(response_id=response.id)
        self._active = _Active(response.id)
        self._sounded = False
        return self.cancel(now) if create is not None and create.cancelled else None

    def done(self, response_id: str) -> Ending:
        """The server ended a response."""
        active = self._active
        if active is None or active.response_id not in (response_id, UNKNOWN):
            return Ending.STRANGER
        self._active = None
        if active.response_id == UNKNOWN:
            return Ending.DEAD
        self._tries = 0
        return Ending.DEAD if response_id in self._dead else Ending.LIVING

    def interrupt(self, now: float) -> CancelResponse | None:
        """Nothing that was asked for is wanted any more; returned is what cancels it."""
        self.wanted = False
        if self._create is not None:
            self._create.cancelled = True
        return self.cancel(now)

    def cancel(self, now: float) -> CancelResponse | None:
        """Kill the active response, by its id, unless it is dead already."""
        if self._active is None or self._active.response_id in self._dead:
            return None
        self._bury(self._active.response_id)
        self._active.cancel_deadline = now + CANCELLED_WITHIN_S
        self._active.done_deadline = None  # from here on the answer to the cancel is waited for
        return CancelResponse(response_id=self._active.response_id)

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
        return CancelResponse(response_id=active.response_id)

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
            self._active = _Active(UNKNOWN, now + CANCELLED_WITHIN_S)
        return False

    def create_failed(self) -> bool:
        """Our create was refused for good; True when the user waits for its answer."""
        create, self._create = self._create, None
        return create is not None and not create.cancelled

    def may_be_done(self, now: float) -> None:
        """A part of the living response is complete; on some servers nothing else follows."""
        if self._active is not None:
            self._active.done_deadline = now + DONE_WITHIN_S

    def goes_on(self) -> None:
        """More of the living response came."""
        self._sounded = True
        if self._active is not None:
            self._active.done_deadline = None

    def ended_silently(self, now: float) -> bool:
        """The living response is over, though its server never said so; True once."""
        active = self._active
        if active is None or active.done_deadline is None or now < active.done_deadline:
            return False
        self._active = None
        return active.response_id not in self._dead

    def overdue(self, now: float) -> bool:
        """Give up waiting for what should have come; True when the user waits for it."""
        active, create = self._active, self._create
        deadline = active.cancel_deadline if active is not None else None
        if deadline is not None and now >= deadline:
            self._active = None
        if create is not None and now >= create.deadline:
            self._create = None
            return not create.cancelled
        return False

    def lost(self) -> bool:
        """The socket is gone and its responses with it; True when one of them lived."""
        living = self.living
        if self._active is not None:
            self._bury(self._active.response_id)
        self._create = self._active = None
        return living

    def _bury(self, response_id: str) -> None:
        self._dead[response_id] = None
        while len(self._dead) > REMEMBERED_DEAD:
            self._dead.popitem(last=False)
