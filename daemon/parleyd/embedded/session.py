"""The session's settings: the defaults, and the changes that `session.update` may make."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from parleyd.embedded import api_error
from parleyd.embedded.limits import MOST_METADATA, MOST_SETTINGS_BYTES
from parleyd.embedded.schema import (
    Check,
    anything,
    array,
    boolean,
    choice,
    either,
    given,
    integer,
    mapping,
    name,
    nullable,
    number,
    strings,
    table,
    tagged,
    text,
)
from parleyd.realtime.events import Json

VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
"""All of them sound the same: there is one offline voice."""

MOST_TOOLS = 128  # the service's own limit

VAD_DEFAULTS: dict[str, Json] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}


def _never(value: Any, path: str) -> None:
    """Idle timeouts are not supported, and a client that relies on one must get an error."""
    if value is not None:
        raise api_error.wrong_value(path, value, ("null",))


_PCM = {"type": "audio/pcm", "rate": 24_000}
_FORMAT = tagged(
    "type",
    {"audio/pcm": table({"type": name, "rate": integer(24_000, 24_000)}, "type")},
)
_VOICE = either(str, choice(*VOICES), table({"id": name}, "id"))
_MODALITIES = array(choice("audio", "text"), most=1)
_TURN_DETECTION = tagged(
    "type",
    {
        "server_vad": table(
            {
                "type": name,
                "threshold": number(0.0, 1.0),
                "prefix_padding_ms": integer(0, 5_000),
                "silence_duration_ms": integer(100, 10_000),
                "idle_timeout_ms": _never,
                "create_response": boolean,
                "interrupt_response": boolean,
            },
            nulls=False,
        ),
        "semantic_vad": table(
            {
                "type": name,
                "eagerness": choice("low", "medium", "high", "auto"),
                "create_response": boolean,
                "interrupt_response": boolean,
            },
            nulls=False,
        ),
    },
)  # the service refuses null here (livekit/agents#3444), and no client sends it any more
_INPUT = table(
    {
        "format": _FORMAT,
        "noise_reduction": nullable(
            table({"type": choice("near_field", "far_field"), "strength": number(0.0, 1.0)})
        ),
        "transcription": nullable(
            table(
                {
                    "model": name,
                    "language": name,
                    "languages": array(name, most=32),
                    "prompt": text,
                    "delay": name,
                    "keywords": array(name, most=1_000),
                }
            )
        ),
        "turn_detection": nullable(_TURN_DETECTION),
    }
)
_OUTPUT = table({"format": _FORMAT, "voice": _VOICE, "speed": number(0.25, 1.5)})
_TOOL = tagged(
    "type",
    {
        "function": table(
            {"type": name, "name": name, "description": text, "parameters": mapping},
            "name",
        ),
        "mcp": mapping,
    },
)
_TOKENS = either(str, choice("inf"), integer(1, 4_096))
_SHARED: dict[str, Check] = {
    "instructions": text,
    "output_modalities": _MODALITIES,
    "tools": array(_TOOL, most=MOST_TOOLS),
    "tool_choice": either(str, choice("none", "auto", "required"), mapping),
    "max_output_tokens": _TOKENS,
    "prompt": nullable(mapping),
    "reasoning": mapping,
    "parallel_tool_calls": boolean,
}
_SESSION = table(
    {
        **_SHARED,
        "type": choice("realtime"),
        "model": name,
        "audio": table({"input": _INPUT, "output": _OUTPUT}),
        "truncation": either(str, choice("auto", "disabled"), mapping),
        "tracing": nullable(anything),
        "include": nullable(array(name, most=8)),
    },
    "type",
)
_RESPONSE = table(
    {
        **_SHARED,
        "audio": table({"output": _OUTPUT}),
        "conversation": choice("auto", "none"),
        "metadata": nullable(strings(*MOST_METADATA)),
        "input": array(mapping, most=500),
    }
)


_NULL_MEANS_OFF = (
    "turn_detection", "transcription", "noise_reduction", "prompt", "tracing", "include",
)  # fmt: skip
"""Null disables these; everywhere else it means that the client sets nothing."""


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the server ends a turn, and its next step; None instead of this: the client decides."""

    kind: Literal["server_vad", "semantic_vad"]
    create_response: bool
    interrupt_response: bool
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"


class SessionSettings:
    """The settings of one connection, always complete and valid."""

    def __init__(self, session_id: str, model: str) -> None:
        self._settings: Json = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "audio": {
                "input": {
                    "format": dict(_PCM),
                    "noise_reduction": None,
                    "transcription": None,
                    "turn_detection": deepcopy(VAD_DEFAULTS["server_vad"]),
                },
                "output": {"format": dict(_PCM), "voice": "alloy", "speed": 1.0},
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "include": None,
            "prompt": None,
        }

    def update(self, change: Json, *, voice_locked: bool) -> None:
        """Apply `change` as a whole, or raise `Refused` and change nothing."""
        _SESSION(change, "session")
        change = given(change, *_NULL_MEANS_OFF)
        if change.get("model", self._settings["model"]) != self._settings["model"]:
            raise api_error.ApiError(
                "Cannot update a conversation's model after the session was created.",
                code="invalid_value",
                param="session.model",
            )
        audio = _given_audio(change.get("audio"))
        voice = audio["output"].get("voice", self.voice)
        if voice_locked and voice != self.voice:
            raise api_error.voice_locked()
        merged = deepcopy({**self._settings, **change})
        merged["audio"] = _merge_audio(self._settings["audio"], deepcopy(audio))
        if (size := len(msgspec.json.encode(merged))) > MOST_SETTINGS_BYTES:
            raise api_error.too_large(f"{size} bytes of settings", f"{MOST_SETTINGS_BYTES} bytes")
        self._settings = merged

    def wire(self) -> Json:
        """The full session as `session.created` and `session.updated` carry it."""
        return deepcopy(self._settings)

    @property
    def voice(self) -> Any:
        return self._settings["audio"]["output"]["voice"]

    @property
    def speed(self) -> float:
        return float(self._settings["audio"]["output"]["speed"])

    @property
    def transcribes(self) -> bool:
        return self._settings["audio"]["input"]["transcription"] is not None

    @property
    def turn_detection(self) -> TurnDetection | None:
        raw = self._settings["audio"]["input"]["turn_detection"]
        if raw is None:
            return None
        known = {k: v for k, v in raw.items() if k not in ("type", "idle_timeout_ms")}
        return TurnDetection(kind=raw["type"], **known)

    def response_settings(self, override: Json) -> Json:
        """The session's settings for an answer, overridden by those of one response.create."""
        _RESPONSE(override, "response")
        names = ("output_modalities", "tools", "tool_choice", "max_output_tokens")
        return {name: self._settings[name] for name in names} | {
            name: entry for name, entry in given(override).items() if name in names
        }


def _given_audio(change: Json | None) -> Json:
    """The audio part of a change without its nulls; both sides are present, perhaps empty."""
    sides = given(change)
    changed = {side: given(sides.get(side), *_NULL_MEANS_OFF) for side in ("input", "output")}
    for side in changed.values():
        if "format" in side:
            side["format"] = {**_PCM, **given(side["format"])}
    return changed


def _merge_audio(old: Json, change: Json) -> Json:
    merged = {side: {**old[side], **change[side]} for side in ("input", "output")}
    detection = change["input"].get("turn_detection")
    if detection:
        before = old["input"]["turn_detection"]
        same = before is not None and before["type"] == detection["type"]
        base = before if same else VAD_DEFAULTS[detection["type"]]
        merged["input"]["turn_detection"] = {**base, **detection}
    return merged
