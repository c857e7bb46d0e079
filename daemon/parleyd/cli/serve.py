"""`parley serve`: the embedded server in a separate process."""

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
import threading

import click

from parleyd.embedded.server import RealtimeServer, ServerOptions
from parleyd.system.parent_death import die_with_parent

BEAT_S = 1.0  # `embedded.child_process` expects a sign of life at this interval
STANDARD_OUTPUT = 1


class _Inherited(socket.socket):
    """The parent's socket. The parent listens, so clients see the parent's credentials."""

    def listen(self, backlog: int = 0) -> None:
        """Do nothing: listening here would put this process's credentials on the socket."""


def _loopback(context: click.Context, parameter: click.Parameter, host: str) -> str:
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return host
    raise click.BadParameter(
        f"{host!r} is not on loopback. The server has no authentication, so only "
        "127.0.0.1, ::1 and localhost are allowed; connect from elsewhere through `ssh -L`."
    )


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=_loopback,
    help="The loopback address to listen on.",
)
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port; 0: any free port.",
)
@click.option(
    "--pace",
    default=None,
    type=click.FloatRange(0.5, 100.0),
    help="Speed of the sent speech relative to real time (default: as fast as possible).",
)
@click.option(
    "--exit-with-parent", is_flag=True, help="Exit when the other end closes standard input."
)
@click.option("--listening-fd", default=None, type=click.IntRange(3), hidden=True)
def serve(
    host: str, port: int, pace: float | None, exit_with_parent: bool, listening_fd: int | None
) -> None:
    """Serve the realtime protocol on this machine, with offline speech and without a key.

    Prints one line, `listening on ws://...`, when clients may connect. There is no
    authentication: every process on this machine may connect. The daemon does not use this
    port; its embedded server listens on a private Unix socket.
    """
    listener = None
    if listening_fd is not None:
        die_with_parent()
        listener = _Inherited(fileno=listening_fd)
    options = ServerOptions(host=host, port=port, pace=pace, listener=listener)
    asyncio.run(_serve(options, exit_with_parent))


async def _serve(options: ServerOptions, exit_with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if exit_with_parent:
        threading.Thread(
            target=_wait_for_end_of_stdin, args=(loop, stop), name="parent", daemon=True
        ).start()
    async with RealtimeServer(options) as server:
        if options.listener is None:
            click.echo(f"listening on {server.url}")
            sys.stdout.flush()
            await stop.wait()
        else:
            await _beat(stop)


async def _beat(stop: asyncio.Event) -> None:
    """Send the parent a sign of life from the event loop, until `stop`."""
    os.set_blocking(STANDARD_OUTPUT, False)
    line = b"listening\n"
    while not stop.is_set():
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # the parent does not read
            os.write(STANDARD_OUTPUT, line)
        line = b"beat\n"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await stop.wait()


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read, not sys.stdin: a thread that blocks in sys.stdin holds its lock at exit
    while os.read(0, 4096):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
