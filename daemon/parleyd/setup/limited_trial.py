"""The trial of the sound card in child processes, each with a deadline.

alsa-lib holds the interpreter's lock while it waits for a sound server that hangs, and Ctrl-C would
be lost in it. A child can be ended, and the library never enters the process of the questions.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import NoReturn

import numpy as np

from parleyd import config
from parleyd.errors import AudioError, ParleyError
from parleyd.setup.card_trial import CardTrial
from parleyd.system.parent_death import die_with_parent
from parleyd.units import Frames

WITHIN_S = 15.0  # a tone takes 1 s, a recording 3 s, and a sound server 1.5 s to open
PIPE_BYTES = 1 << 16
_GOOD, _FAILED = b"+", b"-"


class LimitedTrial:
    """Like `CardTrial`, and no call blocks for longer than `WITHIN_S`."""

    def __init__(
        self,
        buttons: config.ButtonsConfig,
        environ: Mapping[str, str],
        free: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._trial = CardTrial(buttons, environ)
        self.free = free
        """A block in which no other program of Parley has the card."""

    def closed(self) -> str:
        """Why the microphone must stay closed; "" if it may be opened."""
        try:
            return _in_child(lambda: self._trial.closed().encode(), "the mute switch").decode()
        except AudioError as error:
            return str(error)

    def play_tone(self, audio: config.AudioConfig) -> None:
        """Play two tones. Raises `AudioError`."""
        _in_child(partial(self._trial.play_tone, audio), f'"{audio.playback}"')

    def record(self, audio: config.AudioConfig) -> Frames:
        """Return a recording: mono int16 at 16 kHz. Raises `AudioError`."""
        data = _in_child(lambda: self._trial.record(audio).tobytes(), f'"{audio.capture}"')
        return np.frombuffer(data, np.int16)

    def play_back(self, audio: config.AudioConfig, frames: Frames) -> None:
        """Play a recording. Raises `AudioError`."""
        _in_child(partial(self._trial.play_back, audio, frames), f'"{audio.playback}"')


def _in_child(body: Callable[[], bytes | None], what: str) -> bytes:
    reader, writer = os.pipe()
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a Ctrl-C now would lose the child
    pid = os.fork()
    if pid == 0:
        _child(body, writer, parent)
    data, ends = b"", time.monotonic() + WITHIN_S
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        os.close(writer)
        while select.select([reader], [], [], max(0.0, ends - time.monotonic()))[0]:
            piece = os.read(reader, PIPE_BYTES)
            if not piece:
                return _result(data, what)
            data += piece
    finally:
        os.close(reader)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        _reap(pid)
    raise AudioError(
        f"{what} does not answer within {WITHIN_S:.0f} s; replug the card, or restart the sound "
        "server"
    )


def _reap(pid: int) -> None:
    """Wait for a killed child; one that blocks in the kernel is left alone."""
    for _ in range(50):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.01)


def _result(data: bytes, what: str) -> bytes:
    if data.startswith(_GOOD):
        return data[1:]
    if data.startswith(_FAILED):
        raise AudioError(data[1:].decode("utf-8", "replace"))
    raise AudioError(f"{what} cannot be tried: the sound system crashes; choose another card")


def _child(body: Callable[[], bytes | None], out: int, parent: int) -> NoReturn:
    """Write the result; never returns. A process group of its own keeps Ctrl-C for the parent."""
    try:
        os.setpgid(0, 0)
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        try:
            result = _GOOD + (body() or b"")
        except (ParleyError, OSError) as error:
            result = _FAILED + str(error).encode()
        with open(out, "wb") as pipe:
            pipe.write(result)
    finally:
        os._exit(0)
