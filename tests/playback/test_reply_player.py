"""The current reply and own sounds, in frames; card and server both run at 24 kHz."""

import msgspec
import numpy as np
import pytest

from parleyd import config
from parleyd.playback.lead import PlaybackLead
from parleyd.playback.reply_player import ReplyPlayer
from parleyd.units import Frames

LOUD = np.full(2400, 8000, np.int16)  # 100 ms
LOUD[::2] = -8000


def player(reaction: str = "hold", capacity_s: int = 60, volume: int = 100) -> ReplyPlayer:
    base = config.Config(
        audio=config.AudioConfig(playback_rate_hz=24000, volume=volume),
        playout=config.PlayoutConfig(capacity_s=capacity_s),
    )
    hearing = msgspec.structs.replace(base.hearing, on_suspicion=reaction)
    made = ReplyPlayer(msgspec.structs.replace(base, hearing=hearing), PlaybackLead(40))
    made.begin()
    return made


class Card:
    """Plays the frames of the reply player, 240 in each 10 ms."""

    def __init__(self, of: ReplyPlayer) -> None:
        self.player = of
        self.queue: list[int] = []
        self.drops: list[int] = []

    def hear(self) -> list[int]:
        """Play 10 ms, the first half of a period."""
        played, self.queue = self.queue[:240], self.queue[240:]
        self.player.heard(len(self.queue))
        return played

    def fill(self) -> None:
        """Drop the queue on request and fill it up to the lead, the second half of a period."""
        drop, frames = self.player.next()
        if drop is not None:
            self.drops.append(drop)
            del self.queue[len(self.queue) - drop :]
        self.queue += frames.tolist()

    def run(self, periods: int) -> Frames:
        """Return the frames heard in `periods` of 10 ms."""
        played: list[int] = []
        for _ in range(periods):
            played += self.hear()
            self.fill()
        return np.array(played, np.int16)


def loud_ms(frames: Frames) -> float:
    return float(np.count_nonzero(np.abs(frames.astype(int)) > 500)) / 24


def test_reply_player_fills_exactly_the_lead() -> None:
    made = player()
    made.append("i", 0, np.tile(LOUD, 10))
    made.heard(0)
    assert len(made.next()[1]) == 960  # 40 ms
    made.heard(720)
    assert len(made.next()[1]) == 240
    made.heard(2000)
    assert len(made.next()[1]) == 0


def test_reply_player_hold_is_silent_at_once_without_loss() -> None:
    made = player()
    card = Card(made)
    made.append("i", 0, np.tile(LOUD, 10))  # 1 s
    heard = loud_ms(card.run(30))
    heard += loud_ms(np.array(card.hear(), np.int16))
    made.hold()
    card.fill()
    assert card.drops == [960 - 240]
    assert loud_ms(card.run(30)) == 0
    made.resume()
    made.done()
    heard += loud_ms(card.run(120))
    assert made.finished
    assert made.heard_ms == 1000
    assert 985 <= heard <= 1010  # minus the fades


def test_reply_player_hold_with_duck_lowers_the_level() -> None:
    made = player("duck")
    card = Card(made)
    made.append("i", 0, np.tile(LOUD, 20))
    card.run(30)
    made.hold()
    card.run(10)
    low = np.abs(card.run(10).astype(int)).max()
    assert low == pytest.approx(8000 * 10 ** (-config.HearingConfig().duck_db / 20), rel=0.02)
    assert card.drops == []
    made.resume()
    card.run(10)
    assert np.abs(card.run(10).astype(int)).max() == pytest.approx(8000, rel=0.02)


