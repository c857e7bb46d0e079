"""The room's other voices set the level that an interrupting user must exceed."""

import numpy as np
import pytest

from parleyd.config import HearingConfig
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.background_voices import CONFIRMED_DB, SUSPECTED_DB, BackgroundVoices
from parleyd.hearing.barge_in import BargeInDetector, Decision
from parleyd.units import MIC_PERIOD_FRAMES

TELEVISION, USER = -50.0, -38.0


def period(dbfs: float, voice: float = 0.95, speech: float = 0.95) -> ProcessedPeriod:
    return ProcessedPeriod(
        cleaned=np.zeros(MIC_PERIOD_FRAMES, np.int16),
        excess_db=8.0,
        voice=voice,
        voice_chunk=True,
        near_end=speech,
        speech=speech,
        level_dbfs=dbfs,
        echo_dbfs=-120.0,
    )


class Room:
    """The voices' side of a conversation, in simulated time."""

    def __init__(self) -> None:
        self.voices = BackgroundVoices()
        self.now = 100.0

    def hear(self, dbfs: float, seconds: float, **kind: float) -> None:
        for _ in range(round(seconds * 100)):
            self.now = round(self.now + 0.01, 2)
            self.voices.update(period(dbfs, **kind), self.now, quiet=True)

    def overhear(self, dbfs: float, seconds: float) -> None:
        """Hear a voice while idle; the voice detector finishes a chunk every 30 ms."""
        for _ in range(round(seconds * 100 / 3)):
            self.hear(dbfs, 0.03)
            self.voices.forget_recent()
            self.voices.overheard(0.9, self.now)

    def ask(self, dbfs: float, *, called: bool = True, then_dbfs: float | None = None) -> bool:
        """Run a turn of a user, with or without voices at its end; the reply begins."""
        self.voices.turn_begins()
        self.hear(dbfs, 1.5)
        if then_dbfs is None:
            self.hear(-70.0, 0.6, voice=0.02, speech=0.02)
        else:
            self.hear(then_dbfs, 0.6)
        continues = self.voices.turn_ended(self.now, called=called)
        self.voices.reply_begins(self.now)
        return continues

    def passes(self, dbfs: float) -> tuple[bool, bool]:
        """Return whether a voice of this level is suspected, and whether it is confirmed."""
        self.hear(dbfs, 0.1)
        self.voices.forget_recent()
        suspected = self.voices.suspicious(period(dbfs), self.now)
        return suspected, self.voices.clear(self.now)


def test_voices_unknown_room_lets_every_level_pass() -> None:
    assert Room().passes(-65.0) == (True, True)


def test_voices_at_the_end_of_a_turn_raise_what_is_needed() -> None:
    room = Room()
    room.ask(USER, then_dbfs=TELEVISION)
    assert room.voices.dbfs(room.now) == pytest.approx(TELEVISION, abs=0.5)
    assert room.passes(TELEVISION + SUSPECTED_DB - 1) == (False, False)
    assert room.passes(TELEVISION + CONFIRMED_DB - 1) == (True, False)
    assert room.passes(TELEVISION + CONFIRMED_DB + 1) == (True, True)


def test_voices_of_a_user_alone_raise_nothing() -> None:
    room = Room()
    for _ in range(4):
        room.ask(USER, called=False)
    assert room.passes(USER - 20) == (True, True)


def test_voices_never_lock_out_a_voice_like_the_question() -> None:
    room = Room()
    room.ask(USER, then_dbfs=USER - 7)
    for _ in range(20):
        room.ask(USER - 7, called=False, then_dbfs=USER)
    assert room.passes(USER) == (True, True)


def test_voices_never_lock_out_a_voice_like_the_last_interrupter() -> None:
    room = Room()
    room.ask(USER + 10, then_dbfs=USER + 3)
    room.ask(USER, called=False, then_dbfs=USER - 5)
    assert room.passes(USER) == (True, True)


def test_voices_under_a_question_are_not_the_users_level() -> None:
    room = Room()
    room.ask(USER, then_dbfs=TELEVISION)
    room.voices.turn_begins()
    room.hear(TELEVISION, 1.5)
    room.hear(USER, 0.3)
    room.hear(-70.0, 0.6, voice=0.02, speech=0.02)
    room.voices.turn_ended(room.now, called=True)
    room.voices.reply_begins(room.now)
    assert room.passes(TELEVISION + 2) == (False, False)
    assert room.passes(USER) == (True, True)


def test_voices_of_a_short_interruption_set_no_limit() -> None:
    room = Room()
    room.ask(USER, called=False, then_dbfs=TELEVISION)
    before = room.voices.dbfs(room.now)
    room.hear(TELEVISION + 2, 0.2)
    room.hear(-70.0, 0.6, voice=0.02, speech=0.02)
    room.voices.turn_ended(room.now, called=False)
    room.voices.reply_begins(room.now)
    assert room.voices.dbfs(room.now) == pytest.approx(before, abs=0.5)


def test_voices_forget_the_question_with_the_conversation() -> None:
    room = Room()
    room.ask(USER, then_dbfs=USER - 7)
    limited = room.voices.dbfs(room.now)
    room.voices.rest()
    assert room.voices.dbfs(room.now) > limited


