"""The stop word's examples: users over the rest of an answer behind the canceller."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parleyd.audio import db_to_gain, float_to_int16, level_dbfs, resample, rms_dbfs, round_to_int16
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.echo_canceller import EchoCanceller
from parleyd.hearing.echo_control import FLOOR_RMS
from parleyd.hearing.stop_word import StopWordFeatures
from parleyd.simulation import clips
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Floats, Frames, ms_to_frames
from tests.bench.hearing.air import convolved
from tests.bench.hearing.material import Clip, Material, RoomPaths
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.soundtrack import Said
from tests.bench.training import examples

NO, YES, IGNORED = 0, 1, 2
"""Targets of a period."""

KINDS = {"stop": 0.5, "other": 0.28, "speech": 0.22}
FROM, UNTIL, OVER = 6, 36, 80  # periods after the end of the word: due, due no more, forgotten
_HOLD_SHARE = 0.5
_SILENT_DBFS = -120.0
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Echo:
    """One session without a user."""

    left: Frames
    """The rest of the echo behind the canceller."""
    around: Frames
    """The noise of the room."""
    echo_dbfs: Floats
    """The level of the estimated echo, for each period."""
    user_dbfs: float

    def save(self, path: Path) -> None:
        np.savez(
            path, left=self.left, around=self.around, echo_dbfs=self.echo_dbfs,
            user_dbfs=self.user_dbfs,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> "Echo":
        with np.load(path) as file:
            return cls(file["left"], file["around"], file["echo_dbfs"], float(file["user_dbfs"]))


def echo(scene: Scene, material: Material) -> Echo:
    """Let the canceller hear the scene."""
    track, reference, mic, _ = examples.rendered(scene, material)
    cleaned, levels = cancelled(mic, reference)
    around = np.asarray(track.air.around[: len(mic)])
    if scene.device:  # its microphone has changed the noise, too
        around = np.zeros(len(mic))
    return Echo(float_to_int16(cleaned - around), float_to_int16(around), levels, scene.user_dbfs)


def cancelled(mic: Frames, reference: Frames) -> tuple[Signal, Floats]:
    """Return the sound behind `EchoControl` (full scale 1.0), and the echo's level per period."""
    floor = np.random.default_rng(1).standard_normal(len(mic)) * FLOOR_RMS
    noisy = round_to_int16(np.rint(floor) + mic.astype(np.float64))
    canceller = EchoCanceller()
    alignment = Alignment(canceller, ms_to_frames(examples.EARLY_MS, MIC_RATE_HZ))
    cleaned, levels = [], []
    for start in range(0, len(mic), MIC_PERIOD_FRAMES):
        part = slice(start, start + MIC_PERIOD_FRAMES)
        cancelled = canceller.process(noisy[part], alignment.process(noisy[part], reference[part]))
        cleaned.append(cancelled.error)
        levels.append(rms_dbfs(cancelled.echo))
    left = np.concatenate(cleaned) - np.rint(floor) / 32768.0
    return np.asarray(left), np.array(levels, np.float32)


def listen(
    session: Echo,
    voices: dict[str, list[Clip]],
    rooms: list[RoomPaths],
    random: Random,
    kinds: Mapping[str, float] = KINDS,
) -> tuple[Floats, np.ndarray, int]:
    """Let users speak in the session.

    Returns the features and the target of each period, and the number of utterances.
    """
    left = session.left.astype(np.float64)
    levels = session.echo_dbfs.copy()
    users = _users(len(left), session.user_dbfs, voices, rooms, random, kinds)
    for line in users.lines:
        if random.random() < _HOLD_SHARE:
            at, end = (round(at_s * 100) for at_s in (line.onset_s, line.end_s))
            _hold(left, levels, at + int(random.uniform(4, 45)), end + int(random.uniform(5, 80)))
    sound = np.clip(left + session.around + 32768 * users.sound, -32768, 32767)
    features = heard(round_to_int16(sound), levels)
    return features, users.target, len(users.lines)


