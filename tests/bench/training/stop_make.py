"""Makes the stop word's examples: python -m tests.bench.training.stop_make --help.

First it lets Parley's canceller hear answers, music and alarms in random rooms, and keeps the rest
of their echo. Then it adds users to that (`stop_examples`), to each of them several times. A second
run with the same folder makes only the missing ones.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from parleyd.audio import resample
from parleyd.playback import earcons
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ
from tests.bench.hearing import material
from tests.bench.hearing.material import Clip, Material
from tests.bench.hearing.scenes import LOUDEST_ECHO_DBFS, Scene
from tests.bench.training import examples, noises, stop_examples

SESSIONS_PER_MATERIAL = 25  # then new households are made
ALARM_SHARE = 0.13
PROCESSING_SHARE = 0.35  # of sessions through a microphone, besides those that do it anyway
PROCESSING_ENR_DB = (3.0, 18.0)
NOBODY_SHARE = 0.35
_SEED = 79
_SEEDS = {"train": 0, "held": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gathered", type=Path, required=True, help="folder filled by gather.py")
    parser.add_argument("--voices", type=Path, required=True, help="... by stop_voices.py")
    parser.add_argument("--sessions", type=int, default=360, help="echoes of 40 s each")
    parser.add_argument("--rounds", type=int, default=6, help="users for each echo")
    parser.add_argument("--microphones", type=int, default=0, help="sessions in one piece")
    parser.add_argument("--split", choices=("train", "held"), default="train")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    voices = {
        kind: clips(options.voices, f"{options.split}-{kind}-*.flac")
        for kind in ("stop", "other", "speech")
    }
    print({kind: len(clips) for kind, clips in voices.items()}, flush=True)
    gathered = material.load(options.gathered, "all")
    began = time.monotonic()
    for number in range(options.sessions):
        seed = (_SEED, _SEEDS[options.split], number)
        if number % SESSIONS_PER_MATERIAL == 0:
            wide = _material(gathered, voices, np.random.default_rng(seed))
        _make(options, seed, wide, voices)
        if number % 20 == 19:
            print(f"{number + 1} sessions, {time.monotonic() - began:.0f} s", flush=True)
    for number in range(options.microphones):
        seed = (_SEED + 1, _SEEDS[options.split], number)
        if number % SESSIONS_PER_MATERIAL == 0:
            wide = _material(gathered, voices, np.random.default_rng(seed))
        _make_through_microphone(options, seed, wide, voices)
        if number % 20 == 19:
            print(f"{number + 1} microphones, {time.monotonic() - began:.0f} s", flush=True)


def _make(
    options: argparse.Namespace,
    seed: tuple[int, ...],
    wide: Material,
    voices: dict[str, list[Clip]],
) -> None:
    number = seed[-1]
    kept = options.out / f"echo-{options.split}-{number:04d}.npz"
    if kept.exists():
        echo = stop_examples.Echo.load(kept)
    else:
        echo = stop_examples.echo(*_scene(seed, wide))
        echo.save(kept)
    for again in range(options.rounds):
        path = options.out / f"{options.split}-{number:04d}-{again:02d}.npz"
        if not path.exists():
            random = np.random.default_rng((*seed, again))
            features, target, _ = stop_examples.listen(echo, voices, wide.rooms, random)
            np.savez(path, features=features.astype(np.float16), target=target)


def _make_through_microphone(
    options: argparse.Namespace,
    seed: tuple[int, ...],
    wide: Material,
    voices: dict[str, list[Clip]],
) -> None:
    path = options.out / f"{options.split}-microphone-{seed[-1]:04d}.npz"
    if path.exists():
        return
    random = np.random.default_rng((*seed, 1))
    scene, of = _scene(seed, wide)
    if random.random() < PROCESSING_SHARE:
        enr_db = random.uniform(*PROCESSING_ENR_DB)
        dbfs = min(scene.user_dbfs, LOUDEST_ECHO_DBFS - enr_db)
        scene = replace(scene, device=True, enr_db=enr_db, user_dbfs=dbfs)
    kinds = None if random.random() < NOBODY_SHARE else stop_examples.KINDS
    features, target = stop_examples.through_microphone(scene, of, voices, random, kinds)
    np.savez(path, features=features.astype(np.float16), target=target)


def _scene(seed: tuple[int, ...], wide: Material) -> tuple[Scene, Material]:
    scene = replace(examples.scene(seed, wide), task="echo")
    if np.random.default_rng((*seed, 9)).random() < ALARM_SHARE:
        scene = replace(scene, music=True, music_under_db=None)
        return scene, replace(wide, music=[alarm_clip()])
    return scene, wide


def alarm_clip() -> Clip:
    """Return half a minute of an alarm."""
    sound = np.concatenate((earcons.alarm(), np.zeros(SERVER_RATE_HZ * 3 // 2, np.int16)))
    return Clip("alarm", np.tile(resample(sound, SERVER_RATE_HZ, MIC_RATE_HZ), 7))


def _material(
    gathered: Material, voices: dict[str, list[Clip]], random: np.random.Generator
) -> Material:
    """Return what Parley says, plays and hears: its voice says the stop word, too."""
    events = list(gathered.noises.values())
    made = {
        f"made{n}": noises.household(events, gathered.rooms, random)
        for n in range(examples.HOUSEHOLDS)
    }
    spoken = voices["speech"]
    words = [*voices["stop"][::7], *voices["other"][::7]]
    some = [words[int(n)] for n in random.permutation(len(words))[: len(gathered.far) // 15]]
    return replace(gathered, far=[*gathered.far, *spoken, *some], noises=made)


def clips(folder: Path, pattern: str) -> list[Clip]:
    return [
        Clip(path.stem, soundfile.read(path, dtype="int16")[0])
        for path in sorted(folder.glob(pattern))
    ]


if __name__ == "__main__":
    main()
