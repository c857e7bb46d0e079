"""The remedies of `parley doctor` are run here, in a temporary root, until the checks pass.

Each test introduces a fault, runs the checks as an ordinary user, runs the remedy with real
commands on a private /etc, and checks again. Files that are not Parley's must not change.
"""

import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parleyd import config
from parleyd.diagnostics import checks, devices, remedies, skill_checks, state_checks
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import as_root
from parleyd.skills.store import Store

USER = 65534  # the user "nobody", without any permissions
COMMANDS = ("sudo", "chmod", "mv", "chown")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0,
    reason="needs root: the tests switch users and mount a private /etc",
)


@dataclass
class Root:
    """A temporary root with an ordinary user's home and an /etc."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.path / "home" / "pi"
        self.state = self.home / ".local/state/parley"
        self.skills = self.path / "parley" / "skills"
        self.etc = self.path / "etc"
        (self.etc / "udev/rules.d").mkdir(parents=True)
        for name in ("passwd", "group", "shadow", "gshadow", "login.defs", "ld.so.cache"):
            shutil.copy(Path("/etc") / name, self.etc / name)
        self.environ = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        self.own(self.state)
        self.skills.mkdir(parents=True)
        stubs = self.path / "stubs"
        stubs.mkdir()
        for name, text in {"sudo": 'exec "$@"', "udevadm": "exit 0"}.items():
            (stubs / name).write_text(f"#!/bin/sh\n{text}\n")
            (stubs / name).chmod(0o755)

    def own(self, folder: Path) -> None:
        """Create the folder and give it and its parents in the home to the user."""
        folder.mkdir(parents=True, exist_ok=True)
        for place in (folder, *folder.parents):
            if place.is_relative_to(self.home):
                os.chown(place, USER, USER)

    def ask(self, what: str, folder: Path | None = None) -> list[Finding]:
        """Return the findings of the checks, run as the user."""
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.environ.clear()
                os.environ.update(self.environ)
                os.setgroups([])
                os.setgid(USER)
                os.setuid(USER)
                told = list(self._found(what, folder or self.skills))
                os.write(send, pickle.dumps(told))
                status = 0
            finally:
                os._exit(status)
        os.close(send)
        with open(receive, "rb") as answer:
            pickled = answer.read()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        found: list[Finding] = pickle.loads(pickled)
        return found

    def _found(self, what: str, folder: Path) -> Iterable[Finding]:
        match what:
            case "state":
                return state_checks.state(self.environ)
            case "skills":
                return skill_checks.skills(folder, None, folder)
            case "foreign skills":
                return skill_checks.skills(folder, None)
            case "pins":
                led = config.Config(lights=config.LightsConfig(output="led"))
                return devices.pins(led, served=True, dev=folder)
        checks.INSTALLED, checks.HIDDEN = folder, ()  # the root of the test is below /tmp
        return checks.configuration(folder)[1]

    def run(self, command: str) -> None:
        """Run the command in the user's shell; as root if it begins with sudo."""
        user = (
            "" if command.startswith("sudo ") else f"--reuid {USER} --regid {USER} --clear-groups"
        )
        inside = (
            'mount --bind "$1/etc" /etc; export PATH="$1/stubs:$PATH" HOME="$1/home/pi"; '
            f'cd "$HOME"; exec setpriv {user} bash -ec "$2"'
        )
        done = subprocess.run(
            ["unshare", "-m", "bash", "-ec", inside, "bash", str(self.path), command],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)

    def rights(self) -> dict[str, tuple[int, int, int]]:
        """Return mode and owners of every file that is not Parley's."""
        ours = (self.state, self.skills, self.etc, self.path / "stubs", self.path / "dev")
        return {
            str(path): (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
            for path in (self.path, *self.path.rglob("*"))
            if not any(path == own or path.is_relative_to(own) for own in ours)
            for found in [path.lstat()]
        }


@pytest.fixture
def root() -> Iterator[Root]:
    path = Path(tempfile.mkdtemp(prefix="parley root "))
    path.chmod(0o755)
    umask = os.umask(0o022)
    try:
        yield Root(path)
    finally:
        os.umask(umask)
        shutil.rmtree(path)


def bad(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.level is not Severity.OK]


def mended(root: Root, what: str, folder: Path | None = None) -> list[str]:
    """Run the remedies until the checks pass; return the commands."""
    done: list[str] = []
    before = root.rights()
    for _ in range(6):
        found = bad(root.ask(what, folder))
        if not found:
            assert {k: v for k, v in root.rights().items() if k in before} == before
            return done
        assert found[0].remedy.split()[0] in COMMANDS, found[0]
        root.run(found[0].remedy)
        done.append(found[0].remedy)
    raise AssertionError(f"never satisfied: {found}")


# --- the state folder -----------------------------------------------------------------


def of_root(root: Root) -> None:
    """The state after `sudo parley run`."""
    for name in ("skills.json", "echo.npz", "pid"):
        (root.state / name).write_text("{}")
    os.chown(root.state, 0, 0)
    root.state.chmod(0o700)


def file_of_root(root: Root) -> None:
    (root.state / "skills.json").write_text("{}")
    (root.state / "skills.json").chmod(0o600)


def closed(root: Root) -> None:
    root.state.chmod(0o500)


def closed_file(root: Root) -> None:
    (root.state / "echo.npz").touch(0)
    os.chown(root.state / "echo.npz", USER, USER)


def a_file(root: Root) -> None:
    root.state.rmdir()
    root.state.write_text("")


def dangling(root: Root) -> None:
    root.state.rmdir()
    root.state.symlink_to("nothing")


def local_of_root(root: Root) -> None:
    """The state after `sudo pip install --user`, for example."""
    shutil.rmtree(root.home / ".local")
    (root.home / ".local").mkdir()


def state_of_root(root: Root) -> None:
    root.state.rmdir()
    os.chown(root.state.parent, 0, 0)


def folder_in_the_way(root: Root) -> None:
    (root.state / "echo.npz" / "x").mkdir(parents=True)


def again_in_the_way(root: Root) -> None:
    for name in ("echo.npz", "echo.npz.old", "echo.npz.old1"):
        (root.state / name / "x").mkdir(parents=True)


def pipe_in_the_way(root: Root) -> None:
    os.mkfifo(root.state / "echo.npz")


def turns_are_a_file(root: Root) -> None:
    (root.state / "turns").write_text("")


def turns_of_root(root: Root) -> None:
    (root.state / "turns").mkdir()
    (root.state / "turns" / "turn-1.wav").write_text("")


@pytest.mark.parametrize(
    "wrong",
    [of_root, file_of_root, closed, closed_file, a_file, dangling, local_of_root, state_of_root,
     folder_in_the_way, again_in_the_way, pipe_in_the_way, turns_are_a_file, turns_of_root],
)  # fmt: skip
def test_state_faults_are_fixed_by_their_remedies(
    root: Root, wrong: Callable[[Root], None]
) -> None:
    assert bad(root.ask("state")) == []
    wrong(root)
    assert mended(root, "state")


@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": "/"},
        {"STATE_DIRECTORY": "/"},
        {"STATE_DIRECTORY": "/usr"},
        {"STATE_DIRECTORY": "/etc:/x"},
        {"XDG_STATE_HOME": "/"},
        {"XDG_STATE_HOME": "/usr"},
        {"XDG_STATE_HOME": "/root"},
        {"XDG_STATE_HOME": "/etc/passwd"},
        {"HOME": "/nowhere"},
        {"HOME": "/root"},
        {"HOME": "/proc"},
    ],
    ids=str,
)
def test_state_in_a_system_folder_is_never_changed(root: Root, environ: dict[str, str]) -> None:
    root.environ.update(environ)
    (found,) = root.ask("state")
    assert (found.level, found.remedy) == (Severity.FAIL, state_checks.ELSEWHERE)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_state_file_of_another_kind_is_left_to_parley(root: Root, kind: str) -> None:
    """If the owner moved the file, a microphone that was muted by voice would open."""
    path = root.state / "skills.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nothing")
    (found,) = bad(root.ask("state"))
    assert found.remedy.startswith("start Parley")
    assert Store(path).kept.muted_until == -1.0
    os.chown(path, USER, USER)
    assert bad(root.ask("state")) == []


