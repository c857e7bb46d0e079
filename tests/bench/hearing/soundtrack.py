"""The sound of a scene: the users' utterances with their times, the noise, and the replies."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import soxr

from parleyd.audio import (
    FULL_SCALE,
    clip_to_int16,
    db_to_gain,
    db_to_power,
    power_to_db,
    resample,
)
from parleyd.simulation import clips
from parleyd.simulation.card import EchoShift
from parleyd.simulation.convolution import Signal
from parleyd.simulation.noise import Noise
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.bench.hearing import device
from tests.bench.hearing.air import Air, Distortion, convolved, small_box
from tests.bench.hearing.material import Material, RoomPaths
from tests.bench.hearing.room_voices import ROOM_VOICES, raised, room_voices
from tests.bench.hearing.scenes import TRIALS, Scene
from tests.bench.hearing.sound_server import SoundServer

Kind = Literal["request", "long", "mhm", "cough", "lone", "hiss", "voiced"]

REPLY_DBFS = -24.0  # active level of the assistant, as synthesisers deliver it
QUIET_DBFS = -75.0  # self-noise of a small microphone
LONGEST_REQUEST_S = 3.5
LONGEST_S = 8.0
BUTTON_S = 0.3  # from the button to the question
AFTER_S = 1.6  # longest time from a user's end to the start of the next reply
_KINDS: tuple[Kind, ...] = (
    "request", "request", "cough", "request", "long", "request", "mhm", "request", "request",
    "request",
)  # fmt: skip
_WORD_KINDS: tuple[Kind, ...] = (
    "lone", "hiss", "voiced", "lone", "hiss", "voiced", "lone", "hiss", "voiced", "lone"
)  # fmt: skip
_GAP_S = (0.15, 0.9)  # pauses between two sentences of a reply
_RESTLESS_MS, _RESTLESS_EVERY_S = (5.0, 250.0), (2.0, 4.0)
_KNOCK_EVERY_S = (4.0, 12.0)


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance and its true times at the microphone."""

    kind: Kind
    clip: str
    onset_s: float
    end_s: float


@dataclass(slots=True)
class Soundtrack:
    """All that one session needs besides the core."""

    length_s: float
    said: list[Said]
    user: Signal
    """The user alone, at the microphone."""

    air: Air
    reply: Iterator[Frames]
    """Pieces of the assistant's endless speech, int16 at 24 kHz."""

    faults: list[EchoShift]
    fault_at_s: float | None
    """Time of the path change or delay jump."""

    room: str
    question: Said | None = None
    """Before the first reply; it is not judged."""


def compose(scene: Scene, material: Material) -> Soundtrack:
    """Draw and render the scene; equal scenes and material give equal soundtracks."""
    random = np.random.default_rng((*scene.seed, 1))
    room = material.rooms[int(random.integers(len(material.rooms)))]
    path = room.users[int(random.integers(len(room.users)))]
    voices = _Users(scene, material, random)
    start_s = scene.start_s
    said, dry, length_s = voices.lines(start_s) if scene.task == "users" else (
        [], np.zeros(0), start_s + scene.length_s
    )  # fmt: skip
    frames = round(length_s * 100) * MIC_RATE_HZ // 100 + MIC_RATE_HZ
    user = np.zeros(frames)
    for line, clip in zip(said, dry, strict=False):
        dbfs = scene.user_dbfs - scene.softer_db
        mix(user, levelled(convolved_tail(clip, path), dbfs), line.onset_s)  # type: ignore[arg-type]
    question = None
    if scene.asks:
        question, asked = voices.question(said)
        mix(user, levelled(convolved_tail(asked, path), scene.user_dbfs), question.onset_s)
    around = user + _noise(scene, material, room, random, frames)
    if scene.knocks:
        around += _knocks(scene, random, path, frames, start_s)
    reply_seed = int(random.integers(1 << 31))
    sample = _sample_of(reply(scene, material, reply_seed))
    box = random.uniform(120, 300)
    echo_dbfs = scene.user_dbfs + scene.enr_db
    before = _scaled(small_box(room.loudspeaker, box), sample, echo_dbfs)
    after = small_box(room.loudspeaker_moved, box)
    moved_db = power_to_db(float(np.sum(room.loudspeaker_moved**2) / np.sum(room.loudspeaker**2)))
    after = _scaled(after, sample, echo_dbfs + float(np.clip(moved_db, -6, 6)))
    fault_at_s = _fault_time(scene, said, random, start_s, length_s)
    jump = scene.condition == "jump" and fault_at_s is not None
    air = Air(
        (before, after),
        around,
        delay_ms=scene.delay_ms,
        distortion=Distortion(sample, scene.distortion_db),
        moves_at_s=fault_at_s if scene.condition == "path" else None,
        device=device.of(scene.seed, scene.user_dbfs) if scene.device else None,
        server=SoundServer(scene.seed) if scene.sound_server else None,
    )
    shift = EchoShift(fault_at_s or 0.0, scene.jump_ms, xruns=int(scene.jump_told))
    return Soundtrack(
        length_s, said, user, air, reply(scene, material, reply_seed),
        _restless(scene, length_s) if scene.restless else [shift] if jump else [],
        fault_at_s, room.name, question,
    )  # fmt: skip


