import numpy as np
import pytest
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

from parleyd.audio import level_dbfs
from parleyd.errors import OfflineSpeechError
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.simulation.clips import active_dbfs, cough, knock, synthesize
from parleyd.units import Frames
from tests.simulation.players import need_flite


def padded(clip: Frames) -> Frames:
    return np.concatenate((np.zeros(8000, np.int16), clip, np.zeros(12_800, np.int16)))


@pytest.mark.parametrize("voice", ["rms", "slt", "kal"])
def test_synthesize_starts_at_the_onset_and_has_its_level(voice: str) -> None:
    need_flite()
    speech = synthesize("What time is it?", voice, level_dbfs=-30.0)
    assert 8_000 < len(speech) < 32_000
    assert active_dbfs(speech) == pytest.approx(-30.0, abs=0.1)
    assert level_dbfs(speech[:160]) > -56.0
    assert level_dbfs(speech[-160:]) > -56.0


def test_synthesize_is_reproducible_and_read_only() -> None:
    need_flite()
    speech = synthesize("Hello.")
    with pytest.raises(ValueError, match="read-only"):
        speech[0] = 1
    synthesize.cache_clear()
    np.testing.assert_array_equal(synthesize("Hello."), speech)


@pytest.mark.parametrize("level_dbfs", [-36.0, -26.0])
def test_synthesize_wake_word_fires_the_engine(level_dbfs: float) -> None:
    need_flite()
    engine, features = MicroWakeWord.from_builtin(Model.HEY_JARVIS), MicroWakeWordFeatures()

    def fires(text: str) -> bool:
        frames = padded(synthesize(text, level_dbfs=level_dbfs))
        parts = features.process_streaming(frames.tobytes())
        return any(engine.process_streaming(part) for part in parts)

    assert not fires("good morning everybody")
    assert fires("hey jarvis")


def test_synthesize_without_flite_raises_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OfflineSpeechError, match="apt install flite"):
        synthesize("nobody ever said this before")


def test_synthesize_unknown_voice_raises_with_the_known_ones() -> None:
    with pytest.raises(OfflineSpeechError, match="choose one of rms, slt"):
        synthesize("hello", "marin")


@pytest.mark.parametrize("clip", [cough(), cough(seed=1), knock()])
def test_cough_and_knock_are_short_loud_and_not_speech(clip: Frames) -> None:
    assert 3200 <= len(clip) <= 6400
    assert active_dbfs(clip) == pytest.approx(-26.0, abs=0.3)
    chunks = VoiceActivityDetector().process(padded(clip))
    assert sum(probability > 0.5 for probability in chunks) < 2


def test_cough_depends_only_on_its_seed() -> None:
    np.testing.assert_array_equal(cough(seed=3), cough(seed=3))
    assert not np.array_equal(cough(seed=3), cough(seed=4))