@pytest.mark.parametrize("variable", ["STATE_DIRECTORY", "XDG_STATE_HOME"])
def test_state_in_a_system_folder_named_parley_is_not_changed(root: Root, variable: str) -> None:
    """An example is /etc/parley, which has the expected name but holds root's skills."""
    folder = root.skills.parent
    root.environ[variable] = str(folder if variable == "STATE_DIRECTORY" else folder.parent)
    (found,) = root.ask("state")
    assert (found.level, found.remedy) == (Severity.FAIL, state_checks.ELSEWHERE)


def test_state_with_a_damaged_file_warns_and_keeps_it(root: Root) -> None:
    path = root.state / "skills.json"
    path.write_text('{"alarms": [5]}')
    path.chmod(0o644)
    first, *_ = bad(root.ask("state"))
    assert first.level is Severity.WARN
    assert "timers are lost: entry 1" in first.text
    assert path.read_text() == '{"alarms": [5]}'
    assert list(root.state.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "advice"),
    [("EROFS", "dmesg"), ("EIO", "dmesg"), ("ENOSPC", "free some space"), ("EDQUOT", "free some")],
)
def test_state_on_a_failing_disk_does_not_suggest_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, advice: str
) -> None:
    import errno

    def fails(place: Path) -> None:
        code = getattr(errno, number)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(state_checks, "_try", fails)
    (found,) = state_checks.state({"XDG_STATE_HOME": str(tmp_path)})
    assert found.level is Severity.FAIL
    assert advice in found.remedy
    assert "sudo" not in found.remedy


