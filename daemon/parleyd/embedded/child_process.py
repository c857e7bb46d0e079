"""The embedded server as a child process of the daemon or the demo.

It listens on a Unix socket rather than on connected socket pairs: an address is a plain string
that the connection can reconnect to by itself, and websockets has `unix_connect` and
`unix_serve` for it. This process binds the socket and keeps it; the child only accepts from it.
So when the child dies, no other process can take its place, and a client that connects
meanwhile waits in the queue for the next child.
"""

import asyncio
import contextlib
import logging
import os
import sys

from parleyd.embedded.private_socket import PrivateSocket
from parleyd.errors import OfflineSpeechError
from parleyd.realtime.unix_address import UnixAddress
from parleyd.system.child_environment import child_environment

STARTS_WITHIN_S = 30.0  # 2 s measured on a desktop core; a Pi with a cold card takes ten times that
STOPS_WITHIN_S = 1.0
RESTART_AFTER_S = 1.0
READY = b"listening\n"
BEAT_S = 1.0  # the child's event loop reports this often that it runs
FROZEN_BEATS = 5  # missing in succession; nothing that the child does blocks its loop for 1 s

log = logging.getLogger(__name__)


class EmbeddedServer:
    """Starts `parley serve`, replaces it when it dies or freezes, and ends it; on the event loop.

    The child also ends by itself when this process dies, which closes its standard input.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._socket: PrivateSocket | None = None

    async def start(self) -> str:
        """Start it and return its address. Raises `OfflineSpeechError` if it does not start.

        The address stays the same until `stop`.
        """
        if self._socket is None:
            self._socket = PrivateSocket(os.environ)
        try:
            await self._start_child(self._socket)
        except (OfflineSpeechError, OSError):
            await self.stop()
            raise
        return UnixAddress(self._socket.path).url

    async def keep_alive(self) -> None:
        """Replace it whenever it dies or freezes, without a limit, until cancelled."""
        while True:
            if self._process is not None:
                await self._watch(self._process)
                await self._end_child()
            await asyncio.sleep(RESTART_AFTER_S)
            if self._socket is None:
                return  # stopped
            try:
                await self._start_child(self._socket)
            except (OfflineSpeechError, OSError) as error:
                log.error("%s", error)
                await self._end_child()

    async def stop(self) -> None:
        """End it; waits for at most `STOPS_WITHIN_S`; may be called twice."""
        await self._end_child()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _start_child(self, listening: PrivateSocket) -> None:
        number = listening.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parleyd", "serve", "--exit-with-parent"),
            *("--listening-fd", str(number)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(number,),
            env=child_environment(os.environ),
        )
        self._process = process
        assert process.stdout is not None
        why = "it ended before it was ready"
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line, why = b"", f"silent for {STARTS_WITHIN_S:.0f} s; is the machine overloaded?"
        if line != READY:
            raise OfflineSpeechError(
                f"the embedded server did not start ({why}): run `parley serve` to see more"
            )

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Return when the child ends or its heartbeats stop; the log says which.

        It counts heartbeats rather than time: a machine that slept has missed none.
        """
        assert process.stdout is not None
        missing = 0
        while missing < FROZEN_BEATS:
            try:
                async with asyncio.timeout(BEAT_S):
                    line = await process.stdout.readline()
            except TimeoutError:
                missing += 1
                continue
            if not line:
                log.error("the embedded server ended (%s); restarting it", await _code(process))
                return
            missing = 0
        log.error(
            "the embedded server has been frozen for %.0f s; killing and restarting it",
            FROZEN_BEATS * BEAT_S,
        )
        process.kill()

    async def _end_child(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await _code(process)
        finally:  # cancelled, too, it leaves no process
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def _code(process: asyncio.subprocess.Process) -> int | None:
    """The exit status, or None if it does not end within `STOPS_WITHIN_S`."""
    try:
        async with asyncio.timeout(STOPS_WITHIN_S):
            return await process.wait()
    except TimeoutError:
        return None
