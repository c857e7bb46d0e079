"""The languages of the embedded server: phrases as data, one file for each.

Only English can be spoken: pocketsphinx has no other acoustic model in its package.
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Phrases:
    """A language file."""

    rules: dict[str, str]
    """JSGF expansions by their names."""
    intents: dict[str, tuple[str, ...]]
    """The phrases of each intent, as JSGF expansions."""
    units: tuple[str, ...]
    """One to nine."""
    teens: tuple[str, ...]
    """Ten to nineteen."""
    tens: tuple[str, ...]
    """Twenty to ninety."""


def load(language: str) -> Phrases:
    """Read a language of this package."""
    raw = tomllib.loads(files(__name__).joinpath(f"{language}.toml").read_text("utf-8"))
    units, teens, tens = (tuple(raw["numbers"][n].split()) for n in ("units", "teens", "tens"))
    intents = {name: tuple(phrases) for name, phrases in raw["phrases"].items()}
    return Phrases(raw["rules"], intents, units, teens, tens)
