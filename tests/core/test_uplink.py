"""The sent microphone audio is exact to the period: nothing is lost or sent twice."""

from typing import cast

import numpy as np
import pytest

from parleyd.core.uplink import Chunks, Uplink
from parleyd.hearing.barge_in import BargeInDecision, Decision
from parleyd.hearing.front_end import AudioFrontEnd, FrontEndResult
from parleyd.realtime.session import RealtimeSession
from parleyd.units import Frames

PERIOD = np.full(160, 5, np.int16)  # 10 ms at 16 kHz

VOICE = 8000


class Heard:
    """A front end that records the uplink's requests."""

    def __init__(self) -> None:
        self.deciding, self.onset, self.user_speaks = False, 0.0, False
        self.barge_in, self.endpointing = list[str](), list[bool]()
        self.asked_ms: list[float] = []

    def linger(self) -> None:
        self.barge_in.append("linger")

    def disarm(self) -> None:
        self.barge_in.append("disarm")

    def restart_endpointing(self, *, speaking: bool) -> None:
        self.endpointing.append(speaking)

    def recent(self, ms: float) -> Frames:
        self.asked_ms.append(ms)
        return np.full(round(ms * 16), VOICE, np.int16)


class Wire:
    """A session that records the appended audio; ``begin`` marks the input of a new turn."""

    def __init__(self) -> None:
        self.ready = True
        self.sent: list[int | str] = []
        self.frames = np.zeros(0, np.int16)

    def begin_input(self) -> None:
        self.sent.append("begin")

    def append(self, chunk: Frames) -> None:
        self.sent.append(len(chunk))
        self.frames = np.concatenate([self.frames, chunk])


class Desk:
    def __init__(self) -> None:
        self.front_end, self.wire = Heard(), Wire()
        self.uplink = Uplink(cast(AudioFrontEnd, self.front_end), cast(RealtimeSession, self.wire))

    def result(self, kind: Decision | None = None, *, user: bool = True) -> FrontEndResult:
        decision = None if kind is None else BargeInDecision(kind, "", 0.0, {})
        return cast(FrontEndResult, _Result(decision, user))


class _Result:
    def __init__(self, decision: BargeInDecision | None, user: bool) -> None:
        self.decision, self.user = decision, user


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_chunks_lose_no_frame_of_a_turn() -> None:
    """Ten seconds in give ten seconds out, except for the resampler's delay."""
    chunks, sent = Chunks(), 0
    for _ in range(1000):
        out = chunks.push(PERIOD)
        sent += 0 if out is None else len(out)
    sent += len(chunks.flush())
    assert 240_000 - 360 <= sent <= 240_000


def test_chunks_have_at_least_40_ms() -> None:
    """At most 25 messages per second: 960 frames at 24 kHz."""
    chunks = Chunks()
    sizes = [len(out) for _ in range(500) if (out := chunks.push(PERIOD)) is not None]
    assert min(sizes) >= 960
    assert max(sizes) < 960 + 480
    assert len(sizes) >= 100


def test_chunks_keep_the_level_and_the_extremes() -> None:
    for level in (32767, -32768, 1000):
        chunks, out = Chunks(), np.zeros(0, np.int16)
        for _ in range(100):
            piece = chunks.push(np.full(160, level, np.int16))
            out = out if piece is None else np.concatenate([out, piece])
        middle = out[4800:-4800].astype(int)
        assert np.abs(middle - level).max() <= 2


def test_chunks_flush_once() -> None:
    chunks = Chunks()
    for _ in range(3):
        chunks.push(PERIOD)
    assert 0 < len(chunks.flush()) < 960
    assert len(chunks.flush()) == 0


def test_turn_begins_with_the_preroll(desk: Desk) -> None:
    desk.uplink.begin(730.0, speaking=True)
    assert desk.uplink.sending
    assert desk.front_end.asked_ms == [730.0]
    assert desk.front_end.endpointing == [True]
    assert desk.wire.sent[0] == "begin"
    sent = desk.wire.sent[1]
    assert isinstance(sent, int)
    assert 730 * 24 - 360 <= sent <= 730 * 24


def test_turn_resumes_with_exactly_the_gap(desk: Desk) -> None:
    desk.uplink.begin(0.0, speaking=False)
    desk.uplink.silence()
    assert not desk.uplink.sending
    for _ in range(37):
        desk.uplink.begin_period()
    desk.uplink.resume()
    assert desk.uplink.sending
    assert desk.front_end.asked_ms == [0.0, 370]
    assert desk.front_end.endpointing == [False, True]
    assert "begin" not in desk.wire.sent[1:]
    desk.uplink.resume()  # sent audio is not sent again
    assert desk.front_end.asked_ms[-1] == 0


def after_reply(desk: Desk, periods: int = 12) -> None:
    """End a reply at 100.0 s, then process `periods` periods."""
    desk.uplink.begin_after_reply(100.0)
    for _ in range(periods):
        desk.uplink.begin_period()


def test_turn_after_a_reply_begins_at_its_end(desk: Desk) -> None:
    after_reply(desk, 50)
    assert desk.wire.sent == ["begin"]
    assert (desk.uplink.settles, desk.uplink.sending) == (True, False)
    assert desk.front_end.barge_in == ["linger"]
    assert desk.front_end.endpointing == [False]
    assert desk.uplink.settle(desk.result(), 100.49) == 0
    assert desk.uplink.settles
    assert desk.uplink.settle(desk.result(), 100.5) == 0
    assert (desk.uplink.settles, desk.uplink.sending) == (False, True)
    assert desk.front_end.asked_ms == [500]
    assert desk.front_end.barge_in == ["linger", "disarm"]


