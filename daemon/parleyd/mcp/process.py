"""The child process of one MCP server, from the daemon's side."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable

import msgspec

from parleyd.mcp.messages import (
    ALIVE_S,
    LONGEST_LINE,
    FromChild,
    OpenServer,
    ToChild,
    from_child,
    line,
)
from parleyd.system.child_environment import child_environment

CHILD: tuple[str, ...] = ("-m", "parleyd.mcp.child")
STARTS_WITHIN_S = 60.0  # the SDK is imported in 2 s on a desktop core; a Pi with a cold card: 15 s
FROZEN_S = 15.0  # without a line; the child reports each second, with a lower priority
ENDS_WITHIN_S = 1.5  # a stop of the service may take 5 s in all
EXITS_WITHIN_S = 0.5  # after the end of its output
MOST_LINES = 60  # a second: results of eight calls, a listing, and signs of life

_SIGNS = f"no sign of life for {FROZEN_S:.0f} s"


class McpProcess:
    """Starts the child, hands on its messages, and ends it; on the event loop.

    The child ends by itself when this process dies.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid if self._process is not None else None

    async def run(self, server: OpenServer, take: Callable[[FromChild], None]) -> str:
        """Run one child until it ends, freezes or floods; returns why. Kills it if cancelled."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, *CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may hold words of the user
            env=child_environment(os.environ, OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1"),
            limit=LONGEST_LINE,
            start_new_session=True,  # Ctrl-C in a terminal must reach only the daemon
        )
        misbehaves = False
        try:
            self.send(server)
            reason = await _follow(process, take)
            misbehaves = True
            return reason
        finally:
            self._process = None
            await _end(process, at_once=misbehaves)

    def send(self, message: ToChild) -> None:
        """Hand a message to the child, if there is one."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(line(message))


async def _follow(process: asyncio.subprocess.Process, take: Callable[[FromChild], None]) -> str:
    loop = asyncio.get_running_loop()
    assert process.stdout is not None
    patience_s, second, lines = STARTS_WITHIN_S, loop.time(), 0
    while True:
        try:
            async with asyncio.timeout(patience_s):
                text = await process.stdout.readline()
            if not text:
                return f"its process ended ({await process.wait()})"
            message = from_child(text)
        except TimeoutError:
            return _SIGNS if patience_s == FROZEN_S else "its process does not start"
        except (ValueError, msgspec.DecodeError):  # a line without end, or none of ours
            return "its process sends nonsense"
        patience_s = FROZEN_S
        if loop.time() - second >= ALIVE_S:
            second, lines = loop.time(), 0
        lines += 1
        if lines > MOST_LINES:
            return "its process sends too much"
        take(message)


async def _end(process: asyncio.subprocess.Process, *, at_once: bool) -> None:
    """End the child: by the end of its input, so that it ends its server, too, or `at_once`."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        if not at_once:
            await _empty(process.stdout)
            with contextlib.suppress(
                TimeoutError
            ):  # to kill it now would confuse asyncio's watcher
                async with asyncio.timeout(EXITS_WITHIN_S):
                    await process.wait()
    finally:  # a second cancellation, too, leaves no process
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await _empty(process.stdout)
        await process.wait()
        with contextlib.suppress(OSError):  # for lines that the child did not read
            await process.stdin.wait_closed()


async def _empty(stdout: asyncio.StreamReader | None) -> None:
    """Read and drop until the child's end: `wait` returns only after that of the pipe."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDS_WITHIN_S):
            while stdout is not None and await stdout.read(LONGEST_LINE):
                pass
