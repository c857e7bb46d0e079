"""The recogniser's process, from the server's side: one utterance at a time."""

import asyncio
import contextlib
import logging
import os
import sys

import msgspec

from parleyd.embedded.recognition import LENGTH, NO_CONFIDENCE, RecognitionResult
from parleyd.errors import OfflineSpeechError
from parleyd.system.child_environment import child_environment
from parleyd.units import MIC_RATE_HZ

START_WITHIN_S = 30.0  # loading takes 0.1 s here; a Pi Zero with a cold SD card takes seconds
ANSWER_WITHIN_S = 5.0  # plus the length of the utterance: 15 times the measured time
END_WITHIN_S = 1.0
LOOK_S = 5.0  # between checks of an idle child, to detect a failure before the child is needed

_FAILED = RecognitionResult(
    "", NO_CONFIDENCE, failed="Speech recognition failed; please try again."
)

log = logging.getLogger(__name__)


class RecognitionWorker:
    """Recognises utterances in a child process, and restarts it if it fails.

    All methods belong to one event loop. The child ends by itself when this process ends.
    """

    def __init__(self, *, answers: bool = False) -> None:
        """`answers`: recognise a yes instead of commands."""
        self._options = ("--answers",) if answers else ()
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._in_flight: asyncio.Task[RecognitionResult] | None = None

    async def start(self) -> None:
        """Start the child and wait until it is ready. Raises `OfflineSpeechError`."""
        environment = child_environment(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "parleyd.embedded.recognizer", *self._options,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal must reach only the server
        )  # fmt: skip
        self._process = process
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await _answer(process)
        except (OSError, TimeoutError, EOFError, msgspec.DecodeError):
            await self._stop()
            raise OfflineSpeechError(
                "The recogniser's process did not start; see its message above. "
                "To test it separately: python -m parleyd.embedded.recognizer < /dev/null"
            ) from None

    async def recognize(self, pcm: bytes) -> RecognitionResult:
        """The command in `pcm` (PCM16 at 16 kHz). Never raises; `failed` describes a failure.

        Cancelling is safe: a job that has not begun is dropped, the result of a running one
        is ignored.
        """
        async with self._lock:
            if self._in_flight is not None and not self._in_flight.done():
                await asyncio.wait([self._in_flight])
            self._in_flight = asyncio.create_task(self._exchange(pcm))
            return await asyncio.shield(self._in_flight)

    async def watch(self) -> None:
        """Replace the child whenever it dies or freezes while idle, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if (await self.recognize(b"")).failed:
                await self.recognize(b"")  # starts the next one

    async def close(self) -> None:
        """End the child; drops its running job."""
        if self._in_flight is not None:
            self._in_flight.cancel()
            await asyncio.wait([self._in_flight])
        await self._stop()

    @property
    def pid(self) -> int | None:
        """The child's process id, for measurements."""
        return self._process.pid if self._process else None

    async def _exchange(self, pcm: bytes) -> RecognitionResult:
        try:
            if self._process is None:
                await self.start()
            assert self._process is not None
            assert self._process.stdin is not None
            async with asyncio.timeout(ANSWER_WITHIN_S + len(pcm) / 2 / MIC_RATE_HZ):
                self._process.stdin.write(LENGTH.pack(len(pcm)) + pcm)
                await self._process.stdin.drain()
                return await _answer(self._process)
        except OfflineSpeechError as error:
            return RecognitionResult("", NO_CONFIDENCE, failed=str(error))
        except TimeoutError:
            log.error("the recogniser is frozen; killing and restarting it")
            await self._stop()
            return _FAILED
        except (OSError, EOFError, msgspec.DecodeError) as error:
            log.error("the recogniser failed (%s); restarting it", error)
            await self._stop()
            return _FAILED

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_WITHIN_S):
                    await process.wait()
        finally:  # cancelled, too, it leaves no process
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        with contextlib.suppress(OSError):  # for data that the child did not read
            await process.stdin.wait_closed()


async def _answer(process: asyncio.subprocess.Process) -> RecognitionResult:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise EOFError(f"ended with exit code {await process.wait()}")
    return msgspec.json.decode(line, type=RecognitionResult)
