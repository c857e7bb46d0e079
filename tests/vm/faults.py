"""Injects faults of a device into the installed service, which must survive each.

python -m tests.vm.faults [--cycles 50] [--only TEXT]     (run in the guest by tests/vm/run)
"""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.device import cards, cost, service
from tests.bench.device.lamp import MUTE, PUSH, RGB
from tests.soak.memory import rss_kb
from tests.vm.scenario import Stage, play

STATE = Path("/var/lib/private/parley")
CHIP = Path("/sys/kernel/config/gpio-sim/parley/live")
SILENT_WITHIN_MS = 200.0  # after `systemctl stop`
KEPT_FREE = 64 * 1024
RELOADS = 20
GROWTH_MB = 8.0  # of allocated memory: less than another daemon


def module_unloaded(on: Stage) -> str:
    """The cards and their driver disappear during an answer, and return."""
    on.start()
    mark = on.converse()
    main = service.shown("MainPID")
    with cards.unloaded():
        service.wait_for_status("error")
    back = time.monotonic()
    on.device.journal.wait_for("the sound card works again", mark)
    took = time.monotonic() - back
    service.wait_for_status("idle")
    on.converse()
    assert service.shown("MainPID") == main, "the service was restarted"
    return f"continues {took:.1f} s after the return, in the same process"


def no_cards_at_start(on: Stage) -> str:
    """Both cards are missing at the start."""
    with cards.unplugged():
        service.configure(url=on.device.server.url)
        took = service.start()
        service.wait_for_status("error")
    service.wait_for_status("idle")
    on.converse()
    return f"READY after {took:.1f} s, status error, works when the cards appear"


def frozen(on: Stage) -> str:
    """SIGSTOP: the watchdog must end the service and systemd must restart it."""
    on.start()
    on.converse()
    frozen_at = time.monotonic()
    os.kill(int(service.shown("MainPID")), signal.SIGSTOP)
    _wait_for_restart(1)
    took = time.monotonic() - frozen_at
    said = _quiet_while_idle(on, frozen_at + took)
    on.converse()
    return f"restarted after {took:.1f} s, {said}"


def killed(on: Stage) -> str:
    """SIGKILL during an answer: the new process does not continue the answer."""
    on.start()
    on.converse()
    killed_at = time.monotonic()
    os.kill(int(service.shown("MainPID")), signal.SIGKILL)
    last_ms = on.silent_after(killed_at)
    _wait_for_restart(1)
    said = _quiet_while_idle(on, killed_at + last_ms / 1000 + 0.01)
    on.converse()
    return f"silent after {last_ms:.0f} ms, {said}"


def dark_after_kill(on: Stage) -> str:
    """SIGKILL: systemd turns the LED off before the restart."""
    on.start()
    on.converse()
    killed_at = time.monotonic()
    os.kill(int(service.shown("MainPID")), signal.SIGKILL)
    while service.shown("SubState") != "auto-restart":
        assert time.monotonic() < killed_at + service.WITHIN_S, "the service was not restarted"
    dead_at = time.monotonic()
    time.sleep(0.5)
    colour = on.device.lamp.colour(dead_at, dead_at + 0.5)
    assert not any(colour), f"the LED shows {colour} without a daemon"
    _wait_for_restart(1)
    return f"dark after {dead_at - killed_at:.1f} s"


def full_disk(on: Stage) -> str:
    """A full disk: a timer still rings, and the log warns that a restart would lose it."""
    on.start(embedded=True)
    main = service.shown("MainPID")
    with _full_disk():
        _talk_and_set_timer(on)
    service.wait_for_status("idle")
    assert service.shown("MainPID") == main, "the service was restarted"
    return "the timer rang; the log warns that a restart would lose it"


def read_only_state(on: Stage) -> str:
    """A read-only state directory."""
    on.start(embedded=True)
    main = service.shown("MainPID")
    service.run("chattr", "+i", str(STATE))
    try:
        _talk_and_set_timer(on)
        service.start()
        service.wait_for_status("idle")
    finally:
        service.run("chattr", "-i", str(STATE))
    assert service.shown("MainPID") != main
    return "the timer rang; the log warns that a restart would lose it; the service starts"


