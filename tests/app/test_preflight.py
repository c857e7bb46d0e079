"""The requirements of a configuration: all mistakes are reported at once, one line for each."""

import asyncio
import os
from pathlib import Path

import pytest

from parleyd import config
from parleyd.app import preflight
from parleyd.app.preflight import Running
from parleyd.errors import ConfigError, WakeActivationError
from parleyd.skills.loading import Loaded
from parleyd.wake import factory as wake

GOOD_SKILL = """from parleyd.skills import skill


@skill
def feed(grams: int) -> str:
    "Feed the cat."
    return f"{grams} g"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    skills = tmp_path / "skills"
    skills.mkdir(0o755)
    return skills


def written(folder: Path, text: str) -> Path:
    path = folder.parent / "parley.toml"
    path.write_text(f'{text}\n[skills]\nfolder = "{folder}"\n')
    return path


def problems(path: Path, environ: dict[str, str] | None = None, held: str = "") -> list[str]:
    """Return the lines of `parley check`."""
    try:
        preflight.check(path, environ or {}, lambda name: name == held)
    except ConfigError as error:
        return list(error.problems)
    return []


def test_check_names_mistakes_of_file_words_keys_and_skills(folder: Path) -> None:
    (folder / "bad.py").write_text("def feed(:\n")
    path = written(
        folder,
        "[audio]\nvolume = 101\n"
        '[wake]\nkeywords = ["hey_parley", "alexa", "hey jarvis"]\n'
        '[realtime]\nserver = "xai"\n',
    )
    volume, key, first, second, skill = problems(path)
    assert volume.startswith("audio.volume: 101")
    assert "XAI_API_KEY" in key
    assert first.startswith("wake.keywords: ")
    assert "'hey_parley'" in first
    assert "'hey jarvis'" in second
    assert skill.startswith(f"skill: {folder}/bad.py:1: ")


def test_check_of_a_good_configuration_prints_nothing(folder: Path) -> None:
    (folder / "cat.py").write_text(GOOD_SKILL)
    assert problems(written(folder, '[wake]\nkeywords = ["alexa", "hey_jarvis"]\n')) == []


@pytest.mark.parametrize(
    "text",
    [
        '[wake]\nkeywords = "hey_parley"\n',
        '[realtime]\nserver = "zai"\n',
        "[skills]\nfolder = 3\n",
    ],
)
def test_defaults_of_a_section_with_a_mistake_are_not_judged(text: str, tmp_path: Path) -> None:
    path = tmp_path / "parley.toml"
    path.write_text(text)
    assert len(problems(path)) == 1


def test_key_known_to_the_service_counts_as_present(folder: Path) -> None:
    path = written(folder, '[realtime]\nserver = "openai"\n')
    assert len(problems(path)) == 1
    assert problems(path, held="OPENAI_API_KEY") == []
    assert problems(path, {"OPENAI_API_KEY": "sk-0123456789"}) == []


def test_each_missing_key_of_a_remote_server_is_named(folder: Path) -> None:
    servers = "".join(
        f'[[skills.mcp]]\nlabel = "{n}"\nserver_url = "https://{n}.example/"\nkey = "{n}_KEY"\n'
        for n in ("ONE", "TWO")
    )
    path = folder.parent / "parley.toml"
    path.write_text(f'[realtime]\nserver = "openai"\n{servers}')
    found = problems(path, {"OPENAI_API_KEY": "sk-0123456789"})
    assert [name for name in ("ONE_KEY", "TWO_KEY") if any(name in p for p in found)] == [
        "ONE_KEY",
        "TWO_KEY",
    ]


@pytest.mark.parametrize(
    ("json", "model"),
    [
        ("", b""),
        ("{}", b""),
        ('{"model": 7}', b""),
        ('{"model": "m.tflite"}', b"no model"),
        ('{"model": "none.tflite"}', b""),
        ("[" * 2000, b""),
    ],
)
def test_unusable_model_is_one_line(json: str, model: bytes, folder: Path) -> None:
    word = folder.parent / "word.json"
    word.write_text(json)
    (folder.parent / "m.tflite").write_bytes(model)
    (line,) = problems(written(folder, f'[wake]\nkeywords = ["{word}"]\n'))
    assert line.startswith("wake.keywords: ")
    assert "\n" not in line


def prepared(path: Path, running: Running | None) -> preflight.Parts:
    parts = asyncio.run(preflight.prepare(config.load(path), {}, running=running))
    parts.engine.close()
    return parts


def test_start_skips_a_broken_skill_and_reload_refuses_it(folder: Path) -> None:
    (folder / "cat.py").write_text(GOOD_SKILL)
    path = written(folder, "")
    first = prepared(path, None)
    (folder / "dog.py").write_text("raise KeyError('dog')\n")
    assert [skill.name for skill in prepared(path, None).skills.skills] == ["feed"]
    with pytest.raises(ConfigError, match=r"dog\.py:1: KeyError"):
        prepared(path, Running(first.skills, config.LightsConfig()))


def test_reload_accepts_a_skill_that_was_broken_before(folder: Path) -> None:
    (folder / "dog.py").write_text("raise KeyError('dog')\n")
    path = written(folder, "")
    first = prepared(path, None)
    again = prepared(path, Running(first.skills, config.LightsConfig()))
    assert again.skills.problems == first.skills.problems


def test_reload_runs_only_files_that_have_changed(folder: Path) -> None:
    counted = "import os\nos.environ['RUNS'] = os.environ.get('RUNS', '') + 'x'\n"
    os.environ.pop("RUNS", None)
    (folder / "cat.py").write_text(counted + GOOD_SKILL)
    path = written(folder, "")
    first = prepared(path, None)
    again = prepared(path, Running(first.skills, config.LightsConfig()))
    assert os.environ["RUNS"] == "x"
    assert again.skills.skills == first.skills.skills
    (folder / "cat.py").write_text(counted + GOOD_SKILL.replace("feed", "water"))
    changed = prepared(path, Running(again.skills, config.LightsConfig()))
    assert os.environ.pop("RUNS") == "xx"
    assert [skill.name for skill in changed.skills.skills] == ["water"]


def test_reload_to_lights_that_cannot_be_driven_is_refused(folder: Path) -> None:
    text = '[lights]\noutput = "apa102"\nspi_device = "/dev/spidev9.9"\n'
    path = written(folder, text)
    assert prepared(path, None)
    with pytest.raises(ConfigError, match=r"spidev9\.9"):
        prepared(path, Running(Loaded(), config.LightsConfig()))


def test_activation_without_network_is_not_a_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(settings: config.WakeConfig, key: str | None) -> None:
        raise WakeActivationError("porcupine refused to start: the key is checked online")

    monkeypatch.setattr(wake, "create", offline)
    path = written(folder, '[wake]\nengine = "porcupine"\n')
    with pytest.raises(WakeActivationError):
        prepared(path, None)
    assert problems(path) == []
