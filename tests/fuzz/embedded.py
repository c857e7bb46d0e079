"""The embedded server, with clients that send arbitrary messages."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st

from parleyd.embedded import decoding
from parleyd.embedded.actions import Forget, Recognize, Synthesize
from parleyd.embedded.engine import Engine, EngineOptions
from parleyd.embedded.recognition import NOTHING, RecognitionResult
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.realtime import events as ev
from tests.fuzz.server_text import JUNK, TEXTS
from tests.fuzz.sizes import size_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOST_EVENT_BYTES = 2 << 20  # a retrieved item with the audio of a turn
MOST_PIECES = 500  # queued for synthesis; a text of 3,000 characters has 125
MOST_EVENTS = 2000  # caused by a few client events
MOST_OBJECTS = 20_000  # a conversation of a few turns has about 500
# all ids that the engine assigns in the first minutes, and some unknown ones
IDS = st.builds("{}_{:04}".format, st.sampled_from(["item", "resp"]), st.integers(1, 25)) | TEXTS

NULLS = st.none()  # clients send null for unset fields
# results of a client's function: text, JSON, and neither
RETURNED = st.one_of(
    TEXTS,
    JUNK.map(json.dumps),
    st.sampled_from(
        [
            '{"message": "\\ud800"}',
            '{"error": {"message": ["\\ud800"]}}',
            '{"message": ' * 900 + "1" + "}" * 900,
            "9" * 5_000,
            "%" * 300,
            "Bcd " * 200,
        ]
    ),
)
TURN_DETECTION = st.sampled_from(
    [
        None,
        {"type": "server_vad", "silence_duration_ms": 200},
        {"type": "server_vad", "create_response": False, "interrupt_response": False},
        {"type": "semantic_vad", "eagerness": "low"},
        {"type": "server_vad", "threshold": 7},
    ]
)
FUNCTION = {
    "type": "function",
    "name": "set_timer",
    "parameters": {"type": "object", "properties": {"seconds": {"type": "integer"}}},
}
SESSION = st.fixed_dictionaries(
    {"type": st.sampled_from(["realtime", "realtime", "transcription"])},
    optional={
        "audio": st.fixed_dictionaries(
            {},
            optional={
                "input": st.fixed_dictionaries({}, optional={"turn_detection": TURN_DETECTION}),
                "output": JUNK,
            },
        ),
        "tools": st.lists(st.just(FUNCTION) | JUNK, max_size=2),
        "instructions": TEXTS | NULLS,
        "max_output_tokens": JUNK,
        "tool_choice": JUNK,
        "prompt": JUNK,
    },
)
COMMANDS = ["set a timer for five minutes", "tell me a story", "stop", "what time is it", ""]
SAYINGS = st.sampled_from(COMMANDS) | TEXTS
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "message", "function_call_output", "function_call"])},
    optional={
        "id": IDS,
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["input_text", "output_text", "input_audio"])},
                optional={"text": SAYINGS | NULLS, "audio": TEXTS, "transcript": TEXTS | NULLS},
            ),
            max_size=2,
        ),
        "call_id": IDS,
        "output": RETURNED,
        "name": st.sampled_from(["set_timer", "set_volume"]) | TEXTS,
        "arguments": RETURNED,
        "status": JUNK,
    },
)
RESPONSE = st.fixed_dictionaries(
    {},
    optional={
        "conversation": st.sampled_from(["auto", "none", None]),
        "instructions": TEXTS | NULLS,
        "input": NULLS
        | st.lists(
            st.one_of(ITEM, st.builds(lambda i: {"type": "item_reference", "id": i}, IDS)),
            max_size=2,
        ),
        "metadata": JUNK,
        "output_modalities": st.sampled_from([["audio"], ["text"], []]),
        "tools": JUNK,
        "max_output_tokens": st.sampled_from([1, 20, "inf", 0, None]),
    },
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": SESSION,
    "item": ITEM,
    "response": RESPONSE,
    "item_id": IDS,
    "response_id": IDS,
    "previous_item_id": IDS,
    "audio": st.sampled_from([1, 480, 4800, 24_000, 120_000]).map(
        lambda frames: base64.b64encode(bytes(range(256)) * (frames // 128)).decode()
    ),
}
INTEGERS = st.sampled_from([0, 1, -1, 500, 2**40])


@st.composite
def frames(draw: st.DrawFn) -> str:
    """Draw one event, sometimes with a missing, extra or mistyped field."""
    kind = draw(st.sampled_from(sorted(ev.CLIENT_EVENTS)))
    event: dict[str, Any] = {"type": kind}
    for name in ev.CLIENT_EVENTS[kind].__struct_fields__:
        if name in FIELDS and not (name.startswith("previous") and draw(st.booleans())):
            event[name] = draw(FIELDS[name])
        elif name in ("content_index", "audio_end_ms"):
            event[name] = draw(INTEGERS)
    if draw(st.integers(0, 3)) == 0:
        event[draw(st.sampled_from([*event, "event_id", "extra"]))] = draw(JUNK)
    if draw(st.integers(0, 40)) == 0:
        return json.dumps(event)[:-1] + ', "deep": ' + "[" * 5000 + "]" * 5000 + "}"
    return json.dumps(event)


PROGRAMS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), frames()),
        st.tuples(st.just("send"), frames()),
        st.tuples(st.just("ask"), SAYINGS),
        st.tuples(st.just("return"), st.tuples(RETURNED, RETURNED)),
        st.tuples(st.just("wait"), st.sampled_from([0.05, 1.0, 20.0])),
        st.tuples(st.just("work"), st.sampled_from(COMMANDS)),
    ),
    min_size=5,
    max_size=40,
)


def run(program: list[tuple[str, Any]]) -> None:
    """Check that each message is executed or refused, and that all responses end."""
    desk = _Desk()
    for what, with_ in program:
        match what:
            case "send":
                for piece in decoding.pieces(decoding.Utf8(with_.encode(errors="replace"))):
                    desk.take(desk.engine.receive(piece, desk.now))
            case "ask":
                part = {"type": "input_text", "text": with_}
                item = {"type": "message", "role": "user", "content": [part]}
                for event in (
                    {"type": "conversation.item.create", "item": item},
                    {"type": "response.create"},
                ):
                    desk.take(desk.engine.receive(json.dumps(event), desk.now))
            case "return":
                arguments, output = with_
                name = "set_volume" if "percent" in arguments else "set_timer"
                call = {"type": "function_call", "call_id": "c", "name": name}
                returned = {"type": "function_call_output", "call_id": "c", "output": output}
                for event in (
                    {"type": "conversation.item.create", "item": call | {"arguments": arguments}},
                    {"type": "conversation.item.create", "item": returned},
                    {"type": "response.create"},
                ):
                    desk.take(desk.engine.receive(json.dumps(event), desk.now))
            case "wait":
                desk.wait(with_)
            case "work":
                desk.work(with_)
    for _ in range(MOST_PIECES):
        if not desk.jobs and desk.engine.due() is None:
            break
        desk.work("")
        desk.wait(60.0)
    assert not desk.jobs
    assert desk.engine.due() is None, "a response never ends"
    objects, _ = size_of(desk.engine)
    assert objects <= MOST_OBJECTS, f"{objects} objects are held"


class _Desk:
    def __init__(self) -> None:
        self.now = 0.0
        self.jobs: list[Recognize | Synthesize] = []
        self.engine = Engine(
            EngineOptions(pace=1.0), new_detector=VoiceActivityDetector, local_time=lambda: NOON
        )
        self.take(self.engine.open())

    def take(self, outputs: list[Any]) -> None:
        assert len(outputs) <= MOST_EVENTS
        for output in outputs:
            match output:
                case Recognize() | Synthesize():
                    self.jobs.append(output)
                case Forget(job):
                    self.jobs = [waiting for waiting in self.jobs if waiting.job != job]
                case event:
                    assert event.event_id
                    assert len(ev.encode(event)) < MOST_EVENT_BYTES

    def work(self, words: str) -> None:
        """Complete all pending work; recognition returns `words`."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            if isinstance(job, Recognize):
                heard = RecognitionResult(words, -3.0) if words else NOTHING
                self.take(self.engine.recognized(job.job, heard, self.now))
            else:
                sound = np.zeros(24 * 50 * (len(job.sentence) % 9), np.int16)
                self.take(self.engine.synthesized(job.job, sound, self.now))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        steps = 0
        while (due := self.engine.due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.take(self.engine.advance(self.now))
            steps += 1
            assert steps < 20_000, "the engine is always due"
        self.now = end
