"""A lead that is too short for the machine grows until the sound holds."""

import msgspec
import pytest

from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.playback.lead import Lead
from parleyd.simulation.card import Stall
from parleyd.simulation.clips import synthesize
from tests.paper_server import Paper, settings

MOST_GROWTH_MS = 40


def test_one_or_two_dropouts_change_nothing_however_long_it_runs() -> None:
    lead = Lead(40)
    for hour in range(24):
        assert not lead.dropped_out(hour * 3600.0)
        assert not lead.dropped_out(hour * 3600.0 + 5.0)
    assert lead.ms == 40


def test_the_third_dropout_in_ten_seconds_makes_it_one_period_longer() -> None:
    lead = Lead(40)
    assert [lead.dropped_out(now) for now in (0.0, 4.9, 9.8)] == [False, False, True]
    assert lead.ms == 50


def test_a_burst_is_answered_by_one_step_and_what_goes_on_by_the_next() -> None:
    lead = Lead(20)
    grown_at = [beat / 100 for beat in range(500) if lead.dropped_out(beat / 100)]
    assert grown_at == [0.02, 1.04, 2.06, 3.08]
    assert lead.ms == 20 + MOST_GROWTH_MS


def test_dropouts_of_ten_seconds_ago_do_not_count() -> None:
    lead = Lead(40)
    assert [lead.dropped_out(now) for now in (0.0, 5.0, 10.0)] == [False, False, False]
    assert lead.dropped_out(14.9)


def test_dropouts_within_a_second_of_a_step_do_not_count() -> None:
    lead = Lead(40)
    assert [lead.dropped_out(now) for now in (0.0, 0.0, 0.0)] == [False, False, True]
    assert [lead.dropped_out(now) for now in (0.9, 0.99, 0.999)] == [False] * 3
    assert [lead.dropped_out(now) for now in (1.0, 1.0, 1.0)] == [False, False, True]


@pytest.mark.slow
def test_on_a_machine_that_is_often_late_the_sound_holds_and_the_user_can_interrupt() -> None:
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
