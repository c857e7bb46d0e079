"""Voices in the room that do not address Parley: a television, a talker, a babble, and more."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import soxr

from parleyd.audio import FULL_SCALE, float_to_int16
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.air import convolved, small_box
from tests.bench.hearing.material import Clip, Material, RoomPaths

RoomVoices = Literal["tv", "talker", "babble", "radio", "two-talkers", "child", "film", "late-tv"]
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
_SONG_S, _NEWS_S = (8.0, 20.0), (6.0, 15.0)  # of a radio, in turns
_FARTHER_DB = (4.0, 10.0)  # the second of two talkers
_CHILD = 1.5  # times a grown-up's pitch and formants
_FILM_DB, _FILM_S = 10.0, (6.0, 15.0)  # from quiet to loud scenes, and back
_SWITCHED_ON = (0.4, 0.65)  # share of the session before a set is switched on
_Random = np.random.Generator


def room_voices(
    kind: RoomVoices, material: Material, room: RoomPaths, random: _Random, frames: int
) -> Signal:
    """Return `frames` of the voices at the microphone, at any level."""
    return _KINDS[kind](material, room, random, frames)


def _tv(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return many voices one after the other, with music between and sometimes under them."""
    sound = np.zeros(frames)
    at = 0
    while at < frames:
        end = min(frames, at + _some(random, _SCENE_S))
        if random.random() < _UNDER_WORDS:
            sound[at:end] += 10 ** (_MUSIC_DB / 20) * _music(material, random, end - at)
        at = _words(sound, material, random, at, end)
        end = min(frames, at + _some(random, _MUSIC_S))
        if end > at:
            sound[at:end] += _music(material, random, end - at)
        at = end
    return _from_set(sound, room, random)


def _radio(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return songs and one speaker in turns, as loud as each other."""
    sound = np.zeros(frames)
    at = 0
    while at < frames:
        end = min(frames, at + _some(random, _SONG_S))
        sound[at:end] += _music(material, random, end - at)
        at = _words(sound, material, random, end, end + _some(random, _NEWS_S))
    return _from_set(sound, room, random)


def _film(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return a television whose level rises and falls by 10 dB."""
    sound = _tv(material, room, random, frames)
    at, loud = 0, False
    while at < frames:
        end = at + _some(random, _FILM_S)
        sound[at:end] *= 1.0 if loud else 10 ** (-_FILM_DB / 20)
        at, loud = end, not loud
    return sound


def _late_tv(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return a television that is switched on in the middle of an answer."""
    sound = _tv(material, room, random, frames)
    sound[: int(random.uniform(*_SWITCHED_ON) * frames)] = 0.0
    return sound


def _from_set(sound: Signal, room: RoomPaths, random: _Random) -> Signal:
    """Return the sound from a set in the room, with the bounds of its loudspeakers."""
    set_at = convolved(sound, small_box(_path(room, random), random.uniform(*_TV_HZ)))
    spectrum = np.fft.rfft(set_at)
    hz = np.fft.rfftfreq(len(set_at), 1 / MIC_RATE_HZ)
    spectrum /= np.sqrt(1 + (hz / random.uniform(*_TV_TOP_HZ)) ** 8)
    return np.fft.irfft(spectrum, len(set_at))


def _words(sound: Signal, material: Material, random: _Random, at: int, end: int) -> int:
    """Add sentences of many voices from `at` to about `end`; return where the next may begin."""
    while at < min(end, len(sound)):
        at = _put(sound, _drawn(material.near + material.far, random), at) + _some(random, _GAP_S)
    return at


def _talker(
    material: Material, room: RoomPaths, random: _Random, frames: int, pitch: float = 1.0
) -> Signal:
    """Return one voice in turns of a few sentences, with the pauses of a listener."""
    first = int(random.integers(len(material.near)))
    clips = [material.near[(first + n) % len(material.near)] for n in range(_ONE_VOICE)]
    sound = np.zeros(frames)
    at = 0
    while at < frames:
        for _ in range(int(random.integers(*_SENTENCES, endpoint=True))):
            clip = raised(_drawn(clips, random), pitch)
            at = _put(sound, clip, at) + _some(random, _GAP_S)
        at += _some(random, _TURN_PAUSE_S)
    return convolved(sound, _path(room, random))


def _child(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return one talker with the voice of a child."""
    return _talker(material, room, random, frames, _CHILD)


def _two_talkers(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return a conversation of two at different distances."""
    near, far = (
        talker / np.sqrt(np.mean(talker**2))
        for talker in (_talker(material, room, random, frames) for _ in range(2))
    )
    return np.asarray(near + far * 10 ** (-random.uniform(*_FARTHER_DB) / 20))


def raised(clip: Frames, factor: float) -> Frames:
    """Return the clip with pitch and formants raised by a factor, and as much shorter."""
    if factor == 1.0:
        return clip
    resampled = soxr.resample(clip / FULL_SCALE, factor * MIC_RATE_HZ, MIC_RATE_HZ)
    return float_to_int16(np.asarray(resampled, np.float32))


def _babble(material: Material, room: RoomPaths, random: _Random, frames: int) -> Signal:
    """Return several talkers at once, as at a table."""
    talkers = [_talker(material, room, random, frames) for _ in range(_BABBLE)]
    return np.sum([talker / np.sqrt(np.mean(talker**2)) for talker in talkers], axis=0)


_KINDS: dict[RoomVoices, Callable[[Material, RoomPaths, _Random, int], Signal]] = {
    "tv": _tv,
    "talker": _talker,
    "babble": _babble,
    "radio": _radio,
    "two-talkers": _two_talkers,
    "child": _child,
    "film": _film,
    "late-tv": _late_tv,
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
