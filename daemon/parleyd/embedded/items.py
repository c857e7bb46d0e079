"""An item of a conversation: the user's words, and of the assistant's only the heard ones."""

import base64
import math
import sys
from dataclasses import dataclass, field

from parleyd.embedded import api_error
from parleyd.embedded.plans import Call
from parleyd.embedded.recognition import RecognitionResult
from parleyd.embedded.schema import Check, array, audio, choice, mapping, name, table, tagged, text
from parleyd.realtime.events import Json

FRAME_BYTES = 2


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence of the assistant and where in its item's audio it ends."""

    text: str
    end_frames: int


@dataclass(slots=True)
class Item:
    """One item of the conversation; audio is counted in frames at 24 kHz."""

    id: str
    type: str = "message"
    role: str | None = None
    status: str = "completed"
    content_type: str = "input_text"
    text: str = ""
    """The text of a message, or the output of a function call."""
    spoken: list[SpokenSentence] = field(default_factory=list)
    frames: int = 0
    pcm: bytearray = field(default_factory=bytearray)
    truncated: bool = False
    heard: RecognitionResult | None = None
    """The recognised words of the user's audio; None while recognition is running."""
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    announcement: str = ""
    """The sentence to the user before this call was made."""
    offer: Call | None = None
    """The call that follows a yes to this question of the assistant."""
    question: str = ""
    answer_by: float = math.inf
    """When a yes to it comes too late, in monotonic seconds."""

    @property
    def word_bytes(self) -> int:
        """The memory of its texts; one rare letter makes each letter take four bytes."""
        texts = (self.id, self.text, self.name, self.call_id, self.arguments)
        return sum(map(sys.getsizeof, (*texts, *(sentence.text for sentence in self.spoken))))

    @property
    def has_audio(self) -> bool:
        return self.content_type in ("input_audio", "output_audio")

    def say(self, sentence: str, frames: int) -> None:
        """Begin the assistant's next sentence, which has this number of audio frames."""
        if self.truncated:
            return
        start = self.spoken[-1].end_frames if self.spoken else 0
        self.spoken.append(SpokenSentence(sentence, start + frames))

    def add_audio(self, pcm: bytes) -> None:
        """Add audio to the item; audio after a truncation was never heard, and is dropped."""
        if not self.truncated:
            self.pcm += pcm
            self.frames += len(pcm) // FRAME_BYTES

    def keep(self, frames: int) -> None:
        """Drop everything after the first `frames`, including a word in progress."""
        kept: list[SpokenSentence] = []
        start = 0
        for sentence in self.spoken:
            if sentence.end_frames > frames:
                words = sentence.text.split()
                share = (frames - start) / (sentence.end_frames - start)
                heard = " ".join(words[: int(len(words) * share)])
                if heard:
                    kept.append(SpokenSentence(heard, frames))
                break
            kept.append(sentence)
            start = sentence.end_frames
        self.spoken = kept
        self.frames = min(self.frames, frames)
        del self.pcm[self.frames * FRAME_BYTES :]

    def memory(self) -> str:
        """The text that this item contributes to the conversation."""
        if self.content_type == "output_audio":
            return " ".join(sentence.text for sentence in self.spoken)
        if self.content_type == "input_audio":
            return self.heard.words if self.heard else ""
        return self.text

    def wire(self, *, audio: bool = False) -> Json:
        """The item as events carry it; `audio` adds the audio itself (for retrieve)."""
        raw: Json = {"id": self.id, "object": "realtime.item", "type": self.type}
        if self.type == "function_call_output":
            return raw | {"call_id": self.call_id, "output": self.text, "status": self.status}
        if self.type == "function_call":
            call = {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
            return raw | call | {"status": self.status}
        return raw | {"role": self.role, "status": self.status, "content": self._content(audio)}

    def _content(self, audio: bool) -> list[Json]:
        if self.status == "in_progress":
            return []
        part: Json = {"type": self.content_type}
        if not self.has_audio:
            return [part | {"text": self.text}]
        transcript = None if self.truncated else self.memory() or None
        if audio and self.pcm:
            part["audio"] = base64.b64encode(self.pcm).decode()
        return [part | {"transcript": transcript}]


_COMMON: dict[str, Check] = {"id": name, "object": name, "type": name, "status": name}


def _message(*content_types: str) -> Check:
    part = table(
        {"type": choice(*content_types), "text": text, "audio": audio, "transcript": text}, "type"
    )
    fields = {**_COMMON, "role": name, "content": array(part, most=64)}
    return table(fields, "content")


_MESSAGE = tagged(
    "role",
    {
        "user": _message("input_text", "input_audio"),
        "system": _message("input_text"),
        "assistant": _message("output_text"),
    },
)
_ITEM = tagged(
    "type",
    {
        "message": _MESSAGE,
        "function_call": table(
            {**_COMMON, "name": name, "call_id": name, "arguments": text}, "name", "arguments"
        ),
        "function_call_output": table(
            {**_COMMON, "call_id": name, "output": text}, "call_id", "output"
        ),
    },
)


def read_item(raw: Json, item_id: str) -> Item:
    """Parse an item from a client. Raises `Refused`; `item_id` is used if it has no id.

    A user message may hold text or one piece of audio; further text parts are joined.
    """
    mapping(raw, "item")
    _ITEM(raw, "item")
    item = Item(id=raw.get("id") or item_id, type=raw["type"])
    if item.type != "message":
        item.name, item.call_id = raw.get("name") or "", raw.get("call_id") or ""
        item.arguments, item.text = raw.get("arguments") or "", raw.get("output") or ""
        return item
    item.role = raw["role"]
    parts: list[Json] = raw["content"]
    item.content_type = "output_text" if item.role == "assistant" else "input_text"
    item.text = " ".join(part["text"] for part in parts if part.get("text") is not None)
    text(item.text, "item.content")  # of all parts together
    for index, part in enumerate(parts):
        if part["type"] == "input_audio":
            if len(parts) != 1:
                path = f"item.content[{index}].type"
                raise api_error.wrong_value(path, "input_audio beside other parts", ("input_text",))
            item.content_type = "input_audio"
            item.add_audio(_decoded(part.get("audio") or "", f"item.content[{index}].audio"))
    return item


def _decoded(audio: str, path: str) -> bytes:
    try:
        pcm = base64.b64decode(audio, validate=True)
    except ValueError:
        raise api_error.wrong_value(path, audio[:16], ("base64 of 24 kHz PCM16",)) from None
    if len(pcm) % FRAME_BYTES:
        raise api_error.wrong_value(path, f"{len(pcm)} bytes", ("whole 16-bit frames",))
    return pcm
