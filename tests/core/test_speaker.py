"""The whole core in simulated time: sent audio, played audio, indications."""

import numpy as np
import pytest

from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    ConnectionDown,
    ConnectionUp,
    MuteSwitched,
    Reconnect,
    SetConnectionWanted,
    SetVolume,
    SkillDone,
)
from parleyd.core.states import Indication, State
from parleyd.playback import earcons
from parleyd.realtime import events as ev
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.client_events import settings_of
from tests.paper_server import RATE_HZ, Paper, WakeOnDemand, settings, tone

QUESTION = "What is the weather like?"
OBJECTION = "No wait, tell me about the rain."


def ask(paper: Paper) -> None:
    """Press the button, ask, and wait until the answer is audible."""
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION, "slt"))
    paper.until(State.SPEAKING)


@pytest.mark.slow
def test_equal_inputs_give_equal_outputs() -> None:
    def life() -> Paper:
        paper = Paper(settings(), WakeOnDemand())
        ask(paper)
        paper.run(0.5)
        paper.talker.say(synthesize(OBJECTION, "rms"))
        paper.until(State.THINKING)
        paper.until(State.IDLE)
        return paper

    one, two = life(), life()
    assert one.steps == two.steps
    assert one.effects == two.effects


def test_no_audio_is_sent_before_the_wake_word() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    paper.talker.say(synthesize(QUESTION, "slt"))
    paper.run(3.0)
    assert paper.events(ev.AppendAudio) == []
    wake_engine.next = "hey_test"
    paper.run(0.5)
    assert paper.events(ev.AppendAudio) != []


@pytest.mark.slow
def test_no_audio_is_sent_during_a_reply_and_preroll_is_first() -> None:
    paper = Paper(settings())
    ask(paper)
    before = len(paper.events(ev.AppendAudio))
    paper.run(0.5)
    paper.talker.say(synthesize(OBJECTION, "rms"))
    paper.until(State.BARGE_IN)
    assert len(paper.events(ev.AppendAudio)) == before
    paper.until(State.LISTENING)
    kinds = [type(event).__name__ for event in paper.sent]
    after = kinds[kinds.index("TruncateItem") :]
    assert after[:3] == ["TruncateItem", "ClearAudio", "AppendAudio"]
    first = paper.events(ev.AppendAudio)[before]
    assert len(first.audio) / 48 > paper.settings.hearing.preroll_ms


@pytest.mark.slow
def test_seam_between_preroll_and_microphone_is_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paper = Paper(settings())
    ask(paper)
    heard: list[Frames] = []
    sent: list[Frames] = []
    uplink = paper.speaker._dialogue._uplink
    listen, push = paper.speaker._front_end._preroll.push, uplink.push
    monkeypatch.setattr(
        paper.speaker._front_end._preroll,
        "push",
        lambda f: (heard.append(f), listen(f))[1],  # type: ignore[func-returns-value]
    )
    monkeypatch.setattr(uplink, "push", lambda f: (sent.append(f), push(f))[1])  # type: ignore[func-returns-value]
    paper.run(0.5)  # the pre-roll includes this time
    paper.talker.say(synthesize(OBJECTION, "rms"))
    paper.until(State.LISTENING)
    paper.run(0.3)
    went_out = np.concatenate(sent)
    assert len(went_out) > 0.6 * 16_000
    assert np.array_equal(went_out, np.concatenate(heard)[-len(went_out) :])


def test_muted_microphone_detects_and_sends_nothing() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    wake_engine.next = "hey_test"
    paper.run(0.1)
    assert paper.speaker.state is State.LISTENING
    paper.card.muted = True
    paper.say(MuteSwitched(True))
    sent = len(paper.events(ev.AppendAudio))
    assert paper.speaker.state is State.IDLE
    paper.talker.say(synthesize(QUESTION, "slt"))
    wake_engine.next = "hey_test"
    paper.say(ButtonPressed())
    paper.run(2.0)
    assert paper.speaker.state is State.IDLE
    assert len(paper.events(ev.AppendAudio)) == sent
    assert paper.shown[-1] is Indication.MUTED
    paper.card.muted = False
    paper.say(MuteSwitched(False))
    paper.run(0.1)
    assert paper.shown[-1] is not Indication.MUTED


def test_mute_is_shown_above_all() -> None:
    paper = Paper(settings())
    paper.say(MuteSwitched(True))
    paper.say(ConnectionDown("the server refuses the key", fatal=True))
    paper.run(0.1)
    assert paper.shown[-1] is Indication.MUTED
    paper.say(MuteSwitched(False))
    paper.run(0.1)
    assert paper.shown[-1] is Indication.ERROR


