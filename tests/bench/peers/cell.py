"""Runs one cell in real time: one client, with one setting, in one room; keeps its recordings.

`python -m tests.bench.peers.cell` is a separate process: it changes the environment, the
priority and the collection of garbage.
"""

import argparse
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import numpy as np

from parleyd.audio import db_to_gain
from parleyd.simulation.talker import Talker
from tests.bench.peers import sounds
from tests.bench.peers.air import Air, BlockRecorder, keep_up, stay_awake
from tests.bench.peers.clients import CLIENTS, BenchClient
from tests.bench.peers.script import Interruptions
from tests.bench.peers.sound_server import CLIENT_PRIORITY, run_in_real_time
from tests.soak.memory import cpu_s, tree, tree_kb

CONNECTS_WITHIN_S = 90.0
LEADS_IN_S = 1.5  # PulseAudio's first second comes in bursts
MEMORY_EVERY_S = 3.0
NICE = -10  # until the client is connected; then it has real-time priority, too


class Child:
    """A client in a separate terminal; its output goes to `log`."""

    def __init__(self, command: list[str], log: Path) -> None:
        master, terminal = pty.openpty()
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"TERM": "xterm", "OPENAI_API_KEY": "none"},
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            cwd=log.parent,
        )  # fmt: skip
        os.close(terminal)
        threading.Thread(target=_copy, args=(master, log), daemon=True).start()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def stay_ahead(self) -> None:
        """Run before all ordinary processes: other work on this machine must not slow it down."""
        for pid in tree(self.process.pid):
            run_in_real_time(pid, CLIENT_PRIORITY)

    def cpu_s(self) -> float:
        return sum(map(cpu_s, tree(self.process.pid)))

    def end(self) -> None:
        """End it and its descendants: politely, then not."""
        found = tree(self.process.pid)
        for kind in (signal.SIGTERM, signal.SIGKILL):
            for pid in reversed(found):
                with suppress(ProcessLookupError):
                    os.kill(pid, kind)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(3.0)


def run(client: BenchClient, options: argparse.Namespace) -> None:
    """Run the cell and write it into `options.out`. Blocks for minutes.

    Raises `SystemExit` if the client does not connect, or ends by itself.
    """
    made = sounds.make(options.corpus, options.seed)
    talker = Talker()
    script = Interruptions(
        made.question, made.lines, options.trials, options.alone, Random(options.seed)
    )
    begun = threading.Event()
    keep_up()

    def every_period(loud: bool) -> None:
        if begun.is_set() and not script.done:
            script.step(loud, talker)

    with _server(options.out, made) as url, client.rig() as rig:
        os.environ["REALTIME_URL"] = url
        room = sounds.room_at(options.enr, made)
        gain = db_to_gain(-client.playback_db)
        air, check = Air(rig.pipe(), room, talker, gain, every_period), BlockRecorder("mic")
        air.start()
        check.start()
        time.sleep(LEADS_IN_S)
        child = Child(client.command(options.out, url), options.out / "client.log")
        try:
            _wait_for_connection(child, options.out / "server.jsonl")
            child.stay_ahead()
            time.sleep(client.settles_s)
            cpu_before_s, start_s, memory_kb = child.cpu_s(), time.monotonic(), 0
            begun.set()
            while child.running and not script.done:
                if time.monotonic() - start_s > options.most:
                    break
                time.sleep(MEMORY_EVERY_S)
                memory_kb = max(memory_kb, tree_kb(child.process.pid))
            end_s, cpu_after_s, running = time.monotonic(), child.cpu_s(), child.running
        finally:
            child.end()
            air.end()
            check.end()
    if not running:
        raise SystemExit(f"{client.name} ended by itself: see {options.out}/client.log")
    _write_sound(options.out, air, check)
    about = {
        "client": client.name,
        "setting": client.setting,
        "enr_db": options.enr,
        "seed": options.seed,
        "origin": made.origin,
        "overruns": air.overruns,
        "began": start_s,
        "ended": end_s,
        "cpu_percent": 100 * (cpu_after_s - cpu_before_s) / (end_s - start_s),
        "memory_mb": memory_kb / 1024,
        "said": [(u.label, u.onset_frame, u.end_frame) for u in talker.utterances],
    }
    (options.out / "about.json").write_text(json.dumps(about))


@contextmanager
def _server(folder: Path, made: sounds.BenchSounds) -> Iterator[str]:
    """Run the scripted server; gives its address."""
    answers = folder / "answers.npz"
    np.savez(answers, *made.answers)
    command = [sys.executable, "-m", "tests.bench.peers.server", "--answers", str(answers)]
    server = subprocess.Popen(
        [*command, "--out", str(folder)], stdout=subprocess.PIPE, env=os.environ
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        run_in_real_time(server.pid, CLIENT_PRIORITY)
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    finally:
        server.terminate()
        server.wait()


def _wait_for_connection(child: Child, log: Path) -> None:
    deadline = time.monotonic() + CONNECTS_WITHIN_S
    while "session.updated" not in log.read_text():
        if not child.running or time.monotonic() > deadline:
            raise SystemExit(f"the client did not connect: see {log.parent}/client.log")
        time.sleep(0.2)


def _write_sound(folder: Path, air: Air, check: BlockRecorder) -> None:
    np.savez(
        folder / "sound.npz",
        loudspeaker=np.concatenate(air.blocks),
        microphone=np.concatenate(air.microphone),
        came_at=air.came_at[: len(air.microphone)],
        check=np.concatenate(check.blocks),
        check_came_at=check.came_at,
    )


def _copy(master: int, log: Path) -> None:
    stay_awake()
    with log.open("wb", buffering=0) as file, suppress(OSError):  # the terminal ends with an error
        while data := os.read(master, 65536):
            file.write(data)
    os.close(master)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=[f"{c.name}:{c.setting}" for c in CLIENTS])
    parser.add_argument("--enr", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument(
        "--alone", type=float, default=30.0, help="seconds of answers, uninterrupted"
    )
    parser.add_argument("--most", type=float, default=140.0, help="seconds, at most")
    options = parser.parse_args()
    options.out = options.out.absolute()
    options.out.mkdir(parents=True, exist_ok=True)
    client = next(c for c in CLIENTS if f"{c.name}:{c.setting}" == options.client)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        run(client, options)
    except PermissionError:
        raise SystemExit("The bench needs real-time priority: run it as root.") from None


if __name__ == "__main__":
    main()