def clock_set_back(on: Stage) -> str:
    """The clock is set back a day during an answer, as by a time server after the start."""
    on.start()
    mark = on.converse()
    now = time.time()
    time.clock_settime(time.CLOCK_REALTIME, now - 86_400)
    try:
        on.device.pins.press()
        on.device.journal.wait_for_state("idle", mark)
        on.converse()
        time.sleep(12.0)  # longer than WatchdogSec
        assert service.shown("NRestarts") == "0", "the service was restarted"
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + 86_400)
    return "answers before and after, no watchdog timeout"


def no_gpio_chip(on: Stage) -> str:
    """Without the mute switch's chip, the microphone stays closed until the chip appears."""
    service.systemctl("stop", service.UNIT)
    CHIP.write_text("0")
    try:
        mark = on.device.journal.length
        service.configure(url=on.device.server.url)
        service.start()
        on.device.journal.wait_for("The microphone is closed until the mute switch", mark)
        service.wait_for_status("muted: buttons.mute_pin = 24: ")
        time.sleep(1.0)
        assert cards.open_pcms("Mic", "c") == 0, "the microphone is open"
    finally:
        _chip_back(on)
    return f"muted with the reason; {_works_again(on)}"


def gpio_chip_unplugged(on: Stage) -> str:
    """The chip disappears while the service runs, and returns."""
    on.start()
    CHIP.write_text("0")
    try:
        service.wait_for_status("muted: buttons.mute_pin = 24: ")
        assert cards.open_pcms("Mic", "c") == 0, "the microphone is open"
    finally:
        _chip_back(on)
    return f"muted with the reason; {_works_again(on)}"


def _chip_back(on: Stage) -> None:
    CHIP.write_text("1")
    for line in (PUSH, MUTE):
        on.device.pins.pull(line, up=True)


def _works_again(on: Stage) -> str:
    """Check switch, button and LED, in the same process."""
    back = time.monotonic()
    service.wait_for_status("idle")
    took = time.monotonic() - back
    time.sleep(10.0)  # the service retries the lights every 8 s
    on.converse()
    assert any(on.device.lamp.first(lambda rgb, n=n: rgb[n], back) for n in range(3)), "no LED"  # type: ignore[misc]
    on.device.pins.press()
    service.wait_for_status("idle")
    on.device.pins.pull(MUTE, up=False)
    service.wait_for_status("muted")
    on.device.pins.pull(MUTE, up=True)
    service.wait_for_status("idle")
    assert service.shown("NRestarts") == "0", "the service was restarted"
    return f"listens {took:.1f} s after the chip appeared"


def stopped(on: Stage) -> str:
    """`systemctl stop` during an answer."""
    worst = 0.0
    for _ in range(3):
        on.start()
        on.converse()
        begun = time.monotonic()
        service.systemctl("stop", service.UNIT)
        took = time.monotonic() - begun
        worst = max(worst, on.silent_after(begun))
        assert not any(on.device.pins.level(line) for line in RGB), "an LED stays lit"
    assert worst <= SILENT_WITHIN_MS, f"sound until {worst:.0f} ms after the stop"
    return f"silent after {worst:.0f} ms (worst of 3), ended after {took:.1f} s"


def cycles(on: Stage) -> str:
    """Repeated start and stop leave nothing open, running or on disk."""
    on.start()
    service.systemctl("stop", service.UNIT)
    before, free = _left_behind(), _memory_mb()
    for _ in range(on.cycles):
        service.start()
        on.device.forget()
    service.systemctl("stop", service.UNIT)
    time.sleep(1.0)
    after, still_free = _left_behind(), _memory_mb()
    lost = free["MemAvailable"] - still_free["MemAvailable"]
    changed = {name: f"{now - free[name]:+.0f}" for name, now in still_free.items()}
    assert after == before, f"left behind: {set(after) ^ set(before)}"
    assert lost < GROWTH_MB, f"{lost:.0f} MB of memory are lost: {changed}"
    return f"{on.cycles} cycles, no process, file, PCM or pin left, memory {lost:+.1f} MB"


def reloads(on: Stage) -> str:
    """The process does not grow with reloads."""
    on.start()
    for _ in range(3):
        _reload(on)
    before = cost.now()
    for _ in range(RELOADS):
        _reload(on)
    after = cost.now()
    assert after.files == before.files, f"{after.files - before.files} files stay open"
    assert after.threads == before.threads, f"{after.threads - before.threads} threads stay"
    grown = after.resident_mb - before.resident_mb
    assert grown < GROWTH_MB, f"the process has grown by {grown:.1f} MB"
    return f"{RELOADS} reloads, no additional file or thread, memory {grown:+.1f} MB"