@pytest.mark.slow
def test_answer_continues_during_mute_and_ends_in_idle() -> None:
    paper = Paper(settings(follow_up_s=5.0))
    ask(paper)
    paper.say(MuteSwitched(True))
    paper.run(1.0)
    assert paper.speaker.state is State.SPEAKING
    paper.until(State.IDLE)


@pytest.mark.slow
def test_follow_up_after_an_answer_needs_no_wake_word() -> None:
    paper = Paper(settings(follow_up_s=5.0))
    ask(paper)
    paper.until(State.LISTENING)
    paper.talker.say(synthesize(OBJECTION, "slt"))
    paper.until(State.SPEAKING)
    assert len(paper.events(ev.CreateResponse)) == 2
    paper.until(State.LISTENING)
    paper.until(State.IDLE)


@pytest.mark.slow
def test_interruption_ends_the_old_answer_and_is_answered_once() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.run(0.6)
    paper.talker.say(synthesize(OBJECTION, "rms"))
    paper.until(State.LISTENING)
    committed = paper.card.now
    paper.say(ev.AudioDelta(response_id="r1", item_id="ir1", delta=tone(500, 900).tobytes()))
    (truncate,) = paper.events(ev.TruncateItem)
    assert truncate.item_id == "ir1"
    paper.reply = tone(500, 880.0)
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    assert len(paper.events(ev.CreateResponse)) == 2
    played = paper.recording.loudspeaker[int(committed * RATE_HZ) :]
    loud = np.flatnonzero(np.abs(played) > 500)
    spectrum = np.abs(np.fft.rfft(played[loud[0] : loud[-1]].astype(float)))
    loudest_hz = np.argmax(spectrum) * RATE_HZ / (loud[-1] - loud[0])
    assert loudest_hz == pytest.approx(880, abs=5)


def test_hold_drops_playback_in_the_same_tick() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.run(0.5)
    paper.talker.say(synthesize(OBJECTION, "rms"))
    paper.until(State.BARGE_IN)
    assert paper.steps[-1][0]
    assert not any(paper.steps[-1][1])
    assert paper.card.queued_frames == RATE_HZ * paper.settings.audio.lead_ms // 1000


def test_duck_lowers_instead_of_holding() -> None:
    paper = Paper(settings(on_suspicion="duck"))
    paper.reply = tone(6000)
    ask(paper)
    paper.run(0.5)
    loud = np.abs(paper.recording.loudspeaker[-RATE_HZ // 10 :]).max()
    paper.talker.say(synthesize(OBJECTION, "rms"))
    paper.until(State.BARGE_IN)
    paper.run(0.1)
    assert paper.speaker.state is State.BARGE_IN
    ducked = np.abs(paper.recording.loudspeaker[-RATE_HZ // 50 :]).max()
    assert 0 < ducked < loud * 0.2


@pytest.mark.slow
def test_answer_beyond_the_buffer_is_cut_and_truncated() -> None:
    paper = Paper(settings(capacity_s=30))
    paper.reply = tone(40_000)
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION, "slt"))
    paper.until(State.THINKING)
    paper.wait(lambda: bool(paper.events(ev.CreateResponse)))
    create = paper.events(ev.CreateResponse)[0]
    metadata = settings_of(create)["metadata"]
    paper.say(ev.ResponseCreated(response=ev.Response(id="r1", metadata=metadata)))
    for start in range(0, len(paper.reply), 24_000):
        piece = paper.reply[start : start + 24_000].tobytes()
        paper.say(ev.AudioDelta(response_id="r1", item_id="i1", delta=piece))
    paper.until(State.SPEAKING)
    assert [type(e).__name__ for e in paper.sent[-1:]] == ["CancelResponse"]
    assert len(paper.log_events("playback_buffer_full")) == 1
    paper.until(State.IDLE, within_s=60)
    (truncate,) = paper.events(ev.TruncateItem)
    assert truncate.audio_end_ms == 30_000
    loud = np.count_nonzero(np.abs(paper.recording.loudspeaker) > 100) / RATE_HZ
    assert loud > 28


def test_speech_while_connecting_is_answered_when_connected() -> None:
    paper = Paper(settings(), connected=False)
    paper.run(0.1)
    assert paper.shown[-1] is Indication.OFFLINE
    paper.say(ButtonPressed())
    paper.run(0.1)
    assert paper.shown[-1] is Indication.LISTENING
    paper.talker.say(synthesize(QUESTION, "slt"))
    paper.until(State.THINKING)
    assert paper.sent == []
    paper.say(ConnectionUp())
    paper.say(ev.SessionCreated())
    paper.run(0.05)
    paper.say(ev.SessionUpdated())
    paper.until(State.SPEAKING)
    kinds = [type(event).__name__ for event in paper.sent]
    assert [kind for kind in kinds if kind != "AppendAudio"] == [
        "SessionUpdate",
        "ClearAudio",
        "CommitAudio",
        "CreateResponse",
    ]


def heard_since(paper: Paper, second: float) -> bool:
    return bool(np.abs(paper.recording.loudspeaker[int(second * RATE_HZ) :]).max() > 500)


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING])
def test_lost_connection_is_audible_only_during_a_wait(state: State) -> None:
    paper = Paper(settings())
    began = paper.card.now
    paper.say(ConnectionDown("Wi-Fi is gone"))
    paper.run(1.0)
    assert not heard_since(paper, began)
    assert paper.shown[-1] is Indication.OFFLINE
    paper = Paper(settings())
    paper.answers = False
    paper.say(ButtonPressed())
    paper.talker.say(synthesize(QUESTION, "slt"), at=paper.card.now + 0.2)
    paper.until(state)
    began = paper.card.now
    paper.say(ConnectionDown("Wi-Fi is gone"))
    paper.run(1.0)
    assert paper.speaker.state is State.IDLE
    assert heard_since(paper, began)


