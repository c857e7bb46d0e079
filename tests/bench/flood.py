"""python -m tests.bench.flood: the lateness of a thread while a server floods the connection.

A thread that only sleeps for 10 ms shares the interpreter with a real connection; the server
is another process. Prints the processor time of the connection and the lateness of the thread
for each kind of message and for a silent server. As root both run with real-time priority, so
that other work on the machine does not disturb the measurement.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from parleyd.app.daemon import SWITCH_S
from parleyd.core.events import InputEvent
from parleyd.realtime.connection import RealtimeConnection, ServerAddress

PERIOD_S = 0.01
LARGE = 3_900_000  # bytes; the connection refuses messages over 4 MiB
ITEM = '{"type":"conversation.item.added","item":{"id":"i","x":%s}}'


def messages() -> Mapping[str, str]:
    audio = '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"%s"}'
    return {
        "silence": "",
        "unknown events": '{"type":"x.y"}',
        "empty audio": audio % "AAA=",
        "a minute of audio": audio % ("A" * LARGE),
        "a long text": ITEM % f'"{"A" * LARGE}"',
        "a long id": '{"type":"response.created","response":{"id":"%s"}}' % ("A" * LARGE),
        "half a million objects": ITEM % _list('{"a":1}', 480_000),
        "80,000 lists": ITEM % _list("[]", 80_000),
        "numbers": ITEM.replace("x", "content") % _list("1.5e300", 500),
        "no JSON": "A" * LARGE,
    }


def _list(member: str, count: int) -> str:
    return f"[{','.join([member] * count)}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(messages()[options.serve]))
        return
    logging.disable()
    prefer(5)
    sys.setswitchinterval(SWITCH_S)
    print(f"{'':24} {'events':>8} {'link':>6}   late, ms: p50    p99  worst")
    for kind in messages():
        command = [sys.executable, "-m", "tests.bench.flood", "--serve", kind]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, preexec_fn=ordinary
        ) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            asyncio.run(_measure(kind, port, options.seconds))
            server.kill()


async def _measure(kind: str, port: int, seconds: float) -> None:
    events: list[InputEvent] = []
    connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port}"), events.append)
    running = asyncio.create_task(connection.run())
    await asyncio.sleep(0.5)
    late: list[float] = []
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(late, over))
    used = time.thread_time()
    beating.start()
    await asyncio.sleep(seconds)
    over.set()
    beating.join()
    share = (time.thread_time() - used) / seconds
    p50, p99, worst = np.percentile(np.array(late) * 1000, (50, 99, 100))
    print(f"{kind:24} {len(events):8} {share:6.0%} {p50:16.1f} {p99:6.1f} {worst:6.1f}", flush=True)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _beat(late: list[float], over: threading.Event) -> None:
    prefer(20)
    due = time.monotonic()
    while not over.is_set():
        due += PERIOD_S
        time.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        late.append(now - due)
        due = max(due, now - PERIOD_S)


async def _serve(message: str) -> None:
    async def flood(socket: ServerConnection) -> None:
        while True:
            await (socket.send(message) if message else asyncio.sleep(1))

    async with serve(flood, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()


def prefer(priority: int) -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def ordinary() -> None:
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


if __name__ == "__main__":
    main()
