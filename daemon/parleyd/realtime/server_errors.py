"""Classifies a server's `error` event: a pure function from error to action."""

import re
from enum import Enum, auto
from typing import NamedTuple

from parleyd.realtime.events import ErrorDetail

LONGEST_CODE = 200  # characters that are examined


class ErrorAction(Enum):
    """The action for an error."""

    IGNORE = auto()  # a race that both sides may lose; nothing is wrong
    NOTHING_TO_CANCEL = auto()  # the response was over before our cancel arrived
    CREATE_LATER = auto()  # another response is still active
    DROP_TURN = auto()  # the server received too little audio to answer
    TRUNCATE_AT = auto()  # the item is shorter than we said: truncate again with its length
    CLIENT_ERROR = auto()  # a message of ours is wrong: log an error, keep the connection
    RECONNECT = auto()  # the session is over; start a new one
    BACK_OFF = auto()  # the server is busy or broken; inform the user, retry later
    LATER = auto()  # quota, access, model, address: retry in minutes, and when a user asks
    FATAL = auto()  # the server refuses the key: no retry can help until it is changed


class ClassifiedError(NamedTuple):
    """A classified error."""

    action: ErrorAction
    text: str  # for people; never contains a secret
    audio_ms: int | None = None  # for TRUNCATE_AT


_BY_CODE = {
    "response_cancel_not_active": ErrorAction.NOTHING_TO_CANCEL,
    "conversation_already_has_active_response": ErrorAction.CREATE_LATER,
    "input_audio_buffer_commit_empty": ErrorAction.DROP_TURN,
    "item_truncate_invalid_item_id": ErrorAction.IGNORE,
    "item_delete_invalid_item_id": ErrorAction.IGNORE,
    "item_retrieve_invalid_item_id": ErrorAction.IGNORE,
    "cannot_update_voice": ErrorAction.RECONNECT,
    "session_expired": ErrorAction.RECONNECT,
    "rate_limit_exceeded": ErrorAction.BACK_OFF,
    "server_error": ErrorAction.BACK_OFF,
    "insufficient_quota": ErrorAction.LATER,
    "credit_balance_exhausted": ErrorAction.LATER,
    "billing_hard_limit_reached": ErrorAction.LATER,
    "billing_not_active": ErrorAction.LATER,
    "usage_limit_reached": ErrorAction.LATER,
    "account_deactivated": ErrorAction.LATER,
    "organization_deactivated": ErrorAction.LATER,
    "unsupported_country_region_territory": ErrorAction.LATER,
    "ip_not_authorized": ErrorAction.LATER,
    "incorrect_hostname": ErrorAction.LATER,
    "permission_denied": ErrorAction.LATER,
    "permission_error": ErrorAction.LATER,
    "insufficient_permissions": ErrorAction.LATER,
    "invalid_model": ErrorAction.LATER,
    "missing_model": ErrorAction.LATER,
    "model_not_found": ErrorAction.LATER,
    "DeploymentNotFound": ErrorAction.LATER,
    "beta_api_shape_disabled": ErrorAction.LATER,
    "invalid_api_key": ErrorAction.FATAL,
    "invalid_authentication": ErrorAction.FATAL,
    "authentication_error": ErrorAction.FATAL,
    "unauthorized": ErrorAction.FATAL,
}

KEY_REFUSED = (
    "the server refuses the key: check OPENAI_API_KEY (or the key of the "
    "configured server), then restart parleyd"
)
_NO_SUCH_MODEL = "the server does not have this model: check realtime.model"
_NO_ACCESS = "the server refuses access: check whether the key may use this model"

WHAT_TO_DO = {
    "insufficient_quota": "the account has no quota left: add credit",
    "credit_balance_exhausted": "the account's credit is used up: add credit",
    "billing_hard_limit_reached": "the account's spending limit is reached: raise it",
    "billing_not_active": "the account's billing is not active: check it at the provider",
    "usage_limit_reached": "the account's limit of use is reached: wait, or raise it",
    "account_deactivated": "the account is deactivated: ask the provider",
    "organization_deactivated": "the organization is deactivated: ask the provider",
    "unsupported_country_region_territory": "the server does not serve this country",
    "ip_not_authorized": "the account does not allow this network's address: add it there",
    "incorrect_hostname": "this key is for the host of another region: set realtime.url to it",
    "permission_denied": _NO_ACCESS,
    "permission_error": _NO_ACCESS,
    "insufficient_permissions": _NO_ACCESS,
    "invalid_model": _NO_SUCH_MODEL,
    "missing_model": "the server requires a model: set realtime.model",
    "model_not_found": _NO_SUCH_MODEL,
    "DeploymentNotFound": "the resource has no such deployment: check realtime.model",
    "beta_api_shape_disabled": "the server requires the GA protocol: remove beta headers",
    "invalid_api_key": KEY_REFUSED,
    "invalid_authentication": KEY_REFUSED,
    "authentication_error": KEY_REFUSED,
    "unauthorized": KEY_REFUSED,
    "session_expired": "the session reached its time limit",
    "rate_limit_exceeded": "too many requests for this account: wait a moment",
    "server_error": "the server has an internal problem: wait a moment",
}

