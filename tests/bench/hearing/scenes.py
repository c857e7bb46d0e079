"""The plan of scenes: drawn from seeds alone, balanced over the rows of the tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

import numpy as np

Task = Literal["users", "echo", "starts"]
Condition = Literal["plain", "path", "jump"]
Noise = Literal["quiet", "pink", "kitchen", "dishes"]
Clock = Literal["shared", "5ppm", "100ppm"]

TRIALS = 5  # users in one session: the canceller keeps its state between replies, as in a house
ECHO_SESSION_S = 45.0  # many rooms are worth more than long sessions
START_S = 6.0  # of a reply on a cold filter, which needs most of it to converge

# Three of twelve sessions for each group of the table, so that all groups have equal counts.
_ENR_DB = (-10, 15, 5, 20, 0, 15, 10, 20, -5, 15, 10, 20)
_CLOCKS: tuple[Clock, ...] = (
    "shared", "5ppm", "shared", "100ppm", "shared", "5ppm", "shared", "100ppm", "5ppm", "shared"
)  # fmt: skip
_NOISES: tuple[Noise, ...] = ("quiet", "pink", "kitchen", "dishes")
_SALT = {"users": 1, "echo": 2, "starts": 3, "plain": 0, "path": 10, "jump": 20}
_MUSIC_SALT = 40

USER_DBFS = (-42.0, -32.0)
LOUDEST_ECHO_DBFS = -16.0  # active level; speech peaks 15 dB higher, where microphones clip
SNR_DB = (10.0, 30.0)
DELAY_MS = (2.0, 160.0)  # beyond the playback lead of 40 ms: 40 to 200 ms from core to microphone
JUMP_MS = (5.0, 30.0)
DISTORTION_DB = (20.0, 40.0)
KNOCKS_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Scene:
    """One session: all its randomness follows from `name` and these numbers."""

    name: str
    task: Task
    condition: Condition
    music: bool
    warm: bool
    noise: Noise
    clock: Clock
    drift_ppm: float
    enr_db: float
    user_dbfs: float
    snr_db: float
    delay_ms: float
    distortion_db: float
    knocks: bool
    jump_ms: float
    jump_told: bool
    length_s: float
    seed: tuple[int, ...]


def plan(seed: int, *, hours: float, users: int, starts: int, only: set[str]) -> list[Scene]:
    """Return all scenes of a run.

    `hours`: of speech replies in quiet and noisy rooms without a user; music, path changes and
    delay jumps add a fifth of that each. `users`: trials with a user; path changes and delay
    jumps add a fifth of that each.
    `only`: the kinds of scenes to run (``KINDS``), all if empty.
    """
    sessions = round(users / TRIALS)
    periods = max(1, round(hours * 3600 / ECHO_SESSION_S)) if hours else 0
    fifth = -(-periods // 5)
    every = {
        "users": islice(_scenes(seed, "users"), sessions),
        "users-path": islice(_scenes(seed, "users", "path"), -(-sessions // 5)),
        "users-jump": islice(_scenes(seed, "users", "jump"), -(-sessions // 5)),
        "echo": islice(_scenes(seed, "echo"), periods),
        "music": islice(_scenes(seed, "echo", music=True), fifth),
        "path": islice(_scenes(seed, "echo", "path"), fifth),
        "jump": islice(_scenes(seed, "echo", "jump"), fifth),
        "starts": islice(_scenes(seed, "starts"), starts),
    }
    return [scene for kind, scenes in every.items() if not only or kind in only for scene in scenes]


KINDS = ("users", "users-path", "users-jump", "echo", "music", "path", "jump", "starts")


def _scenes(
    seed: int, task: Task, condition: Condition = "plain", *, music: bool = False
) -> Iterator[Scene]:
    for index in count():
        salt = _SALT[task] + _SALT[condition] + (_MUSIC_SALT if music else 0)
        yield _scene((seed, salt, index), task, condition, music)


def _scene(seed: tuple[int, ...], task: Task, condition: Condition, music: bool) -> Scene:
    index = seed[-1]
    random = np.random.default_rng(seed)
    enr_db = _ENR_DB[index % len(_ENR_DB)]
    clock = _CLOCKS[(index + index // len(_CLOCKS)) % len(_CLOCKS)]
    noise = _NOISES[(index + index // len(_NOISES)) % len(_NOISES)]
    sign = random.choice((-1.0, 1.0))
    jump_sign = random.choice((-1.0, 1.0))
    kind = "music" if music else condition
    drift = {"shared": 0.0, "5ppm": random.uniform(0, 5), "100ppm": random.uniform(5, 100)}[clock]
    return Scene(
        name=f"{task}-{kind}-{index:04d}",
        task=task,
        condition=condition,
        music=music,
        warm=task != "starts",
        noise=noise,
        clock=clock,
        drift_ppm=float(sign * drift),
        enr_db=enr_db,
        user_dbfs=min(random.uniform(*USER_DBFS), LOUDEST_ECHO_DBFS - enr_db),
        snr_db=random.uniform(*SNR_DB),
        delay_ms=random.uniform(*DELAY_MS),
        distortion_db=random.uniform(*DISTORTION_DB),
        knocks=bool(noise != "quiet" and random.random() < KNOCKS_SHARE),
        jump_ms=float(jump_sign * random.uniform(*JUMP_MS)),
        jump_told=index % 2 == 0,
        length_s=START_S if task == "starts" else ECHO_SESSION_S,
        seed=seed,
    )