@pytest.mark.slow
def test_lost_connection_does_not_end_received_audio() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.say(ConnectionDown("Wi-Fi is gone"))
    paper.run(1.0)
    assert paper.speaker.state is State.SPEAKING
    paper.until(State.IDLE)


def test_refused_key_is_signalled_at_every_attempt() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    paper.say(ConnectionDown("the server refuses the key", fatal=True))
    paper.run(0.5)
    began = paper.card.now
    wake_engine.next = "hey_test"
    paper.run(1.0)
    assert paper.speaker.state is State.IDLE
    assert heard_since(paper, began)
    assert paper.events(ev.AppendAudio) == []


@pytest.mark.parametrize(
    ("code", "fatal", "words"),
    [("invalid_api_key", True, "refuses the key"), ("insufficient_quota", False, "add credit")],
)
def test_error_that_lasts_ends_the_socket(code: str, fatal: bool, words: str) -> None:
    paper = Paper(settings())
    paper.say(ev.ServerError(error=ev.ErrorDetail(code=code, message="x")))
    paper.run(0.05)
    (effect,) = [e for _, e in paper.effects if isinstance(e, Reconnect)]
    assert (effect.fatal, effect.later) == (fatal, not fatal)
    assert words in effect.reason


def test_temporary_refusal_is_retried_at_once_by_a_turn() -> None:
    """The light shows the reason; the wake word retries, and the user hears the result."""
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    paper.say(ConnectionDown("the account has no quota left: add credit", later=True))
    paper.run(0.5)
    assert paper.shown[-1] is Indication.ERROR
    wake_engine.next = "hey_test"
    paper.run(1.5)  # the chime has ended
    assert paper.speaker.state is State.LISTENING
    assert paper.shown[-1] is Indication.LISTENING
    assert [e for _, e in paper.effects if isinstance(e, SetConnectionWanted)] == [
        SetConnectionWanted(True)
    ]
    began = paper.card.now
    paper.say(ConnectionDown("the account has no quota left: add credit", later=True))
    paper.run(1.0)
    assert paper.speaker.state is State.IDLE
    assert paper.shown[-1] is Indication.ERROR
    assert heard_since(paper, began)  # the sorry tone
    wake_engine.next = "hey_test"
    paper.run(0.5)
    assert [e for _, e in paper.effects if isinstance(e, SetConnectionWanted)] == [
        SetConnectionWanted(True)
    ] * 2
    paper.say(ConnectionUp())
    paper.run(0.1)
    assert paper.speaker.state is State.LISTENING


@pytest.mark.slow
def test_silence_after_the_wake_word_ends_with_a_low_tone() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    wake_engine.next = "hey_test"
    paper.run(0.1)
    began = paper.card.now
    paper.until(State.IDLE)
    assert paper.card.now - began == pytest.approx(paper.settings.turn.no_speech_timeout_s, abs=0.2)
    paper.run(0.5)
    assert heard_since(paper, began)
    assert paper.events(ev.CreateResponse) == []


