"""The scripted server of all clients: `python -m tests.bench.peers.server --help`.

The embedded server's engine and voice detector, with scripted words and answers: each turn of
the user counts as the same question, and is answered with the next of a few long answers. It
adds no latency of a network. The log has every event with its time, without audio; the user's
audio goes into a separate file.
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import signal
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, TextIO
from urllib.parse import parse_qs

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from parleyd.embedded.actions import Forget, Output, Recognize, Synthesize
from parleyd.embedded.engine import Engine, EngineOptions
from parleyd.embedded.recognition import RecognitionResult
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.realtime.events import AudioDelta, encode
from parleyd.units import Frames

Json = dict[str, Any]
WORDS = RecognitionResult("what time is it", -1.0)  # a whole command, answered in one sentence
MODEL = "gpt-realtime-2.1"  # of a client that names none
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PACE = 5.0  # times real time: most of an answer is sent when a user interrupts it
MOST_MESSAGE_BYTES = 16 << 20


class ServerLog:
    """Writes events as JSON lines, and the audio of the user as PCM16 at 24 kHz."""

    def __init__(self, events: TextIO, audio: Callable[[bytes], object]) -> None:
        self._events, self._audio = events, audio
        self._answered: set[str] = set()

    def received(self, message: str | bytes, now: float) -> None:
        event: Json = json.loads(message)
        if event.get("type") == "input_audio_buffer.append":
            pcm = base64.b64decode(event["audio"])
            self._audio(pcm)
            self._write(t=now, appended=len(pcm) // 2)
        else:
            self._write(t=now, client=event)

    def sent(self, message: str, now: float) -> None:
        event: Json = json.loads(message)
        if event["type"] != "response.output_audio.delta":
            self._write(t=now, server=event)

    def answer(self, number: int, item: str, now: float) -> None:
        """Note that the first audio of an answer is on its way."""
        if item not in self._answered:
            self._answered.add(item)
            self._write(t=now, answer=number, item=item)

    def _write(self, **line: object) -> None:
        self._events.write(json.dumps(line) + "\n")


class ScriptedConversation:
    """One connection; drives the engine, and does its work by the script. Pure but for the log."""

    def __init__(
        self, answers: list[Frames], turns: "itertools.count[int]", log: ServerLog, model: str
    ) -> None:
        self._answers, self._turns, self._log = answers, turns, log
        self._number = 0
        self.engine = Engine(
            EngineOptions(model=model, pace=PACE),
            new_detector=VoiceActivityDetector,
            local_time=lambda: NOON,
        )

    def open(self, now: float) -> list[str]:
        """Return the first messages."""
        return self._carry_out(self.engine.open(), now)

    def receive(self, message: str | bytes, now: float) -> list[str]:
        """Return the messages that answer this one."""
        self._log.received(message, now)
        return self._carry_out(self.engine.receive(message, now), now)

    def advance(self, now: float) -> list[str]:
        """Return the messages that are due."""
        return self._carry_out(self.engine.advance(now), now)

    def _carry_out(self, outputs: Iterable[Output], now: float) -> list[str]:
        messages = []
        waiting = list(outputs)
        while waiting:
            match waiting.pop(0):
                case Recognize(job):
                    waiting += self.engine.recognized(job, WORDS, now)
                case Synthesize(job):
                    self._number = next(self._turns) % len(self._answers)
                    waiting += self.engine.synthesized(job, self._answers[self._number], now)
                case Forget():
                    pass
                case event:
                    messages.append(text := encode(event))
                    self._log.sent(text, now)
                    if isinstance(event, AudioDelta):
                        self._log.answer(self._number, event.item_id, now)
        return messages


async def _talk(socket: ServerConnection, conversation: ScriptedConversation) -> None:
    messages = conversation.open(monotonic())
    while True:
        for message in messages:
            await socket.send(message)
        due = conversation.engine.due()
        wait_s = None if due is None else max(0.0, due - monotonic())
        try:
            async with asyncio.timeout(wait_s):
                received = await socket.recv()
        except TimeoutError:
            messages = conversation.advance(monotonic())
        else:
            messages = conversation.receive(received, monotonic())


async def _serve(answers: list[Frames], log: ServerLog) -> None:
    turns = itertools.count()

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(socket.request.path.partition("?")[2])
        model = query.get("model", [MODEL])[0]
        with contextlib.suppress(ConnectionClosed):
            await _talk(socket, ScriptedConversation(answers, turns, log, model))

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with serve(
        handle, "127.0.0.1", 0, max_size=MOST_MESSAGE_BYTES, compression=None
    ) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, required=True, help="an .npz of int16 at 24 kHz")
    parser.add_argument("--out", type=Path, required=True, help="folder of the log and the audio")
    options = parser.parse_args()
    with np.load(options.answers) as file:
        answers = [file[name] for name in sorted(file.files)]
    with (
        (options.out / "server.jsonl").open("w", buffering=1) as events,
        (options.out / "sent.pcm").open("wb") as audio,
    ):
        asyncio.run(_serve(answers, ServerLog(events, audio.write)))


if __name__ == "__main__":
    main()
