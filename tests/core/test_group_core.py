"""The core in a group: it waits, stands down, and keeps what no other speaker can stop."""

import msgspec

from parleyd.core.arbitration import HOLD_S, WakeClaim
from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    ClaimHeard,
    ListenRequested,
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
        wake = msgspec.structs.replace(settings.wake, chime=True)
        self.engine = WakeOnDemand()
        self.core = BareCore(
            msgspec.structs.replace(settings, wake=wake),
            wake=self.engine,
            group=GroupMemory("mine"),
        )

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


def test_levels_are_kept_but_for_words_into_an_answer() -> None:
    home = Grouped()
    home.wakes()
    home.core.run(0.5)
    home.wakes()
    learned = home.core.effects_of(WakeLevelsLearned)
    assert [len(e.levels) for e in learned if isinstance(e, WakeLevelsLearned)] == [1]


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
