"""A simulated talker with exact labels for the time of every clip."""

import math
from dataclasses import dataclass

import numpy as np

from parleyd.audio import clip_to_int16
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames


@dataclass(frozen=True, slots=True)
class Utterance:
    """The label of one clip: its position in the talker's time, in frames at 16 kHz."""

    label: str
    onset_frame: int
    end_frame: int

    @property
    def onset_s(self) -> float:
        return self.onset_frame / MIC_RATE_HZ

    @property
    def end_s(self) -> float:
        return self.end_frame / MIC_RATE_HZ


class Talker:
    """Mixes clips into a stream of 10 ms periods; its time is the number of returned frames."""

    def __init__(self) -> None:
        self._pending: list[tuple[Utterance, Frames]] = []
        self._utterances: list[Utterance] = []
        self._frame = 0

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """The labels of all clips, past and future, in the order of the `say` calls."""
        return tuple(self._utterances)

    @property
    def talking(self) -> bool:
        """Whether a clip plays or waits for its time."""
        return bool(self._pending)

    def say(self, clip: Frames, *, at: float | None = None, label: str = "") -> Utterance:
        """Say `clip` (int16, 16 kHz) from second `at` on, or from the next period on.

        A time in the past means the next period. Overlapping clips are mixed.
        """
        asked = self._frame if at is None else math.ceil(round(at * MIC_RATE_HZ, 3))
        onset = max(asked, self._frame)
        utterance = Utterance(label, onset, onset + len(clip))
        self._pending.append((utterance, clip))
        self._utterances.append(utterance)
        return utterance

    def hush(self) -> None:
        """Stop at once: end the current clips and discard those that wait for their time."""
        kept = []
        for utterance in self._utterances:
            if utterance.onset_frame < self._frame:
                end = min(utterance.end_frame, self._frame)
                kept.append(Utterance(utterance.label, utterance.onset_frame, end))
        self._utterances = kept
        self._pending.clear()

    def period(self) -> Frames:
        """Return the next 160 frames at 16 kHz."""
        mix = np.zeros(MIC_PERIOD_FRAMES, np.int32)
        start, end = self._frame, self._frame + MIC_PERIOD_FRAMES
        for utterance, clip in self._pending:
            first, last = max(start, utterance.onset_frame), min(end, utterance.end_frame)
            if first < last:
                onset = utterance.onset_frame
                mix[first - start : last - start] += clip[first - onset : last - onset]
        self._pending = [(u, clip) for u, clip in self._pending if u.end_frame > end]
        self._frame = end
        return clip_to_int16(mix)
