"""Try the realtime server: one handshake with the real key, and the first events. No response.

An open session without a response costs nothing. The key takes the way of the daemon's connection,
`dialing`, so it goes only to its own server.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, WebSocketException

from parleyd.realtime.address import ServerAddress
from parleyd.realtime.dialing import MonitoredConnection, Way, dial
from parleyd.realtime.events import Malformed, ServerError, Unknown, decode_server
from parleyd.realtime.failures import explain
from parleyd.realtime.frames import BIGGEST_MESSAGE, messages, refused_message
from parleyd.realtime.server_errors import (
    WHAT_TO_DO,
    ClassifiedError,
    ErrorAction,
    classify_close,
    classify_error,
    key_refused,
)

OPENS_WITHIN_S = 10.0  # as for the daemon: TLS over slow Wi-Fi takes two seconds
SPEAKS_WITHIN_S = 3.0  # the first event; OpenAI's session.created comes with the handshake
OBJECTS_WITHIN_S = 1.0  # after it: OpenAI refuses a key or a model by an event or a close
DATE_WITHIN_S = 5.0
LONGEST_HEAD = 16_384  # bytes

_NO_QUOTA = {
    WHAT_TO_DO[code]
    for code in (
        "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached",
        "billing_not_active", "usage_limit_reached",
    )
}  # fmt: skip
_WRONG_MODEL = {
    WHAT_TO_DO[code] for code in ("invalid_model", "missing_model", "DeploymentNotFound")
}
_OURS = {*WHAT_TO_DO.values()}
_WITHOUT_REASON = {None, 1000, 1001, 1005, 1006, 1011}
_OUT_OF_TIME = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME = {62, 63, 64}

log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)  # below, websockets logs the key


class Cause(Enum):
    """The outcome of a trial, as far as remedies differ."""

    ACCEPTED = auto()
    NO_PROTOCOL = auto()  # a WebSocket that sends no event of a realtime server
    DROPPED = auto()  # it is closed at once, without a reason
    NOT_HERE = auto()  # the operator does not serve this country
    NO_KEY = auto()  # the server is reached, and asks for a key that was not sent
    KEY_REFUSED = auto()
    NO_QUOTA = auto()
    WRONG_MODEL = auto()
    WRONG_PATH = auto()
    NO_WEBSOCKET = auto()  # another answer than a WebSocket: a login page, or another server
    NO_NAME = auto()
    NO_CONNECTION = auto()
    SILENT = auto()
    CERTIFICATE_TIME = auto()
    CERTIFICATE_NAME = auto()
    CERTIFICATE_AUTHORITY = auto()
    PROXY = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one attempt."""

    cause: Cause
    text: str
    """For people; never holds a key. The server's own words are in quotes."""
    advice: str
    """Parley's own, never the server's; may be empty."""
    way: Way
    date: float | None = None
    """The server's clock, in seconds since 1970; over TLS it is the server's own."""
    taken_at: float = 0.0
    """This device's clock at the same moment."""


async def attempt(address: ServerAddress, environ: Mapping[str, str]) -> Trial:
    """Open a session, wait for an objection, and close it.

    At most 15 s. Raises nothing that a peer can cause.
    """
    way = Way(address.host, address.port)
    try:
        async with asyncio.timeout(OPENS_WITHIN_S):
            opening = await dial(
                address,
                environ,
                way,
                additional_headers=dict(address.headers),
                compression=None,
                max_size=BIGGEST_MESSAGE,
                open_timeout=None,
                ping_interval=None,
                close_timeout=1,
                logger=log,
            )
            socket = await opening
    except Exception as error:
        refusal = explain(error, address, way, now=time.time())
        if refusal is None:
            raise
        headers = error.response.headers if isinstance(error, InvalidStatus) else Headers()
        return _stamped(_cause(error, refusal, way), *_split(refusal.text), way, headers)
    assert isinstance(socket, MonitoredConnection)
    headers = socket.response.headers if socket.response is not None else Headers()
    try:
        objection = await _objection(socket, address)
    finally:
        with contextlib.suppress(Exception):
            await socket.close()
    if isinstance(objection, Cause):
        return _stamped(objection, "", "", way, headers)
    cause = _of_text(objection, Cause.OTHER)
    if cause is Cause.OTHER and objection.text not in _OURS:
        said = objection.text.replace('"', "'")
        return _stamped(cause, f'the server ends the session: "{said}"', "", way, headers)
    return _stamped(cause, *_split(objection.text), way, headers)


