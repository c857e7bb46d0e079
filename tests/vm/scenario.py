"""Scenarios on the device; each prints one line with pass or fail."""

import argparse
import contextlib
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from parleyd.simulation.clips import synthesize
from tests.bench.device import service
from tests.bench.device.air import RATE_HZ, Ear, Talker
from tests.bench.device.lamp import Lamp, Pins
from tests.bench.device.server import ToneServer
from tests.bench.device.sound import loud_ms, loud_runs
from tests.bench.device.trials import QUESTION, WAKE, Device
from tests.e2e.fault_server import Faults

ANSWER_MS = 60_000

TIMER = synthesize("set a timer for two seconds", "rms", level_dbfs=-24.0)

Scenario = Callable[["Stage"], str]
"""Returns the measured result, or raises `AssertionError`."""


class Stage:
    """A device and the common steps of scenarios."""

    def __init__(self, device: Device, cycles: int) -> None:
        self.device = device
        self.cycles = cycles
        pause = np.zeros(4800, np.int16)
        self.question = (WAKE, pause, QUESTION)
        self.timer = (WAKE, pause, TIMER)

    def start(self, *, embedded: bool = False, more: str = "") -> None:
        """Restart the service with the tone server or the embedded one; returns when idle."""
        url = "" if embedded else self.device.server.url
        service.configure(url=url, more=more)
        service.start()
        service.wait_for_status("idle")
        self.device.forget()

    def converse(self) -> int:
        """Converse until an answer is audible; returns the journal's position at the start."""
        mark, begun = self.device.journal.length, time.monotonic()
        self.device.pins.press()
        self.device.journal.wait_for_state("listening", mark)
        self.device.talker.say(QUESTION)
        self.device.journal.wait_for_state("speaking", mark)
        self.wait_until_heard(begun)
        return mark

    def wait_until_heard(self, since: float) -> None:
        """Wait until the loudspeaker has played half a second since that time."""
        deadline = time.monotonic() + service.WITHIN_S
        while loud_ms(loud_runs(self.device.ear.since(since), RATE_HZ), RATE_HZ) < 500:
            assert time.monotonic() < deadline, "nothing is audible"
            time.sleep(0.1)

    def silent_after(self, since: float, seconds: float = 1.0) -> float:
        """Return the ms from `since` to the last sound; 0 if there was none."""
        time.sleep(seconds)
        ends = [run.ends_at for run in loud_runs(self.device.ear.since(since), RATE_HZ)]
        return max(0.0, (ends[-1] - since) * 1000) if ends else 0.0


def play(scenarios: Sequence[tuple[str, Scenario]]) -> int:
    """Play all scenarios in order, also after failures; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--only", default="", help="play only titles that contain this text")
    options = parser.parse_args()
    failed = 0
    with service.own_configuration(), stage(options.cycles) as on:
        for title, scenario in scenarios:
            if options.only in title:
                failed += not _play_one(title, scenario, on)
    print(f"\n{failed} failed" if failed else "\nall passed")
    return 1 if failed else 0


@contextlib.contextmanager
def stage(cycles: int) -> Iterator[Stage]:
    """Run the environment of the device within the context."""
    with contextlib.ExitStack() as stack:
        pins = Pins()
        device = Device(
            stack.enter_context(Talker()),
            stack.enter_context(Ear()),
            stack.enter_context(Lamp(pins)),
            pins,
            stack.enter_context(service.Journal()),
            stack.enter_context(ToneServer(Faults(reply_ms=ANSWER_MS))),
        )
        yield Stage(device, cycles)


def _play_one(title: str, scenario: Scenario, on: Stage) -> bool:
    begun = time.monotonic()
    try:
        measured = scenario(on)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        print(f"FAIL  {title}: {type(error).__name__} {error} ({where.name})", flush=True)
        return False
    print(f"pass  {title}: {measured} [{time.monotonic() - begun:.0f} s]", flush=True)
    return True
