"""If the user begins to speak at the end of a reply, every syllable is sent exactly once."""

import msgspec
import numpy as np
import pytest

from parleyd.audio import resample
from parleyd.config import Config
from parleyd.core.events import AfterTool, ButtonPressed, MuteSwitched, SkillDone
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.client_events import settings_of
from tests.paper_server import Paper, settings, tone

QUESTION = synthesize("What is the weather like?", "slt")
ANSWER = synthesize("Tomorrow there will be sunshine and a little wind.", "slt")
MOST_LOST_MS = 25.0  # two periods and a half


def words(text: str, voice: str = "rms") -> Frames:
    """Synthesise speech without leading silence."""
    clip = synthesize(text, voice)
    return clip[int(np.argmax(np.abs(clip.astype(int)) > 300)) :]


OBJECTION = words("No wait, tell me about the rain.")


def at_server_rate(frames: Frames) -> Frames:
    return resample(frames, 16_000, 24_000)


def ending_in_speech() -> Frames:
    answer = at_server_rate(ANSWER)
    return answer[: np.flatnonzero(np.abs(answer.astype(int)) > 500)[-1]]


def following(detection: str = "local", **hearing: object) -> Config:
    base = settings(follow_up_s=6.0, **hearing)  # type: ignore[arg-type]
    return msgspec.structs.replace(
        base, turn=msgspec.structs.replace(base.turn, detection=detection)
    )


