"""Every failure to connect names its cause, and only a refused key is final."""

import errno
import json
import socket
import ssl

import pytest

from parleyd.config import RealtimeConfig
from parleyd.config.servers import profile
from parleyd.realtime.address import ServerAddress
from parleyd.realtime.dialing import Way
from parleyd.realtime.failures import by_proxy, by_status, explain
from parleyd.realtime.server_errors import ClassifiedError, ErrorAction

NOW = 1_800_000_000.0  # 2027
XAI = ServerAddress("wss://api.x.ai/v1/realtime", {"Authorization": "Bearer xai-1"}, "XAI_API_KEY")
OPEN = ServerAddress("ws://nas:8080/v1", {}, "REALTIME_API_KEY")


def body(**detail: object) -> bytes:
    return json.dumps({"error": detail}).encode()


@pytest.mark.parametrize(
    ("status", "action", "words"),
    [
        (200, ErrorAction.LATER, "not a WebSocket server"),
        (301, ErrorAction.LATER, "redirects are not followed"),
        (400, ErrorAction.LATER, "realtime.url and realtime.model"),
        (401, ErrorAction.FATAL, "refuses the key: check XAI_API_KEY"),
        (402, ErrorAction.LATER, "add credit"),
        (403, ErrorAction.LATER, "refuses access"),
        (404, ErrorAction.LATER, "path of realtime.url"),
        (405, ErrorAction.LATER, "path of realtime.url"),
        (407, ErrorAction.LATER, "proxy"),
        (408, ErrorAction.RECONNECT, "408"),
        (426, ErrorAction.LATER, "realtime.url"),
        (429, ErrorAction.BACK_OFF, "too many connections"),
        (500, ErrorAction.RECONNECT, "an internal problem"),
        (502, ErrorAction.RECONNECT, "an internal problem"),
        (503, ErrorAction.RECONNECT, "an internal problem"),
    ],
)
def test_http_status_names_its_cause(status: int, action: ErrorAction, words: str) -> None:
    refusal = by_status(status, b"", "", XAI)
    assert refusal.action is action
    assert words in refusal.text
    assert ("key" in refusal.text.lower()) is (status in (301, 401, 403))


@pytest.mark.parametrize(
    ("status", "answer", "action", "words"),
    [
        (429, body(type="insufficient_quota", code="credit_balance_exhausted"), ErrorAction.LATER,
         "credit is used up"),
        (429, body(code="insufficient_quota"), ErrorAction.LATER, "no quota left"),
        (429, body(type="insufficient_quota", code=None), ErrorAction.LATER, "no quota left"),
        (429, body(message="You exceeded your current quota, please check"), ErrorAction.LATER,
         "no quota left"),
        (429, body(code="rate_limit_exceeded"), ErrorAction.BACK_OFF, "too many requests"),
        (401, body(code="incorrect_hostname"), ErrorAction.LATER, "another region"),
        (403, body(code="unsupported_country_region_territory"), ErrorAction.LATER, "this country"),
        (400, body(code="invalid_api_key"), ErrorAction.FATAL, "XAI_API_KEY"),
        (400, b'{"error": "Incorrect API key provided: xa***"}', ErrorAction.FATAL, "XAI_API_KEY"),
        (400, b'{"code": "model_not_found"}', ErrorAction.LATER, "realtime.model"),
        (404, body(code="DeploymentNotFound"), ErrorAction.LATER, "no such deployment"),
        (403, b"<html>no</html>", ErrorAction.LATER, "refuses access"),
        (403, b"[1]", ErrorAction.LATER, "refuses access"),
        (403, b'{"error": {"code": 7}}', ErrorAction.LATER, "refuses access"),
        (400, body(code=400, message="API key not valid. Please pass a valid API key.",
                   status="INVALID_ARGUMENT"), ErrorAction.FATAL, "XAI_API_KEY"),  # Google
        (400, body(code="InvalidApiKey"), ErrorAction.FATAL, "XAI_API_KEY"),  # DashScope
        (400, body(code="Arrearage"), ErrorAction.LATER, "add credit"),
        (500, b'{"status": 500, "error": "Internal Server Error"}', ErrorAction.RECONNECT,
         "an internal problem"),
        (500, b"\xff" * 10**6, ErrorAction.RECONNECT, "an internal problem"),
    ],
)  # fmt: skip
def test_code_in_the_answer_overrides_its_status(
    status: int, answer: bytes, action: ErrorAction, words: str
) -> None:
    refusal = by_status(status, answer, "", XAI)
    assert refusal.action is action
    assert words in refusal.text


def test_missing_key_is_requested_instead_of_refused() -> None:
    assert by_status(401, b"", "", OPEN) == ClassifiedError(
        ErrorAction.FATAL, "the server requires a key: set REALTIME_API_KEY, then restart parleyd"
    )


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("wss://evil.example/steal?k=1", "to evil.example (302)"),
        ("https://user:pw@evil.example:1/", "to evil.example:1 (302)"),
        ("/other", "redirects us elsewhere (302)"),
        ("", "redirects us elsewhere (302)"),
        ("ws://\x1b[31m", "redirects us elsewhere (302)"),
        ("ws://" + "x" * 5000, "(302)"),
    ],
)
def test_redirect_names_the_host_and_nothing_else(location: str, words: str) -> None:
    text = by_status(302, b"", location, XAI).text
    assert words in text
    assert "pw" not in text
    assert text.isprintable()
    assert len(text) < 300


