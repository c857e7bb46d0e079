"""Recognizes the answer to a question for permission: offline, where the server cannot judge it."""

import asyncio
import logging
from collections.abc import Callable

from parleyd.core.events import AnswerRecognized, InputEvent, RecognizeAnswer
from parleyd.embedded import answers
from parleyd.embedded.worker import RecognitionWorker
from parleyd.system.tasks import failed

log = logging.getLogger(__name__)


class AnswerListener:
    """Recognizes on the event loop; its process (30 MB) runs only while it does."""

    def __init__(self, post: Callable[[InputEvent], None]) -> None:
        self._post = post
        self._tasks: set[asyncio.Task[None]] = set()

    def recognize(self, asked: RecognizeAnswer) -> None:
        """Post `AnswerRecognized` soon. Returns at once."""
        task = asyncio.get_running_loop().create_task(self._recognize(asked))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """End all tasks and their processes; at the end of a configuration."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _recognize(self, asked: RecognizeAnswer) -> None:
        worker, yes = RecognitionWorker(answers=True), False
        try:
            heard = await worker.recognize(asked.frames.tobytes())
            yes = not heard.failed and answers.is_yes(heard.words)
            if heard.failed:
                log.warning("an answer counts as no: %s", heard.failed)
        finally:
            self._post(AnswerRecognized(asked.number, yes))
            await worker.close()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failed(task)
