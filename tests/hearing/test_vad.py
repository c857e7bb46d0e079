from collections.abc import Callable
from itertools import chain

import numpy as np

from parleyd.hearing.vad import CHUNK_FRAMES, VoiceActivityDetector
from parleyd.units import Floats, Frames

Say = Callable[[str, str], Floats]
SENTENCE = "Please tell me what the weather will be like tomorrow in the mountains."


def pcm(samples: Floats) -> Frames:
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def noise(seconds: float, rms: float) -> Frames:
    return pcm(np.random.default_rng(1).normal(0, rms, int(seconds * 16_000)).astype(np.float32))


def test_vad_detects_speech_and_not_noise(say: Say) -> None:
    speech = VoiceActivityDetector().process(pcm(say("slt", SENTENCE)))
    assert np.mean(np.array(speech) > 0.5) > 0.7
    assert max(VoiceActivityDetector().process(noise(3, 0.02))[2:]) < 0.3
    assert max(VoiceActivityDetector(max_gain=6).process(noise(3, 0.02))[2:]) < 0.3


def test_vad_result_does_not_depend_on_the_pieces(say: Say) -> None:
    frames = pcm(say("rms", SENTENCE))
    whole = VoiceActivityDetector(max_gain=6).process(frames)
    assert len(whole) == len(frames) // CHUNK_FRAMES
    for size in (7, 160, 511, 513, 4096):
        detector = VoiceActivityDetector(max_gain=6)
        parts = (detector.process(frames[i : i + size]) for i in range(0, len(frames), size))
        assert list(chain.from_iterable(parts)) == whole


def test_vad_reset_equals_a_new_detector(say: Say) -> None:
    frames = pcm(say("slt", SENTENCE))
    detector = VoiceActivityDetector(max_gain=6)
    first = detector.process(frames)
    detector.process(noise(0.4, 0.1))
    detector.reset()
    assert detector.process(frames) == first


def test_vad_gain_control_detects_a_distant_user(say: Say) -> None:
    quiet = pcm(say("slt", SENTENCE) * 0.01)
    plain = np.mean(np.array(VoiceActivityDetector().process(quiet)) > 0.5)
    lifted = np.mean(np.array(VoiceActivityDetector(max_gain=6).process(quiet)) > 0.5)
    assert lifted > plain
    assert lifted > 0.5


def test_vad_fade_decays_an_earlier_voice(say: Say) -> None:
    frames = pcm(say("slt", SENTENCE))
    kept, faded = VoiceActivityDetector(), VoiceActivityDetector()
    for detector in (kept, faded):
        detector.process(frames[: 2 * 16_000])
    faded.decay_state()
    quiet = noise(0.3, 0.0005)
    assert sum(faded.process(quiet)) < sum(kept.process(quiet))


def test_vad_makes_up_for_the_newest_skipped_chunks_one_in_each_call(say: Say) -> None:
    frames = pcm(say("slt", SENTENCE))[: 40 * CHUNK_FRAMES]
    whole, resting = VoiceActivityDetector(), VoiceActivityDetector()
    all_of_them = whole.process(frames)
    assert resting.skip(frames[: 10 * CHUNK_FRAMES]) == [0.0] * 10
    assert len(resting.process(frames[:0])) == len(resting.process(frames[:0])) == 1
    assert resting.process(frames[:0]) == []
    later = resting.process(frames[10 * CHUNK_FRAMES :])
    np.testing.assert_allclose(later[4:], all_of_them[14:], atol=0.15)


def test_vad_is_not_late_for_a_voice_after_a_rest(say: Say) -> None:
    before, speech = noise(1.0, 0.001), pcm(say("rms", SENTENCE))
    whole, resting = VoiceActivityDetector(max_gain=6), VoiceActivityDetector(max_gain=6)
    whole.process(before)
    resting.skip(before)
    awake = [p for i in range(0, len(speech), 160) for p in resting.process(speech[i : i + 160])]
    found = np.array(awake[2:]) > 0.5  # without the two chunks that were kept
    assert np.argmax(found) <= np.argmax(np.array(whole.process(speech)) > 0.5) + 1
