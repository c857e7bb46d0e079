"""SIGHUP on a real process: an unusable configuration does not change the running daemon."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import RIG_CARDS, WITHIN_S, Daemon
from pulse_rig import PulseRig

BASE = """
[audio]
capture = "hw:9"
playback = "hw:9"
boot_chime = false
priority = 0
"""
SKILL = """from parleyd.skills import skill


@skill
def feed(grams: int) -> str:
    "Feed the cat."
    return f"{grams} g"
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def configuration(folder: Path, more: str = "") -> str:
    return f'{BASE}{more}\n[skills]\nfolder = "{folder}/skills"\n'


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Daemon]:
    """A service that waits for a missing card."""
    (tmp_path / "skills").mkdir(0o755)
    (tmp_path / "skills/cat.py").write_text(SKILL)
    daemon = Daemon(tmp_path, configuration(tmp_path))
    try:
        daemon.wait("READY=1")
        yield daemon
    finally:
        daemon.close()


def reloaded(service: Daemon) -> None:
    service.process.send_signal(signal.SIGHUP)
    service.wait("RELOADING=1")
    service.wait("READY=1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[wake]\nkeywords = ["hey_parley"]', "no model for 'hey_parley'"),
        ('[wake]\nkeywords = ["/nowhere/word.json"]', "/nowhere/word.json cannot be used"),
        ('[realtime]\nserver = "xai"', "XAI_API_KEY"),
        ('[lights]\noutput = "ws2812"\nspi_device = "/dev/spidev9.9"', "/dev/spidev9.9"),
        ("[buttons]\npush_pin = 5\nmute_pin = 5", "GPIO 5 is already used"),
        ("[audio", "is not valid TOML"),
    ],
)
def test_reload_with_unusable_configuration_changes_nothing(
    text: str, words: str, service: Daemon, tmp_path: Path
) -> None:
    server = service.child()
    service.config.write_text(configuration(tmp_path, text))
    reloaded(service)
    assert service.child() == server, "the embedded server was restarted"
    (line,) = [s for s in service.log.read_text().splitlines() if "not reloaded" in s]
    assert words in line
    service.config.write_text(configuration(tmp_path, "[turn]\nfollow_up_s = 3"))
    reloaded(service)
    assert "configuration reloaded" in service.log.read_text()
    assert service.end() == 0
    assert "Traceback" not in service.log.read_text()


def test_reload_with_similar_mistakes_names_each(service: Daemon, tmp_path: Path) -> None:
    words = ", ".join(f'"word{n}"' for n in range(8))
    service.config.write_text(configuration(tmp_path, f"[wake]\nkeywords = [{words}]"))
    reloaded(service)
    log = service.log.read_text()
    assert all(f"not reloaded: wake.keywords: the wake-word engine micro has no model for 'word{n}'"
               in log for n in range(8))  # fmt: skip
    assert service.end() == 0


def test_reload_with_a_broken_skill_keeps_the_running_one(service: Daemon, tmp_path: Path) -> None:
    server = service.child()
    (tmp_path / "skills/cat.py").write_text("def feed(:\n")
    reloaded(service)
    assert service.child() == server
    log = service.log.read_text()
    assert f"configuration not reloaded: skill: {tmp_path}/skills/cat.py:1: " in log
    assert service.end() == 0


@pytest.mark.parametrize("key", ["playback", "capture"])
def test_reload_to_a_card_that_does_not_open_is_undone(
    key: str, rig: PulseRig, tmp_path: Path
) -> None:
    service = Daemon(tmp_path, RIG_CARDS)
    try:
        service.wait("STATUS=idle")
        device = {"playback": '"speaker"', "capture": '"mic"'}[key]
        service.config.write_text(RIG_CARDS.replace(f"{key} = {device}", f'{key} = "hw:8"'))
        reloaded(service)
        log = service.log.read_text()
        assert f'configuration not reloaded: audio.{key}: "hw:8" cannot be opened' in log
        assert "configuration reloaded" not in log
        service.wait("STATUS=idle")
        assert rig.open_microphones() == 1
        service.config.write_text(RIG_CARDS)
        reloaded(service)
        assert "configuration reloaded" in service.log.read_text()
        assert service.end() == 0
    finally:
        service.close()
    assert "Traceback" not in service.log.read_text()


def test_reload_to_another_missing_card_is_applied(service: Daemon, tmp_path: Path) -> None:
    text = configuration(tmp_path).replace('playback = "hw:9"', 'playback = "hw:8"')
    service.config.write_text(text)
    reloaded(service)
    assert "configuration reloaded" in service.log.read_text()
    assert service.end() == 0


def test_ten_reloads_at_once_end_with_the_last_file(service: Daemon, tmp_path: Path) -> None:
    for second in range(1, 11):
        service.config.write_text(configuration(tmp_path, f"[turn]\nfollow_up_s = {second}"))
        service.process.send_signal(signal.SIGHUP)
    service.config.write_text(configuration(tmp_path, "[log]\nrecord_turns = 1"))
    service.process.send_signal(signal.SIGHUP)
    while "log.record_turns = 1" not in service.log.read_text():
        service.wait("READY=1")
    assert service.end() == 0
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('[wake]\nkeywords = ["hey_parley"]', 2),
        ('[realtime]\nserver = "xai"', 2),
        ("[turn]\nsilence_ms = 1", 2),
    ],
)
def test_start_with_a_mistake_exits_with_2(text: str, status: int, tmp_path: Path) -> None:
    """The unit does not restart after status 2: RestartPreventExitStatus=2."""
    daemon = Daemon(tmp_path, configuration(tmp_path, text))
    try:
        assert daemon.process.wait(WITHIN_S) == status
    finally:
        daemon.close()
    assert "Traceback" not in daemon.log.read_text()


def test_start_with_a_broken_skill_runs_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "skills").mkdir(0o755)
    (tmp_path / "skills/cat.py").write_text(SKILL)
    (tmp_path / "skills/dog.py").write_text("import nothing_of_this_name\n")
    daemon = Daemon(tmp_path, configuration(tmp_path))
    try:
        daemon.wait("READY=1")
        assert daemon.end() == 0
    finally:
        daemon.close()
    log = daemon.log.read_text()
    assert f"skill left out: {tmp_path}/skills/dog.py:1: ModuleNotFoundError" in log
    assert "feed" in log
