"""Hugging Face's speech-to-speech server with a tone generator as its pipeline.

Run it with the interpreter of its installation: `python speech_to_speech_server.py PORT`.
Answer n is six seconds of a tone of 400 + 170 n Hz, generated at twice real time.
"""

import sys
import threading
import time
from queue import Queue
from threading import Event
from typing import Any

import numpy as np
from speech_to_speech.api.openai_realtime.pipeline_unit import PipelineUnit
from speech_to_speech.api.openai_realtime.server import RealtimeServer
from speech_to_speech.api.openai_realtime.service import RealtimeService
from speech_to_speech.pipeline.cancel_scope import CancelScope
from speech_to_speech.pipeline.control import PipelineControlMessage
from speech_to_speech.pipeline.events import AssistantOutputEvent, AssistantResponseDoneEvent
from speech_to_speech.pipeline.messages import (
    AUDIO_RESPONSE_DONE,
    AudioOutput,
    GenerateResponseRequest,
)

RATE_HZ, BLOCK, LENGTH_S = 16_000, 1_600, 6


class Pipeline:
    """The stages between the server's queues."""

    def __init__(self) -> None:
        listening = Event()
        listening.set()
        prompts: Queue[Any] = Queue()
        self.unit = PipelineUnit(
            index=0,
            service=RealtimeService(text_prompt_queue=prompts, should_listen=listening),
            cancel_scope=CancelScope(),
            should_listen=listening,
            response_playing=Event(),
            input_queue=Queue(),
            output_queue=Queue(),
            text_output_queue=Queue(),
            text_prompt_queue=prompts,
            handlers=[],
        )
        self.answers = 0

    def start(self) -> None:
        for stage in (self.hear, self.answer):
            threading.Thread(target=stage, daemon=True).start()

    def hear(self) -> None:
        while True:  # discards audio, passes the end of a session on
            message = self.unit.input_queue.get()
            if isinstance(message, PipelineControlMessage):
                self.unit.output_queue.put(message)

    def answer(self) -> None:
        while True:
            request = self.unit.text_prompt_queue.get()
            if isinstance(request, GenerateResponseRequest):
                self.answers += 1
                self.speak(request)

    def speak(self, request: GenerateResponseRequest) -> None:
        generation = self.unit.cancel_scope.generation
        whose = {"cancel_generation": generation, "response_key": request.response_key}
        put = self.unit.output_queue.put
        put(AssistantOutputEvent(text=f"answer {self.answers}", **whose))
        time_s = np.arange(LENGTH_S * RATE_HZ) / RATE_HZ
        tone = 12_000 * np.sin(2 * np.pi * (400 + 170 * self.answers) * time_s)
        for block in tone.astype(np.int16).reshape(-1, BLOCK):
            if self.unit.cancel_scope.is_stale(generation):
                break
            put(AudioOutput(audio=block.tobytes(), **whose))
            time.sleep(BLOCK / RATE_HZ / 2)
        put(AssistantResponseDoneEvent(**whose))
        put(AudioOutput(audio=AUDIO_RESPONSE_DONE, **whose))


if __name__ == "__main__":
    pipeline = Pipeline()
    pipeline.start()
    port = int(sys.argv[1])
    RealtimeServer(Event(), [pipeline.unit], host="127.0.0.1", port=port).run()
