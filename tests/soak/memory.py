"""What a process costs: memory and time as the kernel counts them, containers as Python does."""

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
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def tree_kb(pid: int) -> int:
    """Memory of a process and all below it that is theirs alone: what code and libraries take is
    shared with whoever else runs Python here, and changes as these come and go."""
    return sum(map(_own_kb, tree(pid)))


def tree(pid: int) -> list[int]:
    """The process and all below it, those of its threads included."""
    found = [pid]
    with contextlib.suppress(OSError):  # it has just ended
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            found += [below for child in children for below in tree(int(child))]
    return found


def cpu_s(pid: int) -> float:
    """Processor time of a process and of its children that have ended; 0 when it is gone."""
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
    """The straight line through (seconds, kB), least squares; 0 for less than three."""
    if len(samples) < 3:
        return 0.0
    at_s, kb = np.array(samples, float).T
    return float(np.polyfit(at_s / 3600, kb, 1)[0])


def containers(root: object, within: str = "parleyd") -> dict[str, int]:
    """The length of every container that can be reached from `root` by attributes, by its path.

    Objects of other packages than `within` are not looked into, arrays and bytes count
    their own length. What is in a container is one path, however many there are, whose length
    is their sum.
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
    """Collect what is garbage and give back what is free: what is measured then is what is held."""
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