def test_reply_interrupted_is_silent_and_counted_to_the_frame() -> None:
    made = player()
    card = Card(made)
    made.append("i", 2, np.tile(LOUD, 10), 7)
    card.run(30)  # the first fills the lead
    card.hear()
    given = made.interrupt()
    card.fill()
    assert given.heard_ms == 300
    (part,) = given.unheard
    assert (part.item_id, part.content_index, part.response) == ("i", 2, 7)
    assert part.heard_ms == 300
    assert part.received_ms == 1000
    assert loud_ms(card.run(50)) == 0
    assert (made.begun, made.heard_ms, made.sounded) == (False, 0, False)


def test_earcon_does_not_count_as_part_of_the_reply() -> None:
    made = player()
    card = Card(made)
    made.play(LOUD)
    assert not made.begun
    made.play(np.zeros(0, np.int16))
    assert loud_ms(card.run(20)) == pytest.approx(100, abs=6)
    assert made.interrupt().unheard == []
    assert made.heard_ms == 0


def test_reply_is_finished_when_done_and_heard() -> None:
    made = player()
    card = Card(made)
    made.append("i", 0, LOUD)
    made.part_done("i", 0)
    card.run(60)
    assert not made.finished
    made.done()
    assert made.finished
    made.begin()
    assert not made.finished


def test_reply_player_repeats_the_heard_part_of_the_last_reply() -> None:
    made = player()
    card = Card(made)
    assert not made.replay()
    made.append("i", 0, np.tile(LOUD, 10))
    card.run(40)
    card.hear()
    made.interrupt()
    card.run(20)
    assert made.replay()
    assert loud_ms(card.run(100)) == pytest.approx(400, abs=6)
    assert made.cut is None
    assert made.begun


def test_reply_player_stores_at_most_two_minutes_to_repeat() -> None:
    made = player(capacity_s=300)
    for _ in range(130):
        assert made.append("i", 0, np.tile(LOUD, 10))
    assert len(made._said) == 2 * 120 * 24000


def test_reply_player_full_ring_returns_false_once_with_the_cut() -> None:
    made = player(capacity_s=2)
    assert made.cut is None
    answers = [made.append("i", 0, np.tile(LOUD, 10)) for _ in range(4)]
    assert answers.count(False) == 1
    cut = made.cut
    assert cut is not None
    assert (cut.item_id, cut.heard_ms) == ("i", cut.received_ms)
    assert 1900 <= cut.received_ms <= 2100
    made.begin()
    assert made.cut is None


def test_own_speech_that_does_not_fit_returns_false() -> None:
    made = player(capacity_s=2)
    assert made.append_own(np.tile(LOUD, 10))
    assert not made.append_own(np.tile(LOUD, 20))
    assert made.cut is None  # the server's parts are whole


@pytest.mark.parametrize(("swing", "sounded"), [(32, False), (33, True)])
def test_reply_of_dither_has_not_sounded(swing: int, sounded: bool) -> None:
    """Dither deviates by up to 16 in both directions, -66 dBFS."""
    made = player()
    frames = np.zeros(2400, np.int16)
    frames[::2] = swing
    made.append("i", 0, frames)
    assert made.sounded is sounded
    assert made.silent_s == (0.0 if sounded else 0.1)


def test_reply_silence_counts_since_the_last_sound() -> None:
    made = player()
    made.append("i", 0, np.zeros(24000, np.int16))
    made.append("i", 0, LOUD)
    assert made.silent_s == 0.0
    for _ in range(3):
        made.append("i", 0, np.zeros(2400, np.int16))
    assert made.silent_s == pytest.approx(0.3)
    assert made.sounded
    made.begin()
    assert (made.silent_s, made.sounded) == (0.0, False)


@pytest.mark.parametrize(("percent", "peak"), [(100, 8000), (50, 2000), (10, 80), (0, 0)])
def test_volume_is_the_square_of_its_percentage(percent: int, peak: int) -> None:
    made = player(volume=percent)
    card = Card(made)
    made.append("i", 0, np.tile(LOUD, 5))
    card.run(20)
    assert np.abs(card.run(10).astype(int)).max() == pytest.approx(peak, abs=2)
    assert made.audible is (percent > 0)
