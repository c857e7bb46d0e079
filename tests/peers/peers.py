"""Where the peers are, and how they run: each in a process and an interpreter of its own."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATIENCE_S = 240.0  # for a busy machine; a conversation takes 5 s
_STARTS_WITHIN_S = 60.0  # imports from a cold disk


def folder(peer: str) -> Path | None:
    """Where `tests/peers/run` installed this peer; None: it is not to be tested."""
    found = os.environ.get(f"PARLEY_PEER_{peer}")
    return Path(found) if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def serving(command: Sequence[str | Path], port: int) -> AsyncIterator[None]:
    """A server as a process, from when it listens; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while not await _listens(port):
                assert process.returncode is None, f"it ended: run {command} to see why"
                await asyncio.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def report_of(command: Sequence[str | Path]) -> dict[str, Any]:
    """Run a client to its end; what it printed, which is one JSON object."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode == 0, err.decode()
    report: dict[str, Any] = json.loads(out)
    return report


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
