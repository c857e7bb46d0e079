"""`parley serve`: the embedded server in a process of its own."""

import asyncio
import os
import signal
import sys
import threading

import click

from parleyd.local.server import RealtimeServer, ServerOptions


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0: any free port."
)
@click.option(
    "--pace",
    default=None,
    type=click.FloatRange(0.5, 100.0),
    help="Send speech so many times faster than real time (default: as fast as it is made).",
)
@click.option(
    "--exit-with-parent", is_flag=True, help="End when standard input is closed by its other end."
)
def serve(host: str, port: int, pace: float | None, exit_with_parent: bool) -> None:
    """Speak the realtime protocol on this machine, with offline speech, without a key.

    Prints one line, `listening on ws://...`, when clients may connect. There is no
    authentication, so listen on loopback only unless you trust the network.
    """
    asyncio.run(_serve(ServerOptions(host=host, port=port, pace=pace), exit_with_parent))


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
        click.echo(f"listening on {server.url}")
        sys.stdout.flush()
        await stop.wait()


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read and not sys.stdin: a thread blocked in the latter holds its lock at exit.
    while os.read(0, 4096):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
