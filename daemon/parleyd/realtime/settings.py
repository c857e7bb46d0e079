"""Our configuration of the session: explicit values, never the server's defaults."""

from collections.abc import Sequence

from parleyd import config
from parleyd.config.servers import profile
from parleyd.realtime import transcription
from parleyd.realtime.events import Json
from parleyd.units import SERVER_RATE_HZ

PREFIX_PADDING_MS = 300  # audio before the detected onset that the server keeps
RETAINED = 0.8  # of an overflowing context: each truncation invalidates the server's whole cache


def session_settings(
    realtime: config.RealtimeConfig, turn: config.TurnConfig, tools: Sequence[Json] = ()
) -> Json:
    """The `session` of a GA `session.update`.

    Nulls are used only where null means "off"; everything else that is not set is omitted, because
    servers refuse the whole update for one superfluous null. Some models do not know the fields
    that are omitted by default (reasoning, speed).
    """
    audio_format = {"type": "audio/pcm", "rate": SERVER_RATE_HZ}
    noise = realtime.noise_reduction
    settings: Json = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": realtime.instructions,
        "audio": {
            "input": {
                "format": audio_format,
                "noise_reduction": None if noise == "off" else {"type": noise},
                "transcription": transcription.settings(realtime),
                "turn_detection": _turn_detection(turn),
            },
            "output": {"format": audio_format},
        },
        "tools": list(tools),
        "tool_choice": "auto",
        "max_output_tokens": realtime.max_output_tokens,
    }
    if voice := realtime.voice or profile(realtime.server).voice:
        settings["audio"]["output"]["voice"] = voice
    if realtime.reasoning_effort:
        settings["reasoning"] = {"effort": realtime.reasoning_effort}
    if realtime.speed != 1.0:
        settings["audio"]["output"]["speed"] = realtime.speed
    if profile(realtime.server).limits_context:
        settings["truncation"] = _truncation(realtime.context_tokens)
        settings["tracing"] = None
    if profile(realtime.server).flat_session:
        audio = settings["audio"]
        settings["turn_detection"] = audio["input"].pop("turn_detection")
        if "voice" in audio["output"]:
            settings["voice"] = audio["output"].pop("voice")
    return settings


def _truncation(tokens: int) -> Json:
    """The conversation keeps at most this number of tokens after the instructions."""
    limits = {"post_instructions": tokens}
    return {"type": "retention_ratio", "retention_ratio": RETAINED, "token_limits": limits}


def _turn_detection(turn: config.TurnConfig) -> Json | None:
    """The server detects turns, but it must neither answer nor interrupt: Parley does that."""
    events_only = {"create_response": False, "interrupt_response": False}
    match turn.detection:
        case "local":
            return None
        case "semantic_vad":
            return {"type": "semantic_vad", "eagerness": turn.eagerness, **events_only}
        case "server_vad":
            return {
                "type": "server_vad",
                "threshold": turn.vad_threshold,
                "prefix_padding_ms": PREFIX_PADDING_MS,
                "silence_duration_ms": turn.silence_ms,
                **events_only,
            }
