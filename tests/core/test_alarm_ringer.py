"""Ringing alarms in the core: heard, shown, and stopped by button, keyword or voice."""

from collections import deque

import numpy as np
import pytest

from parleyd.app.alarm_command import STOPS
from parleyd.core.events import (
    AlarmCommandRecognized,
    AlarmDismissed,
    AlarmDue,
    ButtonPressed,
    MuteSwitched,
    OpenMicrophone,
    RecognizeAlarmCommand,
)
from parleyd.core.states import Indication, State
from parleyd.embedded import grammar
from parleyd.embedded.recognizer import Recognizer
from parleyd.hearing import alarm_stop
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.realtime import events as ev
from parleyd.simulation.clips import normalised, synthesize
from parleyd.units import MIC_RATE_HZ
from tests.bare_core import BareCore, at
from tests.paper_server import RATE_HZ, Paper, WakeOnDemand, settings, tone

PATIENCE_S = 10.0
WORDS_WITHIN_S = 3.0


def heard(paper: Paper, since: float, until: float | None = None) -> bool:
    end = None if until is None else int(until * RATE_HZ)
    return bool(np.abs(paper.recording.loudspeaker[int(since * RATE_HZ) : end]).max() > 500)


def stopped(paper: Paper) -> list[int]:
    ids = [e.ring_ids for _, e in paper.effects if isinstance(e, AlarmDismissed)]
    return [number for group in ids for number in group]


def ask(paper: Paper) -> None:
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(State.SPEAKING)


@pytest.mark.slow
def test_alarm_rings_and_is_shown_until_the_button_stops_it() -> None:
    paper = Paper(settings())
    paper.say(AlarmDue("eggs", 7))
    for _ in range(6):
        began = paper.card.now
        paper.run(5.0)
        assert heard(paper, began)
    assert paper.shown[-1] is Indication.RINGING
    assert stopped(paper) == []
    paper.say(ButtonPressed())
    paper.run(0.1)
    began = paper.card.now
    paper.run(8.0)
    assert not heard(paper, began)
    assert stopped(paper) == [7]
    assert paper.speaker.state is State.IDLE
    assert paper.shown[-1] is Indication.IDLE
    assert paper.events(ev.AppendAudio) == []  # Parley did not listen


@pytest.mark.slow
def test_alarm_name_is_spoken_in_every_round() -> None:
    paper = Paper(settings())
    paper.say(AlarmDue("eggs", 1, tone(400, 1500.0)))
    paper.run(10.0)
    sound = paper.recording.loudspeaker.astype(float)
    blocks = sound[: len(sound) // 4800 * 4800].reshape(-1, 4800)  # 100 ms: 10 Hz a bin
    spectrum = np.abs(np.fft.rfft(blocks, axis=1))
    said = spectrum[:, 150] > 10 * spectrum[:, 88].clip(1e3)
    assert np.count_nonzero(np.diff(said.astype(int)) == 1) == 2


@pytest.mark.slow
def test_alarm_stops_at_a_keyword_and_may_listen() -> None:
    for keyword, state in (("hey_test", State.LISTENING), ("stop", State.IDLE)):
        wake_engine = WakeOnDemand()
        paper = Paper(settings(), wake_engine)
        paper.say(AlarmDue("eggs", 3))
        paper.run(1.0)
        wake_engine.next = keyword
        paper.run(0.1)
        assert stopped(paper) == [3]
        assert paper.speaker.state is state
        began = paper.card.now
        paper.run(3.0)
        assert not heard(paper, began)


@pytest.mark.slow
def test_alarm_ends_after_its_timeout() -> None:
    """After five minutes, the default of `skills.alarm_timeout_s`."""
    core = BareCore(at("openai"))
    began = core.now
    core.say(AlarmDue("eggs", 1))
    core.wait(lambda: bool(core.effects_of(AlarmDismissed)), within_s=400)
    assert core.effects_of(AlarmDismissed) == [AlarmDismissed((1,))]
    assert core.now - began == pytest.approx(300.0, abs=0.1)


def test_several_alarms_ring_and_end_together() -> None:
    paper = Paper(settings())
    paper.say(AlarmDue("eggs", 1))
    paper.run(1.0)
    paper.say(AlarmDue("tea", 2))
    paper.run(1.0)
    paper.say(ButtonPressed())
    paper.run(0.1)
    assert stopped(paper) == [1, 2]


@pytest.mark.slow
def test_alarm_waits_for_the_end_of_a_short_reply() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.say(AlarmDue("eggs", 1))
    paper.run(0.5)
    assert paper.shown[-1] is Indication.SPEAKING
    paper.until(State.IDLE)
    assert paper.events(ev.TruncateItem) == []
    paper.run(0.1)
    assert paper.shown[-1] is Indication.RINGING


@pytest.mark.slow
def test_alarm_ends_a_long_reply_and_truncates_it() -> None:
    paper = Paper(settings())
    paper.reply = tone(40_000)
    ask(paper)
    paper.say(AlarmDue("eggs", 1))
    paper.run(PATIENCE_S - 0.5)
    assert paper.speaker.state is State.SPEAKING
    paper.run(1.0)
    assert paper.shown[-1] is Indication.RINGING
    (truncate,) = paper.events(ev.TruncateItem)
    assert truncate.audio_end_ms == pytest.approx(PATIENCE_S * 1000, abs=300)


@pytest.mark.slow
@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING])
def test_alarm_ends_a_turn_that_does_not_end(state: State) -> None:
    """A television that talks on keeps a turn open for a minute; so does a silent server."""
    paper = Paper(settings())
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    if state is State.LISTENING:
        paper.talker.say(np.tile(synthesize("and so we went on and on", "slt"), 12))
    else:
        paper.talker.say(synthesize("What is the weather like today?", "slt"))
        paper.until(State.THINKING)
    paper.say(AlarmDue("eggs", 1))
    paper.run(PATIENCE_S - 0.5)
    assert paper.speaker.state is state
    paper.run(1.0)
    assert paper.shown[-1] is Indication.RINGING


