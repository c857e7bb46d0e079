"""Scenarios: what must hold on the device, each told in one line with pass or fail."""

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
"""Raises an AssertionError, or returns what was measured."""


class Stage:
    """A device, and what scenarios do with it again and again."""

    def __init__(self, device: Device, cycles: int) -> None:
        self.device = device
        self.cycles = cycles
        pause = np.zeros(4800, np.int16)
        self.question = (WAKE, pause, QUESTION)
        self.timer = (WAKE, pause, TIMER)

    def start(self, *, embedded: bool = False, more: str = "") -> None:
        """The service afresh, idle, with the tone server or its own one."""
        url = "" if embedded else self.device.server.url
        service.configure(url=url, more=more)
        service.start()
        service.wait_for_status("idle")
        self.device.forget()

    def converse(self) -> int:
        """Until an answer is being heard; returns the place in the journal where it began."""
        mark, begun = self.device.journal.length, time.monotonic()
        self.device.pins.press()
        self.device.journal.wait_for_state("listening", mark)
        self.device.talker.say(QUESTION)
        self.device.journal.wait_for_state("speaking", mark)
        self.wait_until_heard(begun)
        return mark

    def wait_until_heard(self, since: float) -> None:
        """Until the loudspeaker has played half a second since then."""
        deadline = time.monotonic() + service.WITHIN_S
        while loud_ms(loud_runs(self.device.ear.since(since), RATE_HZ), RATE_HZ) < 500:
            assert time.monotonic() < deadline, "nothing is heard"
            time.sleep(0.1)

    def silent_after(self, since: float, seconds: float = 1.0) -> float:
        """Ms until the last sound after `since`; 0 when there was none."""
        time.sleep(seconds)
        ends = [run.ends_at for run in loud_runs(self.device.ear.since(since), RATE_HZ)]
        return max(0.0, (ends[-1] - since) * 1000) if ends else 0.0


def play(scenarios: Sequence[tuple[str, Scenario]]) -> int:
    """Play them one after the other, whatever fails; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--only", default="", help="those whose title has this text in it")
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
    """Everything around the device, running."""
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
