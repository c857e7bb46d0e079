"""Training examples: the real detector's cues in random scenes, with the true talker activity."""

import itertools
from dataclasses import dataclass
from typing import TypeVar
from unittest.mock import patch

import numpy as np
import soxr

from parleyd.audio import (
    FULL_SCALE,
    db_to_gain,
    db_to_power,
    float_to_int16,
    resample,
    round_to_int16,
)
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.echo_canceller import EchoCanceller
from parleyd.hearing.echo_control import FLOOR_RMS
from parleyd.hearing.pitch import Pitch
from parleyd.hearing.residual_echo import ResidualEchoEstimator
from parleyd.simulation.convolution import Signal
from parleyd.units import (
    MIC_PERIOD_FRAMES,
    MIC_RATE_HZ,
    SERVER_RATE_HZ,
    Floats,
    Frames,
    ms_to_frames,
)
from tests.bench.hearing import first_sounds, soundtrack
from tests.bench.hearing.air import MOVE_S, Distortion, convolved
from tests.bench.hearing.device import Device
from tests.bench.hearing.material import Clip, Material
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.sound_server import SoundServer
from tests.bench.hearing.soundtrack import Said, Soundtrack
from tests.bench.training import noises, words

HOUSEHOLDS = 12  # in each batch: enough to prevent overfitting to one
ECHO_S = 40.0
DEVICE_SHARE = 0.4  # of sessions with a microphone that processes its sound
MUSIC_SHARE = 0.15  # of answers that are music
MIXED_SHARE = 0.12  # of answers that are speech over music
WORD = "word-"  # names of gathered clips that are one word
EARLY_MS = 15  # least time from handing in a reference frame to its playback
SILENT_DB = 25.0  # as the corpus labels onsets
BRIDGED = 15  # periods: a pause of a stop consonant is speech
QUIET, VOICE, SHORT = 0, 1, 2
"""Labels: silence, speech, a cough or hum."""

Random = np.random.Generator
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Examples:
    """One session, period by period."""

    cues: Floats
    label: np.ndarray
    since_onset: np.ndarray
    """Periods since the current utterance began, at most 255; 255 in silence."""
    unvoiced: np.ndarray
    """Whether the user hisses: s, sh, f, t or a whisper."""


