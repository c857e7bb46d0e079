"""`parley wake test FILE`: words counted in recordings by the real engine."""

import json
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from parleyd.cli.main import parley
from parleyd.diagnostics.wake_hearing import ScorePeak, WordHeard, hear, suggest
from parleyd.errors import ParleyError
from parleyd.units import Frames
from parleyd.wake.micro import Micro
from tests.wake.test_micro import described, micro

Say = Callable[..., Frames]

MIDDLE = 0.8


def written(path: Path, frames: Frames, channels: int = 1, rate_hz: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(frames, channels).astype("<i2").tobytes())
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(parley, ["wake", "test", *map(str, arguments)])


def heard(*scores: float) -> WordHeard:
    return WordHeard((), tuple(ScorePeak(3.0 * n, score) for n, score in enumerate(scores)), 60.0)


@pytest.mark.slow
def test_each_word_of_a_recording_is_found_once_at_its_time(say: Say) -> None:
    word = say("hey jarvis")
    recording = np.concatenate([word, np.zeros(32_000, np.int16), say("good morning"), word])
    found = hear(Micro(["hey_jarvis"]), recording, refractory_s=2.0)
    ends = [len(word) - 12_800, len(recording) - 12_800]
    assert found.detections == pytest.approx([end / 16_000 for end in ends], abs=0.3)
    assert len([peak for peak in found.peaks if peak.score > MIDDLE]) == 2
    assert found.duration_s == len(recording) / 16_000


@pytest.mark.slow
def test_a_word_at_the_end_does_not_count_for_the_next_recording(say: Say) -> None:
    engine = Micro(["hey_jarvis"])
    cut = say("hey jarvis")[:-12_800]
    assert len(hear(engine, cut, refractory_s=2.0).detections) == 1
    assert hear(engine, np.zeros(16_000, np.int16), refractory_s=2.0).detections == ()


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 159, 161])
def test_a_recording_may_be_short(count: int) -> None:
    assert hear(Micro(["alexa"]), np.ones(count, np.int16), 2.0).detections == ()


@pytest.mark.parametrize(
    ("scores", "said", "sensitivity", "found"),
    [
        ((0.99, 0.95, 0.9), 3, 0.5, 3),  # the default does it
        ((0.99, 0.95, 0.6, 0.3), 3, 0.88, 3),  # the faintest word asks for more
        ((0.99, 0.97, 0.86), 2, 0.3, 2),  # another sound asks for less
        ((0.97, 0.4), 0, 0.05, 0),
        ((), 0, 0.5, 0),
        ((0.99, 0.2), 2, 1.0, 1),  # a word that this model does not hear
        ((0.9,), 5, 1.0, 1),
    ],
)
def test_the_suggestion_parts_words_from_others(
    scores: Sequence[float], said: int, sensitivity: float, found: int
) -> None:
    suggestion = suggest([heard(*scores)], said, MIDDLE)
    assert suggestion.found == found
    assert suggestion.sensitivity == pytest.approx(sensitivity, abs=0.05)


def test_the_suggestion_counts_all_files() -> None:
    assert suggest([heard(0.9), heard(0.95), heard(0.3)], 2, MIDDLE).found == 2


@pytest.mark.slow
def test_the_command_counts_and_suggests(say: Say, tmp_path: Path) -> None:
    words = written(tmp_path / "words.wav", say("alexa"), rate_hz=16_000)
    turn = written(tmp_path / "turn.wav", say("alexa"), channels=2)
    ended = run(words, turn, "--keyword", "alexa", "--said", 2)
    assert ended.exit_code == 0, ended.output
    lines = ended.output.splitlines()
    assert [line.split(":")[0] for line in lines if line.endswith(" s")] == [
        "words.wav",
        "turn.wav",
    ]
    assert len([line for line in lines if " s  found" in line]) == 2
    assert "alexa: 2 found in 0.1 min, at sensitivity 0.5, cutoff 0.80" in lines
    assert "Suggestion: wake.sensitivity = 0.5 (cutoff 0.80) finds exactly 2." in lines
    found = json.loads(run(words, "--keyword", "alexa", "--json").output)["keywords"][0]
    assert found["cutoff"] == MIDDLE
    assert found["suggestion"] is None
    assert found["files"][0]["detections"] == pytest.approx([1.2], abs=0.4)


@pytest.mark.slow
def test_the_command_takes_a_users_model_and_a_sensitivity(say: Say, tmp_path: Path) -> None:
    words = written(tmp_path / "words.wav", say("alexa"))
    model = described(tmp_path, micro(cutoff=0.2))
    ended = run(words, "--keyword", model, "--sensitivity", 1)
    assert "alexa: 1 found in 0.0 min, at sensitivity 1, cutoff 0.12" in ended.output
    settings = tmp_path / "parley.toml"
    settings.write_text('[wake]\nkeywords = ["okay_nabu", "alexa"]\n')
    both = run(words, "--config", settings)
    assert "okay_nabu: 0 found" in both.output
    assert "alexa: 1 found" in both.output


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("absent.wav", "is no file"),
        ("folder", "is no file"),
        ("words.txt", "is no WAV file"),
        ("three.wav", "has 3 channels; one is expected"),
    ],
)
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "words.txt").write_text("alexa")
    written(tmp_path / "three.wav", np.zeros(16_000, np.int16), channels=3)
    error = run(tmp_path / name, "--keyword", "alexa").exception
    assert isinstance(error, ParleyError)
    assert str(error).startswith(f"{tmp_path / name}: {why}")


@pytest.mark.parametrize(
    "option", [("--sensitivity", "nan"), ("--sensitivity", 1.1), ("--said", 10**9), ("--said", -1)]
)
def test_a_number_that_makes_no_sense_is_refused(
    tmp_path: Path, option: tuple[str, object]
) -> None:
    words = written(tmp_path / "words.wav", np.zeros(16_000, np.int16))
    ended = run(words, *option)
    assert ended.exit_code == 2
    assert "is not in the range" in ended.output


def test_options_of_recordings_need_a_recording() -> None:
    ended = run("--said", 3)
    assert ended.exit_code == 2
    assert "need a FILE" in ended.output
