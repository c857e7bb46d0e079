"""A lead that is too short for the machine grows until the xruns stop."""

import msgspec
import pytest

from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.playback.lead import PlaybackLead
from parleyd.simulation.card import Stall
from parleyd.simulation.clips import synthesize
from tests.paper_server import Paper, settings

MOST_GROWTH_MS = 40


def test_lead_after_one_or_two_xruns_in_hours_is_unchanged() -> None:
    lead = PlaybackLead(40)
    for hour in range(24):
        assert not lead.on_xrun(hour * 3600.0)
        assert not lead.on_xrun(hour * 3600.0 + 5.0)
    assert lead.ms == 40


def test_lead_after_three_xruns_in_10_s_grows_by_one_period() -> None:
    lead = PlaybackLead(40)
    assert [lead.on_xrun(now) for now in (0.0, 4.9, 9.8)] == [False, False, True]
    assert lead.ms == 50


def test_lead_during_continuous_xruns_grows_in_steps() -> None:
    lead = PlaybackLead(20)
    grown_at = [period / 100 for period in range(500) if lead.on_xrun(period / 100)]
    assert grown_at == [0.02, 1.04, 2.06, 3.08]
    assert lead.ms == 20 + MOST_GROWTH_MS


def test_lead_ignores_xruns_of_10_s_ago() -> None:
    lead = PlaybackLead(40)
    assert [lead.on_xrun(now) for now in (0.0, 5.0, 10.0)] == [False, False, False]
    assert lead.on_xrun(14.9)


def test_lead_ignores_xruns_within_1_s_after_a_step() -> None:
    lead = PlaybackLead(40)
    assert [lead.on_xrun(now) for now in (0.0, 0.0, 0.0)] == [False, False, True]
    assert [lead.on_xrun(now) for now in (0.9, 0.99, 0.999)] == [False] * 3
    assert [lead.on_xrun(now) for now in (1.0, 1.0, 1.0)] == [False, False, True]


@pytest.mark.slow
def test_lead_on_a_slow_machine_grows_and_barge_in_works() -> None:
    base = settings()
    short = msgspec.structs.replace(base.audio, lead_ms=20)
    paper = Paper(
        msgspec.structs.replace(base, audio=short),
        faults=[Stall(at_s=0.4 * i, ms=40) for i in range(1, 100)],
    )
    paper.run(5.0)
    told = [note.fields["lead_ms"] for note in paper.log_events("lead_increased")]
    assert told == [30, 40]
    xruns = paper.card.underruns
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(State.SPEAKING)
    paper.run(1.0)
    paper.talker.say(synthesize("No wait, tell me about the rain.", "rms"))
    paper.until(State.LISTENING)
    assert paper.card.underruns == xruns
    assert paper.log_events("lead_increased")[2:] == []
