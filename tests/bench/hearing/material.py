"""Material of the scenes: voices, music, noises and rooms, from a folder or synthesised."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from parleyd.audio import float_to_int16, round_to_int16
from parleyd.errors import ParleyError
from parleyd.simulation import clips
from parleyd.simulation.acoustics import impulse_response
from parleyd.simulation.convolution import Signal
from parleyd.simulation.noise import Noise
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames
from tests.bench.hearing import first_sounds

Split = Literal["A", "B", "all"]
_T = TypeVar("_T")
SECONDS_OF_NOISE = 40
ONSET_BELOW_PEAK = 0.1  # -20 dB: start of a path's direct sound


class CorpusError(ParleyError):
    """The corpus folder is unusable."""


@dataclass(frozen=True, slots=True)
class RoomPaths:
    """Impulse responses at 16 kHz, any gain."""

    name: str
    loudspeaker: Signal
    loudspeaker_moved: Signal
    users: tuple[Signal, ...]
    """Talker to microphone, without the time of flight."""


@dataclass(frozen=True, slots=True)
class Clip:
    """int16 mono at 16 kHz."""

    name: str
    frames: Frames


@dataclass(frozen=True, slots=True)
class Material:
    """All material that scenes draw from; lists in a fixed order."""

    origin: str
    near: list[Clip]
    far: list[Clip]
    music: list[Clip]
    noises: dict[str, Frames]
    rooms: list[RoomPaths]
    first_sounds: dict[str, list[Clip]] = field(default_factory=dict)
    """`lone` words, and utterances that begin with a `hiss` or `voiced`."""


def load(folder: Path, split: Split) -> Material:
    """Read a corpus. Raises `CorpusError` if it is unusable. Blocks for about a second."""
    for name in ("near", "far", "noise", "music", "rooms"):
        if not (folder / name).is_dir():
            raise CorpusError(
                f"{folder} has no folder {name}/; a corpus has near, far, noise, music and rooms"
            )
    rooms = [_room(path) for path in sorted((folder / "rooms").glob("*.npz"))]
    near = _halved(_clips(folder / "near"), split)
    return Material(
        origin=f"corpus {folder.name}, half {split}" if split != "all" else f"corpus {folder.name}",
        near=near,
        far=_halved(_clips(folder / "far"), split),
        music=_alternate(_clips(folder / "music"), split),
        noises={clip.name: _time_half(clip.frames, split) for clip in _clips(folder / "noise")},
        rooms=_alternate(rooms, split),
        first_sounds=_first_sounds(near, split),
    )


def synthesise(split: Split) -> Material:
    """Make speech with flite, rooms and noises with `parleyd.simulation`. Blocks for seconds."""
    near_voices, far_voices = ("rms", "awb"), ("slt", "kal16")
    near = [_spoken(*pair) for pair in itertools.product(near_voices, _REQUESTS)]
    far = [_spoken(*pair) for pair in itertools.product(far_voices, _ANSWERS)]
    return Material(
        origin="synthesised material" + (f", half {split}" if split != "all" else ""),
        near=_halved(near, split),
        far=_halved(far, split),
        music=_alternate([Clip(f"chords{n}", _chords(n)) for n in range(4)], split),
        noises={
            "kitchen": _noise(seed=5 if split == "B" else 4, dbfs=-30.0),
            "dishes": _noise(seed=7 if split == "B" else 6, dbfs=-38.0),
        },
        rooms=_alternate([_synthetic_room(n) for n in range(12)], split),
        first_sounds=_first_sounds([], split),
    )


def _first_sounds(near: list[Clip], split: Split) -> dict[str, list[Clip]]:
    """Return flite's words, and as many of the corpus' utterances as begin like them."""
    voices = {"A": ("rms", "kal16"), "B": ("awb", "slt")}.get(split, ("awb", "slt", "rms"))
    made = {
        kind: [Clip(*said) for said in first_sounds.spoken(texts, voices).items()]
        for kind, texts in (
            ("lone", first_sounds.LONE),
            ("hiss", first_sounds.HISSING),
            ("voiced", first_sounds.VOICED),
        )
    }
    for clip in near:
        hisses = first_sounds.begins_with_hiss(clip.frames)
        made["hiss" if hisses else "voiced"].append(clip)
    return made


def _clips(folder: Path) -> list[Clip]:
    try:
        import soundfile
    except ImportError:
        raise CorpusError(
            "soundfile is missing, which reads FLAC: pip install 'parleyd[test]'"
        ) from None
    found = []
    for path in sorted(folder.glob("*.flac")):
        frames, rate_hz = soundfile.read(path, dtype="int16")
        if rate_hz != MIC_RATE_HZ or frames.ndim != 1:
            raise CorpusError(f"{path.name} is not mono at 16 kHz, as a corpus requires")
        found.append(Clip(path.stem, frames))
    if not found:
        raise CorpusError(f"{folder} contains no .flac file, expected at least one")
    return found


def _room(path: Path) -> RoomPaths:
    with np.load(path) as file:
        users = tuple(_at_once(file[key]) for key in sorted(file.files) if key.startswith("user_"))
        return RoomPaths(
            path.stem, _double(file["loudspeaker"]), _double(file["loudspeaker_moved"]), users
        )


def _double(path: Signal) -> Signal:
    return np.asarray(path, np.float64)


def _at_once(path: Signal) -> Signal:
    """Cut the time of flight: onset labels must be valid at the microphone."""
    loud = np.flatnonzero(np.abs(path) > ONSET_BELOW_PEAK * np.max(np.abs(path)))
    return _double(path[loud[0] :])


def _halved(found: list[Clip], split: Split) -> list[Clip]:
    """Take whole voices if a source has several, otherwise the first or second half of its files.

    Files with adjacent numbers may have the same speaker, so they stay together.
    """
    if split == "all":
        return found
    sources = [
        list(group) for _, group in itertools.groupby(found, lambda c: c.name.rsplit("-", 1)[0])
    ]
    kept: list[Clip] = []
    for index, source in enumerate(sources):
        if len(source) <= 4:
            kept += source if (index % 2 == 0) == (split == "A") else []
        else:
            half = len(source) // 2
            kept += source[:half] if split == "A" else source[half:]
    return kept or found


def _alternate(found: list[_T], split: Split) -> list[_T]:
    if split == "all" or len(found) < 2:
        return found
    return found[0::2] if split == "A" else found[1::2]


def _time_half(frames: Frames, split: Split) -> Frames:
    half = len(frames) // 2
    return {"A": frames[:half], "B": frames[half:], "all": frames}[split]


# --- synthesised ------------------------------------------------------------------------

_REQUESTS = (
    "Stop please, and tell me what the weather will be like tomorrow.",
    "Turn off the lights in the kitchen.",
    "Wait, what did you say about the train?",
    "No, I meant the other one.",
    "Can you set a timer for ten minutes?",
    "Play some quiet music in the living room instead.",
    "How long does it take to boil an egg?",
    "Okay, that's enough, thank you.",
)
_ANSWERS = (
    "Once upon a time there was a small house at the edge of a very large forest.",
    "An old clock maker lived there, and every morning he wound a hundred clocks.",
    "One day a fox came to the door and asked him politely what time it was.",
    "The weather tomorrow will be mostly sunny, with a light wind from the west.",
    "In the evening there may be a shower, so take an umbrella when you leave.",
    "To make a good soup you need onions, carrots, some butter and a little patience.",
    "The train to the airport leaves every fifteen minutes from platform number three.",
    "Here is what I found about the history of the lighthouse on the northern coast.",
)


def _spoken(voice: str, text: str) -> Clip:
    return Clip(f"{voice}-{text[:12]}", clips.synthesize(text, voice))


def _chords(seed: int) -> Frames:
    """Synthesise twelve seconds of plucked chords: partials that ring and beat, as in a guitar."""
    random = np.random.default_rng((77, seed))
    sound = np.zeros(12 * MIC_RATE_HZ)
    for start_s in np.arange(0, 12, 0.5):
        time_s = np.arange(int((12 - start_s) * MIC_RATE_HZ)) / MIC_RATE_HZ
        for hz in random.choice((110, 131, 147, 165, 196, 220, 262, 294, 330), 3, replace=False):
            for partial in range(1, 9):
                ring = np.exp(-time_s * (1.5 + partial)) / partial
                sound[-len(time_s) :] += ring * np.sin(2 * np.pi * hz * partial * time_s)
    return clips.normalised(round_to_int16(3000 * sound), -26.0)


def _noise(*, seed: int, dbfs: float) -> Frames:
    source = Noise("kitchen", dbfs, seed=seed)
    periods = SECONDS_OF_NOISE * MIC_RATE_HZ // MIC_PERIOD_FRAMES
    sound = np.concatenate([source.period() for _ in range(periods)])
    return float_to_int16(sound)


def _synthetic_room(seed: int) -> RoomPaths:
    rt60_s = 0.2 + 0.05 * seed
    paths = [impulse_response(seed=100 * seed + n, rt60_s=rt60_s) for n in range(5)]
    return RoomPaths(f"synthetic-{seed:02d}", paths[0], paths[1], tuple(paths[2:]))
