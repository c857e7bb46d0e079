"""The core without a sound card: it reports the heard part and plays no old audio."""

import numpy as np
import pytest

from parleyd.core.events import (
    ButtonPressed,
    CardBack,
    CardLost,
    Effect,
    MicPeriod,
    MuteSwitched,
    Send,
    Show,
)
from parleyd.core.states import Indication, State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.paper_server import RATE_HZ, Paper, WakeOnDemand, settings

pytestmark = pytest.mark.slow

LOST = CardLost("the card was lost; plug it in again", 1920)


def in_mid_sentence(**hearing: object) -> Paper:
    paper = Paper(settings(**hearing))  # type: ignore[arg-type]
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(State.SPEAKING)
    paper.run(1.0)
    return paper


def periods_without_card(paper: Paper, count: int) -> tuple[list[Effect], int]:
    """Run periods without a card; returns the effects and the loudest sample."""
    effects: list[Effect] = []
    loudest = 0
    for period in range(count):
        step = paper.speaker.tick(MicPeriod(None, 0), paper.card.now + period / 100)
        effects += step.effects
        loudest = max(loudest, int(np.abs(step.playback).max(initial=0)))
    return effects, loudest


def test_lost_card_reports_the_heard_milliseconds() -> None:
    paper = in_mid_sentence()
    written = sum(len(playback) // 2 for _, playback in paper.steps)
    paper.say(LOST)
    effects, loudest = periods_without_card(paper, 50)
    sent = [effect.event for effect in effects if isinstance(effect, Send)]
    (cut,) = [event for event in sent if isinstance(event, ev.TruncateItem)]
    assert 900 <= cut.audio_end_ms <= 1100
    assert cut.audio_end_ms <= (written - LOST.unheard_frames) * 1000 // RATE_HZ
    assert loudest == 0
    assert paper.speaker.state is State.IDLE


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING, State.BARGE_IN])
def test_lost_card_ends_every_state_and_shows_the_reason(state: State) -> None:
    paper = (
        Paper(settings(decision_window_ms=1500))
        if state is not State.BARGE_IN
        else in_mid_sentence()
    )
    if state is State.BARGE_IN:
        paper.talker.say(synthesize("No wait, tell me about the rain.", "rms"))
    else:
        paper.answers = False
        paper.say(ButtonPressed())
        paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(state)
    paper.say(LOST)
    effects, _ = periods_without_card(paper, 5)
    assert paper.speaker.state is State.IDLE
    shown = [effect for effect in effects if isinstance(effect, Show)]
    assert shown == [Show(Indication.ERROR, LOST.reason)]


def test_button_and_wake_word_work_only_with_a_card() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    paper.say(LOST)
    paper.say(ButtonPressed())
    periods_without_card(paper, 20)
    assert paper.speaker.state is State.IDLE
    paper.say(CardBack())
    paper.run(0.1)
    assert paper.shown[-1] is Indication.IDLE
    wake_engine.next = "hey_test"
    paper.run(0.1)
    assert paper.speaker.state is State.LISTENING


def test_mute_is_shown_over_a_lost_card() -> None:
    paper = Paper(settings())
    paper.say(MuteSwitched(True))
    paper.say(LOST)
    effects, _ = periods_without_card(paper, 2)
    assert [e.indication for e in effects if isinstance(e, Show)] == [Indication.MUTED]
    paper.say(MuteSwitched(False))
    effects, _ = periods_without_card(paper, 2)
    assert [e.indication for e in effects if isinstance(e, Show)] == [Indication.ERROR]


def test_conversation_continues_after_the_card_returns() -> None:
    paper = in_mid_sentence()
    paper.say(LOST)
    periods_without_card(paper, 100)
    paper.say(CardBack())
    paper.run(0.5)
    paper.say(ButtonPressed())
    paper.talker.say(synthesize("And the rain?", "slt"))
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    assert paper.responses == 2
