"""The plan of scenes: drawn from seeds alone, balanced over the rows of the tables."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Literal

import numpy as np

from tests.bench.hearing.room_voices import ROOM_VOICES, RoomVoices

Task = Literal["users", "echo", "starts"]
Condition = Literal["plain", "path", "jump"]
Noise = Literal["quiet", "pink", "kitchen", "dishes"] | RoomVoices
Clock = Literal["shared", "5ppm", "100ppm"]

TRIALS = 5  # users in one session: the canceller keeps its state between replies, as in a house
ECHO_SESSION_S = 45.0  # many rooms are worth more than long sessions
WARM_UP_S = 3.5  # the first reply is not judged: it lets the canceller converge
START_S = 6.0  # of a reply on a cold filter, which needs most of it to converge

# Three of twelve sessions for each group of the table, so that all groups have equal counts.
_ENR_DB = (-10, 15, 5, 20, 0, 15, 10, 20, -5, 15, 10, 20)
_CLOCKS: tuple[Clock, ...] = (
    "shared", "5ppm", "shared", "100ppm", "shared", "5ppm", "shared", "100ppm", "5ppm", "shared"
)  # fmt: skip
_NOISES: tuple[Noise, ...] = ("quiet", "pink", "kitchen", "dishes")
_SALT = {"users": 1, "echo": 2, "starts": 3, "plain": 0, "path": 10, "jump": 20}
_MUSIC_SALT = 40
_VOICES_SALT = {
    "tv": 100, "talker": 200, "babble": 300, "radio": 1700, "two-talkers": 1100, "child": 1200,
    "film": 1300, "late-tv": 1400, "tv-away": 1500, "tv-child": 1600,
}  # fmt: skip
_KIND_SALT = {
    "short-words": 500, "device": 600, "music-under-speech": 700, "far-delay": 800,
    "restless-delay": 900, "sound-server": 1000,
}  # fmt: skip

USER_DBFS = (-42.0, -32.0)
LOUDEST_ECHO_DBFS = -16.0  # active level; speech peaks 15 dB higher, where microphones clip
SNR_DB = (10.0, 30.0)
DELAY_MS = (2.0, 160.0)  # beyond the playback lead of 40 ms: 40 to 200 ms from core to microphone
JUMP_MS = (5.0, 30.0)
DISTORTION_DB = (20.0, 40.0)
KNOCKS_SHARE = 0.3
VOICES_UNDER_DB = (10.0, 20.0)  # of other voices in the room under the user; one scene of ...
QUESTION_S = 5.0  # from the button to the answer, in scenes with voices
AWAY_DB, CHILD = 6.0, 1.5  # `tv-away-users`: after the question; `tv-child-users`: times the pitch
IDLE_S = 20.0  # every second scene with voices has this time before its conversation
_AT_THE_USERS_LEVEL = 5  # ... this many has them at the user's level
WORDS_ENR_DB, WORDS_SNR_DB = 10.0, 15.0  # of short words: between easy and hopeless
FAR_DELAY_MS = (270.0, 1960.0)  # a sound server, a wireless loudspeaker: 0.3 to 2 s in all
ANSWER_S = 12.0  # beside a sound server: each answer has another delay
SERVER_DELAY_MS = 40.0  # the least; a server keeps more in store than a card
MUSIC_UNDER_DB = (0.0, 15.0)  # a programme with music under its speaker


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
    words: bool = False
    """Short words and words that begin with a hiss, instead of requests."""
    device: bool = False
    """Whether the microphone processes its sound (`tests.bench.hearing.device`)."""
    restless: bool = False
    """Whether the echo's delay jumps every few seconds, unreported."""
    sound_server: bool = False
    """Whether a sound server is between the core and the air, not a card."""
    music_under_db: float | None = None
    """Speech over music as the answer, so many dB louder; None: without music."""
    idle_s: float = 0.0
    """The time before the conversation."""
    asks: bool = False
    """Whether the conversation begins with a question, after the button."""
    softer_db: float = 0.0
    """The users' level after the question, below `user_dbfs`: they have moved away."""
    pitch: float = 1.0
    """The pitch of the users after the question, relative to their recordings."""
    answer_s: float | None = None
    """The least length of an answer; None: endless."""

    @property
    def start_s(self) -> float:
        """When the judged time begins: idle time, question and the first reply are over."""
        before_s = self.idle_s + (QUESTION_S if self.asks else 0.0)
        return before_s + (WARM_UP_S if self.warm else 0.0)

    @property
    def ordinary(self) -> bool:
        """Whether the scene belongs to none of the kinds that have a table of their own."""
        over_music = self.music_under_db is not None or (self.music and self.task == "users")
        special = self.words or self.device or self.sound_server
        return not (special or self.voices or over_music or self.lost)

    @property
    def lost(self) -> bool:
        """Whether the echo is out of the canceller's reach, or does not stay in it."""
        return self.restless or self.delay_ms > DELAY_MS[1]

    @property
    def voices(self) -> bool:
        """Whether other voices in the room replace the noise, `snr_db` under the user."""
        return self.noise in ROOM_VOICES


