"""The figures of one cell: each interruption, and the time in which no one spoke. Pure."""

from dataclasses import dataclass, field

import numpy as np

from parleyd.audio import FULL_SCALE, resample
from parleyd.simulation.convolution import Signal
from parleyd.simulation.talker import Utterance
from parleyd.simulation.waveform_match import Mask
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.bench.peers import listening
from tests.bench.peers.listening import BLOCK, BLOCK_MS
from tests.bench.peers.script import ASK

STEADY_S = 1.0  # an interruption counts if the loudspeaker has played for this time
STOPS_WITHIN_MS = 2000
WATCHED_S = 8.0
DEAD_WITHIN_S = 6.0
ENDED_MS = 400  # an answer this close to its end was not interrupted
TALK_RINGS_S = 1.5  # after a talker's line, what stops the answer may still be the line
SPOILED_FRAMES = 2 * MIC_RATE_HZ
SILENT_AGAIN_MS = 200  # more of the old answer than this, and it was not interrupted for good


@dataclass(frozen=True, slots=True)
class StartedAnswer:
    """An answer of the server: the frame at which its first audio was sent."""

    frame: int
    number: int
    item: str


@dataclass(frozen=True, slots=True)
class Told:
    """A truncation: the client says how much was heard."""

    frame: int
    item: str
    ms: float


