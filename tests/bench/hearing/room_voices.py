"""Voices in the room that do not address Parley: a television, one talker, a babble."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from parleyd.audio import FULL_SCALE
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.air import convolved, small_box
from tests.bench.hearing.material import Clip, Material, RoomPaths

RoomVoices = Literal["tv", "talker", "babble"]
ROOM_VOICES: tuple[RoomVoices, ...] = get_args(RoomVoices)

_GAP_S = (0.1, 0.8)  # between two sentences of a programme
_TURN_PAUSE_S = (1.0, 8.0)  # while the other side of a conversation or a telephone call speaks
_SENTENCES = (1, 4)  # of one turn
_ONE_VOICE = 6  # adjacent clips of a source: mostly the same speaker
_BABBLE = 4  # talkers at once
_SCENE_S = (15.0, 60.0)  # of a programme until music without words follows
_MUSIC_S = (2.0, 6.0)
_MUSIC_DB = -6.0  # of music under or between the words
_UNDER_WORDS = 0.3  # share of the scenes with music under the words
_TV_HZ = (120.0, 250.0)  # where a set's loudspeakers begin
_TV_TOP_HZ = (5000.0, 7500.0)
_Random = np.random.Generator


def room_voices(
    kind: RoomVoices, material: Material, room: RoomPaths, random: _Random, frames: int
) -> Signal:
    """Return `frames` of the voices at the microphone, at any level."""
    return _KINDS[kind](material, room, random, frames)


def _tv(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return many voices one after the other, with music between and sometimes under them."""
    clips = material.near + material.far
    sound = np.zeros(frames)
    at = 0
    while at < frames:
        end = min(frames, at + _some(random, _SCENE_S))
        if random.random() < _UNDER_WORDS:
            sound[at:end] += 10 ** (_MUSIC_DB / 20) * _music(material, random, end - at)
        while at < end:
            at = _put(sound, _drawn(clips, random), at) + _some(random, _GAP_S)
        end = min(frames, at + _some(random, _MUSIC_S))
        if end > at:
            sound[at:end] += _music(material, random, end - at)
        at = end
    set_at = convolved(sound, small_box(_path(room, random), random.uniform(*_TV_HZ)))
    spectrum = np.fft.rfft(set_at)
    hz = np.fft.rfftfreq(len(set_at), 1 / MIC_RATE_HZ)
    spectrum /= np.sqrt(1 + (hz / random.uniform(*_TV_TOP_HZ)) ** 8)
    return np.fft.irfft(spectrum, len(set_at))


def _talker(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return one voice in turns of a few sentences, with the pauses of a listener."""
    first = int(random.integers(len(material.near)))
    clips = [material.near[(first + n) % len(material.near)] for n in range(_ONE_VOICE)]
    sound = np.zeros(frames)
    at = 0
    while at < frames:
        for _ in range(int(random.integers(*_SENTENCES, endpoint=True))):
            at = _put(sound, _drawn(clips, random), at) + _some(random, _GAP_S)
        at += _some(random, _TURN_PAUSE_S)
    return convolved(sound, _path(room, random))


def _babble(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return several talkers at once, as at a table."""
    talkers = [_talker(material, room, random, frames) for _ in range(_BABBLE)]
    return np.sum([talker / np.sqrt(np.mean(talker**2)) for talker in talkers], axis=0)


_KINDS: dict[RoomVoices, Callable[[Material, RoomPaths, _Random, int], Signal]] = {
    "tv": _tv,
    "talker": _talker,
    "babble": _babble,
}


def _put(sound: Signal, clip: Frames, at: int) -> int:
    """Add the clip from `at` on, at the level of every other clip; return its end."""
    voice = clip / FULL_SCALE
    part = voice[: max(0, len(sound) - at)]
    sound[at : at + len(part)] += part / np.sqrt(np.mean(voice**2))
    return at + len(clip)


def _music(material: Material, random: _Random, frames: int) -> Signal:
    source = _drawn(material.music, random) / FULL_SCALE
    part = np.resize(np.roll(source, -int(random.integers(len(source)))), frames)
    return part / np.sqrt(np.mean(source**2))


def _drawn(clips: list[Clip], random: _Random) -> Frames:
    return clips[int(random.integers(len(clips)))].frames


def _path(room: RoomPaths, random: _Random) -> Signal:
    return room.users[int(random.integers(len(room.users)))]


def _some(random: _Random, bounds_s: tuple[float, float]) -> int:
    return int(random.uniform(*bounds_s) * MIC_RATE_HZ)
