"""python -m tests.bench.page_flood: the audio thread while browsers ask `parley page`.

The parts of a daemon run as in `tests.bench.control_flood`; `parley page` is its process, and a
third process asks it: 50 times a second, one time in five with a request to the daemon, then
without a pause. Prints for each kind the answers by their status, the processor time of daemon
and page, the memory of the page, and how late the periods of the audio thread end. As root the
daemon runs with its real-time priorities.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from parleyd.app.assembly import assembled
from parleyd.app.daemon import SWITCH_S
from tests.app.assembling import process_state
from tests.bench.control_flood import SETTINGS, Punctuality
from tests.bench.flood import ordinary
from tests.page.page_rig import PageProcess, WebClient

KINDS = ("no page", "a page that nobody opens", "an open page", "50 a second", "without a pause")
PER_S = 50
THREADS = 8
PATHS = ("/", "/api/settings", "/", "/api/settings", "/api/volume")
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        _ask(*options.ask)
        return
    logging.disable()
    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        asyncio.run(_bench(Path(folder), options.seconds))


async def _bench(folder: Path, seconds: float) -> None:
    (folder / "parley").mkdir()
    process = process_state(folder / "parley")
    desk = process.desk
    desk.levels = punctuality = Punctuality(lambda: desk._server.measures)
    with desk.open():
        async with assembled(SETTINGS, process) as running:
            assert process.mute is not None
            process.mute.mute_microphone(60)
            await asyncio.sleep(1.0)
            head = f"{'':26} {'daemon':>7} {'page':>5} {'MB':>5}   late, ms: p50    p99  worst"
            print(f"{head}  over 5 ms, of")
            await _measure(KINDS[0], None, "", punctuality, seconds)
            page = await asyncio.to_thread(PageProcess, folder, "")
            os.setpriority(os.PRIO_PROCESS, page.process.pid, 5)  # as the unit does
            os.sched_setscheduler(page.process.pid, os.SCHED_OTHER, os.sched_param(0))
            client = WebClient(page)
            await asyncio.to_thread(client.sign_in)
            try:
                for kind in KINDS[1:]:
                    await _measure(kind, page, client.cookie, punctuality, seconds)
            finally:
                page.close()
            assert running.audio_thread.is_alive()


async def _measure(
    kind: str, page: PageProcess | None, cookie: str, punctuality: Punctuality, seconds: float
) -> None:
    port = str(page.port if page is not None else 0)
    command = [sys.executable, "-m", "tests.bench.page_flood", "--ask", kind, port, cookie]
    with subprocess.Popen(  # noqa: ASYNC220  the loop idles
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, preexec_fn=ordinary
    ) as asking:
        assert asking.stdout is not None
        assert asking.stdin is not None
        await asyncio.to_thread(asking.stdout.readline)
        await asyncio.sleep(1.0)
        punctuality.late_ms()
        before, page_before = time.process_time(), _used_s(page)
        await asyncio.sleep(seconds)
        share = (time.process_time() - before) / seconds
        page_share = (_used_s(page) - page_before) / seconds
        late = punctuality.late_ms()
        memory = page.memory_mb() if page is not None else 0.0
        asking.stdin.close()
        answers = json.loads(await asyncio.to_thread(asking.stdout.readline))
    p50, p99, worst = np.percentile(late, (50, 99, 100))
    print(
        f"{kind:26} {share:7.1%} {page_share:5.0%} {memory:5.1f} "
        f"{p50:16.2f} {p99:6.2f} {worst:6.2f} {sum(each > 5 for each in late):6} {len(late):6}  "
        f"{answers or ''}",
        flush=True,
    )


def _used_s(page: PageProcess | None) -> float:
    """Processor time of the page's process."""
    if page is None:
        return 0.0
    fields = Path(f"/proc/{page.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _ask(kind: str, port: str, cookie: str) -> None:
    """The third process; ends with its standard input."""
    answers: Counter[int] = Counter()
    ending = threading.Event()
    threads: list[threading.Thread] = []
    if kind in KINDS[2:]:
        threads.append(threading.Thread(target=_watch, args=(port, cookie, ending), daemon=True))
    if kind in KINDS[3:]:
        pause_s = THREADS / PER_S if kind == "50 a second" else 0.0
        for number in range(THREADS):
            arguments = (port, cookie, number, pause_s, answers, ending)
            threads.append(threading.Thread(target=_client, args=arguments, daemon=True))
    for thread in threads:
        thread.start()
    print("asks", flush=True)
    sys.stdin.read()
    ending.set()
    print(json.dumps(dict(sorted(answers.items()))), flush=True)


def _watch(port: str, cookie: str, ending: threading.Event) -> None:
    """Read the stream of events, as an open page does."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    connection.request("GET", "/api/events", headers={"Cookie": cookie})
    answer = connection.getresponse()
    while not ending.is_set() and answer.readline():
        pass


def _client(
    port: str,
    cookie: str,
    number: int,
    pause_s: float,
    answers: "Counter[int]",
    ending: threading.Event,
) -> None:
    """Ask on one connection, over and over; new ones after an end."""
    origin = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"}
    while not ending.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not ending.is_set():
                number += 1
                path = PATHS[number % len(PATHS)]
                if path == "/api/volume":
                    body = json.dumps({"percent": 40 + number % 20})
                    headers = {**origin, "Content-Type": "application/json"}
                    connection.request("POST", path, body, headers)
                else:
                    connection.request("GET", path, headers=origin)
                answer = connection.getresponse()
                answer.read()
                answers[answer.status] += 1
                ending.wait(pause_s)
        connection.close()


if __name__ == "__main__":
    main()
