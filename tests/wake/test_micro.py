import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pymicro_wakeword
import pytest

from parleyd.errors import WakeError
from parleyd.units import MIC_PERIOD_FRAMES, Frames
from parleyd.wake.gate import Gate
from parleyd.wake.micro import Micro, cutoff_at, sensitivity_for
from parleyd.wake.micro_models import builtin_keywords

pytestmark = pytest.mark.slow

Say = Callable[..., Frames]
ORDINARY = "The train to the coast leaves at nine and arrives before lunch on most days."
PROVEN = ("hey_jarvis", "alexa", "okay_nabu")


def wakes(gate: Gate, frames: Frames, *, start: float = 0.0, speaking: bool = False) -> list[str]:
    """Return the keywords that the gate passes for `frames` in periods of 10 ms."""
    found = []
    for index in range(len(frames) // MIC_PERIOD_FRAMES):
        period = frames[index * MIC_PERIOD_FRAMES : (index + 1) * MIC_PERIOD_FRAMES]
        if keyword := gate.process(period, start + index * 0.01, speaking):
            found.append(keyword)
    return found


@pytest.mark.parametrize("keyword", PROVEN)
@pytest.mark.parametrize("speaking", [False, True])
def test_micro_behind_the_gate_wakes_once_per_word(say: Say, keyword: str, speaking: bool) -> None:
    gate = Gate(Micro([keyword]), refractory_s=2.0)
    assert wakes(gate, say(keyword.replace("_", " ")), speaking=speaking) == [keyword]


def test_micro_without_the_gate_fires_several_times(say: Say) -> None:
    engine = Micro(["hey_jarvis"])
    frames = say("hey jarvis").reshape(-1)
    hits = [engine.process(frames[i : i + 160]) for i in range(0, len(frames), 160)]
    assert hits.count("hey_jarvis") > 3


@pytest.mark.parametrize("speaking", [False, True])
def test_micro_on_speech_and_noise_does_not_wake(say: Say, speaking: bool) -> None:
    gate = Gate(Micro(PROVEN, sensitivity=0.5), refractory_s=0.2)
    noise = np.random.default_rng(1).normal(0, 2000, 32_000).astype(np.int16)
    for frames in (say(ORDINARY), say(ORDINARY, "slt"), noise):
        assert wakes(gate, frames, speaking=speaking) == []


def test_micro_distinguishes_words_in_one_stream(say: Say) -> None:
    gate = Gate(Micro(PROVEN), refractory_s=1.0)
    stream = np.concatenate([say("alexa"), say("hey jarvis"), say(ORDINARY), say("okay nabu")])
    assert wakes(gate, stream) == ["alexa", "hey_jarvis", "okay_nabu"]


def test_gate_pause_counts_by_the_given_time(say: Say) -> None:
    gate = Gate(Micro(["alexa"]), refractory_s=5.0)
    word = say("alexa")
    assert wakes(gate, word, start=100.0) == ["alexa"]
    assert wakes(gate, word, start=103.0) == []
    assert wakes(gate, word, start=110.0) == ["alexa"]


def test_micro_with_higher_sensitivity_fires_more_often(say: Say) -> None:
    def firings(sensitivity: float, speaking: bool = False) -> int:
        engine = Micro(["okay_nabu"], sensitivity)
        frames = say("okay nabu")
        periods = (frames[i : i + 160] for i in range(0, len(frames), 160))
        return sum(engine.process(period, speaking=speaking) is not None for period in periods)

    assert firings(0.0) < firings(0.5) < firings(1.0)


def test_micro_accepts_pieces_of_any_length(say: Say) -> None:
    frames = say("hey jarvis")
    assert Micro(["hey_jarvis"]).process(frames) == "hey_jarvis"
    odd = Micro(["hey_jarvis"])
    assert "hey_jarvis" in [odd.process(frames[i : i + 77]) for i in range(0, len(frames), 77)]


def test_micro_loads_a_users_model_by_its_path(say: Say) -> None:
    import pymicro_wakeword

    path = Path(pymicro_wakeword.__file__).parent / "models" / "alexa.json"
    engine = Micro([str(path)])
    assert engine.keywords == ("alexa",)
    assert engine.process(say("alexa")) == "alexa"


def test_micro_unknown_keyword_raises_with_the_known_ones() -> None:
    with pytest.raises(WakeError, match=r"'computer'.*alexa, hey_jarvis, .*okay_nabu"):
        Micro(["hey_jarvis", "computer"])
    assert set(PROVEN) < set(builtin_keywords())


def test_micro_broken_model_raises(tmp_path: Path) -> None:
    config = tmp_path / "mine.json"
    with pytest.raises(WakeError, match=r"cannot be used \(No such file"):
        Micro([str(config)])
    config.write_text(micro().replace("alexa", "mine"))
    with pytest.raises(
        WakeError, match=r"cannot be used \(its model .*/mine\.tflite: No such file"
    ):
        Micro([str(config)])
    (tmp_path / "mine.tflite").write_bytes(b"<html>not found</html>")
    with pytest.raises(WakeError, match="not a TensorFlow Lite model"):
        Micro([str(config)])


@pytest.mark.parametrize("damage", ["cut", "header", "flipped"])
def test_micro_damaged_model_raises_with_the_reason(tmp_path: Path, damage: str) -> None:
    """The native library crashes on each of these."""
    installed = Path(pymicro_wakeword.__file__).parent / "models"
    good = (installed / "alexa.tflite").read_bytes()
    bad = {
        "cut": good[: len(good) // 2],
        "header": good[:64],
        "flipped": good[:2000] + bytes(255 - byte for byte in good[2000:2200]) + good[2200:],
    }[damage]
    (tmp_path / "alexa.tflite").write_bytes(bad)
    shutil.copy(installed / "alexa.json", tmp_path)
    with pytest.raises(WakeError, match=r"is damaged, or not a microWakeWord model .* signal 11"):
        Micro([str(tmp_path / "alexa.json")])


@pytest.mark.parametrize("name", ["alexa.json", "alexa.tflite"])
def test_micro_does_not_wait_for_a_pipe(tmp_path: Path, name: str) -> None:
    installed = Path(pymicro_wakeword.__file__).parent / "models"
    shutil.copy(installed / "alexa.json", tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(WakeError, match="it is not a regular file"):
        Micro([str(tmp_path / "alexa.json")])


def described(folder: Path, text: str) -> Path:
    """Write a description beside a good model."""
    installed = Path(pymicro_wakeword.__file__).parent / "models"
    shutil.copy(installed / "alexa.tflite", folder)
    (folder / "alexa.json").write_text(text)
    return folder / "alexa.json"


def micro(cutoff: object = 0.9, window: object = 5, step: object = 10, version: object = 2) -> str:
    return (
        f'{{"wake_word": "x", "model": "alexa.tflite", "version": {version}, "micro": '
        f'{{"probability_cutoff": {cutoff}, "sliding_window_size": {window}, '
        f'"feature_step_size": {step}}}}}'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "Expected `object`"),
        ('{"wake_word": "x", "model": "alexa.tflite", "micro": 5}', r"Expected `object`.*micro"),
        ('{"wake_word": "x", "model": "alexa.tflite", "micro": {}}', "probability_cutoff"),
        ('{"wake_word": "x", "model": 5}', r"Expected `str`.*model"),
        ('{"wake_word": "x", "model": "a\\u0000b", "micro": 5}', "micro"),
        ('{"micro":' * 5_000, "(?s:.)"),
        (micro(version=1), "it is of version 1, for ESPHome before 2024.7"),
        (micro(step=20), "feature_step_size is 20 ms, allowed is 10"),
        (micro(cutoff=0), r"`float` > 0.*probability_cutoff"),
        (micro(cutoff=250), r"`float` <= 1.*probability_cutoff"),
        (micro(cutoff="NaN"), "malformed"),
        (micro(window=0), r"`int` >= 1.*sliding_window_size"),
        (micro(window=10**9), r"`int` <= 100.*sliding_window_size"),
    ],
)
def test_micro_odd_description_raises_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(WakeError, match=rf"(?i)alexa\.json cannot be used \(.*({reason})"):
        Micro([str(described(tmp_path, text))])


@pytest.mark.parametrize("own", [0.02, 0.2, 0.8, 0.97, 1])
def test_micro_takes_the_cutoff_of_a_users_model(tmp_path: Path, own: float) -> None:
    """Public models have cutoffs from 0.02 to 0.97."""
    engine = Micro([str(described(tmp_path, micro(cutoff=own)))])
    assert engine.score.cutoff == own
    engine.process(np.zeros(8_000, np.int16), speaking=True)
    assert own * 0.8 < engine.score.cutoff < own


def test_micro_with_a_low_cutoff_does_not_wake_at_silence(tmp_path: Path) -> None:
    engine = Micro([str(described(tmp_path, micro(cutoff=0.02)))], sensitivity=1.0)
    assert engine.process(np.zeros(32_000, np.int16), speaking=True) is None


def test_micro_shows_the_word_that_is_nearest_to_a_detection(tmp_path: Path) -> None:
    engine = Micro([str(described(tmp_path, micro(cutoff=0.1))), "okay_nabu"])
    assert engine.score.cutoff == 0.1


@pytest.mark.parametrize("middle", [0.02, 0.2, 0.8, 0.97])
def test_sensitivity_and_cutoff_belong_together(middle: float) -> None:
    cutoffs = [cutoff_at(sensitivity / 10, middle) for sensitivity in range(11)]
    assert cutoffs == sorted(cutoffs, reverse=True)
    assert cutoffs[5] == middle
    assert 0 < cutoffs[-1] < cutoffs[0] < 1
    back = [sensitivity_for(cutoff, middle) for cutoff in cutoffs]
    assert back == pytest.approx([sensitivity / 10 for sensitivity in range(11)])
    assert (sensitivity_for(0.0, middle), sensitivity_for(1.0, middle)) == (1.0, 0.0)


def test_micro_close_twice_then_process_returns_none(say: Say) -> None:
    engine = Micro(["alexa"])
    engine.close()
    engine.close()
    assert engine.process(say("alexa")) is None
