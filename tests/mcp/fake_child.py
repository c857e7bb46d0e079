"""A child process that misbehaves: ``python -m tests.mcp.fake_child KIND``."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator

from parleyd.mcp import process
from parleyd.mcp.messages import (
    LONGEST_LINE,
    MOST_TOOLS,
    ChildAlive,
    ListedTool,
    ServerListed,
    ToolDone,
    line,
)


@contextlib.contextmanager
def children_of(kind: str) -> Iterator[None]:
    """Within the block, each MCP server gets such a child."""
    usual, process.CHILD = process.CHILD, ("-m", "tests.mcp.fake_child", kind)
    try:
        yield
    finally:
        process.CHILD = usual


def _endless_line() -> None:
    while True:
        sys.stdout.buffer.write(b"x" * 65_536)


def _flood() -> None:
    while True:
        sys.stdout.buffer.write(line(ChildAlive()) * 100)


def _long_line() -> None:
    sys.stdout.buffer.write(b"[" * (2 * LONGEST_LINE) + b"\n")
    sys.stdout.buffer.flush()
    time.sleep(3600)


def _nonsense() -> None:
    sys.stdout.buffer.write(b'{"type":"listed","tools":5}\n')
    sys.stdout.buffer.flush()
    time.sleep(3600)


def _too_many_tools() -> None:
    tools = tuple(ListedTool(f"tool{n}", "", {}) for n in range(2 * MOST_TOOLS))
    sys.stdout.buffer.write(line(ServerListed(tools)))
    sys.stdout.buffer.flush()
    time.sleep(3600)


def _answers_nobody_asked_for() -> None:
    for number in range(40):
        sys.stdout.buffer.write(line(ToolDone(number, "yes")))
    sys.stdout.buffer.write(line(ServerListed((ListedTool("a", "", {}),))))
    sys.stdout.buffer.flush()
    while sys.stdin.buffer.readline():
        pass


KINDS = {
    "a line without end": _endless_line,
    "a flood of lines": _flood,
    "a line of 2 MB": _long_line,
    "nonsense": _nonsense,
    "too many tools": _too_many_tools,
    "nothing": lambda: os._exit(5),
    "answers": _answers_nobody_asked_for,
}


if __name__ == "__main__":
    KINDS[sys.argv[1]]()