@pytest.mark.slow
def test_alarm_does_not_ring_during_a_question() -> None:
    paper = Paper(settings())
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.say(AlarmDue("eggs", 1))
    paper.talker.say(
        synthesize("What is the weather like today in the north of the country?", "slt")
    )
    began = paper.card.now
    paper.until(State.THINKING)
    assert not heard(paper, began)


def test_alarm_while_muted_rings_and_the_button_stops_it() -> None:
    paper = Paper(settings())
    paper.card.muted = True
    paper.say(MuteSwitched(True))
    paper.say(AlarmDue("eggs", 1))
    began = paper.card.now
    paper.run(2.0)
    assert heard(paper, began)
    assert paper.shown[-1] is Indication.MUTED
    paper.say(ButtonPressed())
    paper.run(0.1)
    assert stopped(paper) == [1]
    assert not [e for _, e in paper.effects if isinstance(e, OpenMicrophone)]
    paper.say(ButtonPressed())
    paper.run(0.1)
    assert len([e for _, e in paper.effects if isinstance(e, OpenMicrophone)]) == 1


EGGS = normalised(synthesize("your eggs timer.", "rms"), -24.0)


def spoken_into(words: str) -> tuple[Paper, RecognizeAlarmCommand]:
    """An alarm rings, the talker says this over it, and the core passes the words on."""
    paper = Paper(settings(volume=70))
    paper.say(AlarmDue("eggs", 5, np.repeat(EGGS, 3)[::2]))
    paper.run(4.5)
    paper.talker.say(normalised(synthesize(words, "slt"), -26.0))
    paper.wait(lambda: bool(said(paper)), within_s=6)
    return paper, said(paper)[0]


def ends(understand: RecognizeAlarmCommand) -> bool:
    """Judge as `AlarmCommandListener` does."""
    if alarm_stop.is_stop(understand.frames, understand.in_vain):
        return True
    found = grammar.match(Recognizer().recognize(understand.frames).words)
    return found is not None and found[0] in STOPS


def said(paper: Paper) -> list[RecognizeAlarmCommand]:
    return [effect for _, effect in paper.effects if isinstance(effect, RecognizeAlarmCommand)]


