"""The whole hearing in a room with a loudspeaker that really stops on a hold."""

from collections.abc import Callable

import numpy as np
import pytest

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.barge_in import BargeInDetector, Decision
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.hearing.residual_echo import ResidualEchoEstimator
from parleyd.playback.lead import PlaybackLead
from parleyd.units import Floats, Frames
from tests.hearing.echo_rooms import echo_path, noise, pcm, room

pytestmark = pytest.mark.slow

Say = Callable[[str, str], Floats]
LEAD_PERIODS = 4  # playback is passed over 40 ms before its sound
STORY = (
    "Once upon a time there was a small house at the edge of a very large forest. "
    "An old clock maker lived there, and every morning he wound a hundred clocks. "
    "One day a fox came to the door and asked him politely what time it was. "
)
QUESTION = "Stop please, and tell me what the weather will be like tomorrow."


class Stage:
    """A loudspeaker that can be held, a room, a user, the hearing and the barge-in decision."""

    def __init__(self, story: Floats, around: Floats, gain: float) -> None:
        settings = config.HearingConfig()
        self.hearing = EchoControl(settings, lead_ms=LEAD_PERIODS * 10)
        self.decision = BargeInDetector(settings)
        self.decision.arm(0.0)
        self.story = story
        self.around = around
        self.path = echo_path(delay_ms=20.0) * np.float32(gain)
        self.heard: list[ProcessedPeriod] = []

    def run(self) -> list[tuple[Decision, float, float]]:
        """Return all decisions as (kind, time, onset) until an interruption or the story's end."""
        said: list[tuple[Decision, float, float]] = []
        queue = [np.zeros(160, np.float32)] * LEAD_PERIODS
        tail = np.zeros(160 + len(self.path), np.float32)
        position, held = 0, False
        for index in range(len(self.around) // 160):
            now = (index + 1) / 100
            tail[: 160 + len(self.path) - 1] += np.convolve(queue.pop(0), self.path)
            mic = pcm(tail[:160] + self.around[index * 160 : (index + 1) * 160])
            tail = np.concatenate([tail[160:], np.zeros(160, np.float32)])
            written = np.zeros(160, np.float32)
            if not held:
                written[:] = self.story[position : position + 160]
                position += 160
            queue.append(written)
            self.heard.append(self.hearing.process(mic, pcm(written), now))
            if decision := self.decision.update(self.heard[-1], now):
                said.append((decision.decision, now, decision.onset))
                held = decision.decision is Decision.HOLD
                if held:
                    queue = [np.zeros(160, np.float32)] * LEAD_PERIODS
                    position -= LEAD_PERIODS * 160
                    self.hearing.dropped(LEAD_PERIODS * 160)
                if decision.decision is Decision.INTERRUPT:
                    break
        return said


@pytest.mark.parametrize("echo_over_user_db", [0, 10])
def test_hearing_detects_a_user_over_the_reply(say: Say, echo_over_user_db: int) -> None:
    story, user = say("slt", STORY), say("rms", QUESTION) * np.float32(0.3)
    user = user[np.argmax(np.abs(user) > 0.1 * np.max(np.abs(user))) :]
    around = noise(len(story) - 1600, 0.0005)
    start = 6 * 16_000
    around[start : start + len(user)] += user
    stage = Stage(story, around, gain=0.3 * 10 ** (echo_over_user_db / 20))
    *before, hold, interruption = stage.run()
    assert [kind for kind, _, _ in before].count(Decision.INTERRUPT) == 0
    assert hold[0] is Decision.HOLD
    assert interruption[0] is Decision.INTERRUPT
    assert 6.0 <= hold[1] <= 6.3
    assert interruption[1] <= 6.8
    assert abs(interruption[2] - 6.0) < 0.15


def test_hearing_of_the_reply_does_not_interrupt_itself(say: Say) -> None:
    story = say("slt", STORY)
    for gain in (0.1, 1.0):
        decisions = Stage(story, noise(len(story) - 1600, 0.0005), gain).run()
        assert [kind for kind, _, _ in decisions if kind is Decision.INTERRUPT] == []
        assert len(decisions) <= 2  # at most one hold, which is resumed


def test_hearing_of_a_knock_holds_at_most_briefly(say: Say) -> None:
    story = say("slt", STORY)
    around = noise(len(story) - 1600, 0.0005)
    knock = noise(2400, 0.3) * np.exp(-np.arange(2400) / 400).astype(np.float32)
    around[80_000:82_400] += knock
    decisions = Stage(story, around, gain=0.5).run()
    near = [(kind, at) for kind, at, _ in decisions if 5.0 <= at < 5.6]
    assert [kind for kind, _ in near] in ([], [Decision.HOLD, Decision.RESUME])
    assert all(kind is not Decision.INTERRUPT for kind, _, _ in decisions)


@pytest.mark.parametrize("voice", ["rms", "slt", "awb"])
def test_hearing_detects_a_user_with_a_gated_microphone(say: Say, voice: str) -> None:
    silence, user = np.zeros(5 * 16_000, np.float32), say(voice, "No wait.")
    user = user[np.argmax(np.abs(user) > 0.1 * np.max(np.abs(user))) :]
    around = np.concatenate([silence, user, silence])  # digital silence before and after
    stage = Stage(np.tile(say("rms", STORY), 2), around, gain=0.0)
    (held, interruption) = stage.run()
    assert held[0] is Decision.HOLD
    assert held[1] - 5.0 < 0.25
    assert interruption[0] is Decision.INTERRUPT
    assert interruption[1] - 5.0 < 0.5
    sent = np.concatenate([heard.cleaned for heard in stage.heard])
    assert level_dbfs(sent[: 4 * 16_000]) < -60  # the internal noise is not sent


@pytest.mark.parametrize("voice", ["rms", "slt", "awb"])
def test_hearing_of_the_question_does_not_hold_the_reply(say: Say, voice: str) -> None:
    question = say(voice, QUESTION) * np.float32(0.3)
    question = question[: np.flatnonzero(np.abs(question) > 0.02 * np.max(question))[-1]]
    around = pcm(np.concatenate([question, np.zeros(16_000, np.float32)]))
    front_end = AudioFrontEnd(config.Config(), None, PlaybackLead(40))
    asked = len(question) // 160 + 15  # the reply of a fast server
    for index in range(len(around) // 160):
        now = index / 100
        if index == asked:
            front_end.arm(now)
        frames = around[index * 160 : (index + 1) * 160]
        front_end.written(np.zeros(480, np.int16))
        result = front_end.listen(frames, now, speaking=index >= asked, attentive=True)
        assert result is not None
        assert result.decision is None


@pytest.mark.parametrize("own", [True, False])
def test_hearing_takes_no_own_sound_for_a_voice_of_the_room(say: Say, own: bool) -> None:
    """An echo that is not cancelled, while idle: the same sound from a television is one."""
    sound = np.concatenate([pcm(say("rms", STORY) * np.float32(0.3)), np.zeros(64_000, np.int16)])
    front_end = AudioFrontEnd(config.Config(), None, PlaybackLead(40))
    now = 0.0
    for index in range(len(sound) // 160):
        now = index / 100
        frames = sound[index * 160 : (index + 1) * 160]
        front_end.written(np.zeros(480, np.int16))
        front_end.listen(frames, now, speaking=own and bool(frames.any()), attentive=False)
    assert front_end._voices.known(now) is not own


def test_hearing_sends_the_user_and_not_the_loudspeaker(say: Say) -> None:
    user = say("rms", QUESTION) * np.float32(0.3)
    scene = room(say("slt", STORY), user=user, user_at_s=6.0, gain=1.0)
    hearing = EchoControl(config.HearingConfig(), lead_ms=40)
    cleaned = np.concatenate(
        [hearing.process(*scene.period(i), i / 100).cleaned for i in range(scene.periods)]
    )
    part = slice(6 * 16_000, 6 * 16_000 + len(user))
    alone, echo = pcm(scene.rest[part]), pcm(scene.echo[part])
    assert level_dbfs(echo) > level_dbfs(alone) + 6
    assert abs(level_dbfs(cleaned[part]) - level_dbfs(alone)) < 2


def test_hearing_with_hardware_canceller_keeps_the_microphone() -> None:
    hearing = EchoControl(config.HearingConfig(canceller="hardware"))
    mic = pcm(noise(160, 0.1))
    heard = hearing.process(mic, pcm(noise(160, 0.1)), 0.0)
    assert np.array_equal(heard.cleaned, mic)
    assert heard.echo_dbfs == -120.0
    hearing.dropped(640)
    assert hearing.process(mic, mic, 0.01).trusted


def test_hearing_is_not_trusted_at_first_or_after_an_xrun(say: Say) -> None:
    hearing = EchoControl(config.HearingConfig())
    quiet = np.zeros(160, np.int16)
    assert hearing.process(quiet, quiet, 0.0).trusted
    scene = room(say("slt", STORY))
    trusted = [hearing.process(*scene.period(i), i / 100).trusted for i in range(300)]
    assert not all(trusted[:60])
    assert trusted[-1]
    hearing.on_xrun(10.0)
    assert not hearing.process(quiet, quiet, 10.5).trusted
    assert hearing.process(quiet, quiet, 11.0).trusted


def test_microphone_that_processes_has_a_network_of_its_own(say: Say) -> None:
    scene = room(say("slt", STORY)[: 2 * 16_000])

    def likely(*switches: bool) -> list[float]:
        hearing = EchoControl(config.HearingConfig())
        for processed in switches:
            hearing.microphone_is(processed=processed)
        periods = (hearing.process(*scene.period(i), i / 100) for i in range(scene.periods))
        return [heard.near_end for heard in periods]

    assert likely(True) != likely()
    assert likely(True, False) == likely()


def test_hearing_is_deterministic(say: Say) -> None:
    scene = room(say("slt", STORY)[: 2 * 16_000])

    def run() -> list[tuple[bytes, float, float]]:
        hearing = EchoControl(config.HearingConfig())
        periods = [hearing.process(*scene.period(i), i / 100) for i in range(scene.periods)]
        return [(heard.cleaned.tobytes(), heard.excess_db, heard.voice) for heard in periods]

    assert run() == run()


def test_levels_learn_the_noise_floor_and_score_a_new_sound() -> None:
    from parleyd.hearing.echo_canceller import BINS, CancelledBlock

    levels = ResidualEchoEstimator()
    none = np.zeros(BINS, np.float32)
    hush = noise(480_000, 0.002)
    still = np.zeros(160, np.float32)
    scores = [
        levels.excess_db(CancelledBlock(hush[i : i + 160], still, none))
        for i in range(0, 480_000, 160)
    ]
    assert np.percentile(scores[100:], 99) < 1.5
    louder = noise(1600, 0.02)
    assert levels.excess_db(CancelledBlock(louder[:160], still, none)) > 5


def test_hearing_dropped_reference_equals_silence(say: Say) -> None:
    scene = room(say("slt", STORY)[: 4 * 16_000])
    quiet, lost = np.zeros(160, np.int16), scene.period(200)[1]

    def after(references: list[Frames], frames: int) -> list[bytes]:
        hearing = EchoControl(config.HearingConfig(), lead_ms=40)
        for index in range(300):
            hearing.process(*scene.period(index), index / 100)
        for reference in references:
            hearing.process(quiet, reference, 3.0)
        hearing.dropped(frames)
        return [hearing.process(quiet, quiet, 3.1).cleaned.tobytes() for _ in range(10)]

    assert lost.any()
    assert after([lost, lost], 320) == after([quiet, quiet], 0)
    assert after([lost, lost], 0) != after([quiet, quiet], 0)


def test_hearing_dropped_decays_the_replys_voice(say: Say) -> None:
    """A detector that still held the echo's voice confirmed a noise as a user."""
    story, hush = pcm(say("slt", STORY)[: 3 * 16_000]), pcm(noise(4800, 0.0005))

    def voice_afterwards(dropped: bool) -> float:
        hearing = EchoControl(config.HearingConfig(canceller="hardware"))
        for start in range(0, len(story), 160):
            hearing.process(story[start : start + 160], hush[:160], 0.0)
        if dropped:
            hearing.dropped(0)
        return sum(
            hearing.process(hush[start : start + 160], hush[:160], 0.0).voice
            for start in range(0, len(hush), 160)
        )

    assert voice_afterwards(dropped=True) < voice_afterwards(dropped=False)
