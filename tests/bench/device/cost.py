"""The cost of the service: processor time, memory, open files and threads."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.device.service import shown
from tests.soak.memory import cpu_s


@dataclass(frozen=True, slots=True)
class Cost:
    """A snapshot of the daemon and of all processes of the service."""

    at: float
    cpu_s: float
    all_cpu_s: float
    resident_mb: float
    all_mb: float
    """Proportional set size: shared memory counts once."""
    files: int
    threads: int


def now() -> Cost:
    """Take a snapshot from /proc and the service's control group."""
    main = int(shown("MainPID"))
    group = Path("/sys/fs/cgroup") / shown("ControlGroup").lstrip("/")
    processes = [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    return Cost(
        at=time.monotonic(),
        cpu_s=cpu_s(main),
        all_cpu_s=sum(map(cpu_s, processes)),
        resident_mb=_kb(main, "status", "VmRSS") / 1024,
        all_mb=sum(_kb(pid, "smaps_rollup", "Pss") for pid in processes) / 1024,
        files=len(os.listdir(f"/proc/{main}/fd")),
        threads=len(os.listdir(f"/proc/{main}/task")),
    )


def cpu_percent(before: Cost, after: Cost) -> float:
    """Return the load of the whole service between two snapshots, in percent of one core."""
    return 100 * (after.all_cpu_s - before.all_cpu_s) / (after.at - before.at)


def _kb(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0
