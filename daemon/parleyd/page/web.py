"""The routes of the page: one file of HTML, the stream of events, requests, settings."""

import asyncio
import base64
import hashlib
import os
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parleyd.control.lines import RequestPace
from parleyd.control.replies import Code
from parleyd.control.requests import (
    ActRequest,
    ListenRequest,
    MuteRequest,
    StopRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.errors import ConfigError, ControlError, ParleyError
from parleyd.page import settings
from parleyd.page.access import SESSION_S, AddressPace, DeviceNames, Sessions
from parleyd.page.feed import SpeakerFeed
from parleyd.page.gate import COOKIE, LONGEST_BODY, PageGate, refusal, too_long
from parleyd.page.saving import ask_to_save
from parleyd.page.settings import FileChanged, SettingsChange
from parleyd.page.viewers import Viewers

BODY_WITHIN_S = 10.0
WRONG_TOKENS_PER_S, WRONG_TOKENS_AT_ONCE = 0.2, 5  # of one address
ACTIONS_PER_S, ACTIONS_AT_ONCE = 10.0, 20  # the control socket takes 100 of all clients
SAVES_PER_S, SAVES_AT_ONCE = 0.2, 3  # each starts a process, and the daemon reads its file again

_Body = TypeVar("_Body")


class LoginBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token, as the user enters it."""

    token: str


class RefusedRequest(Exception):
    """A request that ends here, with its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class PageRoutes:
    """Answers requests that have passed the gate; on the event loop."""

    def __init__(
        self,
        sessions: Sessions,
        viewers: Viewers,
        feed: SpeakerFeed,
        config_file: Path | None,
        save_socket: Path,
    ) -> None:
        self._sessions, self._viewers, self._feed = sessions, viewers, feed
        self._file, self._socket = config_file, save_socket
        self._wrong_tokens = AddressPace(WRONG_TOKENS_PER_S, WRONG_TOKENS_AT_ONCE, 4)
        self._actions = RequestPace(ACTIONS_PER_S, ACTIONS_AT_ONCE)
        self._saves = RequestPace(SAVES_PER_S, SAVES_AT_ONCE)
        self._html = files("parleyd.page").joinpath("page.html").read_text("utf-8")

    def app(self, names: DeviceNames) -> PageGate:
        """The whole application, behind its gate."""
        post = partial(Route, methods=["POST"])
        actions: dict[str, type[ActRequest]] = {
            "listen": ListenRequest,
            "stop": StopRequest,
            "mute": MuteRequest,
            "unmute": UnmuteRequest,
            "volume": VolumeRequest,
        }
        routes = [
            Route("/", self._page),
            post("/api/login", self._login),
            post("/api/logout", self._logout),
            Route("/api/events", self._events),
            Route("/api/settings", self._settings),
            post("/api/settings/preview", self._preview),
            post("/api/settings/save", self._save),
            *(post(f"/api/{name}", self._action(kind)) for name, kind in actions.items()),
        ]
        inner = Starlette(
            routes=routes,
            exception_handlers={RefusedRequest: _refused, HTTPException: _no_such_page},
        )
        return PageGate(inner, self._sessions, names, content_policy(self._html))

    async def _page(self, request: Request) -> Response:
        return Response(self._html, media_type="text/html")

    async def _login(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        body = await _read(request, LoginBody)
        now = time.monotonic()
        if not self._sessions.knows(body.token.strip()):
            if not self._wrong_tokens.admits(address, now):
                return refusal(429, "too_many", "too many wrong tokens: wait for half a minute")
            return refusal(403, "token", "this is not the token")
        response = _answer({})
        response.set_cookie(
            COOKIE,
            self._sessions.cookie(time.time()),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.headers.get("origin", "").startswith("https:"),
        )
        return response

    async def _logout(self, request: Request) -> Response:
        response = _answer({})
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    async def _events(self, request: Request) -> Response:
        if self._viewers.full:
            return refusal(503, "too_many", "too many pages are open: close one")
        return StreamingResponse(self._viewers.events(), media_type="text/event-stream")

    def _action(self, kind: type[ActRequest]) -> Callable[[Request], Awaitable[Response]]:
        async def act(request: Request) -> Response:
            wish = await _read(request, kind)
            if not self._actions.admits(time.monotonic()):
                return refusal(429, "too_many", "too many requests: wait for a moment")
            try:
                reply = await self._feed.ask(wish)
            except ControlError as error:
                return refusal(_status(error), error.code, str(error))
            return _answer(reply)

        return act

    # --- settings -------------------------------------------------------------------------

    async def _settings(self, request: Request) -> Response:
        try:
            found = await asyncio.to_thread(settings.described, self._file)
        except ConfigError:
            return refusal(409, "config", settings.BROKEN)
        return _answer({**found, "saves": os.access(self._socket, os.W_OK)})

    async def _preview(self, request: Request) -> Response:
        change = await _read(request, SettingsChange)
        found = await self._checked(change)
        return _answer({"lines": [line._asdict() for line in found.lines]})

    async def _save(self, request: Request) -> Response:
        change = await _read(request, SettingsChange)
        await self._checked(change)
        if not self._saves.admits(time.monotonic()):
            return refusal(429, "too_many", "too many changes: wait for half a minute")
        try:
            reply = await ask_to_save(self._socket, change)
        except ParleyError as error:
            return refusal(503, "not_saved", str(error))
        if reply.changed:
            raise RefusedRequest(_changed_meanwhile())
        if not reply.saved:
            return refusal(422, "config", "nothing was saved", problems=reply.problems)
        return _answer({})

    async def _checked(self, change: SettingsChange) -> settings.Preview:
        try:
            return await asyncio.to_thread(settings.preview, self._file, change)
        except FileChanged:
            raise RefusedRequest(_changed_meanwhile()) from None
        except ConfigError as error:
            text = "the configuration would have mistakes"
            response = refusal(422, "config", text, problems=list(error.problems))
            raise RefusedRequest(response) from None


def content_policy(html: str) -> str:
    """The policy that lets the page's own script and style run, and nothing else."""
    script, style = (
        base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for found in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", html, re.DOTALL)[
            ::-1
        ]
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _answer(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _read(request: Request, kind: type[_Body]) -> _Body:
    """The body of a request. Raises `RefusedRequest`."""
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for piece in request.stream():
                body += piece
                if len(body) > LONGEST_BODY:
                    raise RefusedRequest(too_long())
    except TimeoutError:
        raise RefusedRequest(refusal(408, "late", "the request did not come in time")) from None
    except ClientDisconnect:
        raise RefusedRequest(Response(status_code=400)) from None
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RefusedRequest(refusal(400, "bad_request", f"cannot be read: {error}")) from None


def _status(error: ControlError) -> int:
    """The HTTP status for a refusal of the daemon."""
    if error.code in ("no_daemon", "gone", "late", Code.FORBIDDEN, Code.FULL, Code.RELOADING):
        return 503
    return 502 if error.code in ("protocol", Code.FAILED) else 409


def _changed_meanwhile() -> Response:
    text = "the file was changed meanwhile: load the settings again"
    return refusal(409, "changed", text)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedRequest)
    return error.response


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, "not_found", "there is no such page")
