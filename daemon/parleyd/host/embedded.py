"""The embedded server as a child process of the daemon or the demo."""

import asyncio
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
        why = "it printed no address"
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                line = (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            line, why = "", f"nothing came in {STARTS_WITHIN_S:.0f} s, is the machine overloaded?"
        if not line.startswith(READY):
            await self.stop()
            raise OfflineSpeechError(
                f"the embedded server did not start ({why}): run `parley serve` to see more"
            )
        url = line.removeprefix(READY)
        self._port = int(url.split(":")[2].split("/")[0])
        return url

    async def keep_alive(self) -> None:
        """Start it again whenever it dies, as often as it takes, until cancelled."""
        while True:
            if self._process is not None:
                code = await self._process.wait()
                log.error("the embedded server ended (%s) and is started again", code)
            await asyncio.sleep(RESTART_AFTER_S)
            try:
                await self.start()
            except (OfflineSpeechError, OSError) as error:
                log.error("%s", error)

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