def test_onset_in_the_reply_is_sent_from_150_ms_before(desk: Desk) -> None:
    after_reply(desk)
    desk.front_end.onset = 99.8
    assert desk.uplink.settle(desk.result(Decision.INTERRUPT), 100.12) == 350
    assert desk.front_end.asked_ms == [120 + 350]


def test_onset_after_the_reply_is_sent_from_its_end(desk: Desk) -> None:
    after_reply(desk)
    desk.front_end.onset = 101.0
    assert desk.uplink.settle(desk.result(Decision.INTERRUPT), 100.12) == 0
    assert desk.front_end.asked_ms == [120]


def test_resumed_hold_settles_at_once(desk: Desk) -> None:
    after_reply(desk)
    desk.front_end.onset = 99.8
    assert desk.uplink.settle(desk.result(Decision.RESUME), 100.12) == 0
    assert desk.front_end.asked_ms == [120]


def test_uplink_waits_for_a_pending_decision(desk: Desk) -> None:
    after_reply(desk)
    desk.front_end.deciding, desk.front_end.onset = True, 99.9
    assert desk.uplink.settle(desk.result(), 100.7) == 0
    assert desk.uplink.settles
    desk.front_end.user_speaks = True  # the voice detector has detected a word
    assert desk.uplink.settle(desk.result(), 100.71) == 250
    assert not desk.uplink.settles


def test_voice_without_a_hold_sends_nothing_of_the_reply(desk: Desk) -> None:
    after_reply(desk)
    desk.front_end.user_speaks = True
    assert desk.uplink.settle(desk.result(), 100.1) == 0
    assert desk.uplink.settles


def test_first_end_of_a_reply_counts(desk: Desk) -> None:
    desk.uplink.reply_ended(99.0)
    for _ in range(10):
        desk.uplink.begin_period()
    after_reply(desk, 10)
    assert desk.uplink.settle(desk.result(), 99.5) == 0
    assert desk.front_end.asked_ms == [200]


def test_finish_sends_queued_audio_and_the_last_chunk(desk: Desk) -> None:
    after_reply(desk)
    desk.uplink.finish()
    assert not desk.uplink.settles
    assert desk.front_end.asked_ms == [120]
    assert desk.wire.sent[0] == "begin"
    assert sum(size for size in desk.wire.sent if isinstance(size, int)) >= 120 * 24 - 360


def test_abandon_clears_the_servers_buffer(desk: Desk) -> None:
    desk.uplink.begin(0.0, speaking=False)
    desk.uplink.abandon()
    assert not desk.uplink.sending
    assert desk.wire.sent[-1] == "begin"


@pytest.mark.parametrize(("ready", "sent"), [(True, 1), (False, 2)])
def test_close_drops_only_unsent_audio(desk: Desk, ready: bool, sent: int) -> None:
    desk.uplink.begin(0.0, speaking=False)
    desk.wire.sent = [item for item in desk.wire.sent if item == "begin"]
    desk.wire.ready = ready
    desk.uplink.close()
    assert not desk.uplink.sending
    assert desk.wire.sent == ["begin"] * sent


def hears(desk: Desk, seconds: float, *, user: bool) -> None:
    """Hear a voice, of the user or of a television."""
    for _ in range(round(seconds * 100)):
        desk.uplink.begin_period()
        desk.uplink.end_period(np.full(160, VOICE, np.int16), user=user)


def voiced_s(desk: Desk) -> float:
    """Return how much of the sent audio is a voice."""
    return float(np.count_nonzero(np.abs(desk.wire.frames) > VOICE / 2) / 24_000)


def test_voices_of_the_room_are_sent_as_silence(desk: Desk) -> None:
    desk.uplink.begin(0.0, speaking=False)
    hears(desk, 1.0, user=True)
    hears(desk, 2.0, user=False)
    assert voiced_s(desk) == pytest.approx(1.0, abs=0.03)
    assert len(desk.wire.frames) / 24_000 == pytest.approx(2.8, abs=0.06)


def test_user_beside_a_television_is_sent_from_200_ms_before(desk: Desk) -> None:
    desk.uplink.begin(0.0, speaking=False)
    hears(desk, 1.0, user=True)
    hears(desk, 2.0, user=False)
    hears(desk, 1.0, user=True)
    assert voiced_s(desk) == pytest.approx(2.2, abs=0.06)
    assert len(desk.wire.frames) / 24_000 == pytest.approx(4.0, abs=0.06)


def test_short_pause_of_a_user_beside_a_television_loses_nothing(desk: Desk) -> None:
    desk.uplink.begin(0.0, speaking=False)
    hears(desk, 1.0, user=True)
    hears(desk, 0.2, user=False)
    hears(desk, 1.0, user=True)
    assert voiced_s(desk) == pytest.approx(2.2, abs=0.06)


def test_television_right_after_a_reply_is_not_sent(desk: Desk) -> None:
    after_reply(desk, 50)
    assert desk.uplink.settle(desk.result(user=False), 100.5) == 0
    assert desk.uplink.sending
    assert desk.front_end.asked_ms == [0]


def test_user_right_after_a_reply_is_sent_beside_a_television(desk: Desk) -> None:
    after_reply(desk, 50)
    assert desk.uplink.settle(desk.result(user=True), 100.2) == 0
    assert desk.uplink.settle(desk.result(user=False), 100.5) == 0
    assert desk.front_end.asked_ms == [500]
