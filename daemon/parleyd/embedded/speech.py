"""Recognition and synthesis, shared by all connections of one server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from parleyd.embedded.recognition import RecognitionResult
from parleyd.embedded.synthesizer import Synthesizer
from parleyd.embedded.worker import RecognitionWorker
from parleyd.units import Frames


class SpeechService:
    """Recognition in a child process, synthesis in a thread. Belongs to one event loop.

    The constructor and `start` raise `OfflineSpeechError` when speech can't work here.
    """

    def __init__(self) -> None:
        self._synthesizer = Synthesizer()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="synthesis")
        self._watching: asyncio.Task[None] | None = None
        self.worker = RecognitionWorker()

    async def start(self) -> None:
        await self.worker.start()
        self._watching = asyncio.create_task(self.worker.watch(), name="recogniser-watch")

    def share(self) -> "Share":
        """One client's access to both."""
        return Share(self)

    async def recognize(self, frames: Frames) -> RecognitionResult:
        """The command in an utterance (16 kHz)."""
        return await self.worker.recognize(frames.tobytes())

    async def synthesize(self, sentence: str, speed: float) -> Frames:
        """A sentence as speech at 24 kHz."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, self._synthesizer.synthesize, sentence, speed
        )

    async def close(self) -> None:
        """End both; drops running jobs."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.worker.close()
        self._thread.shutdown(wait=False, cancel_futures=True)


class Share:
    """One client's share: at most one of its jobs of each kind is in the common queue.

    So clients take turns sentence by sentence, no matter how many answers one requests.
    """

    def __init__(self, speech: SpeechService) -> None:
        self._speech = speech
        self._recognition = asyncio.Lock()
        self._synthesis = asyncio.Lock()

    async def recognize(self, frames: Frames) -> RecognitionResult:
        """As `SpeechService.recognize`, after this client's earlier utterances."""
        async with self._recognition:
            return await self._speech.recognize(frames)

    async def synthesize(self, sentence: str, speed: float) -> Frames:
        """As `SpeechService.synthesize`, after this client's earlier sentences."""
        async with self._synthesis:
            return await self._speech.synthesize(sentence, speed)
