"""Records the events of a connection for a test."""

import asyncio

import websockets.asyncio.server as ws

from parleyd.core.events import InputEvent


class Ear:
    """Collects the events of the connection, and lets a test wait for one."""

    def __init__(self) -> None:
        self.told: list[InputEvent] = []
        self._changed = asyncio.Event()

    def __call__(self, event: InputEvent) -> None:
        self.told.append(event)
        self._changed.set()

    async def wait(self, kind: type, count: int = 1) -> list[InputEvent]:
        async with asyncio.timeout(20):
            while len(found := [e for e in self.told if isinstance(e, kind)]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found


def port_of(server: ws.Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