class Talk:
    """A question and a reply whose end is timed to the ms."""

    def __init__(self, conf: Config, echo_gain_db: float = -40.0) -> None:
        self.paper = Paper(conf, echo_gain_db=echo_gain_db)
        self.paper.answers = False
        self.replies = 0
        self.spoken = 0  # events with audio before the newest reply
        self.ask()

    def ask(self) -> None:
        paper = self.paper
        before = len(paper.events(ev.CreateResponse))
        paper.say(ButtonPressed())
        paper.run(0.2)
        if paper.settings.turn.detection == "local":
            paper.talker.say(QUESTION)
        else:
            paper.say(ev.SpeechStarted(item_id=f"u{before}"))
            paper.run(0.5)
            paper.say(ev.SpeechStopped(item_id=f"u{before}"))
            paper.say(ev.AudioCommitted(item_id=f"u{before}"))
        paper.wait(lambda: len(paper.events(ev.CreateResponse)) > before)

    def created(self) -> str:
        self.replies += 1
        name = f"r{self.replies}"
        response = settings_of(self.paper.events(ev.CreateResponse)[-1])
        self.paper.say(
            ev.ResponseCreated(response=ev.Response(id=name, metadata=response["metadata"]))
        )
        return name

    def reply(self, frames: Frames) -> None:
        name = self.created()
        data = frames.astype("<i2").tobytes()
        self.paper.say(ev.AudioDelta(response_id=name, item_id=f"i{name}", delta=data))
        self.paper.say(ev.AudioDone(response_id=name, item_id=f"i{name}"))
        self.paper.say(ev.ResponseDone(response=ev.Response(id=name, status="completed")))

    def call(self) -> None:
        """Answer with a function call and no audio."""
        name = self.created()
        item = {"type": "function_call", "status": "completed", "call_id": f"c{name}",
                "name": "some_skill", "arguments": "{}"}  # fmt: skip
        self.paper.say(ev.OutputItemDone(response_id=name, item=item))
        response = ev.Response(id=name, status="completed", output=[item])
        self.paper.say(ev.ResponseDone(response=response))
        self.paper.run(0.02)

    def returned(self, then: AfterTool = AfterTool.RESPOND) -> None:
        before = len(self.paper.events(ev.CreateResponse))
        self.paper.say(SkillDone(f"cr{self.replies}", "done", then))
        if then is AfterTool.RESPOND:
            self.paper.wait(lambda: len(self.paper.events(ev.CreateResponse)) > before)

    def play_until(self, left_ms: float, length_ms: float) -> None:
        """Play the reply until `left_ms` remain; negative: until after its end."""
        self.paper.until(State.SPEAKING)
        self.spoken = len(self.paper.events(ev.AppendAudio))
        self.paper.run((length_ms - left_ms) / 1000 - 0.01)  # the first period has been played

    def sent(self) -> Frames:
        """Return the audio sent since the start of the reply, at 24 kHz."""
        events = self.paper.events(ev.AppendAudio)[self.spoken :]
        return np.frombuffer(b"".join(e.audio for e in events), "<i2")

    def lost_ms(self, clip: Frames) -> float:
        """Return the length of the missing start of `clip`, located by its remainder."""
        got, want = self.sent().astype(float), at_server_rate(clip).astype(float)
        size = 1 << (len(got) + len(want)).bit_length()
        alike = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(want, size)), size)
        at = int(np.argmax(alike))
        return max(0, size - at if at > size // 2 else 0) / 24


def lost_ms(talk: Talk, left_ms: float, length_ms: float, clip: Frames = OBJECTION) -> float:
    talk.play_until(left_ms, length_ms)
    talk.paper.talker.say(clip)
    talk.paper.run(len(clip) / 16_000 + 1.0)
    return talk.lost_ms(clip)


@pytest.mark.slow
@pytest.mark.parametrize("detection", ["local", "server_vad"])
@pytest.mark.parametrize("left_ms", [110, 80, 50, 20, 0, -30, -150])
def test_speech_at_the_end_of_a_reply_is_sent_whole(left_ms: int, detection: str) -> None:
    talk = Talk(following(detection))
    talk.reply(tone(1500))
    assert lost_ms(talk, left_ms, 1500) <= MOST_LOST_MS


@pytest.mark.slow
@pytest.mark.parametrize("left_ms", [80, 40])
@pytest.mark.parametrize("text", ["Stop.", "Yes.", "Five minutes."])
def test_short_word_at_the_end_of_a_reply_is_sent_whole(text: str, left_ms: int) -> None:
    talk = Talk(following())
    talk.reply(ending_in_speech())
    length_ms = len(ending_in_speech()) / 24
    assert lost_ms(talk, left_ms, length_ms, words(text, "slt")) <= MOST_LOST_MS


@pytest.mark.slow
@pytest.mark.parametrize("left_ms", [90, 40])
def test_speech_over_an_echo_at_the_end_is_sent_whole(left_ms: int) -> None:
    """The echo is as loud as the user, and cancelled."""
    talk = Talk(following(), echo_gain_db=-15.0)
    talk.reply(ending_in_speech())
    assert lost_ms(talk, left_ms, len(ending_in_speech()) / 24) <= MOST_LOST_MS


@pytest.mark.slow
@pytest.mark.parametrize("left_ms", [120, 60, 20])
@pytest.mark.parametrize("hearing", [{"on_suspicion": "duck"}, {"barge_in": False}])
def test_speech_at_the_end_is_sent_whole_with_any_reaction(
    hearing: dict[str, object], left_ms: int
) -> None:
    talk = Talk(following(**hearing))  # type: ignore[arg-type]
    talk.reply(tone(1500))
    assert lost_ms(talk, left_ms, 1500) <= MOST_LOST_MS


@pytest.mark.slow
@pytest.mark.parametrize("left_ms", [80, 30])
def test_speech_at_the_end_of_a_second_response_is_sent_whole(left_ms: int) -> None:
    talk = Talk(following())
    talk.call()
    talk.returned()
    talk.reply(tone(1500))
    assert lost_ms(talk, left_ms, 1500) <= MOST_LOST_MS


@pytest.mark.slow
@pytest.mark.parametrize("left_ms", [80, 30])
def test_speech_at_the_end_of_a_repetition_is_sent_whole(left_ms: int) -> None:
    talk = Talk(following())
    talk.reply(tone(1500))
    talk.paper.until(State.SPEAKING)
    talk.paper.until(State.LISTENING)
    talk.paper.until(State.IDLE)
    talk.ask()
    talk.call()
    talk.returned(AfterTool.REPLAY)
    assert lost_ms(talk, left_ms, 1500) <= MOST_LOST_MS


def test_speech_right_after_the_chime_is_sent_whole() -> None:
    base = following()
    conf = msgspec.structs.replace(
        base, earcons=msgspec.structs.replace(base.earcons, wake="default")
    )
    paper = Paper(conf)
    paper.say(ButtonPressed())
    paper.run(0.02)
    talk = Talk.__new__(Talk)
    talk.paper, talk.spoken = paper, 0
    paper.talker.say(OBJECTION)
    paper.run(2.5)
    assert talk.lost_ms(OBJECTION) <= MOST_LOST_MS


@pytest.mark.slow
@pytest.mark.parametrize("echo_gain_db", [-40.0, -10.0])
def test_reply_without_a_user_is_never_sent(echo_gain_db: float) -> None:
    talk = Talk(following(), echo_gain_db)
    for _ in range(3):
        talk.reply(ending_in_speech())
        talk.paper.until(State.SPEAKING)
        talk.spoken = len(talk.paper.events(ev.AppendAudio))
        talk.paper.until(State.LISTENING)
        since = talk.paper.card.now
        talk.paper.run(2.0)
        assert len(talk.sent()) / 24 <= (talk.paper.card.now - since) * 1000
        assert len(talk.sent()) / 24 >= (talk.paper.card.now - since) * 1000 - 60  # one chunk
        talk.paper.until(State.IDLE)
        talk.ask()
    assert talk.paper.log_events("spoke_early") == []


@pytest.mark.slow
@pytest.mark.parametrize("speaks", [True, False])
def test_audio_after_a_reply_has_no_gap_and_no_overlap(
    monkeypatch: pytest.MonkeyPatch, speaks: bool
) -> None:
    talk = Talk(following())
    talk.reply(tone(1500))
    heard: list[Frames] = []
    sent: list[Frames] = []
    preroll, uplink = talk.paper.speaker._front_end._preroll, talk.paper.speaker._dialogue._uplink
    listen, push = preroll.push, uplink.push
    monkeypatch.setattr(preroll, "push", lambda f: (heard.append(f), listen(f))[1])  # type: ignore[func-returns-value]
    monkeypatch.setattr(uplink, "push", lambda f: (sent.append(f), push(f))[1])  # type: ignore[func-returns-value]
    talk.play_until(60, 1500)
    if speaks:
        talk.paper.talker.say(OBJECTION)
    talk.paper.until(State.LISTENING)
    since = len(heard)
    talk.paper.run(1.0)
    went_out = np.concatenate(sent)
    assert np.array_equal(went_out, np.concatenate(heard)[-len(went_out) :])
    before_ms = len(went_out) // 16 - (len(heard) - since) * 10
    assert 60 <= before_ms <= 300 if speaks else before_ms == 0


@pytest.mark.slow
def test_hold_that_resumes_at_a_ducked_end_loses_nothing() -> None:
    """The reply ends before the decision; the audio after its end is the next turn."""
    talk = Talk(following(on_suspicion="duck"))
    talk.reply(tone(1500))
    talk.play_until(160, 1500)
    talk.paper.talker.say(OBJECTION[:1600])  # a tenth of a second is shorter than a word
    talk.paper.wait(lambda: bool(talk.paper.log_events("hold")), within_s=0.15)
    talk.paper.run(0.1)
    ended = talk.paper.card.now
    talk.paper.until(State.LISTENING, within_s=1.0)
    assert talk.paper.log_events("resume")
    assert talk.paper.card.now - ended > 0.2
    talk.paper.run(1.5)
    assert len(talk.sent()) / 24 >= (talk.paper.card.now - ended) * 1000 - 60


@pytest.mark.slow
@pytest.mark.parametrize("stops", [ButtonPressed(), MuteSwitched(True)])
def test_speech_at_the_end_is_not_sent_when_the_user_stops_it(
    stops: ButtonPressed | MuteSwitched,
) -> None:
    talk = Talk(following())
    talk.reply(tone(1500))
    talk.play_until(0, 1500)
    talk.paper.until(State.LISTENING)
    talk.paper.run(0.05)
    talk.paper.say(stops)
    talk.paper.run(1.0)
    assert talk.paper.speaker.state is State.IDLE
    assert len(talk.sent()) == 0
