"""The core in a group: it waits, stands down, and keeps what no other speaker can stop."""

from random import Random

import msgspec
import pytest

from parleyd.core.arbitration import HOLD_S, WakeClaim
from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    CardBack,
    CardLost,
    ClaimHeard,
    GroupReached,
    ListenRequested,
    MuteSwitched,
    OwnSpeech,
    PeerSpeaks,
    StopRequested,
    WakeClaimed,
    WakeLevelsLearned,
)
from parleyd.core.group import LEASE_MS, GroupMemory
from parleyd.core.states import Indication, State
from parleyd.core.usual_level import FARTHEST_DB, NOMINAL_DBFS, UsualLevel
from parleyd.realtime import events as ev
from parleyd.wake import WakeScore
from tests.bare_core import BareCore, at
from tests.paper_server import WakeOnDemand


class Grouped:
    """A speaker of a group, with a chime."""

    def __init__(self, **turn: object) -> None:
        settings = at("openai", **turn)
        earcons = msgspec.structs.replace(settings.earcons, wake="default")
        self.engine = WakeOnDemand()
        self.core = BareCore(
            msgspec.structs.replace(settings, earcons=earcons),
            wake=self.engine,
            group=GroupMemory("mine"),
        )
        self.core.say(GroupReached(True))

    def wakes(self) -> float:
        """Let the engine detect the wake word in the next period; returns its time."""
        self.engine.next = "hey_test"
        self.core.run(0.01)
        return self.core.now

    def hears(self, level_db: float, *, answering: bool = False, heard: int = 0) -> None:
        claim = WakeClaim("theirs-1", level_db, heard, answering)
        self.core.say(ClaimHeard("kitchen", claim, 10.0))

    @property
    def claims(self) -> list[WakeClaim]:
        return [e.claim for e in self.core.effects if isinstance(e, WakeClaimed)]

    @property
    def leases_ms(self) -> list[int]:
        return [e.lease_ms for e in self.core.effects if isinstance(e, OwnSpeech)]


def test_speaker_alone_chimes_after_the_hold_and_listens_at_once() -> None:
    home = Grouped()
    woke = home.wakes()
    assert home.core.speaker.state is State.LISTENING
    assert home.core.shown[-1] is Indication.LISTENING
    assert [claim.answering for claim in home.claims] == [False]
    home.core.run(HOLD_S - 0.02)
    assert home.core.heard_ms(since=woke) == 0
    home.core.run(0.5)
    assert home.core.heard_ms(since=woke) > 50
    assert [claim.answering for claim in home.claims] == [False, True]
    home.core.talks(0.5)
    home.core.wait(lambda: bool(home.core.events(ev.CreateResponse)))


def test_speaker_without_a_way_to_the_others_holds_nothing() -> None:
    home = Grouped()
    home.core.say(GroupReached(False))
    woke = home.wakes()
    home.core.run(0.06)
    assert home.core.heard_ms(since=woke) > 20
    assert home.claims == []
    assert len(home.core.effects_of(WakeLevelsLearned)) == 1


def test_audio_from_the_hold_is_sent_without_a_gap() -> None:
    home = Grouped()
    home.wakes()
    home.core.run(0.1)
    assert len(home.core.events(ev.AppendAudio)) >= 3


def test_louder_speaker_lets_this_one_stand_down_without_a_sound() -> None:
    home = Grouped()
    woke = home.wakes()
    home.hears(100.0)
    home.core.run(3.0)
    assert home.core.speaker.state is State.IDLE
    assert home.core.shown[-2:] == [Indication.LISTENING, Indication.IDLE]
    assert home.core.heard_ms(since=woke) == 0
    assert isinstance(home.core.sent[-1], ev.ClearAudio)
    assert home.core.events(ev.CreateResponse) == []
    assert home.core.events(ev.CommitAudio) == []
    (line,) = home.core.log_events("stood_down")
    assert line.fields["for"] == "kitchen"
    assert home.core.log_events("turn") == []
    assert home.core.detail == ""


def test_speaker_that_answers_already_is_respected_before_the_light_is_on() -> None:
    home = Grouped()
    home.hears(-50.0, answering=True)
    shown = list(home.core.shown)
    home.wakes()
    home.core.run(1.0)
    assert home.core.speaker.state is State.IDLE
    assert home.core.shown == shown
    assert home.claims == []


def test_stand_down_leaves_the_next_wake_word_to_work() -> None:
    home = Grouped()
    home.wakes()
    home.hears(100.0)
    home.core.run(3.0)
    home.wakes()
    home.core.run(0.3)
    assert home.core.speaker.state is State.LISTENING
    home.core.talks(0.5)
    home.core.wait(lambda: bool(home.core.events(ev.CreateResponse)))


def test_turn_that_ends_in_the_hold_is_asked_for_after_it() -> None:
    home = Grouped(detection="server_vad")
    home.wakes()
    home.core.say(ev.SpeechStarted(item_id="i"))
    home.core.say(ev.SpeechStopped(item_id="i"))
    home.core.say(ev.AudioCommitted(item_id="i"))
    home.core.run(HOLD_S - 0.03)
    assert home.core.speaker.state is State.LISTENING
    assert home.core.events(ev.CreateResponse) == []
    home.core.wait(lambda: len(home.core.events(ev.CreateResponse)) == 1, within_s=1.5)


