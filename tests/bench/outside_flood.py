"""python -m tests.bench.outside_flood: the audio thread while everything outside floods Parley.

In one run: nothing; 100 clients of the control socket that send random lines; 50 requests a second
to `parley page`; 1,000 messages a second at a real broker for `parley mqtt`; and all of it
together. The parts of a daemon run as in `tests.bench.control_flood`. Prints the processor time of
the daemon without its audio thread, and how late the periods of the audio thread end. Needs
mosquitto. As root the daemon runs with its real-time priorities.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from parleyd.app.assembly import assembled
from parleyd.app.daemon import SWITCH_S
from parleyd.control.place import NAME
from parleyd.mqtt.identity import MACHINE_ID, speaker_id
from tests.app.assembling import process_state
from tests.bench.control_flood import SETTINGS, Punctuality
from tests.bench.flood import ordinary
from tests.mqtt.broker_rig import Mosquitto
from tests.page.page_rig import PageProcess, WebClient

PER_S = 1000
STEP_S = 0.01
SOCKET, PAGE, MQTT = "socket", "page", "mqtt"
ROWS = {
    "nothing": (),
    "100 clients that fuzz": (SOCKET,),
    "page, 50 requests/s": (PAGE,),
    "MQTT, 1,000 messages/s": (MQTT,),
    "all of them": (SOCKET, PAGE, MQTT),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        _publish(options.publish)
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
            with contextlib.ExitStack() as stack:
                commands = await asyncio.to_thread(_attackers, folder, stack)
                print(f"{'':24} {'daemon':>6}   late, ms: p50    p99  worst  periods")
                for name, attacks in ROWS.items():
                    chosen = [commands[attack] for attack in attacks]
                    await _measure(name, chosen, punctuality, seconds)
            assert running.audio_thread.is_alive()


def _attackers(folder: Path, stack: contextlib.ExitStack) -> dict[str, list[str]]:
    """Start page, broker and `parley mqtt`; return the commands that flood them."""
    page = PageProcess(folder, "")
    stack.callback(page.close)
    os.setpriority(os.PRIO_PROCESS, page.process.pid, 5)  # as its unit does
    client = WebClient(page)
    client.sign_in()
    broker = Mosquitto(folder, "allow_anonymous true")
    stack.callback(broker.close)
    config = folder / "mqtt.toml"
    config.write_text(f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n')
    stack.enter_context(_process("parleyd", "mqtt", "--config", str(config)))
    bench = "tests.bench"
    return {
        SOCKET: [f"{bench}.control_flood", "--flood", "fuzz", str(folder / "parley" / NAME)],
        PAGE: [f"{bench}.page_flood", "--ask", "50 a second", str(page.port), client.cookie],
        MQTT: [f"{bench}.outside_flood", "--publish", str(broker.port)],
    }


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with ordinary priority, killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=ordinary,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def _measure(
    name: str, commands: list[list[str]], punctuality: Punctuality, seconds: float
) -> None:
    with contextlib.ExitStack() as stack:
        for module, *arguments in commands:
            process = stack.enter_context(_process(module, *arguments))
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)  # it floods
        await asyncio.sleep(2.0)
        punctuality.late_ms()
        before = time.process_time()
        await asyncio.sleep(seconds)
        share = (time.process_time() - before) / seconds
        late = punctuality.late_ms()
    p50, p99, worst = np.percentile(late, (50, 99, 100))
    line = f"{name:24} {share:6.1%} {p50:16.2f} {p99:6.2f} {worst:6.2f} {len(late):8}"
    print(line, flush=True)


def _publish(port: int) -> None:
    """Publish commands and nonsense until killed."""
    chance = random.Random(1)
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    base = f"parley/{speaker_id(MACHINE_ID)}"
    print("floods", flush=True)
    due = time.monotonic()
    while True:
        for _ in range(round(PER_S * STEP_S)):
            command = chance.choice(("volume", "mute", "listen", "stop", "say", "nothing"))
            payload = chance.choice((b"ON", b"PRESS", b"50", b"x" * 401, chance.randbytes(200)))
            client.publish(f"{base}/{command}/set", payload, qos=1)
        due += STEP_S
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
