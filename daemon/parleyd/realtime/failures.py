"""Why a connection failed to open, in words that name the cause: a pure function."""

import errno
import re
import socket
import ssl

from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    ProxyError,
    WebSocketException,
)

from parleyd.realtime import raw, shapes
from parleyd.realtime.address import ServerAddress
from parleyd.realtime.dialing import DialError, ProxyRefused, Way
from parleyd.realtime.events import ErrorDetail
from parleyd.realtime.server_errors import ClassifiedError, ErrorAction, classify_error, key_refused

OLDEST = 1_764_547_200.0  # December 2025: an earlier clock was never set
BIGGEST_BODY = 65_536  # bytes of an answer that are searched for an error code

_OUT_OF_TIME = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME = {62, 63, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, and the same for e-mail and address
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
_PLAIN_ANSWER = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}


def explain(
    error: Exception, address: ServerAddress, way: Way, *, now: float
) -> ClassifiedError | None:
    """Explain a failed attempt, and what to do about it. None: an error that no peer can cause.

    `now`: this device's clock, in seconds since 1970.
    """
    match error:
        case DialError():
            return ClassifiedError(
                ErrorAction.FATAL if error.for_good else ErrorAction.LATER, str(error)
            )
        case ProxyRefused():
            return by_proxy(error.status, way)
        case InvalidProxyStatus():
            return by_proxy(error.response.status_code, way)
        case InvalidProxy():
            return ClassifiedError(
                ErrorAction.LATER, f"the proxy {way.proxy} cannot be used: check its address"
            )
        case ProxyError():
            return ClassifiedError(
                ErrorAction.RECONNECT, f"the proxy {way.proxy} refuses the connection"
            )
        case ImportError():
            text = f"the proxy {way.proxy} needs the Python package python-socks: install it"
            return ClassifiedError(ErrorAction.LATER, text)
        case InvalidStatus():
            response = error.response
            location = response.headers.get("Location", "") if response.headers else ""
            return by_status(response.status_code, response.body or b"", location, address)
        case InvalidMessage() | InvalidHandshake():
            return ClassifiedError(ErrorAction.RECONNECT, _no_websocket(error, way))
        case TimeoutError():
            return ClassifiedError(ErrorAction.RECONNECT, _too_slow(way))
        case socket.gaierror():
            return ClassifiedError(ErrorAction.RECONNECT, _unknown_name(error, way))
        case ssl.SSLError():
            return ClassifiedError(ErrorAction.RECONNECT, _no_tls(error, way, now))
        case OSError():
            return ClassifiedError(ErrorAction.RECONNECT, _no_connection(error, way))
        case WebSocketException():
            return ClassifiedError(ErrorAction.RECONNECT, f"no connection ({type(error).__name__})")
    return None


def by_status(status: int, body: bytes, location: str, address: ServerAddress) -> ClassifiedError:
    """A server that refuses the socket; OpenAI's server accepts it and refuses afterwards."""
    no_key = key_refused(address.key_name, sent=address.carries_key)
    known = _told_by(body)
    if known is not None and not (status >= 500 and known.action is ErrorAction.BACK_OFF):
        return no_key if known.action is ErrorAction.FATAL else known
    if 300 <= status < 400:
        to = re.match(r"\w+://(?:[^/@]*@)?([\w.:\[\]-]{1,100})", location)
        where = f"to {to[1]}" if to else "elsewhere"
        text = (
            f"the server redirects us {where} ({status}), but redirects are not followed, because "
            "the key would be sent along: set realtime.url to the final address"
        )
        return ClassifiedError(ErrorAction.LATER, text)
    match status:
        case 401:
            return no_key
        case 403:
            text = (
                "the server refuses access (403): check whether the key may use this model, from "
                "this country and address"
            )
            return ClassifiedError(ErrorAction.LATER, text)
        case 404 | 405 | 410:
            text = (
                f"the server knows nothing at this address ({status}): check the path of "
                "realtime.url, and realtime.model"
            )
            return ClassifiedError(ErrorAction.LATER, text)
        case 402:
            return ClassifiedError(
                ErrorAction.LATER, "the account has to be paid for (402): add credit"
            )
        case 407:
            return by_proxy(407, Way("", 0, proxy="in between"))
        case 429:
            text = "too many connections for this account (429): wait a moment"
            return ClassifiedError(ErrorAction.BACK_OFF, text)
        case 408 | 425:
            return ClassifiedError(ErrorAction.RECONNECT, f"the server timed out ({status})")
    if status >= 500:
        text = f"the server has an internal problem ({status}): wait a moment"
        return ClassifiedError(ErrorAction.RECONNECT, text)
    if status >= 400:
        text = f"the server refuses the request ({status}): check realtime.url and realtime.model"
        return ClassifiedError(ErrorAction.LATER, text)
    text = f"the address is not a WebSocket server ({status}): check realtime.url"
    return ClassifiedError(ErrorAction.LATER, text)


