"""Beside a television, only a louder user is part of a turn."""

import numpy as np

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.background_voices import CONFIRMED_DB, BackgroundVoices
from parleyd.hearing.user_gate import UserGate
from parleyd.units import MIC_PERIOD_FRAMES

TELEVISION, USER = -50.0, -38.0


def period(dbfs: float) -> ProcessedPeriod:
    return ProcessedPeriod(
        cleaned=np.zeros(MIC_PERIOD_FRAMES, np.int16),
        excess_db=8.0,
        voice=0.95,
        voice_chunk=True,
        near_end=0.95,
        speech=0.95,
        level_dbfs=dbfs,
        echo_dbfs=-120.0,
    )


class Room:
    """A room in which a television may have talked before."""

    def __init__(self, *, television: bool) -> None:
        self.voices, self.now = BackgroundVoices(), 100.0
        self.gate = UserGate(self.voices)
        for _ in range(100 * television):
            self.hear(TELEVISION, 0.05)
            self.voices.overheard(0.95, self.now)

    def hear(self, dbfs: float, seconds: float, *, quiet: bool = True) -> list[bool]:
        """Return whether the gate was open, for each period of this sound."""
        opened = []
        for _ in range(round(seconds * 100)):
            self.now = round(self.now + 0.01, 2)
            heard = period(dbfs)
            self.voices.update(heard, self.now, quiet=quiet)
            opened.append(self.gate.update(heard, self.now, quiet=quiet))
        return opened

    def begin(self, *, called: bool) -> None:
        self.voices.turn_begins()
        self.gate.turn_begins(self.now, called=called)


def test_gate_without_voices_in_the_room_is_always_open() -> None:
    room = Room(television=False)
    for called in (True, False):
        room.begin(called=called)
        assert all(room.hear(-70.0, 2.0))


def test_gate_closes_when_only_the_television_continues() -> None:
    room = Room(television=True)
    room.begin(called=True)
    assert all(room.hear(TELEVISION, 1.0) + room.hear(USER, 1.0))
    after = room.hear(TELEVISION, 2.0)
    assert 0.3 < sum(after) / 100 < 0.6
    assert not any(after[60:])


def test_gate_opens_again_for_the_user() -> None:
    room = Room(television=True)
    room.begin(called=True)
    room.hear(USER, 1.0)
    room.hear(TELEVISION, 2.0)
    again = room.hear(USER, 1.0)
    assert again.index(True) < 10
    assert all(again[10:])


def test_gate_opens_for_no_loud_word_of_the_television() -> None:
    room = Room(television=True)
    room.begin(called=False)
    assert not any(room.hear(TELEVISION + CONFIRMED_DB - 1, 1.0))


def test_gate_stays_open_for_a_user_no_louder_than_the_room() -> None:
    """Whoever says the wake word is heard, also at the level of the television."""
    room = Room(television=True)
    room.begin(called=True)
    assert all(room.hear(TELEVISION, 5.0))


def test_gate_is_closed_after_a_reply_until_a_user_is_louder() -> None:
    room = Room(television=True)
    room.begin(called=False)
    assert not any(room.hear(TELEVISION, 5.0))
    assert all(room.hear(USER, 1.0)[10:])


def test_gate_closes_when_nothing_follows_the_wake_word() -> None:
    room = Room(television=True)
    room.hear(USER, 0.7)
    room.begin(called=True)
    assert not any(room.hear(TELEVISION, 6.0)[350:])


def test_gate_closes_for_an_unknown_television() -> None:
    room = Room(television=False)
    room.hear(USER, 0.7)
    room.begin(called=True)
    assert all(room.hear(USER, 1.0))
    heard = room.hear(TELEVISION, 8.0)
    assert all(heard[:50])
    assert not any(heard[400:])


def test_gate_stays_open_for_a_user_who_calls_loudly_and_asks_softly() -> None:
    room = Room(television=False)
    room.hear(USER, 0.7)
    room.begin(called=True)
    assert all(room.hear(USER - 12, 8.0))


def test_gate_never_takes_a_reply_for_a_television() -> None:
    """The residual echo of Parley's own voice is soft, and continues like a programme."""
    room = Room(television=False)
    room.hear(USER, 0.7)
    room.begin(called=True)
    room.hear(USER, 1.0)
    room.hear(TELEVISION, 8.0, quiet=False)
    assert not room.voices.known(room.now)
