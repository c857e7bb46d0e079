"""The server's refusals, in the codes and the words of the real service."""

from typing import Any

from parleyd.embedded.limits import MOST_DEPTH
from parleyd.errors import ProtocolError
from parleyd.realtime.events import ErrorDetail

MOST_SHOWN = 200  # characters of a client's text quoted in a refusal


class ApiError(ProtocolError):
    """A client event that is not carried out; the conversation continues unchanged."""

    def __init__(self, message: str, *, code: str | None, param: str | None = None) -> None:
        self.code = code
        self.param = param and _short(param)
        super().__init__(message)

    def detail(self, event_id: str | None) -> ErrorDetail:
        """The body of the `error` event; `event_id` is the id of the refused client event."""
        return ErrorDetail(
            type="invalid_request_error",
            code=self.code,
            message=str(self),
            param=self.param,
            event_id=event_id,
        )


def unknown_parameter(path: str) -> ApiError:
    return ApiError(f"Unknown parameter: '{_short(path)}'.", code="unknown_parameter", param=path)


def missing_parameter(path: str) -> ApiError:
    message = f"Missing required parameter: '{_short(path)}'."
    return ApiError(message, code="missing_required_parameter", param=path)


def wrong_type(path: str, expected: str, got: Any) -> ApiError:
    message = (
        f"Invalid type for '{_short(path)}': expected {expected}, but got {_kind(got)} instead."
    )
    return ApiError(message, code="invalid_type", param=path)


def wrong_value(path: str, value: Any, allowed: tuple[str, ...]) -> ApiError:
    message = f"Invalid value: '{_short(value)}'. Supported values are: {_listed(allowed)}."
    return ApiError(message, code="invalid_value", param=path)


def out_of_range(path: str, value: float, bound: float, *, low: bool) -> ApiError:
    kind = "integer" if isinstance(value, int) else "decimal"
    side, sign = ("below minimum", ">=") if low else ("above maximum", "<=")
    return ApiError(
        f"Invalid '{_short(path)}': {kind} {side} value. Expected a value {sign} {bound}, "
        f"but got {value} instead.",
        code=f"{kind}_{'below_min' if low else 'above_max'}_value",
        param=path,
    )


def too_long(path: str, length: int, most: int) -> ApiError:
    return ApiError(
        f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
        f"but got a string with length {length} instead.",
        code="string_above_max_length",
        param=path,
    )


def too_large(size: str, most: str) -> ApiError:
    return ApiError(
        f"The message is too large: it has {size}, at most {most} are allowed.", code="too_large"
    )


def too_deep() -> ApiError:
    return ApiError(f"The message is nested deeper than {MOST_DEPTH} levels.", code="invalid_json")


def unknown_item(verb: str, noun: str, item_id: str) -> ApiError:
    """`verb` is truncate, delete or retrieve; `noun` its gerund."""
    return ApiError(
        f"Error {noun} item: the item with id '{_short(item_id)}' does not exist.",
        code=f"item_{verb}_invalid_item_id",
        param="item_id",
    )


def not_truncatable() -> ApiError:
    return ApiError(
        "Only model output audio messages can be truncated", code="unsupported_content_type"
    )


def already_shorter(audio_ms: int, asked_ms: int) -> ApiError:
    return ApiError(
        f"Audio content of {audio_ms}ms is already shorter than {asked_ms}ms",
        code="invalid_value",
        param="audio_end_ms",
    )


def commit_too_small(buffered_ms: float) -> ApiError:
    return ApiError(
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
        f"audio, but buffer only has {buffered_ms:.2f}ms of audio.",
        code="input_audio_buffer_commit_empty",
    )


def response_active(response_id: str) -> ApiError:
    return ApiError(
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one.",
        code="conversation_already_has_active_response",
    )


def nothing_to_cancel() -> ApiError:
    return ApiError(
        "Cancellation failed: no active response found", code="response_cancel_not_active"
    )


def voice_locked() -> ApiError:
    return ApiError(
        "Cannot update a conversation's voice if assistant audio is present.",
        code="cannot_update_voice",
        param="session.audio.output.voice",
    )


def _short(shown: Any) -> str:
    """The beginning of a client's value, as quoted back to the client."""
    text = str(shown)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return names.get(type(value), "an object")


def _listed(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + f", and {quoted[-1]}"