@dataclass(frozen=True, slots=True)
class CellRecord:
    """All that was recorded in a cell, in frames of the room (16 kHz)."""

    loudspeaker: Frames
    said: list[Utterance]
    clips: dict[str, Frames]
    answers: list[Frames]
    """At 24 kHz."""
    started: list[StartedAnswer]
    told: list[Told]
    sent: list[tuple[int, int]]
    """For each message of the user's audio: when it came, and where its audio ends (16 kHz)."""
    sent_audio: Frames
    """At 16 kHz."""
    measured: tuple[int, int]
    spoiled: list[int] = field(default_factory=list)
    """Where the rig was late; nothing counts within two seconds of it."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """One line of the talker into an answer; None where there is nothing to measure."""

    stop_ms: int | None
    """From the onset to silence; None if it did not fall silent in `WATCHED_S`."""
    dead_ms: int | None
    """Of the old answer, after the stop."""
    told_error_ms: int | None
    lost_ms: int | None

    @property
    def stopped(self) -> bool:
        return self.stop_ms is not None and self.stop_ms <= STOPS_WITHIN_MS

    @property
    def for_good(self) -> bool:
        return self.stopped and self.dead_ms is not None and self.dead_ms < SILENT_AGAIN_MS


@dataclass(frozen=True, slots=True)
class CellFigures:
    interruptions: list[Interruption] = field(default_factory=list)
    said: int = 0
    """Lines said; the others fell into silence."""
    alone_min: float = 0.0
    """Minutes of answers while no one spoke."""
    lost: int = 0
    """Answers that ended for nothing in that time."""
    paused: int = 0
    """Answers that paused for nothing, and continued."""


class CellAnalysis:
    """Finds the figures of one record."""

    def __init__(self, record: CellRecord) -> None:
        self._record = record
        self._on = listening.sounding(record.loudspeaker)
        self._solid = listening.without_short_gaps(self._on)
        self._answers: list[Signal] = [
            resample(answer, SERVER_RATE_HZ, MIC_RATE_HZ) / FULL_SCALE for answer in record.answers
        ]

    def figures(self) -> CellFigures:
        lines = [u for u in self._record.said if u.label != ASK and self._measured(u.onset_frame)]
        found = [self._interruption(line) for line in lines]
        alone_min, lost, paused = self._alone()
        return CellFigures(
            [one for one in found if one is not None], len(lines), alone_min, lost, paused
        )

    def _measured(self, frame: int) -> bool:
        near = any(abs(frame - spoiled) < SPOILED_FRAMES for spoiled in self._record.spoiled)
        return not near and self._record.measured[0] <= frame < self._record.measured[1]

    def _interruption(self, line: Utterance) -> Interruption | None:
        """Return None if the line did not fall into an answer."""
        begin = line.onset_frame // BLOCK
        before = np.flatnonzero(~self._solid[:begin])
        steady_blocks = begin - (int(before[-1]) + 1 if len(before) else 0)
        playing = self._playing(line.onset_frame)
        if steady_blocks * BLOCK_MS < 1000 * STEADY_S or playing is None:
            return None
        watched = self._solid[begin : begin + int(WATCHED_S * 1000) // BLOCK_MS]
        silent = np.flatnonzero(~watched)
        lost_ms = self._lost_ms(line)
        if len(silent) == 0:
            return Interruption(None, None, None, lost_ms)
        stop = (begin + int(silent[0])) * BLOCK
        heard_ms = self._heard_ms(stop, playing)
        if heard_ms is not None and heard_ms > self._long_ms(playing) - ENDED_MS:
            return None
        end = min(self._next_start(line.onset_frame), stop + int(DEAD_WITHIN_S * MIC_RATE_HZ))
        dead = listening.blocks_of(
            self._record.loudspeaker[stop:end],
            self._on[stop // BLOCK : end // BLOCK],
            self._answers[playing.number],
        )
        last = stop + (dead[-1] + 1) * BLOCK if dead else stop
        return Interruption(
            stop_ms=round(1000 * (stop - line.onset_frame) / MIC_RATE_HZ),
            dead_ms=len(dead) * BLOCK_MS,
            told_error_ms=self._told_error_ms(line, playing, last, end),
            lost_ms=lost_ms,
        )

    def _playing(self, frame: int) -> StartedAnswer | None:
        earlier = [answer for answer in self._record.started if answer.frame < frame]
        return earlier[-1] if earlier else None

    def _next_start(self, frame: int) -> int:
        later = [answer.frame for answer in self._record.started if answer.frame > frame]
        return min(later, default=len(self._record.loudspeaker))

    def _long_ms(self, answer: StartedAnswer) -> float:
        return 1000 * len(self._record.answers[answer.number]) / SERVER_RATE_HZ

    def _heard_ms(self, frame: int, answer: StartedAnswer) -> float | None:
        return listening.heard_until(self._record.loudspeaker, frame, self._answers[answer.number])

    def _told_error_ms(
        self, line: Utterance, answer: StartedAnswer, last: int, end: int
    ) -> int | None:
        """Compare the last truncation of this answer with the last sound of it."""
        told = [
            told
            for told in self._record.told
            if told.item == answer.item and line.onset_frame <= told.frame < end + MIC_RATE_HZ
        ]
        heard_ms = self._heard_ms(last, answer)
        if not told or heard_ms is None:
            return None
        return round(told[-1].ms - heard_ms)

    def _lost_ms(self, line: Utterance) -> int | None:
        first, last = line.onset_frame - MIC_RATE_HZ // 3, line.end_frame + 2 * MIC_RATE_HZ
        ends = [end for frame, end in self._record.sent if first < frame < last]
        if not ends:
            return None
        before = [end for frame, end in self._record.sent if frame <= first]
        sent = self._record.sent_audio[(before[-1] if before else 0) : ends[-1]]
        return listening.lost_beginning_ms(
            sent / FULL_SCALE, self._record.clips[line.label] / FULL_SCALE
        )

    def _alone(self) -> tuple[float, int, int]:
        """Return the minutes of answers without a talker, and the answers lost and paused."""
        talked = self._talked()
        minutes = float(np.count_nonzero(self._solid & ~talked)) * BLOCK_MS / 60_000
        lost = paused = 0
        falls = np.flatnonzero(self._solid[:-1] & ~self._solid[1:]) + 1
        for block in falls[~talked[falls]]:
            answer = self._playing(int(block) * BLOCK)
            if answer is None or self._was_at_its_end(int(block), answer):
                continue
            later = np.flatnonzero(self._solid[block:])
            returns = int(block + later[0]) * BLOCK if len(later) else len(self._record.loudspeaker)
            if returns < self._next_start(int(block) * BLOCK):
                paused += 1
            else:
                lost += 1
        return minutes, lost, paused

    def _was_at_its_end(self, block: int, answer: StartedAnswer) -> bool:
        heard_ms = self._heard_ms(block * BLOCK, answer)
        return heard_ms is not None and heard_ms > self._long_ms(answer) - ENDED_MS

    def _talked(self) -> Mask:
        """Return the blocks in which the talker speaks or has just spoken, and all unmeasured."""
        talked = np.ones(len(self._solid), bool)
        first, last = (frame // BLOCK for frame in self._record.measured)
        talked[first:last] = False
        for frame in self._record.spoiled:
            talked[max(0, frame - SPOILED_FRAMES) // BLOCK : (frame + SPOILED_FRAMES) // BLOCK] = (
                True
            )
        for line in self._record.said:
            ring = int(TALK_RINGS_S * MIC_RATE_HZ)
            talked[line.onset_frame // BLOCK : (line.end_frame + ring) // BLOCK] = True
        return talked
