"""A server that does not know all fields of a session gets a session without them."""

import msgspec
import pytest

from parleyd import config
from parleyd.realtime import events as ev
from parleyd.realtime.negotiation import OPTIONAL, Negotiation
from parleyd.realtime.server_errors import ErrorAction
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import Ready, ServerProblem
from tests.openai_types import assert_valid

EVERYTHING = config.RealtimeConfig(
    transcription_model="gpt-transcribe",
    transcription_keywords=("Parley", "Zoë"),
    language="de",
    reasoning_effort="low",
    speed=1.2,
    max_output_tokens="inf",
)


class Strict:
    """A server that refuses a `session.update` for the first field that it does not know."""

    def __init__(
        self, *unknown: str, said: str = "param", realtime: config.RealtimeConfig = EVERYTHING
    ):
        self.unknown = unknown
        self.said = said
        self.session = RealtimeSession(realtime, config.TurnConfig())
        self.problems: list[ServerProblem] = []
        self.updates: list[ev.Json] = []
        self.ready = False

    def connect(self) -> "Strict":
        self.updates.clear()
        self.session.lost()
        self.session.opened()
        self.session.receive(ev.SessionCreated(), 0.0)
        while updates := self.session.to_send():
            (update,) = updates
            assert isinstance(update, ev.SessionUpdate)
            assert_valid(update)
            self.updates.append(update.session)
            self._answer(update)
        return self

    def _answer(self, update: ev.SessionUpdate) -> None:
        refused = next((path for path in self.unknown if _has(update.session, path)), None)
        event: ev.ServerEvent = ev.SessionUpdated()
        if refused is not None:
            event = ev.ServerError(error=self._error(f"session.{refused}", update.event_id))
        for item in self.session.receive(event, 0.1):
            if isinstance(item, ServerProblem):
                self.problems.append(item)
            self.ready = self.ready or isinstance(item, Ready)

    def _error(self, param: str, event_id: str | None) -> ev.ErrorDetail:
        match self.said:
            case "param":  # OpenAI
                return ev.ErrorDetail(
                    type="invalid_request_error", code="unknown_parameter", param=param,
                    message=f"Unknown parameter: '{param}'.", event_id=event_id,
                )  # fmt: skip
            case "message":
                return ev.ErrorDetail(message=f"{param}: extra fields not permitted")
            case "leaf":
                leaf = param.rpartition(".")[2]
                return ev.ErrorDetail(
                    message=f"Additional properties are not allowed ('{leaf}' was unexpected)"
                )
            case _:
                return ev.ErrorDetail(code="invalid_event", message="Invalid event")


def _has(settings: ev.Json, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(settings, dict) or name not in settings:
            return False
        settings = settings[name]
    return True


FIELDS = [
    "truncation",
    "tracing",
    "reasoning",
    "max_output_tokens",
    "output_modalities",
    "tool_choice",
    "audio.output.voice",
    "audio.output.speed",
    "audio.input.noise_reduction",
    "audio.input.transcription",
    "audio.input.transcription.keywords",
    "audio.input.transcription.language",
    "audio.input.turn_detection.threshold",
    "audio.input.turn_detection.interrupt_response",
]


@pytest.mark.parametrize("said", ["param", "message", "leaf"])
@pytest.mark.parametrize("path", FIELDS)
def test_only_the_unknown_field_is_left_out(path: str, said: str) -> None:
    server = Strict(path, said=said).connect()
    assert server.ready
    first, second = server.updates
    assert _has(first, path)
    assert not _has(second, path)
    others = [p for p in OPTIONAL if _has(first, p) and not p.startswith(path)]
    assert [p for p in others if not _has(second, p)] == []
    (problem,) = server.problems
    assert path in problem.text
    assert problem.action is ErrorAction.CLIENT_ERROR


def test_refused_field_is_neither_sent_nor_logged_again() -> None:
    server = Strict("truncation").connect()
    assert len(server.updates) == 2
    server.connect()
    assert len(server.updates) == 1
    assert "truncation" not in server.updates[0]
    assert len(server.problems) == 1


def test_several_unknown_fields_are_left_out_one_by_one() -> None:
    server = Strict("tracing", "truncation", "reasoning", "audio.output.speed").connect()
    assert server.ready
    assert len(server.updates) == 5
    assert len(server.problems) == 4


def test_refusal_without_a_field_leads_to_the_minimal_session() -> None:
    server = Strict("tracing", said="nothing").connect()
    assert server.ready
    _, plain = server.updates
    assert plain == {
        "type": "realtime",
        "instructions": EVERYTHING.instructions,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "turn_detection": {"type": "server_vad"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}},
        },
        "tools": [],
    }


