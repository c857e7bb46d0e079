"""The usage of a response: counted in the service's tokens, and in its format."""

from dataclasses import dataclass

from parleyd.embedded.items import Item
from parleyd.realtime.events import Json
from parleyd.units import SERVER_RATE_HZ, ms_to_frames

INPUT_FRAMES_PER_TOKEN = ms_to_frames(100, SERVER_RATE_HZ)  # the service's count for audio
OUTPUT_FRAMES_PER_TOKEN = ms_to_frames(50, SERVER_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of an item: one per word, and one per piece of audio."""

    text: int = 0
    audio: int = 0

    @classmethod
    def read(cls, item: Item) -> "Tokens":
        """An item that was answered: for a spoken one, only its audio counts."""
        if item.content_type == "input_audio":
            return cls(audio=item.frames // INPUT_FRAMES_PER_TOKEN)
        return cls(text=_words(item))

    @classmethod
    def written(cls, item: Item) -> "Tokens":
        """An item of an answer: for speech, its transcript counts as well."""
        return cls(text=_words(item), audio=item.frames // OUTPUT_FRAMES_PER_TOKEN)

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        return self.text + self.audio


def usage(read: Tokens, written: Tokens) -> Json:
    """The usage of a response; there is no cache here, and there are no images."""
    return {
        "total_tokens": read.total + written.total,
        "input_tokens": read.total,
        "output_tokens": written.total,
        "input_token_details": {
            "text_tokens": read.text,
            "audio_tokens": read.audio,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": written.text, "audio_tokens": written.audio},
    }


def _words(item: Item) -> int:
    return len(item.memory().split()) + len(item.arguments.split())
