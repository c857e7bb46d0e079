"""One client's WebSocket: drives an engine, carries out its work, sends its events."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from parleyd.local.actions import Forget, Output, Recognize, Synthesize
from parleyd.local.engine import Engine
from parleyd.local.rates import to_mic_rate
from parleyd.local.speech import Speech
from parleyd.realtime.events import encode

MOST_WAITING = 256  # 5 s of audio in 20 ms messages; a client that is faster waits in its socket

Step = Callable[[float], list[Output]]
"""Something that happened, as the engine's reaction to it at a given time."""


class Connection:
    """Runs in one event loop; all that happens reaches the engine in order, one at a time."""

    def __init__(self, socket: ServerConnection, engine: Engine, speech: Speech) -> None:
        self._socket = socket
        self._engine = engine
        self._speech = speech
        self._happened: asyncio.Queue[Step | None] = asyncio.Queue(MOST_WAITING)
        self._jobs: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client or the server closes; jobs under way are dropped."""
        reader = asyncio.create_task(self._read())
        try:
            await self._carry_out(self._engine.open())
            while (step := await self._next()) is not None:
                await self._carry_out(step(monotonic()))
        except ConnectionClosed:
            pass
        finally:
            tasks = [reader, *self._jobs.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self) -> Step | None:
        due = self._engine.due()
        if due is None:
            return await self._happened.get()
        try:
            async with asyncio.timeout(max(0.0, due - monotonic())):
                return await self._happened.get()
        except TimeoutError:
            return self._engine.advance

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                await self._happened.put(partial(self._engine.receive, message))
        except ConnectionClosed:
            pass
        finally:
            await self._happened.put(None)

    async def _carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Recognize(job, pcm):
                    self._start(job, self._recognize(job, pcm))
                case Synthesize():
                    self._start(output.job, self._synthesize(output))
                case Forget(job):
                    if job in self._jobs:
                        self._jobs[job].cancel()
                case event:
                    await self._socket.send(encode(event))

    def _start(self, job: int, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._jobs[job] = task
        task.add_done_callback(lambda _: self._jobs.pop(job, None))

    async def _recognize(self, job: int, pcm: bytes) -> None:
        heard = await self._speech.recognize(to_mic_rate(pcm))
        await self._happened.put(partial(self._engine.recognized, job, heard))

    async def _synthesize(self, order: Synthesize) -> None:
        frames = await self._speech.synthesize(order.sentence, order.speed)
        await self._happened.put(partial(self._engine.synthesized, order.job, frames))
