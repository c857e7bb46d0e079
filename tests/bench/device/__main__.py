"""Measures the installed service and prints the tables.

    python -m tests.bench.device [--leads 20,40,60,100] [--trials 20] [--minutes 10]

Run it as root, with the Python of the installation, on a machine without a user: the bench
replaces the configuration of the service while it runs. It needs the loopback cards and the
GPIO chip that `tests/vm/pi.sh` sets up; `tests/vm/run` does all of this in a guest.
"""

import argparse
import contextlib
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.device import cost, service, trials
from tests.bench.device.air import Ear, Talker
from tests.bench.device.lamp import Lamp, Pins
from tests.bench.device.server import ToneServer
from tests.bench.device.tables import Series, markdown
from tests.e2e.fault_server import Faults

ANSWER_MS = 30_000  # longer than the time to the next interruption
STARTS = 5
IDLE_S = 20.0
SAMPLE_S = 10.0
LOAD_S = 10.0
LEAD_AT_END = "lead at the end, ms (grows after repeated xruns)"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--leads", default="20,40,60,100", help="values of audio.lead_ms")
    parser.add_argument("--trials", type=int, default=20, help="interruptions for each lead")
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="length of the conversation for the cost"
    )
    parser.add_argument("--report", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("tests/bench/device: run as root, to configure and restart the service")
    report = _Report(options.report)
    with service.own_configuration(), _device() as device:
        for lead_ms in map(int, options.leads.split(",")):
            device.figures.clear()
            mark = device.journal.length
            service.configure(lead_ms=lead_ms, url=device.server.url)
            service.start()
            _react(device, options.trials)
            report.table(f"lead {lead_ms} ms, {options.trials} interruptions", device.figures)
            under_load = _under_load(device)
            under_load[LEAD_AT_END] = [_lead_at_end(device, mark, lead_ms)]
            report.table(f"lead {lead_ms} ms, CPU load", under_load)
        service.configure(url=device.server.url)
        report.table("start to READY, s", {"seconds": [service.start() for _ in range(STARTS)]})
        report.table("cost", _cost(device, options.minutes * 60))


@contextlib.contextmanager
def _device() -> Iterator[trials.Device]:
    with contextlib.ExitStack() as stack:
        pins = Pins()
        yield trials.Device(
            stack.enter_context(Talker()),
            stack.enter_context(Ear()),
            stack.enter_context(Lamp(pins)),
            pins,
            stack.enter_context(service.Journal()),
            stack.enter_context(ToneServer(Faults(reply_ms=ANSWER_MS))),
        )


def _react(device: trials.Device, count: int) -> None:
    chance = random.Random(count)
    service.wait_for_status("idle")
    for _ in range(max(3, count // 4)):
        trials.wake(device)
        trials.button(device)
    answer = trials.ask(device)
    for _ in range(count):
        try:
            answer = trials.interrupt(device, chance, answer)
            device.figures[trials.UNNOTICED].append(0.0)
        except trials.NotNoticedError:
            device.figures[trials.UNNOTICED].append(1.0)
            trials.stop_by_button(device)
            answer = trials.ask(device)
        device.forget_all_but(1.0)
    trials.stop_by_button(device)
    device.figures["xruns so far"].append(service.xruns())


def _lead_at_end(device: trials.Device, mark: int, lead_ms: int) -> float:
    """Return the configured lead, or the lead that it has grown to since `mark`."""
    entries = device.journal.entries(mark)
    grown = [entry["PARLEY_LEAD_MS"] for entry in entries if "PARLEY_LEAD_MS" in entry]
    return float(grown[-1]) if grown else float(lead_ms)


def _under_load(device: trials.Device) -> trials.Figures:
    """Count xruns in an answer while two busy loops run per core."""
    before = service.xruns()
    trials.ask(device)
    with _load():
        time.sleep(LOAD_S)
    trials.stop_by_button(device)
    device.forget()
    return {f"xruns in an answer of {LOAD_S:.0f} s": [service.xruns() - before]}


@contextlib.contextmanager
def _load() -> Iterator[None]:
    count = 2 * (os.cpu_count() or 1)
    spin = ["sh", "-c", "while :; do :; done"]
    busy = [subprocess.Popen(spin) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _cost(device: trials.Device, seconds: float) -> Series:
    """Measure the cost at idle, then in a conversation without pauses."""
    service.wait_for_status("idle")
    time.sleep(SAMPLE_S)
    begun = cost.now()
    time.sleep(IDLE_S)
    idle = cost.now()
    figures = {
        "CPU idle, % of one core": [cost.cpu_percent(begun, idle)],
        "resident idle, MB": [idle.resident_mb],
        "all processes idle, MB (PSS)": [idle.all_mb],
    }
    answer = trials.ask(device)
    samples = [cost.now()]
    chance = random.Random(1)
    while samples[-1].at - samples[0].at < seconds:
        next_at = time.monotonic() + SAMPLE_S
        while time.monotonic() < next_at:
            answer = trials.interrupt(device, chance, answer)
            device.forget_all_but(1.0)
        samples.append(cost.now())
    pairs = list(itertools.pairwise(samples))
    figures |= {
        "CPU in conversation, % of one core": [cost.cpu_percent(*pair) for pair in pairs],
        "resident in conversation, MB": [sample.resident_mb for sample in samples],
        "growth in conversation, MB": [samples[-1].resident_mb - samples[0].resident_mb],
        "growth of open files": [float(samples[-1].files - samples[0].files)],
        "growth of threads": [float(samples[-1].threads - samples[0].threads)],
    }
    trials.stop_by_button(device)
    return figures


class _Report:
    """Writes tables to the terminal and to a file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.write_text("")

    def table(self, title: str, series: Series) -> None:
        """Print at once: a run takes long."""
        text = f"\n### {title}\n\n{markdown(series)}\n"
        print(text, flush=True)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(text)


if __name__ == "__main__":
    main()
