"""Board profiles: the settings of a sound board, as defaults that the user's keys override."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def names() -> list[str]:
    """All values of `board`."""
    found = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def under(tables: Mapping[str, Any], board: str) -> dict[str, Any]:
    """The user's tables, with the keys of `board` (one of `names`) where the user has none."""
    merged: dict[str, Any] = dict(tables)
    profile = tomllib.loads(files(__name__).joinpath(f"{board}.toml").read_text("utf-8"))
    for section, keys in profile.items():
        own = merged.get(section, {})
        if isinstance(own, dict):
            merged[section] = {**keys, **own}
    return merged


def title(board: str) -> str:
    """The first sentence of the profile's comment, without its full stop."""
    line = files(__name__).joinpath(f"{board}.toml").read_text("utf-8").partition("\n")[0]
    line = line.removeprefix("# ")
    return (line.rpartition(". ")[0] or line).rstrip(".,")


_I2S = {18: "bit clock", 19: "word clock", 20: "microphone data", 21: "loudspeaker data"}
_I2C = {2: "I2C data", 3: "I2C clock"}

SOUND_PINS: Mapping[str, Mapping[int, str]] = {
    "aiy-voice-kit": _I2S | {16: "amplifier switch"},
    "max98357a-i2s": _I2S | {16: "amplifier switch"},
    "respeaker-2mic": _I2S | _I2C,
    "respeaker-2mic-v2": _I2S | _I2C,
}
"""The GPIO numbers (BCM) that a board's sound takes, as hardware/boards.md draws them."""
