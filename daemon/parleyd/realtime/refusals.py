"""What a server's `error` event means for us: a pure function from error to remedy."""

import re
from enum import Enum, auto
from typing import NamedTuple

from parleyd.realtime.events import ErrorDetail


class Remedy(Enum):
    """What to do about an error."""

    IGNORE = auto()  # a race that both sides may lose; nothing is wrong
    NOTHING_TO_CANCEL = auto()  # the response was over before our cancel came
    CREATE_LATER = auto()  # another response is still active
    DROP_TURN = auto()  # the server heard too little to answer
    TRUNCATE_AT = auto()  # the item is shorter than we said: once more with its length
    OUR_FAULT = auto()  # a message of ours is wrong: say it loudly, stay up
    RECONNECT = auto()  # the session is over; a new one will do
    BACK_OFF = auto()  # the server is busy or broken; tell the user, try later
    FATAL = auto()  # no retry can help: key, quota, model or shape


class Refusal(NamedTuple):
    """An error, understood."""

    remedy: Remedy
    text: str  # for people, never with a secret in it
    audio_ms: int | None = None  # for TRUNCATE_AT


_BY_CODE = {
    "response_cancel_not_active": Remedy.NOTHING_TO_CANCEL,
    "conversation_already_has_active_response": Remedy.CREATE_LATER,
    "input_audio_buffer_commit_empty": Remedy.DROP_TURN,
    "item_truncate_invalid_item_id": Remedy.IGNORE,
    "item_delete_invalid_item_id": Remedy.IGNORE,
    "item_retrieve_invalid_item_id": Remedy.IGNORE,
    "cannot_update_voice": Remedy.RECONNECT,
    "session_expired": Remedy.RECONNECT,
    "rate_limit_exceeded": Remedy.BACK_OFF,
    "server_error": Remedy.BACK_OFF,
    "insufficient_quota": Remedy.FATAL,
    "credit_balance_exhausted": Remedy.FATAL,
    "billing_hard_limit_reached": Remedy.FATAL,
    "invalid_api_key": Remedy.FATAL,
    "account_deactivated": Remedy.FATAL,
    "invalid_model": Remedy.FATAL,
    "missing_model": Remedy.FATAL,
    "model_not_found": Remedy.FATAL,
    "beta_api_shape_disabled": Remedy.FATAL,
}

WHAT_TO_DO = {
    "insufficient_quota": "the account has no quota left: add credit, then restart parleyd",
    "credit_balance_exhausted": "the account's credit is used up: add credit, then restart parleyd",
    "billing_hard_limit_reached": "the account's spending limit is reached: raise it, then restart",
    "invalid_api_key": "the server refuses the key: check OPENAI_API_KEY (or the key of the "
    "server that is configured), then restart parleyd",
    "account_deactivated": "the account is deactivated: ask the provider, then restart parleyd",
    "invalid_model": "the server does not have this model: check realtime.model",
    "missing_model": "the server wants a model: set realtime.model",
    "model_not_found": "the server does not have this model: check realtime.model",
    "beta_api_shape_disabled": "the server wants the GA protocol: remove beta headers",
    "session_expired": "the session reached its longest time",
    "rate_limit_exceeded": "too many requests for this account: wait a moment",
    "server_error": "the server has a problem of its own: wait a moment",
}

_ALREADY_SHORTER = re.compile(r"audio content of (\d{1,9})\s*ms is already shorter", re.IGNORECASE)


def understand(error: ErrorDetail) -> Refusal:
    """The remedy for an error; servers put the code into `code` or into `type`."""
    message = error.message or ""
    for code in (error.code, error.type):
        if code in _BY_CODE:
            return Refusal(_BY_CODE[code], WHAT_TO_DO.get(code, f"{code}: {_safe(message)}"))
    if shorter := _ALREADY_SHORTER.search(message):
        return Refusal(Remedy.TRUNCATE_AT, _safe(message), int(shorter.group(1)))
    if "only model output audio messages can be truncated" in message.lower():
        return Refusal(Remedy.IGNORE, _safe(message))
    return Refusal(Remedy.OUR_FAULT, f"{error.code or error.type or 'error'}: {_safe(message)}")


def may_pass(error: ErrorDetail) -> bool:
    """A failure of the server's own: the same request may well succeed a moment later."""
    return (error.code or error.type) == "server_error"


def understand_close(code: int | None, reason: str) -> Refusal:
    """The same for the way a socket was closed: 3000 is the key, 4000 the request's shape."""
    name = reason.rpartition(".")[2]
    if name in _BY_CODE:
        return Refusal(_BY_CODE[name], WHAT_TO_DO.get(name, name))
    if code == 3000:
        return Refusal(Remedy.FATAL, WHAT_TO_DO["invalid_api_key"])
    if code == 4000:
        return Refusal(Remedy.FATAL, f"the server refuses the session: {_safe(reason)}")
    return Refusal(Remedy.RECONNECT, f"the server closed the connection ({code} {_safe(reason)})")


_KEY = re.compile(r"\b(sk|ek|pk)[-_][\w*.-]{6,}")


def _safe(text: str) -> str:
    """Server texts quote keys in part: cut them, and anything long."""
    return _KEY.sub("<key>", text)[:200]
