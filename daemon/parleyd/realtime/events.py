"""The events of the realtime protocol, typed, in their GA names.

Both directions are here because the embedded server uses the other half.
`decode_server` and `decode_client` never raise on an unknown type: new events
appear every month and must not end a conversation. Older (beta) names that
compatible servers still send are read as their GA successors. A field of another
type, or a missing one, loses only that field.
"""

from typing import Annotated, Any, Union

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from parleyd.realtime import raw, reading, shapes
from parleyd.realtime.shapes import Json as Json

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=raw.ID_CHARS)]


class RealtimeEvent(Struct, kw_only=True, tag_field="type", omit_defaults=True):
    """Any event; `event_id` is chosen by its sender."""

    event_id: str | None = None


# --- client events --------------------------------------------------------------------


class ClientEvent(RealtimeEvent):
    """Base of the events that a client sends."""


class SessionUpdate(ClientEvent, kw_only=True, tag="session.update"):
    session: Json


class AppendAudio(ClientEvent, kw_only=True, tag="input_audio_buffer.append"):
    """Microphone audio: int16 little-endian mono at 24 kHz, base64 on the wire."""

    audio: bytes


class CommitAudio(ClientEvent, kw_only=True, tag="input_audio_buffer.commit"):
    pass


class ClearAudio(ClientEvent, kw_only=True, tag="input_audio_buffer.clear"):
    pass


class CreateItem(ClientEvent, kw_only=True, tag="conversation.item.create"):
    item: Json
    previous_item_id: str | None = None


class RetrieveItem(ClientEvent, kw_only=True, tag="conversation.item.retrieve"):
    item_id: str


class TruncateItem(
    ClientEvent, kw_only=True, tag="conversation.item.truncate", omit_defaults=False
):
    item_id: str
    content_index: int
    audio_end_ms: int


class DeleteItem(ClientEvent, kw_only=True, tag="conversation.item.delete"):
    item_id: str


class CreateResponse(ClientEvent, kw_only=True, tag="response.create"):
    response: Json | UnsetType | None = UNSET


class CancelResponse(ClientEvent, kw_only=True, tag="response.cancel"):
    response_id: str | None = None


# --- server events --------------------------------------------------------------------


class ServerEvent(RealtimeEvent):
    """Base of the events that a server sends. A missing id is ""; see `naming`."""

    event_id: Id | None = None


class ErrorDetail(Struct, kw_only=True):
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None


class ServerError(ServerEvent, kw_only=True, tag="error"):
    error: ErrorDetail


class SessionCreated(ServerEvent, kw_only=True, tag="session.created"):
    session: Json = field(default_factory=dict)


class SessionUpdated(ServerEvent, kw_only=True, tag="session.updated"):
    session: Json = field(default_factory=dict)


class SpeechStarted(
    ServerEvent, kw_only=True, tag="input_audio_buffer.speech_started", omit_defaults=False
):
    audio_start_ms: int = 0
    item_id: str | None = None


class SpeechStopped(
    ServerEvent, kw_only=True, tag="input_audio_buffer.speech_stopped", omit_defaults=False
):
    audio_end_ms: int = 0
    item_id: str | None = None


class AudioCommitted(
    ServerEvent, kw_only=True, tag="input_audio_buffer.committed", omit_defaults=False
):
    item_id: str | None = None
    previous_item_id: str | None = None


class AudioCleared(ServerEvent, kw_only=True, tag="input_audio_buffer.cleared"):
    pass


class ItemAdded(ServerEvent, kw_only=True, tag="conversation.item.added", omit_defaults=False):
    item: Json = field(default_factory=dict)
    previous_item_id: str | None = None


class ItemDone(ServerEvent, kw_only=True, tag="conversation.item.done", omit_defaults=False):
    item: Json = field(default_factory=dict)
    previous_item_id: str | None = None


class ItemRetrieved(ServerEvent, kw_only=True, tag="conversation.item.retrieved"):
    item: Json = field(default_factory=dict)


class ItemTruncated(
    ServerEvent, kw_only=True, tag="conversation.item.truncated", omit_defaults=False
):
    item_id: str
    content_index: int = 0
    audio_end_ms: int = 0


class ItemDeleted(ServerEvent, kw_only=True, tag="conversation.item.deleted"):
    item_id: str


class InputTranscript(
    ServerEvent,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.completed",
    omit_defaults=False,
):
    item_id: str
    content_index: int = 0
    transcript: str = ""
    usage: Json = field(default_factory=dict)
    status: str | UnsetType = UNSET
    """xAI only: "in_progress" if a later event will repeat the words, with more of them."""


