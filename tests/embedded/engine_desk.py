"""An engine with real speech, but without a socket or a clock."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from parleyd.audio import decode_pcm16, resample
from parleyd.embedded.actions import Forget, Output, Recognize, Synthesize
from parleyd.embedded.engine import Engine, EngineOptions
from parleyd.embedded.recognizer import Recognizer
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.realtime.events import encode
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.openai_types import assert_official_server_event

Json = dict[str, Any]
NOON = datetime(2026, 11, 22, 15, 5, tzinfo=UTC)
MANUAL: Json = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


class Desk:
    """A client's seat: sends events, carries out the engine's work, and stores its output.

    Checks every event against the official client's types.
    With `by_hand`, jobs wait in `jobs` until `work` is called.
    """

    def __init__(
        self, recognizer: Recognizer, speak: Callable[[str], Frames], pace: float | None
    ) -> None:
        self._recognizer = recognizer
        self.speak = speak
        self.now = 0.0
        self.by_hand = False
        self.jobs: list[Recognize | Synthesize] = []
        self.forgotten: list[int] = []
        self.log: list[Json] = []
        self.engine = Engine(
            EngineOptions(pace=pace), new_detector=VoiceActivityDetector, local_time=lambda: NOON
        )
        self._take(self.engine.open())

    def send(self, kind: str, **fields: Any) -> list[Json]:
        """Send an event; returns the resulting events, including those of its jobs."""
        return self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, frame: str | bytes) -> list[Json]:
        return self._after(self.engine.receive(frame, self.now))

    def say(self, frames: Frames, step_ms: int = 40) -> list[Json]:
        """Append audio (24 kHz) piece by piece."""
        step = SERVER_RATE_HZ * step_ms // 1000
        pieces = [frames[i : i + step] for i in range(0, len(frames), step)]
        return [event for piece in pieces for event in self.append(piece)]

    def append(self, frames: Frames) -> list[Json]:
        audio = base64.b64encode(frames.astype("<i2").tobytes()).decode()
        return self.send("input_audio_buffer.append", audio=audio)

    def ask(self, text: str) -> list[Json]:
        """Ask a question as text and request the answer."""
        part = {"type": "input_text", "text": text}
        item = {"type": "message", "role": "user", "content": [part]}
        return self.send("conversation.item.create", item=item) + self.send("response.create")

    def wait(self, seconds: float) -> list[Json]:
        """Advance the time; output is sent when it is due."""
        end, came = self.now + seconds, []
        while (due := self.engine.due()) is not None and due <= end:
            self.now = max(self.now, due)
            came += self._after(self.engine.advance(self.now))
        self.now = end
        return came

    def work(self, count: int | None = None) -> list[Json]:
        """Carry out `count` of the waiting jobs, or all of them and their consequences."""
        came: list[Json] = []
        while self.jobs and count != 0:
            count = None if count is None else count - 1
            job = self.jobs.pop(0)
            if isinstance(job, Recognize):
                heard = self._recognizer.recognize(
                    resample(decode_pcm16(job.pcm), SERVER_RATE_HZ, MIC_RATE_HZ)
                )
                came += self._take(self.engine.recognized(job.job, heard, self.now))
            else:
                speech = self.speak(job.sentence)
                came += self._take(self.engine.synthesized(job.job, speech, self.now))
        return came

    def _after(self, outputs: list[Output]) -> list[Json]:
        came = self._take(outputs)
        return came if self.by_hand else came + self.work()

    def _take(self, outputs: list[Output]) -> list[Json]:
        came = []
        for output in outputs:
            match output:
                case Recognize() | Synthesize():
                    self.jobs.append(output)
                case Forget(job):
                    self.forgotten.append(job)
                    self.jobs = [waiting for waiting in self.jobs if waiting.job != job]
                case event:
                    came.append(json.loads(encode(event)))
                    assert_official_server_event(came[-1])
        self.log += came
        return came


def kinds(came: list[Json]) -> list[str]:
    """The types of events; consecutive events of one type count as one."""
    names = [event["type"] for event in came]
    return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]


def only(came: list[Json], kind: str) -> Json:
    """The one event of this type."""
    found = [event for event in came if event["type"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind} in {kinds(came)}"
    return found[0]


def audio(came: list[Json]) -> bytes:
    """All audio in these events."""
    deltas = (e["delta"] for e in came if e["type"] == "response.output_audio.delta")
    return b"".join(base64.b64decode(delta) for delta in deltas)


def transcript(came: list[Json]) -> str:
    return str(only(came, "response.output_audio_transcript.done")["transcript"])
