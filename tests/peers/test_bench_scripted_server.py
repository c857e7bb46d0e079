"""The scripted server: turns by voice, long answers, and a log without audio."""

import base64
import io
import itertools
import json
from typing import Any

import numpy as np

from parleyd.audio import resample
from parleyd.simulation import clips
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.bench.peers.server import ScriptedConversation, ServerLog

ANSWERS = [np.full(SERVER_RATE_HZ * 20, n, np.int16) for n in (1, 2)]
CHUNK = SERVER_RATE_HZ // 25


class Listener:
    """A client without a clock."""

    def __init__(self) -> None:
        self.events, self.audio = io.StringIO(), io.BytesIO()
        log = ServerLog(self.events, self.audio.write)
        self.conversation = ScriptedConversation(ANSWERS, itertools.count(), log, "model")
        self.now = 0.0
        self.came: list[dict[str, Any]] = []
        self._take(self.conversation.open(self.now))

    def hear(self, frames: Frames) -> None:
        for start in range(0, len(frames), CHUNK):
            audio = base64.b64encode(frames[start : start + CHUNK].tobytes()).decode()
            message = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
            self.now += CHUNK / SERVER_RATE_HZ
            self._take(self.conversation.receive(message, self.now))
            self._take(self.conversation.advance(self.now))

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.came]

    def _take(self, messages: list[str]) -> None:
        self.came += map(json.loads, messages)


def spoken() -> Frames:
    words = clips.synthesize("tell me about the sea please", "rms")
    pause = np.zeros(SERVER_RATE_HZ, np.int16)
    return np.concatenate((resample(words, MIC_RATE_HZ, SERVER_RATE_HZ), pause))


def test_turns_get_the_answers_in_order_and_interrupt_them() -> None:
    client = Listener()
    client.hear(spoken())
    client.hear(spoken())
    log = [json.loads(line) for line in client.events.getvalue().splitlines()]
    assert [line["answer"] for line in log if "answer" in line] == [0, 1]
    done = [e["response"] for e in client.came if e["type"] == "response.done"]
    assert [response["status_details"]["reason"] for response in done] == ["turn_detected"]
    assert client.kinds().count("input_audio_buffer.speech_started") == 2


def test_log_has_no_audio_but_the_file_has_all_of_it() -> None:
    client = Listener()
    client.hear(spoken())
    assert "response.output_audio.delta" in client.kinds()
    assert "response.output_audio.delta" not in client.events.getvalue()
    assert client.audio.getvalue() == spoken().tobytes()
