"""The size of an object of ours, to find unbounded growth."""

from collections import deque
from typing import Any

import msgspec
import numpy as np

FOREIGN = ("numpy", "soxr", "onnxruntime")


def size_of(root: object) -> tuple[int, int]:
    """Return the number of reachable objects and the bytes of texts, audio and arrays in them.

    The search follows our own classes and plain containers.
    """
    seen: set[int] = set()
    todo = deque([root])
    objects = total = 0
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        objects += 1
        if isinstance(one, str | bytes | bytearray):
            total += len(one)
        elif isinstance(one, np.ndarray):
            total += one.nbytes
        elif isinstance(one, dict):
            todo.extend(one.keys())
            todo.extend(one.values())
        elif isinstance(one, list | tuple | set | frozenset | deque):
            todo.extend(one)
        else:
            todo.extend(_parts(one))
    return objects, total


def _parts(one: object) -> list[Any]:
    kind = type(one)
    if not kind.__module__.startswith("parleyd") or isinstance(one, type):
        return []
    if isinstance(one, msgspec.Struct):
        return [getattr(one, name) for name in one.__struct_fields__]
    names = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}
    values = [getattr(one, name) for name in names if hasattr(one, name)]
    return [*values, *getattr(one, "__dict__", {}).values()]