def through_microphone(
    scene: Scene,
    material: Material,
    voices: dict[str, list[Clip]],
    random: Random,
    kinds: Mapping[str, float] | None,
) -> tuple[Floats, np.ndarray]:
    """Let users speak in the scene, whose microphone may process all that it hears; None: nobody.

    Returns the features and the target of each period.
    """
    track = examples.composed(scene, material)
    frames = len(track.user)
    target = np.full(frames // MIC_PERIOD_FRAMES, NO, np.uint8)
    if kinds is not None:
        users = _users(frames, scene.user_dbfs, voices, material.rooms, random, kinds)
        track.air.around = track.air.around + users.sound
        track.said.extend(users.lines)
        target = users.target
    reference, mic, late = examples.played_to(scene, track)
    cleaned, levels = cancelled(mic, reference)
    features = heard(float_to_int16(cleaned), levels)
    return features, np.roll(target, late)[: len(features)]


@dataclass(frozen=True, slots=True)
class _Users:
    """What users say in a session."""

    lines: list[Said]
    sound: Signal
    target: np.ndarray


def _users(
    frames: int,
    user_dbfs: float,
    voices: dict[str, list[Clip]],
    rooms: list[RoomPaths],
    random: Random,
    kinds: Mapping[str, float],
) -> _Users:
    periods = frames // MIC_PERIOD_FRAMES
    found = _Users([], np.zeros(frames), np.full(periods, NO, np.uint8))
    at = int(random.uniform(0.3, 2.5) * 100)
    while True:
        kind = str(random.choice(list(kinds), p=list(kinds.values())))
        chosen = voices[kind][int(random.integers(len(voices[kind])))]
        clip = varied(chosen.frames, random)
        end = at + len(clip) // MIC_PERIOD_FRAMES
        if end + OVER > periods:
            return found
        dbfs = user_dbfs + random.uniform(-6, 6)
        said = _in_room(clip, rooms[int(random.integers(len(rooms)))], dbfs, random)
        start = at * MIC_PERIOD_FRAMES
        said = said[: frames - start]
        found.sound[start : start + len(said)] += said
        found.lines.append(Said("lone", chosen.name, at / 100, end / 100))
        if kind == "stop":
            found.target[end - 8 : end + OVER] = IGNORED
            found.target[end + FROM : end + UNTIL] = YES
        at = end + int(random.uniform(0.9, 3.5) * 100)


def heard(cleaned: Frames, echo_dbfs: Floats) -> Floats:
    """Return the features of each period."""
    features = StopWordFeatures()
    rows = []
    for period, dbfs in zip(cleaned.reshape(-1, MIC_PERIOD_FRAMES), echo_dbfs, strict=True):
        rows.append(features.process(period, level_dbfs(period), float(dbfs)).copy())
    return np.array(rows)


def _hold(left: Signal, levels: Floats, first: int, last: int) -> None:
    """Silence the answer: its echo rings out within a tenth of a second."""
    count = max(0, last - first)
    levels[first + 10 : last] = _SILENT_DBFS
    fade = np.repeat(np.maximum(0.0, 1 - np.arange(count) / 10) ** 2, MIC_PERIOD_FRAMES)
    left[first * MIC_PERIOD_FRAMES : last * MIC_PERIOD_FRAMES] *= fade


def varied(frames: Frames, random: Random) -> Frames:
    """Return the clip faster or slower, with its pitch and formants, and with another tilt."""
    frames = resample(frames, int(MIC_RATE_HZ * random.uniform(0.88, 1.14)), MIC_RATE_HZ)
    sound = frames / 32768.0
    tilt = random.uniform(-0.5, 0.5)
    sound = sound + tilt * np.concatenate(([0.0], sound[:-1]))
    peak = float(np.max(np.abs(sound), initial=1e-9))
    return clips.normalised(float_to_int16(0.5 * sound / peak), -26.0)


def _in_room(clip: Frames, room: RoomPaths, dbfs: float, random: Random) -> Signal:
    path = room.users[int(random.integers(len(room.users)))]
    dry = np.concatenate((clip / 32768.0, np.zeros(len(path))))
    wet = convolved(dry, path)
    blocks = wet[: len(wet) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks**2, axis=1)
    active = power[power >= power.max() / 1000].mean()
    return np.asarray(wet * db_to_gain(dbfs) / np.sqrt(active))