def drawn(corpus: Material, gathered: Material, random: Random) -> Material:
    """Draw the material for one batch of scenes.

    It has all of the corpus except its noises, as many gathered voices again, and new households.
    """
    near = [Clip(c.name, _at_speed(c.frames, random.uniform(0.88, 1.12))) for c in corpus.near]
    made_words = [c for c in gathered.near if c.name.startswith(WORD)]
    spoken = [c for c in gathered.near if not c.name.startswith(WORD)]
    near += _some(spoken, 2 * len(near), random)
    near += _first_sounds(near, random) + _some(made_words, len(near) // 5, random)
    rooms = [*corpus.rooms, *_some(gathered.rooms, 2 * len(corpus.rooms), random)]
    events = list(gathered.noises.values())
    made = {f"made{n}": noises.household(events, rooms, random) for n in range(HOUSEHOLDS)}
    return Material(
        origin=f"{corpus.origin} and {gathered.origin}",
        near=near,
        far=[*corpus.far, *_some(gathered.far, len(corpus.far), random)],
        music=[*corpus.music, *_some(gathered.music, 15, random)],
        noises=made,
        rooms=rooms,
    )


def _first_sounds(near: list[Clip], random: Random) -> list[Clip]:
    """Return clips that begin with a hiss, lone words and whispers, made of `near`."""
    hissing = [words.from_hiss(c.frames, random) for c in _some(near, len(near) // 2, random)]
    made = [frames for frames in hissing if frames is not None]
    sources = [*(c.frames for c in _some(near, len(near) // 3, random)), *made[::2]]
    made += [word for c in sources if (word := words.lone(c, random)) is not None]
    made += [words.whispered(c.frames, random) for c in _some(near, len(near) // 8, random)]
    return [Clip(f"made-{number}", frames) for number, frames in enumerate(made)]


def _some(found: list[T], count: int, random: Random) -> list[T]:
    return [found[int(n)] for n in random.permutation(len(found))[:count]]


def scene(seed: tuple[int, ...], material: Material) -> Scene:
    """Draw a random scene from wider ranges than the tested ones."""
    random = np.random.default_rng(seed)
    task = "users" if random.random() < 0.65 else "echo"
    noise = str(random.choice(["quiet", "pink", *material.noises]))
    enr_db = random.uniform(-12, 21)
    ppm = random.choice([0.0, 0.0, 0.0, random.uniform(0, 5), random.uniform(5, 100)])
    answer = random.random()
    return Scene(
        name=f"train-{seed[-1]}", task=task,  # type: ignore[arg-type]
        condition=str(random.choice(["plain"] * 6 + ["path", "jump"])),  # type: ignore[arg-type]
        music=answer < MUSIC_SHARE, warm=False, noise=noise,  # type: ignore[arg-type]
        clock="shared", drift_ppm=float(random.choice([-1, 1]) * ppm), enr_db=enr_db,
        user_dbfs=min(random.uniform(-46, -28), -14 - enr_db), snr_db=random.uniform(4, 34),
        delay_ms=random.uniform(2, 160),
        distortion_db=random.uniform(18, 42), knocks=bool(random.random() < 0.35),
        jump_ms=float(random.choice([-1, 1]) * random.uniform(5, 30)),
        jump_told=bool(random.random() < 0.5), length_s=ECHO_S, seed=seed,
        device=bool(random.random() < DEVICE_SHARE),
        music_under_db=random.uniform(-6, 20) if answer > 1 - MIXED_SHARE else None,
    )  # fmt: skip


def listen(scene: Scene, material: Material) -> Examples:
    """Play the scene to the real canceller, with random holds and ducks."""
    track, reference, mic, late = rendered(scene, material)
    periods = len(mic) // MIC_PERIOD_FRAMES
    label, since, hiss = (np.roll(a, late) for a in _labels(track, scene.user_dbfs, periods))
    return Examples(_heard(mic, reference), label, since, hiss)


def rendered(scene: Scene, material: Material) -> tuple[Soundtrack, Frames, Frames, int]:
    """Return the scene's soundtrack, the playback and the sound that the microphone hears (int16 at
    16 kHz), and by how many periods that microphone is late.

    The loudspeaker follows a script instead of decisions, so the air is computed in advance.
    """
    track = composed(scene, material)
    return (track, *played_to(scene, track))


def composed(scene: Scene, material: Material) -> Soundtrack:
    """Return the scene's soundtrack, whose air is a script."""
    with patch.object(soundtrack, "Air", _Script), patch.object(soundtrack, "mhm", words.hum):
        return soundtrack.compose(scene, material)


def played_to(scene: Scene, track: Soundtrack) -> tuple[Frames, Frames, int]:
    """Return what `rendered` does, without the soundtrack."""
    random = np.random.default_rng((*scene.seed, 2))
    periods = len(track.air.around) // MIC_PERIOD_FRAMES
    played = _played(track, periods, random)
    sound = _echo(scene, track, played) + track.air.around[: len(played)]
    late = 0
    if track.air.device is not None:  # type: ignore[attr-defined]
        microphone = track.air.device.microphone()  # type: ignore[attr-defined]
        late = microphone.late_periods
        sound = np.concatenate([microphone.process(part) for part in _periods(sound)])
    return float_to_int16(played), float_to_int16(sound), late


def _periods(sound: Signal) -> Signal:
    return sound.reshape(-1, MIC_PERIOD_FRAMES)


def _played(track: Soundtrack, periods: int, random: Random) -> Signal:
    """Return the loudspeaker's input at 16 kHz, with holds and ducks."""
    count = periods * MIC_PERIOD_FRAMES
    pieces = [np.zeros(int(random.uniform(0.2, 3.0) * MIC_RATE_HZ))]
    while sum(map(len, pieces)) < count:
        piece = next(track.reply) / FULL_SCALE
        pieces.append(soxr.resample(piece, SERVER_RATE_HZ, MIC_RATE_HZ))
    played = np.concatenate(pieces)[:count]
    for hold in _holds(track, random):
        first, last = (round(at_s * 100) for at_s in (hold.from_s, hold.to_s))
        part = slice(first * MIC_PERIOD_FRAMES, last * MIC_PERIOD_FRAMES)
        played[part] *= db_to_gain(-18) if hold.duck else 0.0
    return played


def _echo(scene: Scene, track: Soundtrack, played: Signal) -> Signal:
    loudspeaker = track.air.distortion(played)  # type: ignore[attr-defined]
    unit = track.air.device  # type: ignore[attr-defined]
    wavers = unit.path() if unit is not None else None
    if wavers is not None:
        loudspeaker = np.concatenate([wavers.process(part) for part in _periods(loudspeaker)])
    ppm = scene.drift_ppm or (unit.clock_ppm if unit is not None else 0.0)
    if ppm:
        rate_hz = MIC_RATE_HZ * (1 + ppm * 1e-6)
        loudspeaker = soxr.resample(loudspeaker, rate_hz, MIC_RATE_HZ)
        loudspeaker = np.resize(loudspeaker, len(played))
    echo = convolved(loudspeaker, track.air.paths[0])  # type: ignore[attr-defined]
    moves_at_s, jump_at_s = track.air.moves_at_s, None  # type: ignore[attr-defined]
    if moves_at_s is not None:
        after = convolved(loudspeaker, track.air.paths[1])  # type: ignore[attr-defined]
        share = np.clip((np.arange(len(echo)) / MIC_RATE_HZ - moves_at_s) / MOVE_S, 0, 1)
        echo = (1 - share) * echo + share * after
    late = ms_to_frames(EARLY_MS + scene.delay_ms, MIC_RATE_HZ)
    if track.faults:
        jump_at_s = track.faults[0].at_s
    delayed = _late(echo, late)
    if jump_at_s is not None:
        at = round(jump_at_s * MIC_RATE_HZ)
        delayed[at:] = _late(echo, max(0, late + round(scene.jump_ms * 16)))[at:]
    return delayed


def _late(signal: Signal, frames: int) -> Signal:
    return np.concatenate((np.zeros(frames), signal))[: len(signal)]


def _heard(mic: Frames, reference: Frames) -> Floats:
    """Return the cues of each period; like `EchoControl`, hear a noise of -70 dBFS."""
    floor = np.random.default_rng(1).standard_normal(len(mic)) * FLOOR_RMS
    mic = round_to_int16(np.rint(floor) + mic.astype(np.float64))
    canceller, levels, pitch = EchoCanceller(), ResidualEchoEstimator(), Pitch()
    alignment = Alignment(canceller, ms_to_frames(EARLY_MS, MIC_RATE_HZ))
    cues = []
    for start in range(0, len(mic), MIC_PERIOD_FRAMES):
        part = slice(start, start + MIC_PERIOD_FRAMES)
        due = alignment.process(mic[part], reference[part])
        cancelled = canceller.process(mic[part], due)
        levels.excess_db(cancelled)
        cues.append(np.concatenate((levels.cues, pitch.cues(cancelled))).astype(np.float16))
    return np.array(cues)


@dataclass
class _Script:
    """Replaces `Air`: stores its components."""

    paths: tuple[Signal, Signal]
    around: Signal
    delay_ms: float
    distortion: Distortion
    moves_at_s: float | None = None
    device: Device | None = None
    server: SoundServer | None = None
    """Always None: no scene of the training has one."""


@dataclass(frozen=True, slots=True)
class _Hold:
    from_s: float
    to_s: float
    duck: bool


def _holds(track: Soundtrack, random: Random) -> list[_Hold]:
    """Draw holds with and without a user: the network must judge both."""
    found = []
    for line in track.said:
        if random.random() < 0.65:
            start_s = line.onset_s + random.uniform(0.03, 0.3)
            long_s = 0.5 if random.random() < 0.3 else line.end_s - start_s + random.uniform(0, 0.8)
            found.append(_Hold(start_s, start_s + long_s, random.random() < 0.25))
    at_s = random.uniform(2, 10)
    while at_s < track.length_s:
        if not any(line.onset_s - 1 < at_s < line.end_s + 1 for line in track.said):
            found.append(_Hold(at_s, at_s + 0.5, random.random() < 0.25))
        at_s += random.exponential(7) + 1
    return found


def _labels(track: Soundtrack, user_dbfs: float, periods: int) -> list[np.ndarray]:
    label = np.zeros(periods, np.uint8)
    since = np.full(periods, 255, np.uint8)
    for line in track.said:
        first, active = _active(track.user, line, user_dbfs)
        active = active[: max(0, periods - first)]
        part = slice(first, first + len(active))
        label[part] = np.where(active, SHORT if line.kind in ("mhm", "cough") else VOICE, QUIET)
        since[part] = np.minimum(np.arange(len(active)), 254)
    hiss = np.zeros(periods, bool)
    found = first_sounds.unvoiced(track.user)[:periods]
    hiss[: len(found)] = found
    return [label, since, hiss & (label == VOICE)]


def _active(user: Signal, line: Said, user_dbfs: float) -> tuple[int, np.ndarray]:
    """Mark the periods with an audible user, from the onset to half a second after the end."""
    first = round(line.onset_s * 100)
    last = round(line.end_s * 100) + 50
    blocks = user[first * MIC_PERIOD_FRAMES : last * MIC_PERIOD_FRAMES]
    blocks = blocks[: len(blocks) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES]
    power = np.mean(blocks.reshape(-1, MIC_PERIOD_FRAMES) ** 2, axis=1)
    active = power > db_to_power(user_dbfs - SILENT_DB)
    loud = np.flatnonzero(active)
    for a, b in itertools.pairwise(loud):
        if b - a <= BRIDGED:
            active[a:b] = True
    return first, active


def _at_speed(frames: Frames, speed: float) -> Frames:
    return resample(frames, int(MIC_RATE_HZ * speed), MIC_RATE_HZ)
