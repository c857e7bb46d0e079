"""Estimates what turns cost, from their tokens and a table of prices."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

import msgspec

_PER = 1_000_000  # tokens


class TokenPrice(msgspec.Struct, forbid_unknown_fields=True):
    """Of text or of audio, in US dollars per million tokens."""

    input: float
    cached: float
    output: float


class ModelPrice(msgspec.Struct, forbid_unknown_fields=True):
    """What a model charges for both kinds of tokens."""

    text: TokenPrice
    audio: TokenPrice

    def cost(self, tokens: Mapping[str, float]) -> float | None:
        """The cost of a turn in US dollars; None without a count of tokens of each kind.

        `tokens`: as in a `usage` line of the log. Cached tokens are a part of the input, and a
        server that does not report them is taken to have cached nothing.
        """
        needed = ("input_tokens", "output_tokens", "input_audio_tokens", "output_audio_tokens")
        if any(name not in tokens for name in needed):
            return None
        read, written, heard, spoken = (tokens[name] for name in needed)
        cached = min(tokens.get("cached_tokens", 0), read)
        cached_audio = min(tokens.get("cached_audio_tokens", 0), cached, heard)
        new_audio = heard - cached_audio
        new_text = max(read - cached - new_audio, 0)
        return (
            new_text * self.text.input
            + (cached - cached_audio) * self.text.cached
            + max(written - spoken, 0) * self.text.output
            + new_audio * self.audio.input
            + cached_audio * self.audio.cached
            + spoken * self.audio.output
        ) / _PER


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of models, by their name, on the day on which they were read."""

    read_on: date
    models: Mapping[str, ModelPrice]


@cache
def price_table() -> PriceTable:
    """The prices that come with Parley."""
    source = resources.files("parleyd.diagnostics").joinpath("prices.toml")
    rows = tomllib.loads(source.read_text("utf-8"))
    return PriceTable(rows.pop("read_on"), msgspec.convert(rows, dict[str, ModelPrice]))
