"""A speaker without a daemon, `parley page` and its saving process, and a plain HTTP client."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parleyd.control.place import Place
from parleyd.control.replies import (
    AnyReply,
    Code,
    Done,
    ErrorReply,
    LevelsMeasured,
    Logged,
    Microphone,
    StateChanged,
    StatusReply,
    TimersReply,
    TurnReported,
    TurnsReply,
    VolumeReply,
)
from parleyd.control.requests import (
    ActRequest,
    MuteRequest,
    StatusRequest,
    TimersRequest,
    TurnsRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.control.server import ControlServer

WITHIN_S = 60.0
TOKEN = "correct-horse-battery-staple"


class Speaker:
    """A daemon's control socket without the daemon: it keeps requests, mute, volume and turns."""

    def __init__(self, folder: Path) -> None:
        (folder / "parley").mkdir(exist_ok=True)
        self.requests: list[ActRequest] = []
        self.closed, self.by_switch, self.volume = False, False, 70
        self.indication, self.detail = "idle", ""
        self.turns: tuple[dict[str, Any], ...] = ()
        self.timers: tuple[Any, ...] = ()
        self.levels: LevelsMeasured | None = None
        place = Place(folder / "parley/control", shared=False)
        self.server = ControlServer(place, self._answer, lambda: self.levels)
        self.server.start()

    def close(self) -> None:
        self.server.close()

    def show(self, indication: str, detail: str = "") -> None:
        self.indication, self.detail = indication, detail
        self.server.publish(StateChanged(indication=indication, detail=detail))

    def log(self, name: str, **fields: Any) -> None:
        self.server.publish(Logged(name=name, fields=fields))

    def turn(self, **fields: Any) -> None:
        self.server.publish(TurnReported(fields=fields))

    def asked(self) -> list[ActRequest]:
        """The requests that change something."""
        looks = (StatusRequest, TimersRequest, TurnsRequest)
        return [request for request in self.requests if not isinstance(request, looks)]

    async def _answer(self, request: ActRequest) -> AnyReply:
        self.requests.append(request)
        match request:
            case StatusRequest():
                microphone = Microphone(
                    closed=self.closed or self.by_switch, by_switch=self.by_switch,
                    left_s=3000 if self.closed else 0, reason="",
                )  # fmt: skip
                return StatusReply(
                    id=request.id, indication=self.indication, detail=self.detail,
                    microphone=microphone, volume=self.volume, server="embedded", link="up",
                    round_trip_ms=41.6, xruns=0, uptime_s=7260, version="0.2.0",
                )  # fmt: skip
            case TimersRequest():
                return TimersReply(id=request.id, timers=self.timers)
            case TurnsRequest():
                return TurnsReply(id=request.id, turns=self.turns)
            case MuteRequest():
                self.closed = True
            case UnmuteRequest() if self.by_switch:
                text = "the mute switch keeps the microphone closed"
                return ErrorReply(id=request.id, code=Code.SWITCH, message=text)
            case UnmuteRequest():
                self.closed = False
            case VolumeRequest(percent=percent):
                self.volume = self.volume if percent is None else percent
                return VolumeReply(id=request.id, percent=self.volume)
        return Done(id=request.id)


class PageProcess:
    """`parley page` with its log; it listens when this returns."""

    def __init__(
        self, folder: Path, text: str, more: str = "", token: str = TOKEN, host: str = "127.0.0.1"
    ) -> None:
        self.port = free_port()
        self.log = folder / "page.log"
        self.config = folder / "parley.toml"
        self.config.write_text(f'{text}\n[page]\nhost = "{host}"\nport = {self.port}\n{more}')
        self.save_socket = folder / "save"
        environ = {**os.environ, "XDG_STATE_HOME": str(folder), "PAGE_TOKEN": token}
        for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
            environ.pop(name, None)
        options = ["--config", str(self.config), "--save-socket", str(self.save_socket)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parleyd", "page", *options],
                env=environ, stdout=log, stderr=log,
            )  # fmt: skip
        until(lambda: "the page is at" in self.told() or self.process.poll() is not None, "a start")

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WITHIN_S)

    def told(self) -> str:
        return self.log.read_text("utf-8")

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(WITHIN_S)

    def memory_mb(self) -> float:
        """Memory that it shares with no other process, and its part of the shared one."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(text.partition("Pss:")[2].split()[0]) / 1024


class SaveService:
    """Does as systemd does with parley-page-save.socket: a process for each connection."""

    def __init__(self, page: PageProcess) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(page.save_socket))
        self._listening.listen()
        self._command = [sys.executable, "-m", "parleyd", "page-save", "--config", str(page.config)]
        self.statuses: list[int] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    end = connection.fileno()
                    process = subprocess.run(self._command, stdin=end, stdout=end, check=False)
                    self.statuses.append(process.returncode)


class Answer:
    """Of the page's process."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WebClient:
    """Does as a browser does: origin, cookie, JSON."""

    def __init__(self, page: PageProcess, host: str = "127.0.0.1") -> None:
        self._page, self._host = page, host
        self.name = f"{host}:{page.port}"
        self.cookie = ""

    def ask(self, path: str, body: object = None, **headers: str) -> Answer:
        """GET, or POST if there is a body. ``Content_Type`` is ``Content-Type``."""
        sent = {"Host": self.name}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if body is not None:
            sent |= {"Origin": f"http://{self.name}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self._host, self._page.port, timeout=WITHIN_S)
        with contextlib.closing(connection):
            connection.request("GET" if data is None else "POST", path, data, sent)
            return Answer(connection.getresponse())

    def sign_in(self, token: str = TOKEN) -> None:
        answer = self.ask("/api/login", {"token": token})
        assert answer.status == 200, answer.body
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]

    def stream(self) -> "EventStream":
        return EventStream(self._page.port, self.name, self.cookie)


class EventStream:
    """An open stream of server-sent events; keeps the newest of each name."""

    def __init__(self, port: int, name: str, cookie: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), WITHIN_S)
        request = f"GET /api/events HTTP/1.1\r\nHost: {name}\r\nCookie: {cookie}\r\n\r\n"
        self._socket.sendall(request.encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.newest: dict[str, Any] = {}
        self.raw = b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def wait_for_state(self, indication: str) -> None:
        self.wait(lambda got: got["status"]["indication"] == indication)

    def wait(self, there: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Read until the newest events fulfil the condition."""
        name = ""
        while True:
            with contextlib.suppress(KeyError):
                if there(self.newest):
                    return self.newest
            line = self._file.readline()
            assert line, f"the stream has ended: {self.newest}"
            self.raw += line
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                self.newest[name] = json.loads(line[6:])


class PageRig:
    """Speaker, page and saving process, which end together."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self._speaks = False

    def speaker(self) -> Speaker:
        speaker = Speaker(self.folder)
        self._speaks = True
        self._stack.callback(speaker.close)
        return speaker

    def page(self, text: str = "", **options: str) -> PageProcess:
        page = PageProcess(self.folder, text, **options)
        self._stack.callback(page.close)
        return page

    def saving(self, page: PageProcess) -> SaveService:
        service = SaveService(page)
        self._stack.callback(service.close)
        return service

    def client(self, page: PageProcess) -> WebClient:
        if self._speaks:
            until(lambda: "connected to the daemon" in page.told(), "a link to the daemon")
        client = WebClient(page)
        client.sign_in()
        return client

    def stream(self, client: WebClient) -> EventStream:
        stream = client.stream()
        self._stack.callback(stream.close)
        return stream


def until(there: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + WITHIN_S
    while not there():
        assert time.monotonic() < ends, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