# --- user skills ----------------------------------------------------------------------


def open_file(root: Root) -> None:
    (root.skills / "lamp.py").chmod(0o666)


def open_folder(root: Root) -> None:
    root.skills.chmod(0o777)


def foreign_file(root: Root) -> None:
    os.chown(root.skills / "lamp.py", 12345, 12345)


def foreign_folder(root: Root) -> None:
    os.chown(root.skills, 12345, -1)
    root.skills.chmod(0o775)


def odd_name(root: Root) -> None:
    odd = root.skills / "$(touch pwned); a'b .py"
    odd.write_text("")
    odd.chmod(0o664)


@pytest.mark.parametrize("wrong", [open_file, open_folder, foreign_file, foreign_folder, odd_name])
def test_skills_faults_are_fixed_by_their_remedies(
    root: Root, wrong: Callable[[Root], None]
) -> None:
    (root.skills / "lamp.py").write_text("")
    (root.skills / "good.py").write_text("")
    assert bad(root.ask("skills")) == []
    wrong(root)
    assert mended(root, "skills")
    assert not list(root.path.rglob("pwned"))
    assert "no other user can change its files" in root.ask("skills")[0].text


@pytest.mark.parametrize("folder", ["/tmp", "above", "home"])
def test_skills_in_another_folder_are_not_changed(root: Root, folder: str) -> None:
    path = {"/tmp": Path("/tmp"), "above": root.skills, "home": root.home / "mine"}[folder]
    path.mkdir(exist_ok=True)
    if folder == "above":
        root.skills.parent.chmod(0o777)
    if folder == "home":
        path.chmod(0o777)
    (found,) = root.ask("foreign skills", path)
    assert found.level is Severity.FAIL
    assert found.remedy.startswith(f"put the files into {skill_checks.OWN}")


def key_files(folder: Path, name: str, make: Callable[[Path], None]) -> Finding:
    make(folder / name)
    embedded = config.Config(realtime=config.RealtimeConfig(server="embedded"))
    *_, finding = checks.keys(embedded, {}, folder)
    return finding