def plan(seed: int, *, hours: float, users: int, starts: int, only: set[str]) -> list[Scene]:
    """Return all scenes of a run.

    `hours`: of speech replies in quiet and noisy rooms without a user; music, path changes and
    delay jumps add a fifth of that each. `users`: trials with a user; path changes, delay
    jumps and users over music add a fifth of that each. Each kind of other voices in the room,
    devices, speech over music, lost delays and short words add a third to both.
    `only`: the kinds of scenes to run (``KINDS``), all if empty.
    """
    sessions = round(users / TRIALS)
    periods = max(1, round(hours * 3600 / ECHO_SESSION_S)) if hours else 0
    fifth, third = -(-periods // 5), -(-periods // 3)
    few, some = -(-sessions // 5), -(-sessions // 3)
    every = {
        "users": islice(_scenes(seed, "users"), sessions),
        "users-path": islice(_scenes(seed, "users", "path"), -(-sessions // 5)),
        "users-jump": islice(_scenes(seed, "users", "jump"), -(-sessions // 5)),
        "echo": islice(_scenes(seed, "echo"), periods),
        "music": islice(_scenes(seed, "echo", music=True), fifth),
        "path": islice(_scenes(seed, "echo", "path"), fifth),
        "jump": islice(_scenes(seed, "echo", "jump"), fifth),
        "starts": islice(_scenes(seed, "starts"), starts),
        "music-users": islice(_scenes(seed, "users", music=True), few),
        "short-words": islice(_of_kind("short-words", seed, "users"), some),
    }
    for voices in ROOM_VOICES:
        every[voices] = islice(_scenes(seed, "echo", voices=voices), third)
        every[f"{voices}-users"] = islice(_scenes(seed, "users", voices=voices), some)
    every["tv-away-users"] = islice(_tv_users(seed, "tv-away", softer_db=AWAY_DB), some)
    every["tv-child-users"] = islice(_tv_users(seed, "tv-child", pitch=CHILD), some)
    for kind in ("device", "music-under-speech", "far-delay", "restless-delay", "sound-server"):
        every[kind] = islice(_of_kind(kind, seed, "echo"), third)
        every[f"{kind}-users"] = islice(_of_kind(kind, seed, "users"), some)
    return [scene for kind, scenes in every.items() if not only or kind in only for scene in scenes]


KINDS = (
    "users", "users-path", "users-jump", "echo", "music", "path", "jump", "starts",
    *ROOM_VOICES, *(f"{voices}-users" for voices in ROOM_VOICES), "tv-away-users",
    "tv-child-users",
    "music-users", "short-words", "device", "device-users", "music-under-speech",
    "music-under-speech-users", "far-delay", "far-delay-users", "restless-delay",
    "restless-delay-users", "sound-server", "sound-server-users",
)  # fmt: skip


def _scenes(
    seed: int,
    task: Task,
    condition: Condition = "plain",
    *,
    music: bool = False,
    voices: RoomVoices | None = None,
) -> Iterator[Scene]:
    for index in count():
        salt = _SALT[task] + _SALT[condition] + (_MUSIC_SALT if music else 0)
        if voices is None:
            yield _scene((seed, salt, index), task, condition, music)
        else:
            yield _beside(voices, _scene((seed, salt + _VOICES_SALT[voices], index), task))


def _tv_users(seed: int, name: str, **changes: float) -> Iterator[Scene]:
    """Yield users beside a television that do not resemble the asker."""
    for index in count():
        scene = _scene((seed, _SALT["users"] + _VOICES_SALT[name], index), "users")
        scene = replace(_beside("tv", scene), **changes)  # type: ignore[arg-type]
        yield replace(scene, name=f"{name}-users-{index:04d}")


def _beside(voices: RoomVoices, scene: Scene) -> Scene:
    """Return the scene with other voices in the room instead of its noise."""
    index = scene.seed[-1]
    random = np.random.default_rng((*scene.seed, 2))
    loud = index % _AT_THE_USERS_LEVEL == _AT_THE_USERS_LEVEL - 1
    return replace(
        scene,
        name=f"{voices}-{scene.name}",
        noise=voices,
        snr_db=0.0 if loud else random.uniform(*VOICES_UNDER_DB),
        knocks=False,
        idle_s=IDLE_S * (index % 2),
        asks=True,
    )


def _of_kind(kind: str, seed: int, task: Task) -> Iterator[Scene]:
    """Yield scenes of one of the kinds in `_KIND_SALT`."""
    for index in count():
        scene = _scene((seed, _KIND_SALT[kind] + _SALT[task], index), task)
        scene = replace(scene, name=f"{kind}-{task}-{index:04d}")
        match kind:
            case "short-words":
                noise = _NOISES[1 + index % 3]
                level = min(scene.user_dbfs, LOUDEST_ECHO_DBFS - WORDS_ENR_DB)
                yield replace(
                    scene, words=True, enr_db=WORDS_ENR_DB, snr_db=WORDS_SNR_DB, noise=noise,
                    user_dbfs=level, knocks=False,
                )  # fmt: skip
            case "device":
                yield replace(scene, device=True)
            case "sound-server":
                delay_ms = max(scene.delay_ms, SERVER_DELAY_MS)
                yield replace(scene, sound_server=True, delay_ms=delay_ms, answer_s=ANSWER_S)
            case "far-delay":
                random = np.random.default_rng((*scene.seed, 2))
                yield replace(scene, delay_ms=random.uniform(*FAR_DELAY_MS))
            case "restless-delay":
                yield replace(scene, restless=True)
            case _:
                random = np.random.default_rng((*scene.seed, 2))
                yield replace(scene, music_under_db=random.uniform(*MUSIC_UNDER_DB))


def _scene(
    seed: tuple[int, ...], task: Task, condition: Condition = "plain", music: bool = False
) -> Scene:
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