def test_turn_that_ends_in_the_hold_is_dropped_with_it() -> None:
    home = Grouped(detection="server_vad")
    home.wakes()
    home.core.say(ev.SpeechStarted(item_id="i"))
    home.core.say(ev.SpeechStopped(item_id="i"))
    home.hears(100.0)
    home.core.run(3.0)
    assert home.core.speaker.state is State.IDLE
    assert home.core.events(ev.CreateResponse) == []


def test_button_and_command_are_never_arbitrated() -> None:
    for event in (ButtonPressed(), ListenRequested(1)):
        home = Grouped()
        home.hears(100.0, answering=True)
        home.core.say(event)
        home.core.run(0.3)
        assert home.core.heard_ms() > 50
        home.hears(100.0, answering=True)
        home.core.run(0.3)
        assert home.core.speaker.state is State.LISTENING
        assert home.claims == []


def test_wake_word_into_an_answer_is_never_withdrawn() -> None:
    home = Grouped()
    home.core.ask("r1")
    home.core.sound("r1", 5000)
    home.core.until(State.SPEAKING)
    home.hears(100.0, answering=True)
    home.wakes()
    assert home.core.speaker.state is State.LISTENING
    home.hears(100.0, answering=True)
    home.core.run(0.3)
    assert home.core.speaker.state is State.LISTENING
    assert [claim.answering for claim in home.claims][:1] == [True]


def test_wake_word_that_stops_an_alarm_is_never_withdrawn() -> None:
    home = Grouped()
    home.core.say(AlarmDue("eggs", 1))
    home.core.run(1.0)
    home.hears(100.0, answering=True)
    home.wakes()
    home.core.run(0.3)
    assert home.core.speaker.state is State.LISTENING
    assert home.core.effects_of(WakeClaimed)


def test_stop_during_the_hold_ends_the_turn_for_good() -> None:
    home = Grouped()
    woke = home.wakes()
    home.core.say(StopRequested(1))
    home.core.run(1.0)
    assert home.core.speaker.state is State.IDLE
    assert home.core.log_events("stood_down") == []
    low_tone_ms = home.core.heard_ms(since=woke)
    home.core.run(1.0)
    assert home.core.heard_ms(since=woke) == low_tone_ms
    assert [claim.answering for claim in home.claims] == [False]


def test_listen_command_during_the_hold_answers_for_good() -> None:
    home = Grouped()
    woke = home.wakes()
    home.core.say(ListenRequested(1))
    home.hears(100.0, answering=True)
    home.core.run(0.09)
    assert home.core.heard_ms(since=woke) > 10
    home.core.run(1.0)
    assert home.core.speaker.state is State.LISTENING
    assert [claim.answering for claim in home.claims[:2]] == [False, True]


def test_own_claim_from_the_broker_is_ignored() -> None:
    home = Grouped()
    home.wakes()
    (own,) = home.claims
    home.core.say(ClaimHeard("other_name", own, 0.0))
    home.core.run(0.5)
    assert home.core.speaker.state is State.LISTENING


def test_speech_is_announced_renewed_and_ended() -> None:
    home = Grouped()
    home.core.ask("r1")
    home.core.sound("r1", 7000)
    home.core.end("r1")
    home.core.until(State.SPEAKING)
    home.core.until(State.IDLE)
    assert home.leases_ms == [LEASE_MS, LEASE_MS, LEASE_MS, 0]


def test_gate_is_raised_while_another_speaks_and_its_lease_lasts() -> None:
    home = Grouped()
    home.engine.score = WakeScore(0.85, 0.8)  # type: ignore[assignment]
    home.core.say(PeerSpeaks("kitchen", 7000))
    home.wakes()
    assert home.core.speaker.state is State.IDLE
    home.core.say(PeerSpeaks("kitchen", 0))
    home.wakes()
    assert home.core.speaker.state is State.LISTENING
    home.core.say(StopRequested(1))
    home.core.say(PeerSpeaks("kitchen", 60_000))
    home.core.run(10.1)
    home.wakes()
    assert home.core.speaker.state is State.LISTENING


def test_wake_is_logged_where_it_is_answered() -> None:
    """Programs act on this line, for instance in the room of the speaker."""
    home = Grouped()
    home.wakes()
    assert home.core.log_events("wake") == []
    home.core.run(0.3)
    assert [line.fields["state"] for line in home.core.log_events("wake")] == ["idle"]
    home = Grouped()
    home.wakes()
    home.hears(100.0)
    home.core.run(1.0)
    assert home.core.log_events("wake") == []


def test_follow_up_is_not_offered_while_another_speaks() -> None:
    """Two speakers that answer, and listen after that, would talk to each other."""
    home = Grouped(follow_up_s=6.0)
    home.core.ask("r1")
    home.core.sound("r1", 1000)
    home.core.end("r1")
    home.core.until(State.SPEAKING)
    home.core.say(PeerSpeaks("kitchen", 7000))
    home.core.until(State.IDLE, 3.0)


