"""How a response ended, in words: pure functions of `response.done` and of `error`."""

from collections.abc import Sequence

from parleyd.realtime.events import ErrorDetail, Json, Response

SPEAK: Json = {"output_modalities": ["audio"]}
"""The settings of a second request after an answer without speech."""

_REASONS = {
    "max_output_tokens": "the answer was longer than realtime.max_output_tokens allows "
    "(max_output_tokens)",
    "content_filter": "the server's content filter ended the answer (content_filter)",
}
_ABOUT_A_MESSAGE = frozenset(
    {
        "invalid_value",
        "invalid_type",
        "invalid_json",
        "invalid_event",
        "unknown_parameter",
        "unknown_or_invalid_event",
        "missing_required_parameter",
        "integer_below_min_value",
        "integer_above_max_value",
        "unsupported_content_type",
        "invalid_request_error",
    }
)


def reason(response: Response) -> str:
    """The server's reason why a response ended early; "" if it gives none."""
    details = response.status_details
    named = details.get("reason") if isinstance(details, dict) else None
    return named if isinstance(named, str) else ""


def shortfall(response: Response) -> str:
    """Why a response is incomplete, in words; "" if it is complete. A failed one has an error."""
    if response.status in (None, "completed", "failed", "in_progress"):
        return ""
    named = reason(response)
    if response.status == "cancelled":
        return f"the server cancelled its answer ({named or 'no reason given'})"
    return _REASONS.get(named, f"the server ended the answer early ({named or response.status})")


def only_messages(output: Sequence[Json]) -> bool:
    """Whether the response only talked, without calling a function or a remote tool."""
    return all(item.get("type") in ("message", "reasoning") for item in output)


def claims_sound(output: Sequence[Json]) -> bool:
    """Whether a part of the answer is speech by its type, even if no audio arrived."""
    parts = (part for item in output for part in _parts(item))
    return any(part.get("type") in ("audio", "output_audio") for part in parts)


def _parts(item: Json) -> list[Json]:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return [part for part in parts if isinstance(part, dict)]


def messages(output: Sequence[Json]) -> list[str]:
    """The ids of the messages among the output items."""
    items = (item.get("id") for item in output if item.get("type") == "message")
    return [item_id for item_id in items if isinstance(item_id, str)]


def about_a_message(error: ErrorDetail) -> bool:
    """Whether the error is about a message of ours, which ends no response."""
    return (error.code or error.type or "") in _ABOUT_A_MESSAGE


def takes_no_settings(error: ErrorDetail, about_create: bool) -> bool:
    """Whether the server refuses a setting of `response.create`; some accept none of its fields.

    `about_create`: the error is known to be about that message.
    """
    if about_create and error.code in ("unknown_parameter", "unsupported_parameter"):
        return True
    words = f"{error.param or ''} {error.message or ''}".lower()
    return "metadata" in words or ("response" in words and "override" in words)
