"""The audio formats of the connection: the format that the server confirmed, in frames.

Parley requests 16-bit PCM at 24 kHz in both directions. Some servers confirm and use another
format. Parley converts it where possible, and otherwise refuses it with a message.
Sources: the session object of the realtime API; ITU-T G.711 for the two 8-bit codes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from parleyd.audio import StreamResampler, decode_pcm16, encode_pcm16
from parleyd.realtime.events import Json
from parleyd.realtime.lenient import number
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames

Part = tuple[int, str, int]
"""Number of the response, item id, content index."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One direction's format; `rate_hz` is frames per second."""

    type: str
    rate_hz: int

    def __str__(self) -> str:
        return f"{self.type} at {self.rate_hz} Hz"

    @property
    def known(self) -> bool:
        """Whether Parley can convert it."""
        return self.type in _DECODERS and 4000 <= self.rate_hz <= 192_000


PCM = AudioFormat("audio/pcm", SERVER_RATE_HZ)
"""The format that Parley requests."""

_FOREIGN = re.compile(
    r"opus|mp3|mpeg|aac|flac|wav|ogg|webm|l16|l24|f(loat)?_?(16|32|64)|[su](8|24|32)|be\b"
)
_CODES = (
    (re.compile(r"u-?law|pcmu"), "audio/pcmu"),
    (re.compile(r"a-?law|pcma"), "audio/pcma"),
    (re.compile(r"pcm|linear"), PCM.type),
)
_RATE_IN_NAME = re.compile(r"(?<!\d)(\d{4,6})(?!\d)|(?<!\d)(\d{1,3})khz")
_RATES_HZ = {PCM.type: SERVER_RATE_HZ, "audio/pcmu": 8000, "audio/pcma": 8000}
_RATE_KEYS = ("rate", "sample_rate", "sampling_rate", "sample_rate_hz")
_CHANNEL_KEYS = ("channels", "num_channels")
_GREATEST_HZ = 1e6  # a greater number is not a rate


def confirmed(session: Json, direction: str) -> AudioFormat:
    """The format that a `session` object names for ``input`` or ``output``.

    A session that names none, or one of an unknown shape, uses the requested format. The rate may
    be in the format, in its name, or beside it.
    """
    audio = session.get("audio")
    side = audio.get(direction) if isinstance(audio, dict) else None
    side = side if isinstance(side, dict) else {}
    named = side.get("format")
    if named is None:
        named = session.get(f"{direction}_audio_format")
    fields = named if isinstance(named, dict) else {}
    name = fields.get("type") if fields else named
    name = name if isinstance(name, str) else ""
    kind = _kind(name, of_object=bool(fields))
    if (number(fields, *_CHANNEL_KEYS, most=_GREATEST_HZ) or 1) != 1:
        kind += " in several channels"
    rate = (
        number(fields, *_RATE_KEYS, most=_GREATEST_HZ)
        or _rate_in(name)
        or number(side, *_RATE_KEYS, most=_GREATEST_HZ)
        or number(session, f"{direction}_audio_sampling_rate", most=_GREATEST_HZ)
    )
    if name == "pcm16" and session.get("output_audio_format") == "pcm24" and rate is None:
        rate = 16_000  # DashScope's names contain the rate in kHz
    return AudioFormat(kind, int(rate or _RATES_HZ.get(kind, 0)))


def _kind(name: str, *, of_object: bool) -> str:
    """The type of a format name. Text that names no format means the requested one."""
    low = name.lower()
    if not _FOREIGN.search(low):
        for code, kind in _CODES:
            if code.search(low):
                return kind
    foreign = _FOREIGN.search(low) or low.startswith("audio/") or (of_object and low)
    return name if foreign else PCM.type


def _rate_in(name: str) -> float | None:
    found = _RATE_IN_NAME.search(name.lower())
    if found is None:
        return None
    return float(found[1]) if found[1] else 1000 * float(found[2])


def names_any(session: Json) -> bool:
    """Whether a `session` object says anything about audio; an answer to an update of other fields
    may not."""
    return "audio" in session or any(name.endswith("_audio_format") for name in session)