# Other servers' names for the same codes, including HTTP's numbers; in the form of `_plain`.
_ALIASES = {
    "insufficient_quota": (
        "402", "quotaexceeded", "quotaexhausted", "exceededquota", "insufficientcredits",
        "insufficientcredit", "insufficientbalance", "insufficientfunds", "creditsexhausted",
        "outofcredits", "paymentrequired", "billingerror", "arrearage",
    ),
    "permission_denied": ("403", "forbidden", "accessdenied", "notauthorized"),
    "model_not_found": (
        "modelnotavailable", "modelnotsupported", "unsupportedmodel", "unknownmodel",
        "nosuchmodel",
    ),
    "invalid_api_key": (
        "401", "invalidkey", "invalidtoken", "tokenexpired", "expiredtoken", "apikeyexpired",
        "expiredapikey", "missingapikey", "invalidcredentials", "authenticationfailed",
        "unauthenticated", "notauthenticated",
    ),
    "session_expired": ("sessiontimeout", "maxduration", "sessionlimitreached"),
    "rate_limit_exceeded": (
        "429", "ratelimit", "ratelimited", "ratelimiterror", "ratelimitreached",
        "toomanyrequests", "throttled", "throttling", "resourceexhausted",
    ),
    "server_error": (
        "500", "502", "503", "504", "529", "internal", "internalerror", "internalservererror",
        "serviceunavailable", "unavailable", "serveroverloaded", "overloaded",
        "overloadederror",
    ),
}  # fmt: skip

# For servers that give no code, or another one: their common words about quota and keys.
_BY_WORDS = (
    (
        re.compile(r"exceeded your (current )?quota|quota exceeded|credit balance", re.I),
        "insufficient_quota",
    ),
    (
        re.compile(
            r"(incorrect|invalid|expired|missing) api[ _-]?key"
            r"|api[ _-]?key (is )?(not valid|invalid|expired|missing|required)"
            r"|did(n't| not) provide an api[ _-]?key",
            re.I,
        ),
        "invalid_api_key",
    ),
)
_REMOTE_TOOL = re.compile(r"\bmcp\b", re.IGNORECASE)  # refusals by an MCP server are not ours

_ALREADY_SHORTER = re.compile(r"audio content of (\d{1,9})\s*ms is already shorter", re.IGNORECASE)


def classify_error(error: ErrorDetail) -> ClassifiedError:
    """Classify an error; servers put the code into `code` or into `type`."""
    message = error.message or ""
    if code := _known(error):
        return ClassifiedError(_BY_CODE[code], WHAT_TO_DO.get(code, f"{code}: {_safe(message)}"))
    if code := _by_words(message):
        return ClassifiedError(_BY_CODE[code], WHAT_TO_DO[code])
    if shorter := _ALREADY_SHORTER.search(message):
        return ClassifiedError(ErrorAction.TRUNCATE_AT, _safe(message), int(shorter.group(1)))
    if "only model output audio messages can be truncated" in message.lower():
        return ClassifiedError(ErrorAction.IGNORE, _safe(message))
    return ClassifiedError(
        ErrorAction.CLIENT_ERROR, f"{error.code or error.type or 'error'}: {_safe(message)}"
    )


def is_retryable(error: ErrorDetail) -> bool:
    """An internal failure of the server: the same request may succeed a moment later."""
    return _code(error.code or error.type) == "server_error"


def key_refused(name: str, *, sent: bool = True) -> ClassifiedError:
    """The server refuses this key; `sent`: there was one."""
    if not name:
        return ClassifiedError(ErrorAction.FATAL, KEY_REFUSED)
    if not sent:
        return ClassifiedError(
            ErrorAction.FATAL, f"the server requires a key: set {name}, then restart parleyd"
        )
    return ClassifiedError(
        ErrorAction.FATAL, f"the server refuses the key: check {name}, then restart parleyd"
    )


def classify_close(code: int | None, reason: str) -> ClassifiedError:
    """Classify the close of a socket.

    3000 and 3003 are registered for "unauthorized" and "forbidden"; 4000 is OpenAI's code for a
    malformed request; servers derive 44xx from HTTP's 4xx.
    """
    name = _code(reason) or _by_words(reason)
    if name:
        return ClassifiedError(_BY_CODE[name], WHAT_TO_DO.get(name, name))
    if code in (3000, 4401):
        return ClassifiedError(ErrorAction.FATAL, KEY_REFUSED)
    if code == 4402:
        return ClassifiedError(ErrorAction.LATER, WHAT_TO_DO["insufficient_quota"])
    if code in (3003, 4000, 4400, 4403, 4404):
        return ClassifiedError(
            ErrorAction.LATER, f"the server refuses the session: {_safe(reason)} ({code})"
        )
    if code == 4429:
        return ClassifiedError(ErrorAction.BACK_OFF, WHAT_TO_DO["rate_limit_exceeded"])
    return ClassifiedError(
        ErrorAction.RECONNECT, f"the server closed the connection ({code} {_safe(reason)})"
    )


def _known(error: ErrorDetail) -> str:
    """The OpenAI code of an error; "" for an unknown one."""
    for named in (error.code, error.type):
        if named in _BY_CODE:
            return named
    if _REMOTE_TOOL.search(error.message or ""):
        return ""
    return _code(error.code) or _code(error.type)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_CODES = {_plain(code): code for code in _BY_CODE} | {
    alias: code for code, aliases in _ALIASES.items() for alias in aliases
}


def _code(name: str | None) -> str:
    """The code that a name, or a part of it between dots, stands for; "" for none."""
    name = (name or "")[:LONGEST_CODE]
    found = (_CODES.get(_plain(part)) for part in (name, *reversed(name.split("."))))
    return next(filter(None, found), "")


def _by_words(message: str) -> str:
    return next((code for words, code in _BY_WORDS if words.search(message[:2000])), "")


_KEY = re.compile(r"\b(sk|ek|pk)[-_][\w*.-]{6,}")


def _safe(text: str) -> str:
    """Server texts quote parts of keys: remove them, and limit the length."""
    return _KEY.sub("<key>", text)[:200]
