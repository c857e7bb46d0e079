"""Errors and closes of many servers, and their classification."""

import json

import pytest

from parleyd.realtime import events as ev
from parleyd.realtime.server_errors import ErrorAction, classify_close, classify_error, is_retryable


def error(**detail: object) -> ev.ErrorDetail:
    """In the form of the wire."""
    event = ev.decode_server(json.dumps({"type": "error", "error": detail}))
    assert isinstance(event, ev.ServerError)
    return event.error


@pytest.mark.parametrize(
    ("detail", "action", "words"),
    [
        ({"code": 401, "message": "Unauthorized"}, ErrorAction.FATAL, "key"),
        ({"code": "InvalidApiKey"}, ErrorAction.FATAL, "key"),  # DashScope
        ({"code": "UNAUTHENTICATED"}, ErrorAction.FATAL, "key"),  # Google
        ({"type": "authentication_error"}, ErrorAction.FATAL, "key"),
        ({"message": "You didn't provide an API key."}, ErrorAction.FATAL, "key"),
        ({"message": "API key not valid. Please pass a valid API key."}, ErrorAction.FATAL, "key"),
        ({"code": 402}, ErrorAction.LATER, "add credit"),
        ({"code": "Arrearage"}, ErrorAction.LATER, "add credit"),  # DashScope
        ({"code": "quota_exceeded"}, ErrorAction.LATER, "add credit"),
        ({"code": "insufficient_credits"}, ErrorAction.LATER, "add credit"),
        ({"code": 403}, ErrorAction.LATER, "access"),
        ({"code": "Model.AccessDenied"}, ErrorAction.LATER, "access"),
        ({"code": "deployment_not_found"}, ErrorAction.LATER, "deployment"),
        ({"code": "ModelNotFound"}, ErrorAction.LATER, "realtime.model"),
        ({"code": 429}, ErrorAction.BACK_OFF, "too many requests"),
        ({"code": "Throttling.RateQuota"}, ErrorAction.BACK_OFF, "too many requests"),
        ({"type": "rate_limit_error"}, ErrorAction.BACK_OFF, "too many requests"),
        ({"code": "RESOURCE_EXHAUSTED"}, ErrorAction.BACK_OFF, "too many requests"),
        ({"code": 500, "message": "boom"}, ErrorAction.BACK_OFF, "an internal problem"),
        ({"code": 503}, ErrorAction.BACK_OFF, "an internal problem"),
        ({"type": "overloaded_error"}, ErrorAction.BACK_OFF, "an internal problem"),
        ({"code": "InternalServerError"}, ErrorAction.BACK_OFF, "an internal problem"),
        ({"type": "max_duration"}, ErrorAction.RECONNECT, "time limit"),  # xAI
        ({"code": 404, "message": "Item not found"}, ErrorAction.CLIENT_ERROR, "Item not found"),
        ({"code": "1011"}, ErrorAction.CLIENT_ERROR, "1011"),
    ],
)
def test_error_of_any_server_gets_its_remedy(
    detail: dict[str, object], action: ErrorAction, words: str
) -> None:
    refusal = classify_error(error(**detail))
    assert refusal.action is action
    assert words in refusal.text


def test_refusal_of_a_remote_tool_is_not_about_our_key() -> None:
    refusal = classify_error(error(code=401, message="The MCP server answered 401 (Unauthorized)"))
    assert refusal.action is ErrorAction.CLIENT_ERROR


@pytest.mark.parametrize("code", ["server_error", "internal_error", "InternalServerError", 503])
def test_internal_failure_of_any_server_is_retryable(code: object) -> None:
    assert is_retryable(error(code=code))


@pytest.mark.parametrize("detail", [{"code": 401}, {"code": "no_idea", "type": "server_error"}])
def test_failure_with_another_code_is_not_retryable(detail: dict[str, object]) -> None:
    assert not is_retryable(error(**detail))


@pytest.mark.parametrize(
    ("code", "reason", "action"),
    [
        (1008, "Unauthorized", ErrorAction.FATAL),
        (1008, "Invalid API key", ErrorAction.FATAL),
        (4001, "Unauthorized", ErrorAction.FATAL),
        (3000, "invalid_request_error.invalid_api_key", ErrorAction.FATAL),
        (4003, "Forbidden", ErrorAction.LATER),
        (4402, "", ErrorAction.LATER),
        (1008, "quota exceeded", ErrorAction.LATER),
        (1011, "You exceeded your current quota, please check your plan", ErrorAction.LATER),
        (4000, "invalid_request_error.invalid_model", ErrorAction.LATER),
        (1008, "rate limited", ErrorAction.BACK_OFF),
        (1008, "policy", ErrorAction.RECONNECT),
        (1012, "", ErrorAction.RECONNECT),
        (1001, "", ErrorAction.RECONNECT),
        (None, "", ErrorAction.RECONNECT),
    ],
)
def test_close_of_any_server_gets_its_remedy(
    code: int | None, reason: str, action: ErrorAction
) -> None:
    assert classify_close(code, reason).action is action
