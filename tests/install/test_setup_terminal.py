"""`parley setup` at a real terminal, and without one: no key is seen, and nothing hangs."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal_session import TerminalSession

from parleyd import config

KEY = "sk-proj-Zq7wXy9vBn3mKl5jHg8fDs2a"
SETUP = (sys.executable, "-m", "parleyd", "setup", "--part", "questions")
PROMPT = "Enter is none): "


def environ() -> dict[str, str]:
    names = {"PATH", "HOME", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    return {k: v for k, v in os.environ.items() if k in names} | {"LANG": "C"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "parley.toml"
    path.parent.mkdir(mode=0o755)
    path.write_text('#board = ""\n[wake]\n#keywords = []\n')
    return path


@pytest.fixture
def terminal(file: Path) -> Iterator[TerminalSession]:
    """Setup on a machine without cards and pins, after the question for the wake word."""
    with TerminalSession([*SETUP, "--config", str(file), "--board", "none"], environ()) as session:
        session.answer("Wake word [2]: ", "alexa")
        session.read_until(PROMPT)
        yield session


def command_lines() -> str:
    """What `ps` shows of all processes, with their environments."""
    shown = []
    for place in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                shown.append((place / name).read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return "".join(shown)


def test_key_is_asked_again_and_never_shown(file: Path, terminal: TerminalSession) -> None:
    wrong = {
        f'"{KEY}"': "quotes",
        f"Bearer {KEY}": "Bearer",
        f"export OPENAI_API_KEY={KEY}": "NAME=",
        f"{KEY}\n{KEY}": "more than one line",  # pasted: no line answers the next question
    }
    for typed, words in wrong.items():
        assert not terminal.echoes
        terminal.type(typed)
        assert words in terminal.read_until(PROMPT)
    terminal.type(f"  \x1b[200~{KEY}\x1b[201~ ")  # as a terminal with bracketed paste sends it
    assert terminal.ended() == 0
    assert "A key of 32 characters is taken" in terminal.text
    saved = file.with_name("openai_api_key")
    assert saved.read_text() == f"{KEY}\n"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert KEY[8:] not in terminal.text + command_lines() + file.read_text()
    assert config.load(file).wake.keywords == ("alexa",)


@pytest.mark.parametrize("keys", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_end_of_the_questions_saves_nothing(
    file: Path, terminal: TerminalSession, keys: str
) -> None:
    before = file.read_text()
    terminal.press(keys)
    assert terminal.ended() == 130
    assert "nothing of these answers is saved. Answer them with: sudo parley setup" in terminal.text
    assert terminal.echoes
    assert file.read_text() == before
    assert os.listdir(file.parent) == ["parley.toml"]
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_termination_shows_typing_again(terminal: TerminalSession, ending: signal.Signals) -> None:
    """A lost SSH connection is SIGHUP."""
    assert not terminal.echoes
    terminal.process.send_signal(ending)
    assert terminal.ended() == 128 + ending
    assert terminal.echoes


def test_answered_questions_are_not_asked_again(file: Path) -> None:
    file.with_name(".answered").write_text("board\nsound\nwake_word\nkey\n")
    with TerminalSession([*SETUP, "--config", str(file)], environ()) as session:
        assert session.ended() == 0
        assert "To answer them again: sudo parley setup" in session.text


def test_yes_at_a_terminal_asks_nothing(file: Path) -> None:
    with TerminalSession([*SETUP, "--config", str(file), "--yes"], environ()) as session:
        assert session.ended() == 0
        assert "[" not in session.text


def test_endless_yes_at_a_terminal_ends(file: Path) -> None:
    """As with `yes |` in front of a program that makes its own terminal."""
    with TerminalSession([*SETUP, "--config", str(file)], environ()) as session:
        session.read_until("Wake word [2]: ")
        session.press("y\n" * 6)
        for _ in range(5):
            session.answer(PROMPT, "y")
        assert session.ended() == 0
    assert not file.with_name("openai_api_key").exists()
    assert config.load(file).wake.keywords == ("hey_jarvis",)


def unattended(
    file: Path, *arguments: str, given: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*SETUP, "--config", str(file), *arguments],
        env=environ(),
        input=given,
        stdin=None if given is not None else subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


def test_flags_answer_without_a_terminal(file: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    key.write_bytes(f"{KEY}\r\n".encode())  # saved on Windows
    flags = ["--microphone", "usb:1-1.2", "--loudspeaker", "plughw:CARD=A", "--board", "usb-gpio"]
    done = unattended(file, *flags, "--wake-word", "okay nabu", "--key-file", str(key))
    assert done.returncode == 0, done.stderr
    settings = config.load(file)
    assert (settings.audio.capture, settings.audio.playback) == ("usb:1-1.2", "plughw:CARD=A")
    assert (settings.board, settings.wake.keywords) == ("usb-gpio", ("okay_nabu",))
    assert file.with_name("openai_api_key").read_text() == f"{KEY}\n"
    assert KEY.encode() not in done.stdout + done.stderr


def test_pipe_brings_the_key_or_nothing(file: Path) -> None:
    done = unattended(file, "--key", "-", given=f"{KEY}\n".encode())
    assert done.returncode == 0, done.stderr
    assert file.with_name("openai_api_key").read_text() == f"{KEY}\n"
    file.with_name("openai_api_key").unlink()
    done = unattended(file, given=b"y\n" * 100_000)  # `yes |`: no answer is read from it
    assert done.returncode == 0
    assert not file.with_name("openai_api_key").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--key", KEY), "use --key - (a pipe) or --key-file"),
        (("--key-file", "/nowhere"), "/nowhere cannot be read"),
        (("--key-file", "/dev/zero"), "/dev/zero cannot be read"),
        (("--board", "toaster"), "usb-gpio"),
        (("--wake-word", "computer"), "allowed are alexa"),
        (("--wake-word", "../../x"), "is not a path from the root"),
        (("--wake-word", "/etc/passwd"), "cannot be used"),
        (("--key", "-"), "is empty"),
    ],
)
def test_impossible_flag_is_refused(file: Path, arguments: tuple[str, ...], words: str) -> None:
    done = unattended(file, *arguments)
    told = done.stderr.decode()
    assert done.returncode in (1, 2)
    assert words in told
    assert KEY not in told
    assert os.listdir(file.parent) == ["parley.toml"]
    assert "Traceback" not in told


def test_end_prints_one_line_last(file: Path) -> None:
    """The doctor's lines come first; this machine has no card."""
    command = [sys.executable, "-m", "parleyd", "setup", "--part", "end", "--config", str(file)]
    done = subprocess.run(command, env=environ(), capture_output=True, text=True, timeout=120)
    *_, last = done.stdout.splitlines()
    assert last.startswith(("Say: ", "Start it with: ")) or "Do this first: " in last


@pytest.mark.parametrize("options", [(), ("--yes",), ("--board", "none")])
def test_setup_without_a_terminal_says_that_nothing_is_asked(
    file: Path, options: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "parleyd", "setup", "--config", str(file), *options]
    done = subprocess.run(
        command,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ("ssh -t HOST sudo parley setup" in done.stdout) == (options == ())