@pytest.mark.slow
def test_alarm_pauses_for_speech_and_stop_stops_it() -> None:
    paper, understand = spoken_into("stop")
    assert paper.log_events("hold")
    assert stopped(paper) == []
    began = paper.card.now
    assert ends(understand)
    paper.run(0.5)
    paper.say(AlarmCommandRecognized(True))
    paper.run(8.0)
    assert not heard(paper, began)
    assert stopped(paper) == [5]
    assert paper.shown[-1] is Indication.IDLE
    assert paper.events(ev.AppendAudio) == []  # the server received no audio


@pytest.mark.parametrize("barge_in", [True, False])
def test_stop_into_the_first_ring_is_recognised_in_every_duplex(barge_in: bool) -> None:
    """The canceller has heard nothing before, and cannot be trusted yet."""
    paper = Paper(settings(volume=70, barge_in=barge_in))
    paper.say(AlarmDue("eggs", 5))
    paper.run(0.6)
    paper.talker.say(normalised(synthesize("stop", "slt"), -26.0))
    paper.wait(lambda: bool(said(paper)), within_s=3)
    assert alarm_stop.is_stop(said(paper)[0].frames)


def test_sound_that_barge_in_takes_for_no_voice_is_recognised_too() -> None:
    paper = Paper(settings(volume=70))
    paper.say(AlarmDue("eggs", 5))
    paper.run(0.5)
    decide(paper, Decision.HOLD)
    paper.run(0.2)
    decide(paper, Decision.RESUME)
    paper.wait(lambda: bool(said(paper)), within_s=0.5)
    assert len(said(paper)[0].frames) >= 0.7 * 16_000
    assert not heard(paper, paper.card.now - 0.2)  # silence until the judgement
    paper.say(AlarmCommandRecognized(False))
    since = paper.card.now
    paper.run(1.0)
    assert heard(paper, since)
    assert stopped(paper) == []


@pytest.mark.parametrize("voice", ["slt", "rms"])
def test_word_that_is_noticed_when_it_is_over_is_handed_on_whole(voice: str) -> None:
    """The tones hid it, or barge-in took it for none: the onset is that of its last sound."""
    paper = Paper(settings(volume=70))
    paper.say(AlarmDue("eggs", 5))
    paper.run(0.5)
    paper.speaker._front_end.disarm()  # it notices nothing by itself
    word = normalised(synthesize("stop", voice), -26.0)
    paper.talker.say(word)
    paper.run(len(word) / MIC_RATE_HZ + 0.2)
    decide(paper, Decision.HOLD)
    paper.run(0.2)
    decide(paper, Decision.RESUME)
    paper.wait(lambda: bool(said(paper)), within_s=0.5)
    assert alarm_stop.is_stop(said(paper)[0].frames)


def decide(paper: Paper, decision: Decision) -> None:
    found = BargeInDecision(decision, "a test", paper.card.now - 0.1, {})
    paper.speaker._ringer.judged(found, paper.card.now)


@pytest.mark.slow
def test_alarm_resumes_at_once_after_other_words() -> None:
    paper, understand = spoken_into("what shall we have for dinner tonight")
    assert not ends(understand)
    paper.say(AlarmCommandRecognized(False))
    began = paper.card.now
    paper.run(0.5)
    assert heard(paper, began)
    assert stopped(paper) == []


@pytest.mark.slow
def test_alarm_resumes_without_a_recognizer() -> None:
    paper, _ = spoken_into("stop")
    began = paper.card.now
    paper.run(WORDS_WITHIN_S - 0.2)
    assert not heard(paper, began)
    paper.run(1.0)
    assert heard(paper, began)
    paper.say(ButtonPressed())
    paper.run(0.1)
    paper.say(AlarmCommandRecognized(True))  # late
    paper.run(0.1)
    assert stopped(paper) == [5]


@pytest.mark.slow
def test_alarm_is_not_interrupted_by_its_own_sound() -> None:
    paper = Paper(settings(volume=70))
    paper.say(AlarmDue("eggs", 5, np.repeat(EGGS, 3)[::2]))
    paper.run(30.0)
    assert said(paper) == []
    assert stopped(paper) == []


