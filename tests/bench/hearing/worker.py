"""A worker process of the bench: loads the material, then runs one session after the other."""

from pathlib import Path

from parleyd.config import Config
from tests.bench.hearing import material, scenes, session

_material: material.Material
_settings: Config


def load(corpus: Path | None, split: material.Split) -> material.Material:
    """Load the corpus, or synthesise material if there is none."""
    return material.synthesise(split) if corpus is None else material.load(corpus, split)


def begin(corpus: Path | None, split: material.Split, settings: Config) -> None:
    """Initialise a process; called once."""
    global _material, _settings
    _material, _settings = load(corpus, split), settings


def one(task: tuple[scenes.Scene, bool]) -> session.Outcome:
    """Play one scene, with the core or (True) with the fixed threshold."""
    scene, baseline = task
    return session.run(scene, _material, _settings, baseline=baseline)