@pytest.mark.slow
def test_stop_word_stops_and_wake_word_starts_a_new_turn() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    ask(paper)
    wake_engine.next = "stop"
    paper.run(0.02)
    assert paper.speaker.state is State.IDLE
    quiet_from = paper.card.now
    paper.run(1.0)
    assert not heard_since(paper, quiet_from)
    ask(paper)
    paper.run(3.0 - 0.6)
    wake_engine.next = "hey_test"
    paper.run(0.02)
    assert paper.speaker.state is State.LISTENING


@pytest.mark.slow
def test_server_that_never_answers_ends_in_idle_with_a_sound() -> None:
    paper = Paper(settings())
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION, "slt"))
    paper.until(State.THINKING)
    began = paper.card.now
    paper.until(State.IDLE)
    paper.run(0.5)
    assert heard_since(paper, began)


def test_function_call_output_is_followed_by_the_answer() -> None:
    paper = Paper(settings())
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION, "slt"))
    paper.wait(lambda: bool(paper.events(ev.CreateResponse)))
    metadata = settings_of(paper.events(ev.CreateResponse)[0])["metadata"]
    call = {
        "type": "function_call",
        "status": "completed",
        "call_id": "c1",
        "name": "set_volume",
        "arguments": '{"percent": 20}',
    }
    paper.say(ev.ResponseCreated(response=ev.Response(id="r1", metadata=metadata)))
    paper.say(ev.OutputItemDone(response_id="r1", item=call))
    paper.say(ev.ResponseDone(response=ev.Response(id="r1", status="completed", output=[call])))
    paper.run(0.1)
    (skill,) = paper.skills
    assert (skill.name, skill.arguments) == ("set_volume", {"percent": 20})
    assert paper.speaker.state is State.THINKING
    paper.answers = True
    paper.say(SkillDone("c1", "The volume is 20 percent now."))
    paper.until(State.SPEAKING)
    assert len(paper.events(ev.CreateResponse)) == 2


def test_volume_is_a_gain_on_played_audio() -> None:
    loudness = []
    for percent in (100, 50):
        paper = Paper(settings())
        paper.say(SetVolume(percent))
        paper.run(0.1)
        paper.say(AlarmDue("eggs"))
        paper.run(1.0)
        loudness.append(np.abs(paper.recording.loudspeaker).max())
    assert loudness[1] == pytest.approx(loudness[0] / 4, rel=0.02)


@pytest.mark.slow
def test_turn_ends_with_one_log_line_of_its_stages() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.run(0.6)
    paper.talker.say(synthesize(OBJECTION, "rms"))
    paper.until(State.THINKING)
    paper.until(State.IDLE)
    first, second = (log_event.fields for log_event in paper.log_events("turn"))
    assert first["interrupted"]
    assert 0 <= first["onset_to_hold_ms"] <= first["onset_to_interrupt_ms"] < 1500
    assert 400 < first["heard_ms"] < 1500
    assert not second["interrupted"]
    assert second["heard_ms"] == 3000
    assert second["first_delta_ms"] <= second["first_frame_ms"]


@pytest.mark.parametrize("sound", [earcons.chime, earcons.low_tone, earcons.sorry, earcons.alarm])
def test_earcons_begin_and_end_without_a_click(sound: object) -> None:
    frames = sound()  # type: ignore[operator]
    assert frames.dtype == np.int16
    assert abs(int(frames[0])) < 50
    assert abs(int(frames[-1])) < 50
    assert 1000 < np.abs(frames).max() < 20_000


@pytest.mark.slow
def test_overwhelming_echo_switches_to_half_duplex_and_warns() -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    # a rattling loudspeaker: a linear filter cannot model most of its echo
    paper.card._room = Room(
        seed=4, echo_gain_db=6.0, distortion_db=6.0, loudspeaker_rate_hz=RATE_HZ
    )
    story = synthesize("There was once a lighthouse keeper who was afraid of the dark. " * 5, "slt")
    paper.reply = np.clip(np.repeat(story, 3)[::2] * 6.0, -32768, 32767).astype(np.int16)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION, "slt") // 2)
    paper.until(State.SPEAKING)
    paper.wait(lambda: bool(paper.log_events("half_duplex")), within_s=15)
    assert "lower audio.volume" in paper.log_events("half_duplex")[0].fields["means"]
    holds = len(paper.log_events("hold"))
    paper.run(2.0)
    assert len(paper.log_events("hold")) == holds
    wake_engine.next = "hey_test"
    paper.run(0.05)
    assert paper.speaker.state is State.LISTENING
