"""A short form of the soak, and proof that the soak reports a broken core."""

from typing import Any

import pytest

from parleyd.playback import playout
from parleyd.realtime import responses, session
from tests.soak.day import HOUSES, live

MINUTES = 6


@pytest.mark.slow
@pytest.mark.parametrize("house", HOUSES)
def test_soak_six_minutes_has_no_violation(house: str) -> None:
    life = live(house, MINUTES / 60, seed=20)
    assert life.problem == ""
    assert life.figures.turns > 3
    assert life.figures.calms >= 1


def _late_deltas_live(responses_: responses.Responses, response_id: str) -> int:
    return 1


def _a_tenth_more(this: playout.Playout, part: Any) -> playout.PlaybackProgress:
    heard = _heard(this, part)
    return playout.PlaybackProgress(
        heard.item_id, heard.content_index, heard.heard_ms * 11 // 10, heard.received_ms, False
    )


_heard = playout.Playout._heard

SABOTAGE = {
    "audio of a dead response is played": (responses.Responses, "number", _late_deltas_live),
    "reported milliseconds exceed the heard ones": (playout.Playout, "_heard", _a_tenth_more),
    "a new response does not wait for the end of the old one": (
        responses.Responses,
        "create",
        lambda self, now, create=responses.Responses.create: (
            setattr(self, "_active", None) or create(self, now)  # type: ignore[func-returns-value]
        ),
    ),
    "a lost answer has no timeout": (session.RealtimeSession, "poll", lambda self, now: []),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", SABOTAGE)
def test_soak_with_broken_core_reports_violation(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, broken = SABOTAGE[what]
    monkeypatch.setattr(owner, name, broken)
    problems = (live(house, 0.5, seed=22).problem for house in HOUSES)
    assert any(problems)
