"""Record the room, and play a quiet tone into it, on the real sound card, for three seconds."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from parleyd.diagnostics.sound_judgement import find_tone, is_heard, tone
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, SILENCE, Frames, ms_to_frames

SETTLES_S = 0.3  # cards click when they are opened, and sound servers deliver silence first
ROOM_S = 1.2
TONE_RECORDED_S = 1.6  # with the way through a slow sound server or Bluetooth
LEVELS_DBFS = (-34.0, -20.0)  # as quiet as possible; the second for a loud room
PATIENCE_S = 2.0  # longer than the recording itself
LEAD_MS = 60


class TrialCard(Protocol):
    """The part of a `Card` that is used."""

    @property
    def rate_hz(self) -> int: ...
    def read(self) -> Frames | None: ...
    def write(self, frames: Frames) -> None: ...
    def queued_frames(self) -> int: ...
    def drop(self) -> None: ...


class Muted(Exception):
    """The mute switch was closed while the microphone was open; nothing of it is kept."""


class Recorded(NamedTuple):
    """A recording of the room, and the tone in it if one was played."""

    room: Frames
    """Empty if the microphone delivers nothing."""
    with_tone: Frames
    heard: bool | None
    """None: no tone was played."""
    echo_dbfs: float
    played_dbfs: float


def try_card(card: TrialCard, closed: Callable[[], bool], *, plays: bool) -> Recorded:
    """Record, play and record. At most 12 s. `closed`: the mute switch, read at each period.

    Raises `AudioError` if the card fails, and `Muted`.
    """
    record(card, closed, SETTLES_S)
    room = record(card, closed, ROOM_S)
    if not plays or len(room) < ROOM_S * MIC_RATE_HZ / 2:
        return Recorded(room, SILENCE, None, -120.0, 0.0)
    before = find_tone(room)
    for level_dbfs in LEVELS_DBFS:
        with_tone = record(card, closed, TONE_RECORDED_S, tone(card.rate_hz, level_dbfs))
        found = find_tone(with_tone)
        if heard := is_heard(found, before):
            break
    return Recorded(room, with_tone, heard, found.level_dbfs, level_dbfs)


def record(
    card: TrialCard, closed: Callable[[], bool], length_s: float, playing: Frames = SILENCE
) -> Frames:
    """Record for this long, and play frames from the beginning. Drops the unplayed rest."""
    wanted = round(length_s * MIC_RATE_HZ)
    ends = time.monotonic() + length_s + PATIENCE_S
    period = ms_to_frames(PERIOD_MS, card.rate_hz)
    lead = ms_to_frames(LEAD_MS, card.rate_hz)
    got: list[Frames] = []
    count = 0
    while count < wanted and time.monotonic() < ends:
        frames = card.read()
        if closed():
            raise Muted
        if frames is not None:
            got.append(frames)
            count += len(frames)
        while len(playing) and card.queued_frames() < lead:
            card.write(playing[:period])
            playing = playing[period:]
    if len(playing):
        card.drop()
    return np.concatenate(got)[:wanted] if got else SILENCE
