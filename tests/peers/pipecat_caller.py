"""A user of pipecat's service for OpenAI Realtime: `pipecat_caller.py URL SPEECH_FOLDER`.

Run it with the interpreter of its installation. Prints a report as one JSON object.
The pipeline begins with the folder's speech and ends in our sink.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

CHUNK_BYTES = 4_800  # 100 ms
CHUNK_S = 0.025  # four times real time
RATE_HZ = 24_000
WITHIN_S = 120.0

report: dict[str, Any] = {
    "events": [], "sent": [], "tools": [], "errors": [], "interruptions": 0,
}  # fmt: skip
changed = asyncio.Event()
read_event = events.parse_server_event


def note_event(message: Any) -> Any:
    """Record a message unchanged as pipecat reads it."""
    report["events"].append(json.loads(message))
    changed.set()
    return read_event(message)


class Service(OpenAIRealtimeLLMService):
    async def send_client_event(self, event: events.ClientEvent) -> None:
        report["sent"].append(event.model_dump(exclude_none=True))
        await super().send_client_event(event)


class Sink(FrameProcessor):
    """Replaces the transport's playback; a complete answer counts as heard at once."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            report["interruptions"] += 1
        elif isinstance(frame, ErrorFrame):
            report["errors"].append(str(frame.error))
        elif isinstance(frame, TTSStoppedFrame):
            await self.push_frame(BotStoppedSpeakingFrame(), FrameDirection.UPSTREAM)
        await self.push_frame(frame, direction)


async def set_timer(params: FunctionCallParams) -> None:
    report["tools"].append({"name": params.function_name, "arguments": dict(params.arguments)})
    seconds = params.arguments["seconds"]
    await params.result_callback(f"The timer is set for {seconds} seconds.")


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not happened():
            changed.clear()
            await changed.wait()


def count(kind: str) -> int:
    return sum(event["type"] == kind for event in report["events"])


def received_ms(response: int) -> float:
    """Return the audio received for the response with this number (0: the first)."""
    begun = [e["response"]["id"] for e in report["events"] if e["type"] == "response.created"]
    if len(begun) <= response:
        return 0.0
    deltas = (e for e in report["events"] if e["type"] == "response.output_audio.delta")
    mine = (e["delta"] for e in deltas if e["response_id"] == begun[response])
    return sum(len(base64.b64decode(delta)) for delta in mine) / 48


async def converse(worker: PipelineWorker, speech: Path) -> None:
    async def say(name: str) -> None:
        pcm = (speech / f"{name}.pcm").read_bytes()
        for start in range(0, len(pcm), CHUNK_BYTES):
            chunk = pcm[start : start + CHUNK_BYTES]
            await worker.queue_frame(
                InputAudioRawFrame(audio=chunk, sample_rate=RATE_HZ, num_channels=1)
            )
            await asyncio.sleep(CHUNK_S)

    await until(lambda: count("session.updated") > 0)
    await worker.queue_frame(LLMRunFrame())
    await until(lambda: count("response.done") == 1)  # pipecat requests a greeting
    report["events"].clear()
    await say("question")
    await until(lambda: count("response.done") == 1)
    await say("story")
    await until(lambda: received_ms(1) > 9_000)
    await say("go_on")
    await until(lambda: received_ms(2) > 9_000)
    await say("timer")
    await until(lambda: count("response.done") == 5)
    await worker.queue_frame(EndFrame())


async def main(url: str, speech: Path) -> None:
    logger.remove()
    logger.add(lambda line: report["errors"].append(str(line)), level="WARNING")
    events.parse_server_event = note_event
    base, _, model = url.partition("?model=")
    llm = Service(
        api_key="none",
        base_url=base,
        settings=OpenAIRealtimeLLMService.Settings(
            model=model,
            system_instruction="Be brief.",
            session_properties=events.SessionProperties(
                audio=events.AudioConfiguration(
                    input=events.AudioInput(
                        transcription=events.InputAudioTranscription(),
                        turn_detection=events.TurnDetection(),
                    )
                )
            ),
        ),
    )
    parameters = {"seconds": {"type": "integer"}}
    timer = FunctionSchema("set_timer", "Set a timer.", parameters, ["seconds"], set_timer)
    context = LLMContext(tools=ToolsSchema(standard_tools=[timer]))
    user, assistant = LLMContextAggregatorPair(context)
    worker = PipelineWorker(
        Pipeline([user, llm, Sink(), assistant]),
        params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await converse(worker, speech)
    await running
    report["closed"] = "cleanly"


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
print(json.dumps(report))
