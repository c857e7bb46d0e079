"""Sets up the session with a server: offers the configuration, and checks the confirmed one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from parleyd import config
from parleyd.config.servers import profile
from parleyd.realtime import formats
from parleyd.realtime.auto_response import AutoResponse
from parleyd.realtime.events import ErrorDetail, Json, SessionUpdate
from parleyd.realtime.formats import AudioFormat, ReplyDecoder, TurnEncoder
from parleyd.realtime.negotiation import Negotiation
from parleyd.realtime.outbox import Outbox
from parleyd.realtime.server_errors import ClassifiedError, ErrorAction
from parleyd.realtime.session_events import ServerProblem
from parleyd.realtime.settings import session_settings

CONFIGURED_WITHIN_S = 60.0  # session.updated after session.update; small machines load models
MOST_CONFIGURED_S = 300.0  # the same wait, doubled after each abandoned socket
OBJECTED_WITHIN_S = 3.0  # the same wait, after a complaint of the server


@dataclass(slots=True)
class SessionSetup:
    """The handshake of each socket; pure. Outlives the sockets."""

    realtime: config.RealtimeConfig
    turn: config.TurnConfig
    tools: Sequence[Json] = field(repr=False)  # may contain keys of remote servers
    """Functions that stay the same."""
    outbox: Outbox
    decoder: ReplyDecoder
    encoder: TurnEncoder
    auto: AutoResponse

    text_only: bool = False
    """The server has confirmed a session without speech."""

    stale: bool = False
    """The server does not know the newest `added` functions and instructions."""
    added: Sequence[Json] = ()
    """Functions that come and go with their servers."""
    added_instructions: str = ""

    _configured_by: float | None = None  # the server owes session.updated
    _objection: str = ""  # the server's complaint instead
    _patience_s: float = CONFIGURED_WITHIN_S
    _update_id: str | None = None  # of the newest session.update
    _negotiation: Negotiation = field(default_factory=Negotiation)

    @property
    def limits_context(self) -> bool:
        """Whether the server itself limits the growth of the conversation."""
        return self._negotiation.limits_context

    def created(self, now: float) -> None:
        """The server has created a session: send the configuration."""
        self._configure()
        self._configured_by, self._objection = now + self._patience_s, ""

    def offer(self, added: Sequence[Json], instructions: str) -> None:
        """These functions and instructions come in addition, from the next session or `renew`."""
        self.added, self.added_instructions, self.stale = tuple(added), instructions, True

    def renew(self) -> None:
        """Send the newest functions and instructions to a session that was accepted."""
        self.stale = False
        settings = self._negotiation.offer(self._settings())
        if profile(self.realtime.server).mcp:  # these refuse a voice that has spoken already
            settings = {name: settings[name] for name in ("type", "instructions", "tools")}
        update = SessionUpdate(session=settings)
        self.outbox.send(update)
        self._update_id = update.event_id

    def lost(self) -> None:
        """The socket is gone."""
        if self._configured_by is not None:
            self._negotiation.lost()
        self._configured_by = None

    def unplayable(self, session: Json) -> ServerProblem | None:
        """The error if the server confirms audio that Parley can't play."""
        output = formats.confirmed(session, "output")
        if output.known:
            return None
        self._configured_by = None
        text = f"the server sends {output}, which Parley cannot play: choose another server"
        return ServerProblem(ErrorAction.FATAL, text)

    def confirmed(self, session: Json) -> list[ServerProblem]:
        """Adopt the formats that the server confirms; they may differ from the requested ones."""
        output = formats.confirmed(session, "output")
        events: list[ServerProblem] = []
        if output != self.decoder.format:
            self.decoder.reset()
            self.decoder.format = output
        if output != formats.PCM:
            events.append(
                ServerProblem(ErrorAction.IGNORE, f"the server sends {output}: it is converted")
            )
        events += self._confirmed_input(formats.confirmed(session, "input"))
        self.auto.announced(formats.creates_responses(session))
        self.text_only = formats.text_only(session)
        if self.text_only:
            text = "the server's session is set to text: its answers will not be heard"
            events.append(ServerProblem(ErrorAction.CLIENT_ERROR, text))
        return events

    def confirmed_partly(self, session: Json) -> None:
        """The server describes a part of a session that works; its formats stay."""
        if (answers := formats.creates_responses(session)) is not None:
            self.auto.announced(answers)

    def accepted(self, session: Json) -> list[ServerProblem]:
        """The configuration is accepted; returns log events about the omitted fields."""
        self._configured_by, self._patience_s = None, CONFIGURED_WITHIN_S
        return _without(self._negotiation.accepted(session), "it closed every connection")

    def refused(self, error: ErrorDetail, refusal: ClassifiedError) -> list[ServerProblem]:
        """If an error refuses optional fields of the configuration, offer it without them.

        Returns the events for the log; none if the error is about something else.
        """
        ours = error.event_id in (None, self._update_id)
        if self.added and refusal.action is ErrorAction.CLIENT_ERROR and self._is_of_added(error):
            return self._without_added(refusal.text)
        if (
            self._configured_by is None
            or not ours
            or refusal.action is not ErrorAction.CLIENT_ERROR
        ):
            return []
        left_out = self._negotiation.refused(error)
        if left_out:
            self._objection = refusal.text
            self._configure()
        return _without(left_out, refusal.text)

    def objected(self, refusal: ClassifiedError, now: float) -> None:
        """Another error: an unanswered configuration is then probably refused."""
        if self._configured_by is not None and refusal.action is ErrorAction.CLIENT_ERROR:
            self._objection = refusal.text
            self._configured_by = min(self._configured_by, now + OBJECTED_WITHIN_S)

    def overdue(self, now: float) -> list[ServerProblem]:
        """The configuration was refused as a whole, or the server is stuck; returned once."""
        if self._configured_by is None or now < self._configured_by:
            return []
        self._configured_by = None
        if not self._objection:
            self._patience_s = min(2 * self._patience_s, MOST_CONFIGURED_S)
            return [ServerProblem(ErrorAction.RECONNECT, "the server does not accept the session")]
        text = f"the server refuses our configuration, check [realtime]: {self._objection}"
        return [ServerProblem(ErrorAction.LATER, text)]

    def _is_of_added(self, error: ErrorDetail) -> bool:
        """Whether an error refuses the functions of a configuration: it names them, or arrives
        for an update of a session that works."""
        param = (error.param or "").removeprefix("session").lstrip(".")
        if param.startswith(("tools", "instructions")):
            return error.event_id in (None, self._update_id)
        return error.event_id == self._update_id and self._configured_by is None

    def _without_added(self, reason: str) -> list[ServerProblem]:
        """Do without the functions that a server refuses: one of them would cost the session."""
        self.added, self.added_instructions = (), ""
        if self._configured_by is not None:
            self._configure()
        text = f"the server refuses the functions of MCP servers, they are left out ({reason})"
        return [ServerProblem(ErrorAction.CLIENT_ERROR, text)]

    def _settings(self) -> Json:
        settings = session_settings(self.realtime, self.turn, [*self.tools, *self.added])
        if self.added_instructions:
            settings["instructions"] += f"\n\n{self.added_instructions}"
        return settings

    def _configure(self) -> None:
        self.stale = False
        update = SessionUpdate(session=self._negotiation.offer(self._settings()))
        self.outbox.send(update)
        self._update_id = update.event_id

    def _confirmed_input(self, wanted: AudioFormat) -> list[ServerProblem]:
        self.encoder.reset()
        self.encoder.format = wanted if wanted.known else formats.PCM
        if wanted == formats.PCM:
            return []
        does = "it is converted" if wanted.known else f"it still gets {formats.PCM}"
        return [ServerProblem(ErrorAction.IGNORE, f"the server expects {wanted}: {does}")]


def _without(fields: str, reason: str) -> list[ServerProblem]:
    """A log event that names the optional fields refused by a server."""
    text = f"the server refuses {fields} of the session, which is set up without ({reason})"
    return [ServerProblem(ErrorAction.CLIENT_ERROR, text)] if fields else []