def test_open_follow_up_ends_when_another_speaks() -> None:
    for talks in (False, True):
        home = Grouped(follow_up_s=6.0)
        home.core.ask("r1")
        home.core.sound("r1", 1000)
        home.core.end("r1")
        home.core.until(State.SPEAKING)
        home.core.until(State.LISTENING)
        home.core.run(1.0)
        if talks:
            home.core.hearsay.speaks = True
            home.core.run(0.5)
        began = home.core.now
        home.core.say(PeerSpeaks("kitchen", 7000))
        home.core.run(0.1)
        assert home.core.speaker.state is (State.LISTENING if talks else State.IDLE)
        assert home.core.heard_ms(since=began) == 0


def test_follow_up_with_the_wake_word_stays_when_another_speaks() -> None:
    home = Grouped(follow_up_s=6.0)
    home.core.ask("r1")
    home.core.sound("r1", 1000)
    home.core.end("r1")
    home.core.until(State.SPEAKING)
    home.core.until(State.LISTENING)
    home.core.run(1.0)
    home.wakes()
    home.core.say(PeerSpeaks("kitchen", 7000))
    home.core.run(1.0)
    assert home.core.speaker.state is State.LISTENING


def test_turn_after_the_wake_word_stays_when_another_speaks() -> None:
    home = Grouped()
    home.wakes()
    home.core.run(0.5)
    home.core.say(PeerSpeaks("kitchen", 7000))
    home.core.run(1.0)
    assert home.core.speaker.state is State.LISTENING


def test_levels_are_kept_but_for_words_into_an_answer() -> None:
    home = Grouped()
    home.wakes()
    home.core.run(0.5)
    home.wakes()
    learned = home.core.effects_of(WakeLevelsLearned)
    assert [len(e.levels) for e in learned if isinstance(e, WakeLevelsLearned)] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_any_news_leave_a_core_that_hears_the_next_wake_word(seed: int) -> None:
    random, home = Random(seed), Grouped(follow_up_s=1.0, no_speech_timeout_s=2.0)
    core = home.core

    def claim() -> ClaimHeard:
        name = random.choice(("mine-1", "mine-3", "x-1", "y-2", ""))
        level_db = random.choice((-120.0, -80.0, -79.0, 0.0, 120.0))
        claim = WakeClaim(name, level_db, random.randint(0, 100), random.random() < 0.5)
        return ClaimHeard(random.choice(("kitchen", "hall", "")), claim, random.uniform(0, 2000))

    happens = (
        home.wakes,
        home.wakes,
        lambda: core.say(claim()),
        lambda: core.say(claim()),
        lambda: core.say(PeerSpeaks(random.choice("ab"), random.choice((0, 500, 60_000)))),
        lambda: core.say(ButtonPressed()),
        lambda: core.say(ListenRequested(1)),
        lambda: core.say(StopRequested(2)),
        lambda: core.say(AlarmDue("eggs", random.randint(1, 9))),
        lambda: core.talks(random.uniform(0.1, 1.0)),
        lambda: core.run(random.choice((0.01, 0.05, 0.12, 0.3, 1.0))),
        lambda: core.say(MuteSwitched(True)),
        lambda: core.say(MuteSwitched(False)),
        lambda: core.say(CardLost("unplugged", 0)),
        lambda: core.say(CardBack()),
    )
    for _ in range(150):
        random.choice(happens)()
    core.say(CardBack())
    core.say(MuteSwitched(False))
    core.say(StopRequested(3))
    core.run(90.0)
    assert core.speaker.state is State.IDLE
    woke = home.wakes()
    core.run(HOLD_S + 0.3)
    assert core.speaker.state is State.LISTENING
    assert core.heard_ms(since=woke) > 50
    core.talks(0.5)
    before = len(core.events(ev.CreateResponse))
    core.wait(lambda: len(core.events(ev.CreateResponse)) > before)


# --- the usual level --------------------------------------------------------------------


def test_usual_level_begins_at_that_of_a_user_at_two_metres() -> None:
    assert UsualLevel().dbfs == NOMINAL_DBFS


def test_usual_level_is_that_of_near_users_not_of_other_rooms() -> None:
    near, far = [NOMINAL_DBFS + 6.0] * 12, [NOMINAL_DBFS - 12.0] * 28
    usual = UsualLevel(
        [level for pair in zip(far, near, strict=False) for level in pair] + far[12:]
    )
    assert NOMINAL_DBFS + 5.0 < usual.dbfs < NOMINAL_DBFS + 6.1


def test_usual_level_of_a_speaker_that_only_hears_others_is_bounded() -> None:
    usual = UsualLevel([NOMINAL_DBFS - 40.0] * 40)
    assert usual.dbfs >= NOMINAL_DBFS - FARTHEST_DB


def test_usual_level_follows_a_microphone_that_was_moved() -> None:
    usual = UsualLevel([NOMINAL_DBFS] * 40)
    for _ in range(40):
        usual.heard(NOMINAL_DBFS + 8.0)
    assert usual.dbfs > NOMINAL_DBFS + 7.0
