"""The check of `parley doctor` for the clock: against the server's date, and by its own state."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parleyd.diagnostics.asking import NoAnswer, answer
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.realtime.failures import OLDEST

LATE_S = 30.0  # an alarm is late by as much; NTP keeps 0.1 s, and the date of a server is whole
# seconds plus the way through the network, so less than this may be the measurement
WRONG_S = 600.0  # a certificate that was issued minutes ago is not valid yet, so TLS may fail, and
# a wake-up is missed
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
LOCALTIME = Path("/etc/localtime")
NO_SERVICE = (
    "compare it with a watch; to set it from the network: sudo apt-get install -y systemd-timesyncd"
)
ZONES = "zoneinfo/"
UTC = ("UTC", "Etc/UTC", "Universal", "Etc/Universal", "Zulu", "Etc/UCT", "UCT")


@dataclass(frozen=True, slots=True)
class ClockState:
    """The state of the clock, as the system knows it."""

    follows: bool | None = None
    """It is set from the network (NTP); None: unknown."""
    possible: bool = False
    """A service for that is installed."""
    synchronized: bool | None = None
    """It was set since the boot; None: unknown."""


def state() -> ClockState:
    """Ask the system. Blocks for at most 10 s."""
    names = ("NTP", "CanNTP", "NTPSynchronized")
    try:
        told = answer(["timedatectl", "show", *(f"--property={name}" for name in names)])
    except NoAnswer:
        return ClockState(synchronized=True if SYNCHRONIZED.exists() else None)
    shown = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return ClockState(
        follows=shown.get("NTP") == "yes",
        possible=shown.get("CanNTP") == "yes",
        synchronized=shown.get("NTPSynchronized") == "yes" or SYNCHRONIZED.exists(),
    )


def clock(
    date: float | None, now: float, known: ClockState, localtime: Path = LOCALTIME
) -> Iterator[Finding]:
    """Judge the clock `now` by the server's `date` at the same moment, or without one."""
    yield _judged(date, now, known)
    zone = _zone(localtime)
    if zone in UTC or not zone:
        text = f"the time zone is {zone or 'not set'}: alarms ring by its hours"
        remedy = "sudo timedatectl set-timezone Europe/London  # yours: timedatectl list-timezones"
        yield Finding("clock", Severity.WARN, text, remedy)


def off_s(date: float, now: float) -> float:
    """How far this device's clock is ahead of the server's, in seconds; below zero: behind."""
    return now - date


def remedy(date: float | None, known: ClockState) -> str:
    """The command that sets the clock."""
    if known.possible and not known.follows:
        return "sudo timedatectl set-ntp true"
    if date is not None and not (known.follows and not known.synchronized):
        return f"sudo date -u -s '{shown(date)}'"
    if known.follows:
        return "sudo systemctl restart systemd-timesyncd  # it needs the network: UDP port 123"
    return NO_SERVICE


def _judged(date: float | None, now: float, known: ClockState) -> Finding:
    if now < OLDEST:
        text = f"says {shown(now)} UTC: it was never set"
        return Finding("clock", Severity.FAIL, text, remedy(date, known))
    if date is not None and abs(off_s(date, now)) > LATE_S:
        off = off_s(date, now)
        text = f"is {duration(abs(off))} {'ahead of' if off > 0 else 'behind'} the server's clock"
        level = Severity.FAIL if abs(off) > WRONG_S else Severity.WARN
        return Finding("clock", level, text, remedy(date, known))
    if known.follows is False and not known.synchronized:
        text = "is not set from the network: after a power cut it is wrong"
        return Finding("clock", Severity.WARN, text, remedy(date, known))
    if date is not None:
        return Finding("clock", Severity.OK, f"agrees with the server's within {LATE_S:.0f} s")
    if known.synchronized:
        return Finding("clock", Severity.OK, "was set from the network")
    text = f"says {shown(now)} UTC, and could not be compared with another clock"
    return Finding("clock", Severity.WARN, text, remedy(None, known))


def duration(seconds: float) -> str:
    """A length of time in words: ``3 days``, ``12 min``."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _zone(localtime: Path) -> str:
    try:
        target = os.readlink(localtime)
    except OSError:
        return "" if not localtime.exists() else "of a copied file"
    return target.rpartition(ZONES)[2]


def shown(seconds: float) -> str:
    """A time in UTC, as `date` reads it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