@pytest.mark.slow
def test_alarm_resumes_when_the_microphone_closes_during_a_hold() -> None:
    paper = Paper(settings(volume=70))
    paper.say(AlarmDue("eggs", 5, np.repeat(EGGS, 3)[::2]))
    paper.run(4.5)
    paper.talker.say(normalised(synthesize("stop", "slt"), -26.0))
    paper.wait(lambda: bool(paper.log_events("hold")), within_s=6)
    paper.card.muted = True
    paper.say(MuteSwitched(True))
    began = paper.card.now
    paper.run(4.0)
    assert heard(paper, began)
    assert stopped(paper) == []


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize(
    ("on_s", "off_s", "voice"),
    [(100.0, 0.0, False), (100.0, 0.0, True), (4.0, 0.5, True), (1.5, 0.7, True), (0.3, 0.7, True)],
)
def test_no_sound_of_the_room_hides_an_alarm(
    on_s: float, off_s: float, voice: bool, answers: bool
) -> None:
    """A television, a shower, an endless talk; also without a recogniser that answers."""
    core = BareCore(at("openai"))
    core.say(AlarmDue("eggs", 1))
    began, due, asked = core.now, deque[float](), 0
    while core.now < began + 30.0:
        sounds = (core.now - began) % (on_s + off_s) < on_s
        core.hearsay.speaks, core.hearsay.coughs = sounds and voice, sounds and not voice
        core.run(0.01)
        words = len(core.effects_of(RecognizeAlarmCommand))
        due.extend([core.now + 0.5] * ((words - asked) * answers))
        asked = words
        if due and core.now >= due[0]:
            due.popleft()
            core.say(AlarmCommandRecognized(False))
    tones = [bool(np.abs(period).max(initial=0) > 500) for period in core.played[-3000:]]
    longest = max(len(silence) for silence in "".join(".#"[t] for t in tones).split("#"))
    assert longest <= 7.1 * 100  # the longest silence, the rest of a round, and its pause
    assert sum(tones) > 0.1 * len(tones)  # a quiet room has 0.2


@pytest.mark.slow
def test_soft_television_does_not_hide_an_alarm() -> None:
    """Three newsreaders without a pause, into the real hearing."""
    paper = Paper(settings(volume=70))
    paper.say(AlarmDue("eggs", 5))
    news = "The prime minister said that nobody could have known about it before the summer"
    readers = [synthesize(news, voice) for voice in ("slt", "rms", "awb")]
    paper.talker.say(normalised(np.tile(np.concatenate(readers), 4)[: 40 * 16_000], -35.0))
    began, answered = paper.card.now, 0
    for _ in range(80):
        paper.run(0.5)
        while answered < len(said(paper)):
            answered += 1
            paper.say(AlarmCommandRecognized(False))
    assert answered > 5
    assert all(heard(paper, began + s, began + s + 7.0) for s in range(34))
    assert stopped(paper) == []


def test_words_under_tones_that_go_on_stop_the_alarm() -> None:
    core = BareCore(at("openai"))
    core.say(AlarmDue("eggs", 1))
    core.hearsay.coughs = True
    core.run(20.0)
    core.hearsay.coughs = False
    core.run(4.0)
    before = len(core.effects_of(RecognizeAlarmCommand))
    core.talks(0.5)
    core.run(1.5)
    assert len(core.effects_of(RecognizeAlarmCommand)) > before
    core.say(AlarmCommandRecognized(True))
    core.run(0.1)
    assert core.effects_of(AlarmDismissed) == [AlarmDismissed((1,))]


@pytest.mark.parametrize("button", [True, False])
def test_late_stop_does_not_end_an_alarm_that_is_due_since(button: bool) -> None:
    core = BareCore(at("openai"))
    core.say(AlarmDue("eggs", 1))
    core.run(1.0)
    core.talks(0.4)
    core.wait(lambda: bool(core.effects_of(RecognizeAlarmCommand)))
    (spoken,) = core.effects_of(RecognizeAlarmCommand)
    assert isinstance(spoken, RecognizeAlarmCommand)
    if button:
        core.say(ButtonPressed())
        core.run(0.1)
    core.say(AlarmDue("wake up", 2))
    core.say(AlarmCommandRecognized(True, spoken.ring_ids))
    began = len(core.played)
    core.run(3.0)
    assert core.effects_of(AlarmDismissed) == [AlarmDismissed((1,))]
    assert max(np.abs(period).max(initial=0) for period in core.played[began:]) > 500
    core.say(ButtonPressed())
    core.run(0.1)
    assert core.effects_of(AlarmDismissed)[1:] == [AlarmDismissed((2,))]
