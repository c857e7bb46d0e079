"""What `parley setup` writes: only what differs, each file whole, and the key for root alone."""

import os
import stat
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from parleyd import config
from parleyd.errors import ConfigError, ParleyError
from parleyd.setup.questions import QUESTIONS, SetupAnswers
from parleyd.setup.saving import answered, edited, save
from parleyd.setup.sound import SoundNames
from parleyd.system import kept_file

DEFAULTS = files("parleyd.config").joinpath("default.toml").read_text("utf-8")
NEW = "".join(
    f"#{line}" if line[:1] not in "#[\n" else line for line in DEFAULTS.splitlines(True)
)  # as the installation writes it
STICK = SoundNames("plughw:CARD=Device", "plughw:CARD=Device")
KEY = "sk-proj-Zq7wXy9vBn3mKl5jHg8fDs2a"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parley.toml"
    path.write_text(NEW)
    path.chmod(0o644)
    return path


def test_only_what_differs_is_written(file: Path) -> None:
    answers = SetupAnswers(sound=STICK, board="usb-gpio", wake_words=("hey_jarvis",))
    assert save(file, answers) == ['board = "usb-gpio"']  # whose card is the chosen one
    settings = config.load(file)
    assert (settings.board, settings.audio.capture) == ("usb-gpio", "plughw:CARD=Device")


def test_card_of_another_name_is_written_under_a_board(file: Path) -> None:
    named = SoundNames("plughw:CARD=Headset", "plughw:CARD=Device")
    lines = save(file, SetupAnswers(sound=named, board="usb-gpio"))
    assert lines == ['board = "usb-gpio"', '[audio] capture = "plughw:CARD=Headset"']


def test_direction_without_a_card_stays(file: Path) -> None:
    assert save(file, SetupAnswers(sound=SoundNames("", "plughw:CARD=A"))) == [
        '[audio] playback = "plughw:CARD=A"'
    ]


def test_owners_lines_stay_and_a_backup_is_kept(file: Path) -> None:
    text = "# mine\n[audio]\nvolume = 42  # Anna's\n"
    file.write_text(text)
    save(file, SetupAnswers(wake_words=("alexa",)))
    assert file.read_text().startswith(text)
    assert file.with_name("parley.toml.before").read_text() == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert config.load(file).wake.keywords == ("alexa",)


def test_same_answers_write_no_file(file: Path) -> None:
    answers = SetupAnswers(sound=STICK, board="usb-gpio", given={"sound", "board"})
    save(file, answers)
    before = {path: path.stat().st_mtime_ns for path in file.parent.iterdir()}
    assert save(file, answers) == []
    assert {path: path.stat().st_mtime_ns for path in file.parent.iterdir()} == before


def test_mistake_in_the_file_changes_nothing(file: Path) -> None:
    file.write_text("[audio]\nvolume = 1000\n")
    with pytest.raises(ConfigError, match=r"audio\.volume"):
        save(file, SetupAnswers(board="usb-gpio", key=("OPENAI_API_KEY", KEY)))
    assert os.listdir(file.parent) == ["parley.toml"]


def test_impossible_answer_changes_nothing(file: Path) -> None:
    with pytest.raises(ConfigError):
        save(file, SetupAnswers(wake_words=("a",) * 9, key=("OPENAI_API_KEY", KEY)))
    assert os.listdir(file.parent) == ["parley.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give a file away")
def test_file_of_the_owners_login_stays_theirs(file: Path) -> None:
    """As after `sudo chown pi /etc/parley/parley.toml`."""
    os.chown(file, 12345, 12346)
    save(file, SetupAnswers(board="usb-gpio"))
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12346)


def test_file_is_readable_by_the_service_again(file: Path) -> None:
    """As after an editor with umask 077; the service's user is another one each time."""
    file.chmod(0o660)
    save(file, SetupAnswers(given={"key"}))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_full_disk_saves_no_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_file, "replace", full)
    with pytest.raises(ParleyError, match="No space left on device"):
        save(file, SetupAnswers(board="usb-gpio", key=("OPENAI_API_KEY", KEY)))
    assert os.listdir(file.parent) == ["parley.toml"]


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_key_is_private_at_every_instant(file: Path, umask: int) -> None:
    """A second thread looks at the folder all the time."""
    seen: set[tuple[str, int]] = set()
    done, saw = threading.Event(), threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in file.parent.iterdir():
                try:
                    text, mode = path.read_text(errors="replace"), path.stat().st_mode
                except OSError:
                    continue
                if KEY in text:
                    seen.add((path.name, stat.S_IMODE(mode)))
                    saw.set()

    watching = threading.Thread(target=look)
    watching.start()
    before = os.umask(umask)
    try:
        for _ in range(20):
            lines = save(file, SetupAnswers(key=("OPENAI_API_KEY", KEY), given={"key"}))
            file.with_name("openai_api_key").unlink()
        save(file, SetupAnswers(key=("OPENAI_API_KEY", KEY), given={"key"}))
        assert saw.wait(30)
    finally:
        os.umask(before)
        done.set()
        watching.join()
    assert {mode for _, mode in seen} == {0o600}
    assert KEY not in "".join(lines)
    assert file.with_name("openai_api_key").read_text() == f"{KEY}\n"
    assert config.secret("OPENAI_API_KEY", {"CREDENTIALS_DIRECTORY": str(file.parent)}) == KEY


def test_key_stands_in_no_other_file_and_in_no_repr(file: Path) -> None:
    answers = SetupAnswers(board="usb-gpio", key=("OPENAI_API_KEY", KEY), given={"key"})
    save(file, answers)
    assert KEY not in repr(answers)
    assert [path.name for path in file.parent.iterdir() if KEY in path.read_text()] == [
        "openai_api_key"
    ]


def test_answers_are_remembered_one_by_one(file: Path) -> None:
    assert answered(file) == frozenset()
    save(file, SetupAnswers(board="usb-gpio", given={"board"}))
    save(file, SetupAnswers(given={"key"}))
    assert answered(file) == {"board", "key"}


def test_default_without_a_person_does_not_count_as_answer(file: Path) -> None:
    save(file, SetupAnswers(sound=STICK))
    assert answered(file) == frozenset()


def test_edited_file_of_an_earlier_version_is_an_answer(file: Path) -> None:
    file.write_text("[audio]\nvolume = 42\n")
    assert answered(file) == frozenset(QUESTIONS)


def test_damaged_memory_asks_again(file: Path) -> None:
    file.with_name(".answered").write_bytes(b"\xff\x00 board nonsense")
    assert answered(file) == {"board"}


@pytest.mark.parametrize("text", ["", "\ufeff", "[audio]\r\nvolume = 5\r\n", "[wake]\n"])
def test_file_of_any_form_is_edited(text: str) -> None:
    answers = SetupAnswers(sound=STICK, board="usb-ws2812", wake_words=("alexa",), server="xai")
    if text == "\ufeff":
        with pytest.raises(ConfigError):
            edited(text, answers, "file")
        return
    after, _ = edited(text, answers, "file")
    settings = config.parse(after)
    assert (settings.board, settings.wake.keywords) == ("usb-ws2812", ("alexa",))


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="cannot be written"):
        save(tmp_path / "missing" / "parley.toml", SetupAnswers(board="usb-gpio"))
