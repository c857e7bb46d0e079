"""Pipecat's local audio and its service for OpenAI Realtime, joined as its examples do.

With the argument `far` the server is asked for the noise reduction of a distant microphone.
"""

import asyncio
import os
import sys

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams
from pipecat.workers.runner import WorkerRunner


def service(distance: str) -> OpenAIRealtimeLLMService:
    microphone = events.AudioInput(
        transcription=events.InputAudioTranscription(),
        turn_detection=events.SemanticTurnDetection(),
        noise_reduction=events.InputAudioNoiseReduction(type=distance),
    )
    properties = events.SessionProperties(audio=events.AudioConfiguration(input=microphone))
    return OpenAIRealtimeLLMService(
        api_key="none",
        base_url=os.environ["REALTIME_URL"],
        settings=OpenAIRealtimeLLMService.Settings(
            system_instruction="Be brief.", session_properties=properties
        ),
    )


async def main() -> None:
    params = LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True)
    transport = LocalAudioTransport(params)
    user, assistant = LLMContextAggregatorPair(LLMContext())
    model = service("far_field" if "far" in sys.argv else "near_field")
    pipeline = Pipeline([transport.input(), user, model, transport.output(), assistant])
    runner = WorkerRunner()
    await runner.add_workers(
        PipelineWorker(pipeline, params=PipelineParams(), idle_timeout_secs=None)
    )
    await runner.run()


asyncio.run(main())
