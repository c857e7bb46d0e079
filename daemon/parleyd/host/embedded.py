"""The embedded server as a child process of the daemon or the demo."""

import asyncio
import contextlib
import logging
import sys

from parleyd.errors import OfflineSpeechError

STARTS_WITHIN_S = 30.0  # 2 s measured on a desktop core; a Pi with a cold card takes ten times that
STOPS_WITHIN_S = 1.0
RESTART_AFTER_S = 1.0
READY = "listening on "

log = logging.getLogger(__name__)


class EmbeddedServer:
    """Starts `parley serve`, keeps it alive on the same port, ends it; on the event loop.

    The child also ends by itself when this process dies: its standard input is closed then.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0

    async def start(self) -> str:
        """Start it and return its address. Raises `OfflineSpeechError` when it does not come up."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parleyd", "serve", "--exit-with-parent"),
            *("--port", str(self._port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._process = process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                line = (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            line = ""
        if not line.startswith(READY):
            await self.stop()
            raise OfflineSpeechError(
                "the embedded server did not start: run `parley serve` to see why"
            )
        url = line.removeprefix(READY)
        self._port = int(url.split(":")[2].split("/")[0])
        return url

    async def keep_alive(self) -> None:
        """Start it again whenever it dies, until cancelled."""
        while self._process is not None:
            code = await self._process.wait()
            log.error("the embedded server ended (%s) and is started again", code)
            await asyncio.sleep(RESTART_AFTER_S)
            with contextlib.suppress(OfflineSpeechError):
                await self.start()

    async def stop(self) -> None:
        """End it; waits for at most `STOPS_WITHIN_S`, may be called twice."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