async def unverified_date(address: ServerAddress) -> float | None:
    """The `Date` of a server whose certificate this device does not accept; None without one.

    Only for a message: any server could have sent it. No key and no path is sent. It asks with GET,
    because servers of WebSockets know nothing else. Not through a proxy.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    too_odd = (asyncio.IncompleteReadError, asyncio.LimitOverrunError)
    with contextlib.suppress(OSError, TimeoutError, ValueError, *too_odd):
        async with asyncio.timeout(DATE_WITHIN_S):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=context, limit=LONGEST_HEAD
            )
            try:
                request = f"GET / HTTP/1.1\r\nHost: {address.host}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            finally:
                writer.transport.abort()
        lines = (line.partition(":") for line in head.split("\r\n"))
        return _seconds(next((v for n, _, v in lines if n.strip().lower() == "date"), ""))
    return None


async def _objection(
    socket: MonitoredConnection, address: ServerAddress
) -> ClassifiedError | Cause:
    """The error of the server, by an event or by a close; else the outcome."""
    clock = asyncio.get_running_loop().time
    ends, spoke = clock() + SPEAKS_WITHIN_S, False
    stream = messages(socket)
    try:
        while True:
            async with asyncio.timeout_at(ends):
                event = decode_server(await anext(stream))
            if isinstance(event, ServerError):
                return _named(classify_error(event.error), address)
            if not spoke and not isinstance(event, Malformed | Unknown):
                ends, spoke = clock() + OBJECTS_WITHIN_S, True
    except (TimeoutError, StopAsyncIteration):
        return Cause.ACCEPTED if spoke else Cause.NO_PROTOCOL
    except WebSocketException:
        if refused_message(socket):  # by us: too long
            return Cause.ACCEPTED if spoke else Cause.NO_PROTOCOL
        if socket.close_code in _WITHOUT_REASON and not socket.close_reason:
            return Cause.DROPPED
        return _named(classify_close(socket.close_code, socket.close_reason or ""), address)


def _named(refusal: ClassifiedError, address: ServerAddress) -> ClassifiedError:
    if refusal.action is not ErrorAction.FATAL:
        return refusal
    return key_refused(address.key_name, sent=address.carries_key)


def _cause(error: Exception, refusal: ClassifiedError, way: Way) -> Cause:
    """The cause of a failure to open; `refusal`: its explanation."""
    match error:
        case ssl.SSLCertVerificationError():
            if error.verify_code in _OUT_OF_TIME:
                return Cause.CERTIFICATE_TIME
            known = error.verify_code in _OTHER_NAME
            return Cause.CERTIFICATE_NAME if known else Cause.CERTIFICATE_AUTHORITY
        case InvalidStatus():
            return _of_status(error.response.status_code, refusal)
        case _ if way.proxy and way.reached != "shaking hands":
            return Cause.PROXY
        case TimeoutError():
            return Cause.NO_NAME if way.reached == "resolving" else Cause.SILENT
        case OSError() if way.reached == "resolving":
            return Cause.NO_NAME
        case OSError():
            return Cause.NO_CONNECTION
        case WebSocketException():
            return Cause.NO_WEBSOCKET
    return Cause.OTHER


def _of_status(status: int, refusal: ClassifiedError) -> Cause:
    if status in (200, 511) or 300 <= status < 400:
        return Cause.NO_WEBSOCKET
    return _of_text(refusal, Cause.WRONG_PATH if status in (404, 405, 410) else Cause.OTHER)


def _of_text(refusal: ClassifiedError, other: Cause) -> Cause:
    """The cause that the texts of `server_errors` stand for."""
    if refusal.action is ErrorAction.FATAL:
        return Cause.NO_KEY if "requires a key" in refusal.text else Cause.KEY_REFUSED
    if refusal.text in _NO_QUOTA or "(402)" in refusal.text:
        return Cause.NO_QUOTA
    if refusal.text == WHAT_TO_DO["unsupported_country_region_territory"]:
        return Cause.NOT_HERE
    return Cause.WRONG_MODEL if refusal.text in _WRONG_MODEL else other


def _split(text: str) -> tuple[str, str]:
    """One of our texts: what happened, and the advice behind the colon."""
    happened, _, advice = text.partition(": ")
    return happened, advice


def _stamped(cause: Cause, text: str, advice: str, way: Way, headers: Headers) -> Trial:
    dates = headers.get_all("Date")
    return Trial(cause, text, advice, way, _seconds(dates[0]) if dates else None, time.time())


def _seconds(date: str) -> float | None:
    """The seconds of an HTTP date, or None."""
    try:
        return parsedate_to_datetime(date.strip()).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