def test_voices_that_continue_after_a_turn_are_reported() -> None:
    room = Room()
    assert not room.ask(TELEVISION, called=False, then_dbfs=TELEVISION)  # its level is news
    assert room.ask(USER, called=False, then_dbfs=USER)
    assert not room.ask(USER, called=False, then_dbfs=TELEVISION)
    assert not room.ask(USER, called=False)


def test_voices_fade_within_minutes_of_silence() -> None:
    room = Room()
    room.ask(USER, then_dbfs=TELEVISION)
    room.now += 30
    assert room.voices.dbfs(room.now) == pytest.approx(TELEVISION, abs=0.5)
    room.now += 150
    assert room.voices.dbfs(room.now) < TELEVISION - 10


def test_voices_that_talk_on_under_a_reply_do_not_fade() -> None:
    room = Room()
    room.ask(USER, then_dbfs=TELEVISION)
    for _ in range(6):
        room.now += 50
        room.voices.update(period(TELEVISION), room.now, quiet=False)
        assert not room.voices.suspicious(period(TELEVISION), room.now)
    assert room.voices.dbfs(room.now) == pytest.approx(TELEVISION, abs=0.5)


def test_voices_of_a_resumed_hold_do_not_make_a_level_known() -> None:
    room = Room()
    room.hear(USER, 0.05)
    room.voices.was_the_room(room.now)
    room.hear(-70.0, 1.5, voice=0.02, speech=0.02)
    assert room.passes(USER) == (True, True)


def test_voices_loud_words_that_were_resumed_count_a_second_later() -> None:
    room = Room()
    room.ask(USER + 13, called=False, then_dbfs=TELEVISION)
    for word_goes_on in (True, False):
        room.voices.held()
        room.hear(TELEVISION + 6, 0.5)
        room.voices.was_the_room(room.now)
        if word_goes_on:  # a user who was not understood tries again
            room.hear(TELEVISION + 6, 0.3)
            room.voices.held()
        room.hear(-70.0, 1.5, voice=0.02, speech=0.02)
        learned = room.voices.dbfs(room.now) > TELEVISION + 4
        assert learned is not word_goes_on


def test_voices_well_over_the_room_are_not_the_rooms() -> None:
    room = Room()
    room.ask(USER, called=False, then_dbfs=TELEVISION)
    for _ in range(10):
        room.voices.held()
        room.hear(USER, 0.5)
        room.voices.was_the_room(room.now)
        room.hear(-70.0, 1.5, voice=0.02, speech=0.02)
    assert room.passes(USER) == (True, True)


def test_coughs_and_hums_are_not_voices_of_the_room() -> None:
    room = Room()
    room.hear(USER, 2.0)
    room.voices.turn_ended(room.now, called=False)
    room.hear(-30.0, 1.0, speech=0.2)
    room.voices.reply_begins(room.now)
    assert room.voices.dbfs(room.now) == pytest.approx(USER, abs=0.5)


def test_idle_voices_are_sampled_for_a_tenth_of_the_time() -> None:
    voices = BackgroundVoices()
    loud = [voices.wants(period(TELEVISION)) for _ in range(6000)]
    assert 0.08 < sum(loud) / len(loud) < 0.12
    silent = ProcessedPeriod(np.zeros(160, np.int16), 0.0, 0.0, False, 0.0, 0.0, -70.0, -120.0)
    quiet = BackgroundVoices()
    assert not any(quiet.wants(silent) for _ in range(6000))


def test_idle_voices_set_the_level_before_the_first_question() -> None:
    room = Room()
    room.overhear(TELEVISION, 0.3)
    room.hear(-70.0, 3.1, voice=0.0, speech=0.0)
    assert room.passes(TELEVISION + 1) == (False, False)
    assert room.passes(USER) == (True, True)


def test_the_wake_word_is_no_voice_of_the_room() -> None:
    room = Room()
    room.overhear(USER, 0.8)
    room.hear(-70.0, 0.3, voice=0.0, speech=0.0)
    room.ask(USER)
    room.hear(-70.0, 3.1, voice=0.0, speech=0.0)
    assert not room.voices.known(room.now)


def decisions(room: Room, dbfs: float) -> list[Decision]:
    """Return what a second of a voice brings while a reply is played."""
    detector = BargeInDetector(HearingConfig(), room.voices)
    detector.arm(room.now)
    made = []
    for _ in range(100):
        room.now = round(room.now + 0.01, 2)
        heard = period(dbfs)
        room.voices.update(heard, room.now, quiet=detector.pending)
        decision = detector.update(heard, room.now)
        if decision is not None:
            made.append(decision.decision)
    return made


def test_barge_in_beside_a_television_hears_only_the_user() -> None:
    room = Room()
    room.ask(USER, then_dbfs=TELEVISION)
    assert decisions(room, TELEVISION) == []
    assert decisions(room, USER) == [Decision.HOLD, Decision.INTERRUPT]


def test_barge_in_without_other_voices_hears_a_soft_user() -> None:
    room = Room()
    room.ask(USER)
    assert decisions(room, USER - 15) == [Decision.HOLD, Decision.INTERRUPT]
