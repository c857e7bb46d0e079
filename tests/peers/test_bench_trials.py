"""The figures of cells that were put together by hand."""

import numpy as np
import pytest

from parleyd.audio import resample
from parleyd.simulation.talker import Utterance
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.bench.peers.trials import (
    CellAnalysis,
    CellFigures,
    CellRecord,
    Interruption,
    StartedAnswer,
    Told,
)

ANSWER_S = 12.0
STARTS_S, ONSET_S = 1.0, 4.0
CLIP = np.round(np.random.default_rng(3).standard_normal(MIC_RATE_HZ) * 900).astype(np.int16)


def answer(seed: int) -> Frames:
    sound = np.random.default_rng(seed).standard_normal(int(ANSWER_S * MIC_RATE_HZ)) * 2000
    return resample(np.round(sound).astype(np.int16), MIC_RATE_HZ, SERVER_RATE_HZ)


ANSWERS = [answer(1), answer(2)]
HEARD = [resample(a, SERVER_RATE_HZ, MIC_RATE_HZ) for a in ANSWERS]


def played(*parts: tuple[float, int, float, float]) -> Frames:
    """Lay out parts: at this second, this answer, from and to these of its seconds."""
    loudspeaker = np.zeros(22 * MIC_RATE_HZ, np.int16)
    for at_s, number, from_s, to_s in parts:
        part = HEARD[number][int(from_s * MIC_RATE_HZ) : int(to_s * MIC_RATE_HZ)]
        loudspeaker[int(at_s * MIC_RATE_HZ) :][: len(part)] = part
    return loudspeaker


def figures(
    loudspeaker: Frames, *, told_ms: float | None = None, next_s: float = 9.0, talks: bool = True
) -> CellFigures:
    onset = int(ONSET_S * MIC_RATE_HZ)
    sent = [(onset + n * 160, n * 160 + 160) for n in range(100)]
    record = CellRecord(
        loudspeaker=loudspeaker,
        said=[Utterance("line", onset, onset + len(CLIP))] if talks else [],
        clips={"line": CLIP},
        answers=ANSWERS,
        started=[
            StartedAnswer(int(STARTS_S * MIC_RATE_HZ), 0, "first"),
            StartedAnswer(int(next_s * MIC_RATE_HZ), 1, "second"),
        ],
        told=[] if told_ms is None else [Told(int(4.2 * MIC_RATE_HZ), "first", told_ms)],
        sent=sent,
        sent_audio=CLIP,
        measured=(0, len(loudspeaker)),
    )
    return CellAnalysis(record).figures()


def only(found: CellFigures) -> Interruption:
    assert len(found.interruptions) == 1
    return found.interruptions[0]


def test_interruption_that_stops_for_good() -> None:
    loudspeaker = played((STARTS_S, 0, 0.0, 3.1), (9.0, 1, 0.0, 5.0))
    found = only(figures(loudspeaker, told_ms=3140))
    assert found.stop_ms == pytest.approx(100, abs=5)
    assert found.for_good
    assert found.dead_ms == 0
    assert found.told_error_ms == pytest.approx(40, abs=6)
    assert found.lost_ms == 0


def test_interruption_that_resumes_is_not_for_good() -> None:
    loudspeaker = played((STARTS_S, 0, 0.0, 3.1), (4.6, 0, 3.1, 5.1))
    found = only(figures(loudspeaker, told_ms=3100))
    assert found.stopped
    assert not found.for_good
    assert found.dead_ms == pytest.approx(2000, abs=10)
    assert found.told_error_ms == pytest.approx(-2000, abs=10)


def test_tone_of_the_client_is_not_the_old_answer() -> None:
    loudspeaker = played((STARTS_S, 0, 0.0, 3.1))
    tone = 3000 * np.sin(np.arange(2000) * 2 * np.pi * 392 / MIC_RATE_HZ)
    loudspeaker[5 * MIC_RATE_HZ :][:2000] = np.round(tone)
    found = only(figures(loudspeaker))
    assert found.dead_ms == 0
    assert found.for_good


def test_interruption_without_a_stop_is_counted() -> None:
    found = only(figures(played((STARTS_S, 0, 0.0, 12.0)), next_s=19.0))
    assert found.stop_ms is None
    assert not found.stopped


def test_line_into_silence_does_not_count() -> None:
    found = figures(played((STARTS_S, 0, 0.0, 2.0)))
    assert found.interruptions == []
    assert found.said == 1


def test_answer_that_had_just_ended_does_not_count() -> None:
    loudspeaker = played((STARTS_S, 0, ANSWER_S - 3.2, ANSWER_S))
    assert figures(loudspeaker).interruptions == []


def test_answer_that_stops_in_silence_is_lost() -> None:
    loudspeaker = played((STARTS_S, 0, 0.0, 4.0), (9.0, 1, 0.0, ANSWER_S))
    found = figures(loudspeaker, talks=False)
    assert (found.lost, found.paused) == (1, 0)
    assert found.alone_min == pytest.approx(16 / 60, abs=0.01)


def test_answer_that_continues_was_only_paused() -> None:
    loudspeaker = played((STARTS_S, 0, 0.0, 4.0), (5.5, 0, 4.0, 6.0), (9.0, 1, 0.0, ANSWER_S))
    found = figures(loudspeaker, talks=False)
    assert (found.lost, found.paused) == (1, 1)


def test_answer_at_its_end_is_not_lost() -> None:
    loudspeaker = played((STARTS_S, 0, 5.0, ANSWER_S), (9.0, 1, 0.0, ANSWER_S))
    assert figures(loudspeaker, talks=False).lost == 0