@pytest.mark.parametrize("name", ["a b_key", "x$(touch pwned)_key", "'_key", ";id;_key"])
def test_keys_odd_name_is_one_word_of_the_command(tmp_path: Path, name: str) -> None:
    exposed = key_files(tmp_path, name, lambda path: path.touch(0o644))
    subprocess.run(["bash", "-ec", f'sudo() {{ "$@"; }}; cd /; {exposed.remedy}'], check=True)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert not Path("/pwned").exists()


def test_keys_target_of_a_link_is_not_changed(tmp_path: Path) -> None:
    target = tmp_path / "passwd"
    target.touch(0o644)
    finding = key_files(tmp_path, "openai_api_key", lambda path: path.symlink_to(target))
    assert finding.level is Severity.WARN
    assert finding.remedy == f"put the key itself into {tmp_path}/openai_api_key"


# --- the rest ---------------------------------------------------------------------------


def test_configuration_unreadable_is_fixed_by_its_remedy(root: Root) -> None:
    path = root.skills.parent / "parley.toml"
    path.write_text("[audio]\n")
    assert bad(root.ask("configuration", path)) == []
    path.chmod(0o600)
    before = path.stat().st_uid
    (found,) = root.ask("configuration", path)
    assert "Permission denied" in found.text
    root.run(found.remedy)
    assert bad(root.ask("configuration", path)) == []
    assert path.stat().st_uid == before


