import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parleyd.simulation.talker import Talker
from tests.simulation.players import noise_frames


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2000)), min_size=1, max_size=4))
def test_talker_labels_match_the_clips_exactly(clips: list[tuple[int, int]]) -> None:
    talker, expected = Talker(), np.zeros(6400, np.int32)
    for number, (at_frame, frames) in enumerate(clips):
        clip = noise_frames(frames, seed=number)
        utterance = talker.say(clip, at=at_frame / 16_000, label=str(number))
        assert (utterance.onset_frame, utterance.end_frame) == (at_frame, at_frame + frames)
        expected[at_frame : at_frame + frames] += clip
    said = np.concatenate([talker.period() for _ in range(40)])
    np.testing.assert_array_equal(said, np.clip(expected, -32768, 32767))
    assert not talker.talking


def test_talker_clip_without_a_time_starts_next_period() -> None:
    talker = Talker()
    talker.period()
    utterance = talker.say(np.full(200, 7, np.int16), label="now")
    late = talker.say(np.full(10, 1, np.int16), at=0.0, label="too late")
    assert talker.talking
    assert utterance.onset_s == late.onset_s == 0.01
    assert utterance.end_s == 0.0225
    assert talker.utterances == (utterance, late)
    np.testing.assert_array_equal(talker.period(), [8] * 10 + [7] * 150)
    np.testing.assert_array_equal(talker.period(), [7] * 40 + [0] * 120)
    assert not talker.talking


def test_talker_hush_stops_and_ends_the_label() -> None:
    talker = Talker()
    talker.say(np.full(1600, 7, np.int16), label="now")
    talker.say(np.full(1600, 9, np.int16), at=1.0, label="later")
    said = np.concatenate([talker.period(), talker.period()])
    talker.hush()
    assert not talker.talking
    assert not any(talker.period().any() for _ in range(200))
    assert np.all(said == 7)
    assert [(u.label, u.onset_frame, u.end_frame) for u in talker.utterances] == [("now", 0, 320)]