@pytest.mark.parametrize(
    "path", ["tools", "instructions", "audio", "audio.input.turn_detection.type", "type"]
)
def test_essential_field_is_never_left_out(path: str) -> None:
    server = Strict(path).connect()
    assert not server.ready
    assert len(server.updates) == 1
    (decision,) = server.session.poll(60.0)
    assert isinstance(decision, ServerProblem)
    assert decision.action is ErrorAction.LATER
    assert path in decision.text


@pytest.mark.parametrize(
    ("param", "path"),
    [
        ("session.truncation.token_limits.post_instructions", "truncation"),
        ("session.reasoning.effort", "reasoning"),
        ("session.output_modalities[0]", "output_modalities"),
        ("session.audio.input.transcription.model", "audio.input.transcription"),
        ("truncation", "truncation"),
        ("speed", "audio.output.speed"),
        ("session.turn_detection.threshold", "audio.input.turn_detection.threshold"),
    ],
)
def test_parameter_inside_a_field_names_the_field(param: str, path: str) -> None:
    made = RealtimeSession(EVERYTHING, config.TurnConfig())
    made.receive(ev.SessionCreated(), 0.0)
    made.to_send()
    error = ev.ErrorDetail(code="invalid_value", param=param, message="Invalid value.")
    (problem,) = made.receive(ev.ServerError(error=error), 0.1)
    assert isinstance(problem, ServerProblem)
    assert f"refuses {path} of" in problem.text
    (update,) = made.to_send()
    assert isinstance(update, ev.SessionUpdate)
    assert not _has(update.session, path)


def test_error_about_something_else_changes_no_configuration() -> None:
    made = RealtimeSession(EVERYTHING, config.TurnConfig())
    made.receive(ev.SessionCreated(), 0.0)
    made.to_send()
    error = ev.ErrorDetail(code="unknown_parameter", param="session.tracing", event_id="parley_99")
    made.receive(ev.ServerError(error=error), 0.1)
    assert made.to_send() == []
    made.receive(ev.SessionUpdated(), 0.2)
    error.event_id = None
    made.receive(ev.ServerError(error=error), 0.3)
    assert made.to_send() == []


def test_server_that_closes_on_the_offer_gets_the_minimal_one() -> None:
    """Some servers close the socket instead of naming a field."""
    made = RealtimeSession(EVERYTHING, config.TurnConfig())
    sent: list[bool] = []
    for _ in range(4):
        made.opened()
        made.receive(ev.SessionCreated(), 0.0)
        (update,) = made.to_send()
        assert isinstance(update, ev.SessionUpdate)
        sent.append("truncation" in update.session)
        made.lost()
    assert sent == [True, True, False, False]
    for _ in range(2):  # that was not the cause: the whole configuration again
        made.opened()
        made.receive(ev.SessionCreated(), 0.0)
        made.to_send()
        made.lost()
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.to_send()
    ready, problem = made.receive(ev.SessionUpdated(), 0.1)
    assert ready == Ready()
    assert isinstance(problem, ServerProblem)
    assert "truncation" in problem.text
    made.lost()
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    (update,) = made.to_send()
    assert isinstance(update, ev.SessionUpdate)
    assert "truncation" not in update.session
    assert made.receive(ev.SessionUpdated(), 0.1) == [Ready()]


def test_loss_of_a_ready_socket_removes_no_field() -> None:
    made = RealtimeSession(EVERYTHING, config.TurnConfig())
    for _ in range(6):
        made.opened()
        made.receive(ev.SessionCreated(), 0.0)
        (update,) = made.to_send()
        assert isinstance(update, ev.SessionUpdate)
        assert "truncation" in update.session
        made.receive(ev.SessionUpdated(), 0.1)
        made.lost()


def test_flat_session_of_xai_is_negotiated_too() -> None:
    realtime = msgspec.structs.replace(EVERYTHING, server="xai")
    made = RealtimeSession(realtime, config.TurnConfig())
    made.receive(ev.SessionCreated(), 0.0)
    (update,) = made.to_send()
    assert isinstance(update, ev.SessionUpdate)
    assert not {"truncation", "tracing"} & update.session.keys()
    error = ev.ErrorDetail(param="session.turn_detection.create_response")
    made.receive(ev.ServerError(error=error), 0.1)
    (update,) = made.to_send()
    assert isinstance(update, ev.SessionUpdate)
    assert "create_response" not in update.session["turn_detection"]
    assert update.session["turn_detection"]["type"] == "server_vad"


def test_offer_does_not_modify_the_settings() -> None:
    negotiation = Negotiation()
    settings = {"truncation": "auto", "audio": {"output": {"speed": 1.2}}}
    negotiation.offer(settings)
    negotiation.refused(ev.ErrorDetail(param="session.audio.output.speed"))
    assert negotiation.offer(settings) == {"truncation": "auto", "audio": {"output": {}}}
    assert settings == {"truncation": "auto", "audio": {"output": {"speed": 1.2}}}