@pytest.mark.parametrize("wrong", ["mode", "folder", "home"])
def test_configuration_hidden_from_the_service_is_fixed_by_its_remedy(
    root: Root, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Root reads it, and the user of the service does not."""
    path = root.skills.parent / "parley.toml"
    monkeypatch.setattr(checks, "INSTALLED", path)
    monkeypatch.setattr(checks, "HIDDEN", (str(root.home.resolve()),))
    path.write_text("[audio]\n")
    path.chmod(0o644)
    assert bad(checks.configuration(path)[1]) == []
    if wrong == "mode":
        path.chmod(0o600)
    elif wrong == "folder":
        path.parent.chmod(0o700)
    else:
        (root.home / "mine.toml").write_text("[audio]\n")
        path.unlink()
        path.symlink_to(root.home / "mine.toml")
    (found,) = bad(checks.configuration(path)[1])
    assert found.level is Severity.FAIL
    root.run(found.remedy)
    assert bad(checks.configuration(path)[1]) == []
    assert path.read_text() == "[audio]\n"
    assert not path.is_symlink()


def test_configuration_remedy_depends_on_the_error(tmp_path: Path) -> None:
    def advice(path: Path) -> str:
        return checks.configuration(path)[1][0].remedy

    (tmp_path / "bad.toml").write_text("[audi]\n")
    assert advice(tmp_path / "bad.toml").startswith(f"correct {tmp_path}/bad.toml")
    assert advice(tmp_path / "none.toml") == "name a file that exists"
    assert advice(tmp_path) == "name a file"
    os.mkfifo(tmp_path / "pipe.toml")
    assert advice(tmp_path / "pipe.toml") == "name a file"


def member(root: Root, group: str) -> bool:
    lines = (root.etc / "group").read_text().splitlines()
    fields = next((line.split(":") for line in lines if line.startswith(f"{group}:")), [])
    return "nobody" in fields[-1:] or "nobody" in (fields[-1].split(",") if fields else [])


def test_pins_remedy_creates_the_group_and_its_rules(root: Root) -> None:
    """`$USER` is empty in a service, and is root under sudo."""
    dev = root.path / "dev"
    dev.mkdir()
    chip = dev / "gpiochip0"
    chip.touch()
    (found,) = root.ask("pins", dev)
    assert (found.level, found.text) == (Severity.FAIL, f"{chip} may not be used")
    assert "60-parley.rules" in found.remedy  # the group gpio may not use it either
    root.run(found.remedy)
    rules = root.etc / "udev/rules.d/60-parley.rules"
    assert "\ngpio:x:" in (root.etc / "group").read_text()
    assert rules.read_text() == (remedies.CHECKOUT / "systemd/60-parley.rules").read_text()


def test_join_names_the_user_or_a_new_login(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    audio = grp.getgrnam("audio")
    monkeypatch.setattr(remedies, "user", lambda: "nobody")
    command = remedies.join("audio", Path("/dev/snd"))
    assert command == "sudo usermod -aG audio nobody  # then log out and in again"
    assert "nobody" not in audio.gr_mem
    root.run(command)
    assert member(root, "audio")
    again = grp.struct_group(("audio", "x", 29, ["nobody"]))
    monkeypatch.setattr(grp, "getgrnam", lambda name: again)
    assert remedies.join("audio", Path("/dev/snd")).startswith("log out and in again: nobody is")


SYSTEMCTL = """#!/bin/bash
# a service manager of four facts
cd "$(dirname "$0")"
case $1 in
  show) cat facts ;;
  unmask) sed -i s/masked/loaded/ facts ;;
  enable)
    sed -i s/=disabled/=enabled/ facts
    [[ $2 != --now ]] || sed -i s/=inactive/=active/ facts
    ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("loaded", "active", "enabled"),
    [
        ("masked", "inactive", "disabled"),
        ("loaded", "inactive", "disabled"),
        ("loaded", "active", "disabled"),
    ],
)
def test_service_faults_are_fixed_by_their_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: str, active: str, enabled: str
) -> None:
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for name in ("systemctl", "sudo"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "facts").write_text(
        f"LoadState={loaded}\nActiveState={active}\nUnitFileState={enabled}\nStatusText=idle\n"
        "Result=success\n"
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for _ in range(3):
        _, finding = checks.service(booted=tmp_path)
        if finding.level is Severity.OK:
            break
        assert finding.remedy.startswith("sudo systemctl ")
        subprocess.run(["bash", "-ec", finding.remedy], check=True)
    assert finding.level is Severity.OK
    assert finding.text == "parleyd runs, idle"


def test_priority_above_the_units_limit_names_the_limit() -> None:
    refused = checks.priority(49)
    if refused.level is not Severity.OK:
        assert refused.remedy.startswith("set audio.priority = 20")
    text = (remedies.CHECKOUT / "systemd/parleyd.service").read_text()
    assert f"LimitRTPRIO={checks.GRANTED}\n" in text


def test_install_remedy_names_an_existing_script() -> None:
    command, option = remedies.install("--install").removeprefix("sudo ").rsplit(" ", 1)
    assert Path(command).exists()
    assert option == "--install"
    python = remedies.pip_install("pocketsphinx").removeprefix("sudo ").split()[0]
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0


def test_install_remedy_of_the_debian_package_is_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configure").touch()
    monkeypatch.setattr(remedies, "CHECKOUT", tmp_path / "venv/lib")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    assert remedies.install("--install") == f"sudo {tmp_path}/configure"


def test_offline_speech_remedy_installs_the_missing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from parleyd.embedded import recognizer, synthesizer
    from parleyd.errors import OfflineSpeechError

    def fails(*arguments: object) -> None:
        raise OfflineSpeechError("it cannot start")

    with monkeypatch.context() as patched:
        patched.setattr(synthesizer, "Synthesizer", fails)
        assert checks.offline_speech(needed=True).remedy == "sudo apt-get install -y flite"
    monkeypatch.setattr(recognizer, "Recognizer", fails)
    assert "pip install --force-reinstall pocketsphinx" in checks.offline_speech(needed=True).remedy


def test_config_default_skills_folder_is_parleys(tmp_path: Path) -> None:
    assert config.Config().skills.folder == str(skill_checks.OWN)


def test_remedy_as_root_is_short_where_the_command_is_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link in PATH must start this installation; a checkout is named by its Python."""
    link = tmp_path / "parley"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert as_root() == f"sudo {sys.executable} -m parleyd doctor"
    link.symlink_to(Path(sys.prefix) / "bin" / "parley")
    assert as_root() == "sudo parley doctor"
