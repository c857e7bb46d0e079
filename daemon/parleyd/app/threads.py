"""Calls from one thread to another."""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def on_loop(loop: asyncio.AbstractEventLoop, call: Callable[P, None]) -> Callable[P, None]:
    """`call` for other threads: the event loop runs it soon.

    Neither blocks nor raises. A call after the end of the loop is dropped.
    """

    def hand_over(*arguments: P.args, **named: P.kwargs) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(functools.partial(call, *arguments, **named))

    return hand_over


def in_background(work: Callable[..., None], *arguments: object) -> None:
    """Run work that blocks on a worker thread; it logs its failures itself."""
    asyncio.get_running_loop().run_in_executor(None, work, *arguments)
