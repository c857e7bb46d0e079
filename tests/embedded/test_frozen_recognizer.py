"""A recogniser that freezes or dies is replaced, both while idle and while needed."""

import asyncio
import os
import signal

import pytest
from waiting import until

from parleyd.embedded import worker
from parleyd.embedded.recognition import NOTHING
from parleyd.embedded.speech import SpeechService
from parleyd.embedded.worker import RecognitionWorker

BACK_WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_S", 0.05)
    monkeypatch.setattr(worker, "ANSWER_WITHIN_S", 2.0)
    monkeypatch.setattr(worker, "END_WITHIN_S", 0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSTOP, "the recogniser is frozen; killing and restarting it"),
        (signal.SIGKILL, "the recogniser failed ("),
    ],
)
def test_idle_recognizer_that_fails_is_replaced(
    number: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        speech = SpeechService()
        await speech.start()
        try:
            first = speech.worker.pid
            assert first is not None
            os.kill(first, number)
            await until(lambda: speech.worker.pid not in (first, None), BACK_WITHIN_S)
            assert await speech.worker.recognize(bytes(32_000)) == NOTHING
        finally:
            await speech.close()

    asyncio.run(scene())
    assert words in caplog.text


@pytest.mark.slow
def test_frozen_recognizer_fails_only_one_command(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        recogniser = RecognitionWorker()
        await recogniser.start()
        try:
            assert recogniser.pid is not None
            os.kill(recogniser.pid, signal.SIGSTOP)
            failed = await recogniser.recognize(bytes(200_000))  # more than a pipe holds
            assert failed.failed == "Speech recognition failed; please try again."
            assert await recogniser.recognize(bytes(32_000)) == NOTHING
        finally:
            await recogniser.close()

    asyncio.run(scene())
    assert "network" not in caplog.text


@pytest.mark.parametrize("cancelled", [False, True])
def test_frozen_recognizer_does_not_outlive_close(*, cancelled: bool) -> None:
    async def scene() -> None:
        recogniser = RecognitionWorker()
        await recogniser.start()
        pid = recogniser.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        closing = asyncio.create_task(recogniser.close())
        await asyncio.sleep(0)  # it waits for the child's end
        if cancelled:
            closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled() == cancelled
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(scene())