def reply(scene: Scene, material: Material, seed: int) -> Iterator[Frames]:
    """Yield the assistant's voice (or music), sentence by sentence with pauses."""
    random = np.random.default_rng(seed)
    source = material.music if scene.music else material.far
    while True:
        clip = source[int(random.integers(len(source)))]
        frames = clips.normalised(clip.frames, REPLY_DBFS)
        if scene.music:
            begin = int(random.integers(len(frames) // 2))
            frames = frames[begin:]
        else:
            pause = np.zeros(int(random.uniform(*_GAP_S) * MIC_RATE_HZ), np.int16)
            frames = np.concatenate((frames, pause))
            if scene.music_under_db is not None:
                frames = _over_music(frames, scene.music_under_db, material, random)
        yield resample(frames, MIC_RATE_HZ, SERVER_RATE_HZ)


def _over_music(
    speech: Frames, under_db: float, material: Material, random: np.random.Generator
) -> Frames:
    """Return the sentence over a piece of music that is `under_db` quieter."""
    piece = material.music[int(random.integers(len(material.music)))].frames
    music = np.resize(np.roll(piece, -int(random.integers(len(piece)))), len(speech))
    music = clips.normalised(music, REPLY_DBFS - under_db)
    return clips.normalised(clip_to_int16(speech.astype(np.int32) + music), REPLY_DBFS)


def convolved_tail(clip: Frames, path: Signal) -> Signal:
    """Return the clip after its path, including the reverberation after its end."""
    return convolved(np.concatenate((clip / FULL_SCALE, np.zeros(len(path)))), path)


def mhm(random: np.random.Generator) -> Frames:
    """Synthesise two hums through a closed mouth, the second higher, about 450 ms."""
    pieces = []
    base_hz = random.uniform(95, 210)
    for long_s, first, last in ((0.16, 1.0, 0.92), (0.22, 1.0, 1.35)):
        steps = np.linspace(first, last, int(long_s * MIC_RATE_HZ))
        phase = 2 * np.pi * np.cumsum(base_hz * steps) / MIC_RATE_HZ
        hum = sum(
            np.sin(k * phase) / (1 + (k * base_hz / 400) ** 2) for k in range(1, 25)
        )  # fmt: skip
        edge = np.minimum(1, np.arange(len(steps)) / 320)
        pieces += [hum * edge * edge[::-1], np.zeros(int(0.05 * MIC_RATE_HZ))]
    sound = np.concatenate(pieces[:-1])
    return np.rint(8000 * sound / np.max(np.abs(sound))).astype(np.int16)


class _Users:
    """Schedules the users' utterances, with time for a reply to begin before each."""

    def __init__(self, scene: Scene, material: Material, random: np.random.Generator) -> None:
        self._scene, self._material, self._random = scene, material, random

    def lines(self, start_s: float) -> tuple[list[Said], list[Frames], float]:
        said, spoken = [], []
        at_s = start_s
        for number in range(TRIALS):
            kinds = _WORD_KINDS if self._scene.words else _KINDS
            kind = kinds[(self._scene.seed[-1] * TRIALS + number) % len(kinds)]
            name, clip = self._clip(kind)
            at_s = round(at_s + self._random.uniform(0.8, 5.0), 3)
            end_s = at_s + len(clip) / MIC_RATE_HZ
            said.append(Said(kind, name, at_s, end_s))
            spoken.append(clip)
            at_s = end_s + AFTER_S
        return said, spoken, at_s

    def question(self, said: list[Said]) -> tuple[Said, Frames]:
        """Return a question before the first reply, mostly by the voice of the first request."""
        near = self._material.near
        place = int(np.random.default_rng((*self._scene.seed, 4)).integers(len(near)))
        places = {clip.name: index for index, clip in enumerate(near)}
        for line in reversed(said):
            place = places.get(line.clip, place)
        clip = near[(place + 1) % len(near)]  # the next recording of a source
        frames = clip.frames[: int(LONGEST_REQUEST_S * MIC_RATE_HZ)]
        onset_s = self._scene.idle_s + BUTTON_S
        end_s = onset_s + len(frames) / MIC_RATE_HZ
        return Said("request", clip.name, onset_s, end_s), frames

    def _clip(self, kind: Kind) -> tuple[str, Frames]:
        match kind:
            case "cough":
                seed = int(self._random.integers(1 << 31))
                return f"cough {seed}", clips.cough(seed=seed)
            case "mhm":
                return "mhm", mhm(self._random)
            case "lone" | "hiss" | "voiced":
                clips_of = self._material.first_sounds[kind]
                clip = clips_of[int(self._random.integers(len(clips_of)))]
                return clip.name, clip.frames[: int(LONGEST_REQUEST_S * MIC_RATE_HZ)]
            case "request":
                name, frames = self._near()
                return name, frames[: int(LONGEST_REQUEST_S * MIC_RATE_HZ)]
            case "long":
                name, frames = self._near()
                while len(frames) < LONGEST_S * 0.6 * MIC_RATE_HZ:
                    pause = np.zeros(int(self._random.uniform(0.1, 0.4) * MIC_RATE_HZ), np.int16)
                    frames = np.concatenate((frames, pause, self._near()[1]))
                return name, frames[: int(LONGEST_S * MIC_RATE_HZ)]

    def _near(self) -> tuple[str, Frames]:
        clip = self._material.near[int(self._random.integers(len(self._material.near)))]
        return clip.name, raised(clip.frames, self._scene.pitch)


def _noise(
    scene: Scene, material: Material, room: RoomPaths, random: np.random.Generator, frames: int
) -> Signal:
    sensor = db_to_gain(QUIET_DBFS) * random.standard_normal(frames)
    if scene.noise == "quiet":
        return sensor
    source = material.noises.get(scene.noise)
    if source is None and scene.noise in ROOM_VOICES:
        sound = room_voices(scene.noise, material, room, random, frames)
    elif source is None or scene.noise == "pink":
        pink = Noise("pink", 0.0, seed=int(random.integers(1 << 31)))
        sound = np.concatenate([pink.period() for _ in range(-(-frames // 160))])[:frames]
    else:
        start = int(random.integers(len(source)))
        sound = np.resize(np.roll(source / FULL_SCALE, -start), frames)
    dbfs = scene.user_dbfs - scene.snr_db
    if scene.voices:
        return sensor + levelled(sound, dbfs)
    return sensor + sound * db_to_gain(dbfs) / np.sqrt(np.mean(sound**2))


def _knocks(
    scene: Scene, random: np.random.Generator, path: Signal, frames: int, start_s: float
) -> Signal:
    track = np.zeros(frames)
    at_s = start_s + random.uniform(0.5, _KNOCK_EVERY_S[1])
    while at_s < frames / MIC_RATE_HZ - 1:
        knock = convolved_tail(clips.knock(seed=int(random.integers(1 << 31))), path)
        mix(track, levelled(knock, scene.user_dbfs + random.uniform(-6, 6)), at_s)
        at_s += random.uniform(*_KNOCK_EVERY_S)
    return track


def _fault_time(
    scene: Scene, said: list[Said], random: np.random.Generator, start_s: float, length_s: float
) -> float | None:
    if scene.condition == "plain":
        return None
    if said:  # a second or two before one of the users, never before the first
        line = said[int(random.integers(1, len(said)))]
        return round(line.onset_s - random.uniform(0.3, 3.0), 2)
    return round(random.uniform(start_s + 3, start_s + 8), 2)  # the rest shows the effect


def _restless(scene: Scene, length_s: float) -> list[EchoShift]:
    """Return jumps between delays, as a sound server makes them that fills its buffer again."""
    random = np.random.default_rng((*scene.seed, 3))
    shifts, at_s, delay_ms = [], scene.start_s, scene.delay_ms
    while at_s < length_s:
        new_ms = random.uniform(*_RESTLESS_MS)
        shifts.append(EchoShift(round(at_s, 2), new_ms - delay_ms))
        at_s, delay_ms = at_s + random.uniform(*_RESTLESS_EVERY_S), new_ms
    return shifts


def mix(track: Signal, sound: Signal, at_s: float) -> None:
    start = round(at_s * MIC_RATE_HZ)
    part = sound[: max(0, len(track) - start)]
    track[start : start + len(part)] += part


def levelled(sound: Signal, dbfs: float) -> Signal:
    return sound * db_to_gain(dbfs - _active_dbfs(sound))


def _scaled(path: Signal, sample: Signal, dbfs: float) -> Signal:
    return path * db_to_gain(dbfs - _active_dbfs(convolved(sample, path)))


def _active_dbfs(sound: Signal) -> float:
    """Return the active level like `clips.active_dbfs`, without the limits of int16."""
    blocks = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks**2, axis=1)
    active = power[power >= power.max() * db_to_power(-clips.ACTIVE_DB)]
    return power_to_db(float(active.mean()))


def _sample_of(pieces: Iterator[Frames]) -> Signal:
    """Return about the first ten seconds of a reply, at 16 kHz, full scale 1.0."""
    taken: list[Frames] = []
    while sum(map(len, taken)) < 10 * SERVER_RATE_HZ:
        taken.append(next(pieces))
    joined = np.concatenate(taken) / FULL_SCALE
    return np.asarray(soxr.resample(joined, SERVER_RATE_HZ, MIC_RATE_HZ), np.float64)
