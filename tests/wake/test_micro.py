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
from parleyd.wake.micro import Micro, builtin_keywords

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
    with pytest.raises(WakeError, match=r"cannot be read \(No such file"):
        Micro([str(config)])
    config.write_text('{"model": "mine.tflite", "wake_word": "x"}')
    with pytest.raises(WakeError, match=r"cannot be read \(No such file"):
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


@pytest.mark.parametrize(
    "micro", ["5", "{}", '{"probability_cutoff": 1, "sliding_window_size": -5}']
)
def test_micro_odd_description_raises_with_the_reason(tmp_path: Path, micro: str) -> None:
    installed = Path(pymicro_wakeword.__file__).parent / "models"
    shutil.copy(installed / "alexa.tflite", tmp_path)
    (tmp_path / "alexa.json").write_text(
        f'{{"wake_word": "x", "model": "alexa.tflite", "trained_languages": [], "micro": {micro}}}'
    )
    with pytest.raises(WakeError, match=r"\.json is damaged, or not a microWakeWord model"):
        Micro([str(tmp_path / "alexa.json")])


def test_micro_close_twice_then_process_returns_none(say: Say) -> None:
    engine = Micro(["alexa"])
    engine.close()
    engine.close()
    assert engine.process(say("alexa")) is None
