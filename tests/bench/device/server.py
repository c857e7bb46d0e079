"""A realtime server on a thread that answers every turn with a tone and records the times."""

import asyncio
import threading
import time
from typing import Any

import websockets.asyncio.server as ws
from websockets.exceptions import ConnectionClosed

from tests.e2e import fault_server

STARTS_WITHIN_S = 30.0


class ToneServer(fault_server.FaultServer):
    """A context manager; `sent` and `received_at` hold monotonic times of events by kind."""

    def __enter__(self) -> "ToneServer":
        self.sent: list[tuple[float, str]] = []
        self.got: list[tuple[float, dict[str, Any]]] = []
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._down: asyncio.Event
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        if not self._up.wait(STARTS_WITHIN_S):
            raise AssertionError("the tone server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"ws://127.0.0.1:{self.port}/v1/realtime"

    def first_delta(self, since: float) -> float:
        """Return the time of the first audio delta of an answer."""
        return next(at for at, kind in self.sent if at >= since and kind.endswith("audio.delta"))

    def of_kind(self, kind: str, since: float) -> list[dict[str, Any]]:
        """Return the received events of one kind."""
        return [event for at, event in list(self.got) if at >= since and event["type"] == kind]

    async def _serve(self) -> None:
        self._down = asyncio.Event()
        async with self.running():
            self._up.set()
            await self._down.wait()

    async def _talk(self, socket: ws.ServerConnection) -> None:
        self.sockets += 1
        talk = self.talk = _Talk(self, socket)
        try:
            await talk.run()
        except ConnectionClosed:
            pass  # the service disconnected in the middle of an answer
        except Exception:
            if not self._down.is_set():
                raise


class _Talk(fault_server._Talk):
    server: ToneServer

    async def take(self, event: dict[str, Any]) -> None:
        self.server.got.append((time.monotonic(), event))
        await super().take(event)

    async def send(self, kind: str, **fields: Any) -> None:
        self.server.sent.append((time.monotonic(), kind))
        await super().send(kind, **fields)
