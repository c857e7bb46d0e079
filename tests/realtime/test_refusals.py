"""Errors and closes of many servers, and their classification."""

import json

import pytest

from parleyd.realtime import events as ev
from parleyd.realtime.server_errors import Remedy, may_pass, understand, understand_close


def error(**detail: object) -> ev.ErrorDetail:
    """In the form of the wire."""
    event = ev.decode_server(json.dumps({"type": "error", "error": detail}))
    assert isinstance(event, ev.ServerError)
    return event.error


@pytest.mark.parametrize(
    ("detail", "remedy", "words"),
    [
        ({"code": 401, "message": "Unauthorized"}, Remedy.FATAL, "key"),
        ({"code": "InvalidApiKey"}, Remedy.FATAL, "key"),  # DashScope
        ({"code": "UNAUTHENTICATED"}, Remedy.FATAL, "key"),  # Google
        ({"type": "authentication_error"}, Remedy.FATAL, "key"),
        ({"message": "You didn't provide an API key."}, Remedy.FATAL, "key"),
        ({"message": "API key not valid. Please pass a valid API key."}, Remedy.FATAL, "key"),
        ({"code": 402}, Remedy.LATER, "add credit"),
        ({"code": "Arrearage"}, Remedy.LATER, "add credit"),  # DashScope
        ({"code": "quota_exceeded"}, Remedy.LATER, "add credit"),
        ({"code": "insufficient_credits"}, Remedy.LATER, "add credit"),
        ({"code": 403}, Remedy.LATER, "access"),
        ({"code": "Model.AccessDenied"}, Remedy.LATER, "access"),
        ({"code": "deployment_not_found"}, Remedy.LATER, "deployment"),
        ({"code": "ModelNotFound"}, Remedy.LATER, "realtime.model"),
        ({"code": 429}, Remedy.BACK_OFF, "too many requests"),
        ({"code": "Throttling.RateQuota"}, Remedy.BACK_OFF, "too many requests"),
        ({"type": "rate_limit_error"}, Remedy.BACK_OFF, "too many requests"),
        ({"code": "RESOURCE_EXHAUSTED"}, Remedy.BACK_OFF, "too many requests"),
        ({"code": 500, "message": "boom"}, Remedy.BACK_OFF, "an internal problem"),
        ({"code": 503}, Remedy.BACK_OFF, "an internal problem"),
        ({"type": "overloaded_error"}, Remedy.BACK_OFF, "an internal problem"),
        ({"code": "InternalServerError"}, Remedy.BACK_OFF, "an internal problem"),
        ({"type": "max_duration"}, Remedy.RECONNECT, "time limit"),  # xAI
        ({"code": 404, "message": "Item not found"}, Remedy.OUR_FAULT, "Item not found"),
        ({"code": "1011"}, Remedy.OUR_FAULT, "1011"),
    ],
)
def test_error_of_any_server_gets_its_remedy(
    detail: dict[str, object], remedy: Remedy, words: str
) -> None:
    refusal = understand(error(**detail))
    assert refusal.remedy is remedy
    assert words in refusal.text


def test_refusal_of_a_remote_tool_is_not_about_our_key() -> None:
    refusal = understand(error(code=401, message="The MCP server answered 401 (Unauthorized)"))
    assert refusal.remedy is Remedy.OUR_FAULT


@pytest.mark.parametrize("code", ["server_error", "internal_error", "InternalServerError", 503])
def test_internal_failure_of_any_server_is_retryable(code: object) -> None:
    assert may_pass(error(code=code))


@pytest.mark.parametrize("detail", [{"code": 401}, {"code": "no_idea", "type": "server_error"}])
def test_failure_with_another_code_is_not_retryable(detail: dict[str, object]) -> None:
    assert not may_pass(error(**detail))


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        (1008, "Unauthorized", Remedy.FATAL),
        (1008, "Invalid API key", Remedy.FATAL),
        (4001, "Unauthorized", Remedy.FATAL),
        (3000, "invalid_request_error.invalid_api_key", Remedy.FATAL),
        (4003, "Forbidden", Remedy.LATER),
        (4402, "", Remedy.LATER),
        (1008, "quota exceeded", Remedy.LATER),
        (1011, "You exceeded your current quota, please check your plan", Remedy.LATER),
        (4000, "invalid_request_error.invalid_model", Remedy.LATER),
        (1008, "rate limited", Remedy.BACK_OFF),
        (1008, "policy", Remedy.RECONNECT),
        (1012, "", Remedy.RECONNECT),
        (1001, "", Remedy.RECONNECT),
        (None, "", Remedy.RECONNECT),
    ],
)
def test_close_of_any_server_gets_its_remedy(code: int | None, reason: str, remedy: Remedy) -> None:
    assert understand_close(code, reason).remedy is remedy