def _wait_for_restart(count: int) -> None:
    deadline = time.monotonic() + service.WITHIN_S
    while int(service.shown("NRestarts")) < count or service.shown("ActiveState") != "active":
        assert time.monotonic() < deadline, "the service was not restarted"
        time.sleep(0.1)


def _quiet_while_idle(on: Stage, since: float) -> str:
    service.wait_for_status("idle")
    last_ms = on.silent_after(since, seconds=2.0)
    assert last_ms == 0.0, f"the new process plays old audio until {last_ms:.0f} ms"
    return "the new process plays no old audio"


def _talk_and_set_timer(on: Stage) -> None:
    device = on.device
    mark = device.journal.length
    device.talker.say(*on.timer)
    device.journal.wait_for("would not survive", mark, within_s=2 * service.WITHIN_S)
    device.journal.wait_for_note("alarm_due", mark, within_s=2 * service.WITHIN_S)
    service.wait_for_status("ringing")  # after the answer that confirms the timer
    device.pins.press()
    device.journal.wait_for_note("alarm_dismissed", mark)


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    filler = Path("/var/tmp/full")
    try:
        with filler.open("wb") as file, contextlib.suppress(OSError):
            size = os.statvfs("/").f_bavail * os.statvfs("/").f_frsize
            os.posix_fallocate(file.fileno(), 0, size - KEPT_FREE)
        with contextlib.suppress(OSError), Path("/var/tmp/full-rest").open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        yield
    finally:
        filler.unlink(missing_ok=True)
        Path("/var/tmp/full-rest").unlink(missing_ok=True)


def _reload(on: Stage) -> None:
    begun = time.monotonic()
    service.systemctl("reload", service.UNIT)
    deadline = time.monotonic() + service.WITHIN_S
    # The server is asked, not the log, which counts lines that repeat within a second.
    while not on.device.server.of_kind("session.update", begun):
        assert time.monotonic() < deadline, "the server got no new session"
        time.sleep(0.1)
    service.wait_for_status("idle")


def _left_behind() -> list[str]:
    """Return the traces that a service could leave: processes, files, open devices."""
    places = (Path("/run/parley"), Path("/tmp"), Path("/dev/shm"), Path("/var/lib/private"))
    left = [str(path) for place in places if place.exists() for path in place.rglob("*")]
    for card in ("Speaker", "Mic"):
        left += [f"{card} {way} open" for way in "cp" for _ in range(cards.open_pcms(card, way))]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "parley" in command and "tests.vm" not in command:
                left.append(command)
    return sorted(left)


def _memory_mb() -> dict[str, float]:
    """Return the memory available without this recording process, and the use of the rest."""
    Path("/proc/sys/vm/drop_caches").write_text("3")
    lines = Path("/proc/meminfo").read_text().splitlines()
    kept = {name: int(value.split()[0]) / 1024 for name, value in (x.split(":") for x in lines)}
    own_mb, listed_mb = rss_kb() / 1024, _on_free_lists_mb()
    kept["MemAvailable"] += own_mb + listed_mb
    holders = ("AnonPages", "Cached", "Shmem", "Slab", "KernelStack", "PageTables", "VmallocUsed")
    held = {name: kept[name] for name in ("MemAvailable", "MemFree", *holders, "Percpu")}
    return held | {"this process": own_mb, "free lists of the processors": listed_mb}


def _on_free_lists_mb() -> float:
    """Return the free pages on per-processor lists.

    Since Linux 6.7 these hold up to an eighth of the memory; MemFree and MemAvailable omit them.
    """
    zones = Path("/proc/zoneinfo").read_text()
    pages = sum(map(int, re.findall(r"^ +count: +(\d+)$", zones, re.MULTILINE)))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


if __name__ == "__main__":
    sys.exit(
        play(
            [
                ("module unloaded during an answer, loaded again", module_unloaded),
                ("both cards missing at start", no_cards_at_start),
                ("SIGSTOP: the watchdog restarts it", frozen),
                ("SIGKILL during an answer", killed),
                ("SIGKILL leaves no LED lit", dark_after_kill),
                ("full disk", full_disk),
                ("read-only state directory", read_only_state),
                ("clock set back a day", clock_set_back),
                ("GPIO chip missing", no_gpio_chip),
                ("GPIO chip unplugged", gpio_chip_unplugged),
                ("systemctl stop during an answer", stopped),
                ("start and stop", cycles),
                ("reload", reloads),
            ]
        )
    )
