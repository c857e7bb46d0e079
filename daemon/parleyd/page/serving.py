"""Serves the page until SIGTERM: the socket, its connections and their deadlines."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from parleyd import config
from parleyd.config import hosts
from parleyd.errors import ConfigError, ParleyError
from parleyd.page.access import SHORTEST_TOKEN, DeviceNames, Sessions
from parleyd.page.feed import SpeakerFeed
from parleyd.page.viewers import Viewers
from parleyd.page.web import PageRoutes

MOST_CONNECTIONS, MOST_OF_ADDRESS = 96, 48
REQUEST_WITHIN_S = 15.0  # from the connection, or the answer before, to the end of the next headers
STALLED_S = 30.0  # a browser that takes no byte of an answer
KEEPALIVE_S = 10
LONGEST_HEADERS = 1 << 14
LOOKS_S = 5.0
GOODBYE_S = 1.0

log = logging.getLogger(__name__)


def page_token(environ: Mapping[str, str]) -> str:
    """The token. Raises `ConfigError`, also on loopback: other users of the device exist."""
    found = config.password("PAGE_TOKEN", environ)
    if found is None or len(found) < SHORTEST_TOKEN:
        what = "is missing" if found is None else f"has fewer than {SHORTEST_TOKEN} characters"
        raise ConfigError(
            [
                f"PAGE_TOKEN: {what}: run `sudo ./install.sh --install --page`, which makes one, "
                f"or set it to {SHORTEST_TOKEN} random characters or more"
            ]
        )
    return found


def listening_socket(page: config.PageConfig) -> socket.socket:
    """A socket at the page's address. Raises `ParleyError`."""
    family = socket.AF_INET6 if ":" in page.host else socket.AF_INET
    try:
        return socket.create_server(
            (page.host, page.port), family=family, dualstack_ipv6=page.host == "::"
        )
    except OSError as error:
        text = f"cannot listen at page.host = {page.host!r}, page.port = {page.port}"
        raise ParleyError(f"{text}: {error.strerror}") from None


def device_names(page: config.PageConfig) -> DeviceNames:
    """The names of this device: on a network also its own name, which no site can take."""
    own = socket.gethostname()
    return DeviceNames(page.names if _is_loopback(page) else (*page.names, own, f"{own}.local"))


async def serve(
    page: config.PageConfig,
    token: str,
    config_file: Path | None,
    save_socket: Path,
    listening: socket.socket,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # a warning for each bad request
    viewers = Viewers()
    feed = SpeakerFeed(viewers)
    routes = PageRoutes(Sessions(token), viewers, feed, config_file, save_socket)
    settings = uvicorn.Config(
        routes.app(device_names(page)),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEPALIVE_S,
        h11_max_incomplete_event_size=LONGEST_HEADERS,
    )
    settings.load()
    state = ServerState()
    admitted: list[BoundedProtocol] = []
    server = await loop.create_server(
        lambda: BoundedProtocol(settings, state, admitted), sock=listening
    )
    log.info("the page is at http://%s", _address(page))
    if not _is_loopback(page):
        log.warning("the page is open to the network, without encryption: see the documentation")
    with contextlib.suppress(asyncio.CancelledError):
        await feed.run()
    server.close()
    viewers.end()
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=GOODBYE_S)


class BoundedProtocol(H11Protocol):
    """A connection that ends when its peer is too slow, or when others need its place.

    uvicorn's own time limit begins after an answer, and begins again with each byte.
    """

    def __init__(
        self, settings: uvicorn.Config, state: ServerState, admitted: list["BoundedProtocol"]
    ) -> None:
        """`admitted`: the open connections, the oldest first."""
        super().__init__(settings, state, {})
        self._admitted = admitted
        self._watch: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # the present wait began
        self._waited_for: object = None

    @property
    def address(self) -> str:
        """Of the peer."""
        return self.client[0] if self.client else ""

    @property
    def answers(self) -> bool:
        """A request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`. Full: the oldest one that asks for nothing ends, or this one."""
        super().connection_made(transport)
        of_address = [each for each in self._admitted if each.address == self.address]
        for places, most in ((of_address, MOST_OF_ADDRESS), (self._admitted, MOST_CONNECTIONS)):
            if len(places) < most:
                continue
            idle = next((each for each in places if not each.answers), self)
            idle.transport.abort()
            if idle is self:
                return
            self._admitted.remove(idle)
        self._admitted.append(self)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._watch is not None:
            self._watch.cancel()
        if self in self._admitted:
            self._admitted.remove(self)
        super().connection_lost(exc)

    def _look(self) -> None:
        """End the connection if it has waited too long for its peer."""
        now = self.loop.time()
        waits_for: object = self.flow.write_paused if self.answers else self.cycle
        if waits_for is not self._waited_for:
            self._waited_for, self._since = waits_for, now
        longest = STALLED_S if self.answers else REQUEST_WITHIN_S
        if waits_for is not False and now - self._since > longest:
            self.transport.abort()
            return
        self._watch = self.loop.call_later(LOOKS_S, self._look)


def _is_loopback(page: config.PageConfig) -> bool:
    return hosts.is_loopback(page.host) and page.host not in ("0.0.0.0", "::")


def _address(page: config.PageConfig) -> str:
    return f"[{page.host}]:{page.port}" if ":" in page.host else f"{page.host}:{page.port}"
