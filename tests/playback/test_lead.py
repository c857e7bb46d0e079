"""A lead that is too short for the machine grows until the xruns stop."""

import msgspec
import pytest

from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.playback.lead import Lead
from parleyd.simulation.card import Stall
from parleyd.simulation.clips import synthesize
from tests.paper_server import Paper, settings

MOST_GROWTH_MS = 40


def test_lead_after_one_or_two_xruns_in_hours_is_unchanged() -> None:
    lead = Lead(40)
    for hour in range(24):
        assert not lead.dropped_out(hour * 3600.0)
        assert not lead.dropped_out(hour * 3600.0 + 5.0)
    assert lead.ms == 40


def test_lead_after_three_xruns_in_10_s_grows_by_one_period() -> None:
    lead = Lead(40)
    assert [lead.dropped_out(now) for now in (0.0, 4.9, 9.8)] == [False, False, True]
    assert lead.ms == 50


def test_lead_during_continuous_xruns_grows_in_steps() -> None:
    lead = Lead(20)
    grown_at = [beat / 100 for beat in range(500) if lead.dropped_out(beat / 100)]
    assert grown_at == [0.02, 1.04, 2.06, 3.08]
    assert lead.ms == 20 + MOST_GROWTH_MS


def test_lead_ignores_xruns_of_10_s_ago() -> None:
    lead = Lead(40)
    assert [lead.dropped_out(now) for now in (0.0, 5.0, 10.0)] == [False, False, False]
    assert lead.dropped_out(14.9)


def test_lead_ignores_xruns_within_1_s_after_a_step() -> None:
    lead = Lead(40)
    assert [lead.dropped_out(now) for now in (0.0, 0.0, 0.0)] == [False, False, True]
    assert [lead.dropped_out(now) for now in (0.9, 0.99, 0.999)] == [False] * 3
    assert [lead.dropped_out(now) for now in (1.0, 1.0, 1.0)] == [False, False, True]


@pytest.mark.slow
def test_lead_on_a_slow_machine_grows_and_barge_in_works() -> None:
    base = settings()
    short = msgspec.structs.replace(base.audio, lead_ms=20)
    paper = Paper(
        msgspec.structs.replace(base, audio=short),
        faults=[Stall(at_s=0.4 * i, ms=40) for i in range(1, 100)],
    )
    paper.run(5.0)
    told = [note.fields["lead_ms"] for note in paper.notes("longer_lead")]
    assert told == [30, 40]
    dropouts = paper.card.underruns
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(State.SPEAKING)
    paper.run(1.0)
    paper.talker.say(synthesize("No wait, tell me about the rain.", "rms"))
    paper.until(State.LISTENING)
    assert paper.card.underruns == dropouts
    assert paper.notes("longer_lead")[2:] == []
