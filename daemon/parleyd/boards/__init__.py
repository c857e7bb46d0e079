"""Board profiles: what is known of a sound board, as defaults under the user's own keys."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def names() -> list[str]:
    """All boards that `board` can name."""
    found = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def under(tables: Mapping[str, Any], board: str) -> dict[str, Any]:
    """The user's tables with those of `board` (one of `names`) under them, key by key."""
    merged: dict[str, Any] = dict(tables)
    profile = tomllib.loads(files(__name__).joinpath(f"{board}.toml").read_text("utf-8"))
    for section, keys in profile.items():
        own = merged.get(section, {})
        if isinstance(own, dict):
            merged[section] = {**keys, **own}
    return merged
