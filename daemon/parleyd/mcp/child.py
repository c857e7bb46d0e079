"""The child process that calls one MCP server: ``python -m parleyd.mcp.child``.

It reads the daemon's lines on stdin and writes its own on stdout. It ends with the daemon, and it
ends itself rather than hang or grow.
"""

import asyncio
import contextlib
import logging
import os
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from parleyd.mcp.caller import Caller
from parleyd.mcp.messages import (
    ALIVE_S,
    LONGEST_LINE,
    CallTool,
    CancelCall,
    ChildAlive,
    FromChild,
    OpenServer,
    from_daemon,
    line,
)
from parleyd.system.parent_death import die_with_parent

DATA_MB = 256  # the SDK and a session take 60 MB, a response of the longest allowed size 20 more
SACRIFICED = "800"  # of 1000: where memory ends, the kernel takes this process, not the daemon
GOODBYE_S = 1.0  # for the end of a session; then the command is killed
NICER = 10  # than the daemon, whose audio thread shares the processors


def main() -> None:
    """Serve until stdin ends."""
    die_with_parent()
    # output that a library prints must not mix with the lines
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)  # the SDK logs messages, which hold words of the user
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_MB << 20, DATA_MB << 20))
    with contextlib.suppress(OSError):  # the unit refuses it; there the daemon has priority
        os.nice(NICER)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(SACRIFICED)
    asyncio.run(_serve(answers))


async def _serve(answers: BinaryIO) -> None:
    def write(message: FromChild) -> None:
        answers.write(line(message))
        answers.flush()

    reader = asyncio.StreamReader(LONGEST_LINE)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    server = from_daemon(await reader.readline())
    if not isinstance(server, OpenServer):
        raise msgspec.DecodeError("the first line opens no server")
    caller = Caller(server, write)
    tasks = [asyncio.create_task(caller.run()), asyncio.create_task(_live(caller, write))]
    while text := await reader.readline():
        match from_daemon(text):
            case CallTool() as call:
                caller.call(call)
            case CancelCall() as cancel:
                caller.cancel(cancel)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=GOODBYE_S)
    os._exit(0)  # a hanging thread of a library keeps nothing


async def _live(caller: Caller, write: Callable[[FromChild], None]) -> None:
    while not caller.stuck:
        write(ChildAlive())
        await asyncio.sleep(ALIVE_S)
    os._exit(4)


if __name__ == "__main__":
    main()