class TranscriptionFailure(Struct, kw_only=True, omit_defaults=True):
    """Unlike the detail of an `error`, it names no event, and omits unknown fields."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


class InputTranscriptFailed(
    ServerEvent,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.failed",
    omit_defaults=False,
):
    item_id: str
    content_index: int = 0
    error: TranscriptionFailure = field(default_factory=TranscriptionFailure)


class Response(Struct, kw_only=True):
    """A response as in response.created and response.done; its output is raw."""

    id: str
    object: str = "realtime.response"
    status: str | None = None
    status_details: Json | None = None
    output: list[Json] | None = None
    metadata: Json | None = None
    usage: Json | None = None
    conversation_id: str | None = None


class ResponseCreated(ServerEvent, kw_only=True, tag="response.created"):
    response: Response


class ResponseDone(ServerEvent, kw_only=True, tag="response.done"):
    response: Response


class _PartEvent(ServerEvent, kw_only=True, omit_defaults=False):
    """An event about one content part of one output item of one response."""

    response_id: Id
    item_id: Id
    output_index: int = 0
    content_index: int = 0


class OutputItemAdded(
    ServerEvent, kw_only=True, tag="response.output_item.added", omit_defaults=False
):
    response_id: str
    output_index: int = 0
    item: Json = field(default_factory=dict)


class OutputItemDone(
    ServerEvent, kw_only=True, tag="response.output_item.done", omit_defaults=False
):
    response_id: str
    output_index: int = 0
    item: Json = field(default_factory=dict)


class ContentPartAdded(_PartEvent, tag="response.content_part.added"):
    part: Json = field(default_factory=dict)


class ContentPartDone(_PartEvent, tag="response.content_part.done"):
    part: Json = field(default_factory=dict)


class AudioDelta(_PartEvent, kw_only=True, tag="response.output_audio.delta"):
    """Speech of the assistant: int16 little-endian mono at 24 kHz, base64 on the wire."""

    delta: bytes


class AudioDone(_PartEvent, tag="response.output_audio.done"):
    pass


class TranscriptDelta(_PartEvent, kw_only=True, tag="response.output_audio_transcript.delta"):
    delta: str


class TranscriptDone(_PartEvent, tag="response.output_audio_transcript.done"):
    transcript: str = ""


class TextDelta(_PartEvent, kw_only=True, tag="response.output_text.delta"):
    delta: str


class TextDone(_PartEvent, tag="response.output_text.done"):
    text: str = ""


class FunctionCallArgumentsDelta(
    ServerEvent, kw_only=True, tag="response.function_call_arguments.delta", omit_defaults=False
):
    response_id: Id
    item_id: Id
    call_id: Id
    delta: str = ""
    output_index: int = 0


class FunctionCallArgumentsDone(
    ServerEvent, kw_only=True, tag="response.function_call_arguments.done", omit_defaults=False
):
    response_id: str
    item_id: str
    call_id: str
    name: str | None = None
    arguments: str = ""
    output_index: int = 0


class McpListed(ServerEvent, kw_only=True, tag="mcp_list_tools.completed"):
    """The model knows the tools of a remote server."""

    item_id: str


class McpNotListed(ServerEvent, kw_only=True, tag="mcp_list_tools.failed"):
    item_id: str


class McpCallBegun(ServerEvent, kw_only=True, tag="response.mcp_call.in_progress"):
    """The server calls a remote tool by itself."""

    item_id: str


class McpCallCompleted(ServerEvent, kw_only=True, tag="response.mcp_call.completed"):
    item_id: str


class McpCallFailed(ServerEvent, kw_only=True, tag="response.mcp_call.failed"):
    item_id: str


class RateLimitsUpdated(ServerEvent, kw_only=True, tag="rate_limits.updated"):
    rate_limits: list[Json] = field(default_factory=list)


class Unknown(Struct, frozen=True):
    """An event that this version does not know; ignored, but visible in the debug log."""

    type: str


class Malformed(Struct, frozen=True):
    """A message that is not an event, or an event of the wrong shape."""

    reason: str


CLIENT_EVENTS: dict[str, type[ClientEvent]] = {
    cls.__struct_config__.tag: cls  # type: ignore[misc]
    for cls in (
        SessionUpdate, AppendAudio, CommitAudio, ClearAudio, CreateItem, RetrieveItem,
        TruncateItem, DeleteItem, CreateResponse, CancelResponse,
    )
}  # fmt: skip

SERVER_EVENTS: dict[str, type[ServerEvent]] = {
    cls.__struct_config__.tag: cls  # type: ignore[misc]
    for cls in (
        ServerError, SessionCreated, SessionUpdated, SpeechStarted, SpeechStopped,
        AudioCommitted, AudioCleared, ItemAdded, ItemDone, ItemRetrieved, ItemTruncated,
        ItemDeleted, InputTranscript, InputTranscriptFailed, ResponseCreated, ResponseDone,
        OutputItemAdded, OutputItemDone, ContentPartAdded, ContentPartDone, AudioDelta, AudioDone,
        TranscriptDelta, TranscriptDone, TextDelta, TextDone, FunctionCallArgumentsDelta,
        FunctionCallArgumentsDone, McpListed, McpNotListed, McpCallBegun, McpCallCompleted,
        McpCallFailed, RateLimitsUpdated,
    )
}  # fmt: skip

BETA_NAMES = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "conversation.item.created": "conversation.item.added",
    "input_audio_transcription.completed": (
        "conversation.item.input_audio_transcription.completed"
    ),
    "input_audio_transcription.failed": "conversation.item.input_audio_transcription.failed",
}

ENDINGS = {  # of servers that name the last event of a response after its outcome
    "response.completed": "completed",
    "response.cancelled": "cancelled",
    "response.canceled": "cancelled",
    "response.failed": "failed",
    "response.incomplete": "incomplete",
}


class _EventHeader(Struct):
    type: str


_header = msgspec.json.Decoder(_EventHeader)
_client = {name: msgspec.json.Decoder(cls) for name, cls in CLIENT_EVENTS.items()}
_encoder = msgspec.json.Encoder()


def decode_server(message: str | bytes) -> ServerEvent | Unknown | Malformed:
    """Decode one frame from a server, text or binary. Never raises.

    Malformed means only messages that are not events, and audio that is not base64. No call here
    takes longer than one audio period, regardless of the message's size.
    """
    try:
        if len(message) <= QUICK_CHARS:
            return _quickly(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        return _read(message)
    except raw.UNREADABLE as error:
        return Malformed(str(error)[: raw.NAME_CHARS])


def decode_client(message: str | bytes) -> ClientEvent | Unknown | Malformed:
    """Decode one text frame from a client. Never raises."""
    try:
        name = _header.decode(message).type
        decoder = _client.get(name)
        return decoder.decode(message) if decoder else Unknown(name)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Malformed(str(error))


def encode(event: RealtimeEvent) -> str:
    """The text frame of an event."""
    return _encoder.encode(event).decode()


# --- the fast path: deltas, which arrive in bursts of hundreds and are complete -------

QUICK_CHARS = 64 * 1024  # of a frame decoded in one call; a delta usually has 2 to 30 kB
_DELTAS = (AudioDelta, TranscriptDelta, TextDelta, FunctionCallArgumentsDelta)


def _twin(cls: type[ServerEvent], name: str) -> type[Struct]:
    """The same event under its beta name."""
    fields = [
        (f.name, f.type) if f.required else (f.name, f.type, f.default)
        for f in msgspec.structs.fields(cls)
    ]
    return msgspec.defstruct(cls.__name__, fields, kw_only=True, tag_field="type", tag=name)


_TWINS = {_twin(cls, old): cls for old, new in BETA_NAMES.items()
          if (cls := SERVER_EVENTS[new]) in _DELTAS}  # fmt: skip
_delta: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[(*_DELTAS, *_TWINS)])


def _quickly(message: str | bytes) -> ServerEvent:
    found = _delta.decode(message)
    ga = _TWINS.get(type(found))
    event: ServerEvent = found if ga is None else ga(**msgspec.structs.asdict(found))
    return event


# --- the slow path: any event of any shape --------------------------------------------


def _readers(cls: type[ServerEvent]) -> list[tuple[str, reading.Reader, Any]]:
    """The reader of each field, and the value for an empty text."""
    special: dict[tuple[type, str], reading.Reader] = {
        (AudioDelta, "delta"): reading.sound,
        (ResponseCreated, "response"): _response,
        (ResponseDone, "response"): _response,
        (ServerError, "error"): lambda wire: ErrorDetail(**shapes.error(wire.error, wire)),
        (InputTranscriptFailed, "error"): _failure,
    }
    return [
        (
            f.name,
            special.get((cls, f.name), reading.FIELDS[f.name]),
            f.default if f.default in (None, UNSET) else "",
        )
        for f in msgspec.structs.fields(cls)
    ]


def _response(wire: raw.Wire) -> Response:
    return Response(**shapes.response(wire))


def _failure(wire: raw.Wire) -> TranscriptionFailure:
    error = shapes.error(wire.error)
    return TranscriptionFailure(
        **{name: error[name] for name in TranscriptionFailure.__struct_fields__}
    )


_READERS = {cls: _readers(cls) for cls in SERVER_EVENTS.values()}


def _read(message: str | bytes) -> ServerEvent | Unknown:
    """Raises one of `raw.UNREADABLE` unless the message is an event."""
    if raw.too_many_parts(message):
        raise ValueError(f"it has more than {raw.MOST_PARTS:,} parts")
    wire = raw.fields(message)
    name = reading.kind(wire)
    cls = SERVER_EVENTS.get("response.done" if name in ENDINGS else BETA_NAMES.get(name, name))
    if cls is None and not name.endswith("error"):
        return Unknown(name)
    cls = cls or ServerError
    values = {}
    for field_name, read, empty in _READERS[cls]:
        value = read(wire)
        values[field_name] = empty if value == "" else value
    event = cls(**values)
    match event:
        case ResponseDone() if name in ENDINGS and event.response.status in (None, "in_progress"):
            event.response.status = ENDINGS[name]
        case ServerError() if name != "error" and event.error.type is None:
            event.error.type = name
    return event
