"""One client's WebSocket: drives an engine, runs its jobs, and sends its events."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic

from websockets.exceptions import ConnectionClosed

from parleyd.audio import decode_pcm16, resample
from parleyd.embedded import decoding
from parleyd.embedded.actions import Forget, Output, Recognize, Synthesize
from parleyd.embedded.engine import Engine
from parleyd.embedded.limits import READ_WITHIN_S
from parleyd.embedded.speech import Share
from parleyd.embedded.visitor import Visitor
from parleyd.realtime.events import encode
from parleyd.system.tasks import failed
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ

EngineCall = Callable[[float], list[Output]]
"""An input, as the engine's reaction to it at a given time."""


class ConnectionHandler:
    """Runs in one event loop; every input reaches the engine in order, one at a time."""

    def __init__(self, socket: Visitor, engine: Engine, speech: Share) -> None:
        self._socket = socket
        self._engine = engine
        self._speech = speech
        self._happened: asyncio.Queue[EngineCall | None] = asyncio.Queue()  # `Visitor` bounds it
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self.heard_at: float | None = None
        """When the client last sent a message, on the monotonic clock; None: never."""

    async def run(self) -> None:
        """Serve until the client or the server closes; drops running jobs.

        Drops a client that does not read for `READ_WITHIN_S`.
        """
        reader = asyncio.create_task(self._read(), name="reader")
        reader.add_done_callback(failed)
        try:
            await self._carry_out(self._engine.open())
            while (step := await self._next()) is not None:
                await self._carry_out(step(monotonic()))
                await asyncio.sleep(0)  # the other clients' turn, even if this one sent a lot
        except ConnectionClosed:
            pass
        except TimeoutError:
            self._socket.drop()
        finally:
            tasks = [reader, *self._jobs.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, code: int, reason: str) -> None:
        """Send the close frame, after which `run` ends. Frees the client's place immediately."""
        self._socket.has_place = False
        await self._socket.close(code, reason)

    async def _next(self) -> EngineCall | None:
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
            while True:
                message, cost = await self._socket.receive()
                self.heard_at = monotonic()
                *first, last = decoding.pieces(message)
                for piece in first:
                    self._happened.put_nowait(partial(self._engine.receive, piece))
                self._happened.put_nowait(partial(self._receive_last, last, cost))
        except ConnectionClosed:
            pass
        finally:
            self._happened.put_nowait(None)

    def _receive_last(self, piece: decoding.Frame, cost: int, now: float) -> list[Output]:
        try:
            return self._engine.receive(piece, now)
        finally:
            self._socket.handled(cost)

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
                    async with asyncio.timeout(READ_WITHIN_S):
                        await self._socket.send(encode(event))

    def _start(self, job: int, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"job {job}")
        self._jobs[job] = task
        task.add_done_callback(partial(self._ended, job))

    def _ended(self, job: int, task: "asyncio.Task[None]") -> None:
        self._jobs.pop(job, None)
        if failed(task):
            self._happened.put_nowait(None)  # the client would wait forever, so it must reconnect

    async def _recognize(self, job: int, pcm: bytes) -> None:
        heard = await self._speech.recognize(
            resample(decode_pcm16(pcm), SERVER_RATE_HZ, MIC_RATE_HZ)
        )
        self._happened.put_nowait(partial(self._engine.recognized, job, heard))

    async def _synthesize(self, order: Synthesize) -> None:
        frames = await self._speech.synthesize(order.sentence, order.speed)
        self._happened.put_nowait(partial(self._engine.synthesized, order.job, frames))