@pytest.mark.parametrize(
    ("status", "action", "words"),
    [
        (407, ErrorAction.LATER, "another user and password"),
        (403, ErrorAction.LATER, "refuses to connect to api.x.ai"),
        (503, ErrorAction.RECONNECT, "cannot reach api.x.ai"),
        (None, ErrorAction.LATER, "is not a proxy"),
    ],
)
def test_proxy_failure_names_the_proxy(status: int | None, action: ErrorAction, words: str) -> None:
    refusal = by_proxy(status, Way("api.x.ai", 443, proxy="http://p:3128"))
    assert refusal.action is action
    assert words in refusal.text
    assert "http://p:3128" in refusal.text
    assert "key" not in refusal.text


def multiple(*numbers: int) -> OSError:
    """The form in which asyncio combines the errors of several addresses."""
    return OSError(
        "Multiple exceptions: " + ", ".join(f"[Errno {n}] Connect call" for n in numbers)
    )


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "way", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), {}, "nothing listens at nas port 8080"),
        (multiple(errno.ECONNREFUSED, errno.ENETUNREACH), {}, "nothing listens at nas port 8080"),
        (multiple(errno.ENETUNREACH, errno.EHOSTUNREACH), {}, "no route to nas port 8080"),
        (OSError(errno.ENETUNREACH, "x"), {"tried": ["2001:db8::1"]}, "only IPv6 addresses"),
        (OSError(errno.ENETUNREACH, "x"), {"tried": ["2001:db8::1", "10.0.0.1"]}, "check the net"),
        (OSError(errno.ECONNREFUSED, "x"), {"proxy": "http://p:1"}, "at the proxy http://p:1"),
        (ConnectionResetError(errno.ECONNRESET, "x"), {}, "closed the connection"),
        (ConnectionResetError(), {}, "closed the connection"),
        (OSError(errno.ETIMEDOUT, "x"), {"reached": "connecting"}, "nas port 8080 does not answer"),
        (OSError(errno.EMFILE, "Too many open files"), {}, "Too many open files"),
        (TimeoutError(), {"reached": "resolving"}, "DNS server"),
        (TimeoutError(), {"reached": "connecting"}, "nas port 8080 does not answer"),
        (TimeoutError(), {"reached": "connecting", "proxy": "http://p:1"}, "the proxy http://p:1"),
        (
            TimeoutError(),
            {"reached": "shaking hands"},
            "accepts the connection but does not answer",
        ),
        (socket.gaierror(socket.EAI_NONAME, "x"), {}, "the name nas is unknown"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), {}, "cannot be looked up at the moment"),
        (socket.gaierror(socket.EAI_NONAME, "x"), {"proxy": "http://p:1"}, "name of the proxy"),
        (certificate_error(9), {}, "check this device's clock"),
        (certificate_error(10), {}, "check this device's clock"),
        (certificate_error(62), {}, "for another name"),
        (certificate_error(18), {}, "an authority that this device does not trust"),
        (certificate_error(20), {}, "an authority that this device does not trust"),
        (ssl.SSLError(1, "[SSL: X] x"), {}, "no secure connection to nas"),
    ],
)
def test_failure_names_its_cause(error: Exception, way: dict[str, object], words: str) -> None:
    refusal = explain(error, OPEN, Way("nas", 8080, **way), now=NOW)  # type: ignore[arg-type]
    assert refusal is not None
    assert refusal.action is ErrorAction.RECONNECT
    assert words in refusal.text
    assert ("check the network" in refusal.text) is (
        words in {"no route to nas port 8080", "check the net", "DNS server", "Too many open files",
                  "nas port 8080 does not answer", "the proxy http://p:1",
                  "cannot be looked up at the moment"}
    )  # fmt: skip


def test_certificate_error_with_an_unset_clock_names_the_clock() -> None:
    """Without a battery the clock starts years ago, and every certificate seems invalid."""
    refusal = explain(certificate_error(20), OPEN, Way("nas", 443), now=1_500_000_000.0)
    assert refusal is not None
    assert "check this device's clock" in refusal.text


def test_error_that_no_peer_can_cause_is_left_to_the_log() -> None:
    assert explain(RuntimeError("x"), OPEN, Way("nas", 1), now=NOW) is None
    assert (
        explain(UnicodeEncodeError("ascii", "x", 0, 1, "y"), OPEN, Way("nas", 1), now=NOW) is None
    )


@pytest.mark.parametrize(
    "url", ["wss://h:99999/", "wss://[::1", "wss://u:pw@h/", "https://h/", "", "wss://h/?key=pw"]
)
def test_flawed_address_is_created_and_refused(url: str) -> None:
    address = ServerAddress.of(
        RealtimeConfig(url=url, server="compatible"), profile("compatible"), "sk-1"
    )
    assert address.flaw.startswith("realtime.url ")
    assert "pw" not in address.flaw