def by_proxy(status: int | None, way: Way) -> ClassifiedError:
    """A proxy that does not connect us; never the fault of the server or the key."""
    match status:
        case None:
            text = f"{way.proxy} is not a proxy: check the proxy in the environment"
            return ClassifiedError(ErrorAction.LATER, text)
        case 407:
            text = (
                f"the proxy {way.proxy} requires another user and password (407): correct them in "
                "https_proxy"
            )
            return ClassifiedError(ErrorAction.LATER, text)
    if status >= 500:
        text = f"the proxy {way.proxy} cannot reach {way.host} ({status})"
        return ClassifiedError(ErrorAction.RECONNECT, text)
    text = f"the proxy {way.proxy} refuses to connect to {way.host} ({status}): ask its operator"
    return ClassifiedError(ErrorAction.LATER, text)


def _told_by(body: bytes) -> ClassifiedError | None:
    """The error in an answer's body, if its code is known."""
    try:
        wire = raw.fields(body[:BIGGEST_BODY])
    except raw.UNREADABLE:
        return None
    told = ErrorDetail(**shapes.error(wire.error, wire))
    refusal = classify_error(told)
    known = (ErrorAction.LATER, ErrorAction.FATAL, ErrorAction.BACK_OFF)
    return refusal if refusal.action in known else None


def _no_websocket(error: InvalidHandshake, way: Way) -> str:
    if isinstance(error.__cause__, EOFError):
        other = "ws://" if way.tls else "wss://"
        return (
            f"{way.host} closed the connection without an answer: check that a realtime server "
            f"listens on port {way.port}, and whether it requires {other}"
        )
    return f"{way.host} port {way.port} is not a WebSocket server: check realtime.url"


def _too_slow(way: Way) -> str:
    peer = f"the proxy {way.proxy}" if way.proxy else f"{way.host} port {way.port}"
    match way.reached:
        case "resolving":
            return f"the lookup of {way.host} takes too long: check the network and its DNS server"
        case "connecting":
            return f"{peer} does not answer: check the network, and that the address is right"
    return f"{way.host} accepts the connection but does not answer: check the server"


def _unknown_name(error: socket.gaierror, way: Way) -> str:
    name = f"the name of the proxy {way.proxy}" if way.proxy else f"the name {way.host}"
    if error.errno == socket.EAI_AGAIN:
        return f"{name} cannot be looked up at the moment: check the network and its DNS server"
    setting = "the proxy in the environment" if way.proxy else "realtime.url"
    return f"{name} is unknown: check {setting}, and the network's DNS server"


def _no_tls(error: ssl.SSLError, way: Way, now: float) -> str:
    peer = f"the proxy {way.proxy} or {way.host}" if way.proxy else way.host
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OUT_OF_TIME or now < OLDEST:
            return f"the certificate of {peer} is not valid today: check this device's clock"
        if error.verify_code in _OTHER_NAME:
            return f"the certificate of {peer} is for another name: check realtime.url"
        return (
            f"the certificate of {peer} comes from an authority that this device does not trust: "
            "check realtime.url, or add your own authority with update-ca-certificates"
        )
    reason = getattr(error, "reason", None) or type(error).__name__  # asyncio sets none on some
    if reason in _PLAIN_ANSWER:
        return f"{peer} port {way.port} does not speak TLS: check the port, and wss:// or ws://"
    return f"no secure connection to {peer} ({reason})"


def _no_connection(error: OSError, way: Way) -> str:
    numbers = _numbers(error)
    if way.proxy and way.reached != "shaking hands":
        peer, own = f"the proxy {way.proxy}", "check the proxy in the environment"
    else:
        peer, own = f"{way.host} port {way.port}", "check that the server runs, and the port"
    if errno.ECONNREFUSED in numbers:
        return f"nothing listens at {peer}: {own}"
    if isinstance(error, ConnectionError) or numbers & {errno.ECONNRESET, errno.EPIPE}:
        speaks = ", and whether it speaks TLS (wss://)" if way.tls and not way.proxy else ""
        return f"{peer} closed the connection: {own}{speaks}"
    if numbers & _NO_WAY:
        if way.tried and all(":" in address for address in way.tried):
            return f"{way.host} has only IPv6 addresses, and IPv6 does not work here"
        return f"there is no route to {peer}: check the network"
    if errno.ETIMEDOUT in numbers:
        return f"{peer} does not answer: check the network, and that the address is right"
    reason = error.strerror or type(error).__name__
    return f"no connection to {peer} ({reason}): check the network"


def _numbers(error: OSError) -> set[int]:
    """The errno, or those of several addresses, which asyncio puts only into the text."""
    if error.errno is not None:
        return {error.errno}
    return {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))}
