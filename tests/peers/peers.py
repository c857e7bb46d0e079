"""Locates and runs the peers, each in a separate process and interpreter."""

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
    """Return the folder in which `tests/peers/run` installed this peer; None: skip its tests."""
    found = os.environ.get(f"PARLEY_PEER_{peer}")
    return Path(found) if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def serving(command: Sequence[str | Path], port: int) -> AsyncIterator[None]:
    """Run a server process; enters the context when it listens, kills it at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while not await _listens(port):
                assert process.returncode is None, f"the server ended: run {command} for the reason"
                await asyncio.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def report_of(command: Sequence[str | Path]) -> dict[str, Any]:
    """Run a client to its end and return its report, one JSON object."""
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
