"""Clients take turns at the one synthesizer and the one recogniser."""

import asyncio
from typing import cast

import numpy as np

from parleyd.embedded.recognition import NOTHING, RecognitionResult
from parleyd.embedded.speech import Share, SpeechService
from parleyd.units import SILENCE, Frames


class Line:
    """The common queue: one job at a time, in order of arrival."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._lock = asyncio.Lock()

    async def synthesize(self, sentence: str, speed: float) -> Frames:
        async with self._lock:
            await asyncio.sleep(0)
            self.done.append(sentence)
        return SILENCE

    async def recognize(self, frames: Frames) -> RecognitionResult:
        async with self._lock:
            await asyncio.sleep(0)
            self.done.append(f"heard {len(frames)}")
        return NOTHING


def test_share_gives_each_client_every_second_sentence() -> None:
    async def scene() -> list[str]:
        line = Line()
        greedy, modest = Share(cast(SpeechService, line)), Share(cast(SpeechService, line))
        jobs = [asyncio.create_task(greedy.synthesize(f"greedy {n}", 1.0)) for n in range(8)]
        await asyncio.sleep(0)
        jobs += [asyncio.create_task(modest.synthesize(f"modest {n}", 1.0)) for n in range(2)]
        await asyncio.gather(*jobs)
        return line.done

    done = asyncio.run(scene())
    assert done[:5] == ["greedy 0", "modest 0", "greedy 1", "modest 1", "greedy 2"]
    assert len(done) == 10


def test_share_queues_one_utterance_per_client() -> None:
    async def scene() -> list[str]:
        line = Line()
        greedy, modest = Share(cast(SpeechService, line)), Share(cast(SpeechService, line))
        jobs = [asyncio.create_task(greedy.recognize(SILENCE)) for _ in range(4)]
        await asyncio.sleep(0)
        jobs.append(asyncio.create_task(modest.recognize(np.zeros(7, np.int16))))
        await asyncio.gather(*jobs)
        return line.done

    assert asyncio.run(scene()).index("heard 7") == 1
