"""The gate before every answer: pace, name, origin, session; and the headers of every answer.

Each refusal is one line for people, as JSON: ``{"error": "...", "message": "..."}``.
"""

import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parleyd.page.access import AddressPace, DeviceNames, Sessions, same_origin

LONGEST_BODY = 1 << 14
REQUESTS_PER_S, REQUESTS_AT_ONCE = 50.0, 100  # of one address: opening the page takes five
OF_ALL = 2  # addresses together
PUBLIC = ("/", "/api/login")
COOKIE = "parley-session"
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def refusal(status: int, error: str, message: str, **more: object) -> Response:
    """An answer that says why not."""
    body = msgspec.json.encode({"error": error, "message": message, **more})
    headers = {"Retry-After": "2"} if status in (429, 503) else {}
    return Response(body, status, headers, "application/json")


class PageGate:
    """Lets a request through to the application, or refuses it."""

    def __init__(
        self, app: ASGIApp, sessions: Sessions, names: DeviceNames, content_policy: str
    ) -> None:
        self._app, self._sessions, self._names = app, sessions, names
        self._pace, self._strangers = (
            AddressPace(REQUESTS_PER_S, REQUESTS_AT_ONCE, OF_ALL) for _ in range(2)
        )
        self._headers = {**HEADERS, "Content-Security-Policy": content_policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        address = scope["client"][0] if scope["client"] else ""
        known = self._has_session(headers)
        # a flood of strangers takes nothing of a user's share
        pace = self._pace if known else self._strangers
        if not pace.admits(address, time.monotonic()):
            return refusal(429, "too_many", "too many requests: wait for a moment")
        host = headers.get("host", "")
        if not self._names.hold(host, scope["server"][0]):
            text = "this name is not one of this device's: open the page by its address, or add the"
            return refusal(421, "name", f"{text} name to page.names of the configuration")
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and (refused := _not_from_the_page(headers, host)):
            return refused
        if scope["path"] not in PUBLIC and not known:
            return refusal(401, "session", "enter the token first")
        return None

    def _has_session(self, headers: Headers) -> bool:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and self._sessions.holds(morsel.value, time.time())


def _not_from_the_page(headers: Headers, host: str) -> Response | None:
    """The refusal of a change that another site, or something other than a page, asks for."""
    if not same_origin(headers.get("origin", ""), host):
        return refusal(403, "origin", "only the page itself may ask for this")
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return refusal(415, "type", "the body must be application/json")
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > LONGEST_BODY:
        return too_long()
    return None


def too_long() -> Response:
    """The refusal of a long body; the connection ends, so that the rest is not read."""
    response = refusal(413, "too_long", f"a request has at most {LONGEST_BODY} bytes")
    response.headers["Connection"] = "close"
    return response
