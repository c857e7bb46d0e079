"""The cost of a process: memory and processor time from the kernel, container sizes from Python."""

import contextlib
import ctypes
import gc
import os
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np


def rss_kb(pid: int | str = "self") -> int:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def tree_kb(pid: int) -> int:
    """Return the private memory of a process and its descendants.

    Memory of code and libraries is shared with other Python processes and varies as these start
    and end.
    """
    return sum(map(_own_kb, tree(pid)))


def tree(pid: int) -> list[int]:
    """Return the process and its descendants, including children of its threads."""
    found = [pid]
    with contextlib.suppress(OSError):  # the process has just ended
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            found += [below for child in children for below in tree(int(child))]
    return found


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and its ended children; 0 if it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _own_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
    return 0


def slope_kb_per_hour(samples: Sequence[tuple[float, int]]) -> float:
    """Return the least-squares slope through (seconds, kB); 0 for fewer than three samples."""
    if len(samples) < 3:
        return 0.0
    at_s, kb = np.array(samples, float).T
    return float(np.polyfit(at_s / 3600, kb, 1)[0])


def containers(root: object, within: str = "parleyd") -> dict[str, int]:
    """Return the length of every container reachable from `root` by attributes, by path.

    Objects of packages other than `within` are not searched; arrays and bytes count their own
    length. All items of a container share one path, and their lengths are added up.
    """
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    todo: list[tuple[str, object]] = [(type(root).__name__, root)]
    while todo:
        path, thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray | bytes | bytearray | str):
            sizes[path] = sizes.get(path, 0) + len(thing)
        elif isinstance(thing, Mapping):
            sizes[path] = sizes.get(path, 0) + len(thing)
            todo += [(f"{path}[]", value) for value in thing.values()]
        elif isinstance(thing, list | tuple | set | frozenset | deque):
            sizes[path] = sizes.get(path, 0) + len(thing)
            todo += [(f"{path}[]", value) for value in thing]
        elif type(thing).__module__.split(".")[0] == within and not isinstance(thing, type):
            todo += [(f"{path}.{name}", value) for name, value in _attributes(thing)]
    return {sys.intern(path): size for path, size in sizes.items()}


def settle() -> None:
    """Collect garbage and return free memory, so that a measurement sees only live objects."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _attributes(thing: object) -> Iterable[tuple[str, object]]:
    names = dict.fromkeys(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names |= dict.fromkeys((slots,) if isinstance(slots, str) else slots)
    return [(name, getattr(thing, name)) for name in names if hasattr(thing, name)]