def text_only(session: Json) -> bool:
    """Whether a `session` object says that answers have no audio."""
    named = session.get("output_modalities") or session.get("modalities")
    return isinstance(named, list) and "text" in named and "audio" not in named


def creates_responses(session: Json) -> bool | None:
    """Whether a `session` object says that the server answers each detected turn by itself; None
    if it says nothing."""
    audio = session.get("audio")
    side = audio.get("input") if isinstance(audio, dict) else None
    places = [side, session] if isinstance(side, dict) else [session]
    for place in places:
        detection = place.get("turn_detection")
        if isinstance(detection, dict) and isinstance(detection.get("create_response"), bool):
            return bool(detection["create_response"])
    return None


@dataclass(slots=True)
class ReplyDecoder:
    """Turns the bytes of audio deltas into int16 frames at 24 kHz; pure.

    A delta may end within a frame; the next delta of its part begins with the rest.
    """

    format: AudioFormat = PCM
    part: Part | None = None
    """The part of the newest delta."""
    _rest: bytes = b""
    _stream: StreamResampler | None = None

    def push(self, part: Part, data: bytes) -> Frames:
        """The frames of one delta; fewer than it holds while the resampler looks ahead."""
        if part != self.part:
            self.reset()
            self.part = part
        if self.format.type == "audio/pcm":
            data = self._rest + data
            whole = len(data) // 2 * 2
            data, self._rest = data[:whole], data[whole:]
        frames = _DECODERS[self.format.type](data)
        if self.format.rate_hz == SERVER_RATE_HZ or len(frames) == 0:
            return frames
        if self._stream is None:
            self._stream = StreamResampler(self.format.rate_hz, SERVER_RATE_HZ)
        return self._stream.process(frames)

    def finish(self) -> Frames:
        """The remaining frames of the current part, from the resampler."""
        stream = self._stream
        self.reset()
        return SILENCE if stream is None else stream.process(SILENCE, last=True)

    def reset(self) -> None:
        """Drop the current part."""
        self.part, self._rest, self._stream = None, b"", None


@dataclass(slots=True)
class TurnEncoder:
    """Turns int16 frames at 24 kHz into the bytes of ``input_audio_buffer.append``; pure."""

    format: AudioFormat = PCM
    _stream: StreamResampler | None = field(default=None)

    def push(self, frames: Frames) -> bytes:
        """The bytes of these frames; fewer while the resampler looks ahead."""
        if self.format.rate_hz != SERVER_RATE_HZ:
            if self._stream is None:
                self._stream = StreamResampler(SERVER_RATE_HZ, self.format.rate_hz)
            frames = self._stream.process(frames)
        return _ENCODERS[self.format.type](frames)

    def reset(self) -> None:
        """Start a new turn."""
        self._stream = None


def _ulaw_table() -> Frames:
    """ITU-T G.711, mu-law: sign, three bits of segment, four bits of step, all inverted."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Frames:
    """ITU-T G.711, A-law: like mu-law, but every second bit is inverted and segment 0 is linear."""
    code = np.arange(256) ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _by_table(table: Frames) -> Callable[[bytes], Frames]:
    return lambda data: table[np.frombuffer(data, np.uint8)]


def _to_table(table: Frames) -> Callable[[Frames], bytes]:
    """The nearest code for each frame."""
    codes = np.argsort(table, kind="stable").astype(np.uint8)
    values = table[codes].astype(np.int32)
    limits = (values[1:] + values[:-1]) / 2
    return lambda frames: codes[np.searchsorted(limits, frames)].tobytes()


_DECODERS: dict[str, Callable[[bytes], Frames]] = {
    "audio/pcm": decode_pcm16,
    "audio/pcmu": _by_table(_ulaw_table()),
    "audio/pcma": _by_table(_alaw_table()),
}
_ENCODERS: dict[str, Callable[[Frames], bytes]] = {
    "audio/pcm": encode_pcm16,
    "audio/pcmu": _to_table(_ulaw_table()),
    "audio/pcma": _to_table(_alaw_table()),
}
