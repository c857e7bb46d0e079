"""install.sh --install and related options, below DESTDIR, with the miniature of conftest."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.install.conftest import Checkout


ROOT = Path(__file__).parents[2]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


class Image:
    """The root of a device for the installation."""

    def __init__(self, checkout: Checkout, root: Path) -> None:
        self.checkout = checkout
        self.root = root
        self.opt = self.root / "opt/parley"
        self.etc = self.root / "etc/parley"
        self.unit = self.root / "etc/systemd/system/parleyd.service"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        result = self.checkout.run(*arguments, DESTDIR=str(self.root))
        assert result.returncode == 0, result.stdout + result.stderr
        return result

    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file())


@pytest.fixture
def image(checkout: Checkout) -> Image:
    """An image without an installation."""
    return Image(checkout, checkout.root / "image")


@pytest.fixture(scope="module")
def installed_once(installed: Checkout) -> tuple[Image, str]:
    image = Image(installed, installed.root / "image")
    return image, image.run("--install").stdout


@pytest.fixture
def device(installed_once: tuple[Image, str], tmp_path: Path) -> Image:
    """A copy of an image with an installation."""
    image, _ = installed_once
    shutil.copytree(image.root, tmp_path / "image", symlinks=True)
    return Image(image.checkout, tmp_path / "image")


def test_install_is_complete_and_ends_with_the_doctor(
    installed_once: tuple[Image, str],
) -> None:
    image, told = installed_once
    assert f"ran parley doctor --config {image.etc}/parley.toml" in told
    assert "nothing is enabled or started" in told
    assert (image.opt / "venv/bin/parley").exists()
    assert (image.opt / "venv").is_symlink()
    first, *_ = (image.opt / "venv/bin/parley").read_text().splitlines()
    assert first.startswith(f"#!/opt/parley/{os.readlink(image.opt / 'venv')}/bin/python")
    assert "ExecStart=/opt/parley/venv/bin/parley run" in image.unit.read_text()
    for file in (
        *("usr/lib/sysusers.d/parley.conf", "etc/udev/rules.d/60-parley.rules"),
        "usr/share/bash-completion/completions/parley",
    ):
        assert file in image.files()
    assert os.readlink(image.root / "usr/local/bin/parley") == "/opt/parley/venv/bin/parley"
    settings = tomllib.loads((image.etc / "parley.toml").read_text())
    assert not any(settings.values())  # every key is a comment: later defaults apply
    assert not list(image.checkout.root.glob("**/*.egg-info"))


def test_answers_of_the_command_line_reach_setup(device: Image, tmp_path: Path) -> None:
    """The stand-in for `parley` prints its arguments; an image is asked nothing."""
    key = tmp_path / "a key.txt"
    key.write_text("sk-secret")
    answers = ("--card", "usb:1-1.3", "--board", "none", "--wake-word", "hey jarvis", "--yes")
    told = device.run("--install", *answers, "--key-file", str(key)).stdout
    config = f"--part image --config {device.etc}/parley.toml"
    assert f"ran parley setup {config} {' '.join(answers)} --key-file {key}" in told
    assert "sk-secret" not in told
    assert "ran parley setup" not in device.run("--install").stdout


def test_second_install_writes_no_file(device: Image) -> None:
    def written() -> dict[Path, int]:
        files = (path for path in device.root.rglob("*") if path.name != "install.lock")
        return {path: path.lstat().st_mtime_ns for path in files if not path.is_dir()}

    (device.etc / "parley.toml").write_text("[audio]\nvolume = 42\n")
    (device.etc / "openai_api_key").touch(0o600)
    device.run("--install")
    before = written()
    assert "is kept" in device.run("--install").stdout
    assert written() == before
    assert (device.etc / "parley.toml").read_text() == "[audio]\nvolume = 42\n"


def test_removed_key_loses_its_credential(device: Image) -> None:
    key = device.etc / "openai_api_key"
    drop_in = device.unit.with_name("parleyd.service.d") / "keys.conf"
    key.touch()
    device.run("--install")
    assert drop_in.exists()
    key.unlink()
    device.run("--install")
    assert not drop_in.exists()


def test_encrypted_key_is_named_once(device: Image) -> None:
    """Of two lines with one name systemd takes the last one."""
    for name in ("openai_api_key", "openai_api_key.cred"):
        (device.etc / name).touch()
    told = device.run("--install")
    drop_in = device.unit.with_name("parleyd.service.d") / "keys.conf"
    assert drop_in.read_text().count("openai_api_key:") == 1
    assert "LoadCredentialEncrypted=openai_api_key" in drop_in.read_text()
    assert "openai_api_key is not used" in told.stderr


@pytest.mark.parametrize(("version", "gets_it"), [("252", False), ("257", True)])
def test_restart_back_off_depends_on_systemd_version(
    image: Image, version: str, gets_it: bool
) -> None:
    image.checkout.stand_in("systemctl", f"echo 'systemd {version} ({version}.1-1)'")
    backoff = image.unit.with_name("parleyd.service.d") / "backoff.conf"
    image.run("--install")
    assert backoff.exists() == gets_it
    image.run("--uninstall")
    assert not backoff.parent.exists()


def test_damaged_environment_is_replaced(device: Image) -> None:
    before = os.readlink(device.opt / "venv")
    (device.opt / "venv/bin/python").unlink()
    device.run("--install")
    assert os.readlink(device.opt / "venv") != before
    assert (device.opt / "venv/bin/parley").exists()


def test_upgrade_replaces_the_environment_only_by_a_complete_one(image: Image) -> None:
    image.run("--install")
    before = os.readlink(image.opt / "venv")
    backend = image.checkout.root / "daemon/backend.py"
    good = backend.read_text()
    backend.write_text("raise SystemExit('broken')\n")
    failed = image.checkout.run("--upgrade", DESTDIR=str(image.root))
    assert failed.returncode == 1
    assert "installing Python packages failed" in failed.stderr
    assert os.readlink(image.opt / "venv") == before
    assert (image.opt / "venv/bin/parley").exists()
    backend.write_text(good)
    image.run("--upgrade")  # also removes the remains of the failure
    (venv,) = image.opt.glob("venv-*")
    assert os.readlink(image.opt / "venv") == venv.name


def test_keys_become_credentials_readable_only_by_root(device: Image) -> None:
    image = device
    key = image.etc / "openai_api_key"
    key.write_text("sk-secret")
    key.chmod(0o644)
    (image.etc / "picovoice_access_key.cred").touch()
    told = image.run("--install")
    drop_in = (image.unit.with_name("parleyd.service.d") / "keys.conf").read_text()
    assert drop_in.splitlines() == [
        "[Service]",
        "LoadCredential=openai_api_key:/etc/parley/openai_api_key",
        "LoadCredentialEncrypted=picovoice_access_key:/etc/parley/picovoice_access_key.cred",
    ]
    assert key.stat().st_mode & 0o777 == 0o600
    assert "sk-secret" not in told.stdout + told.stderr


def test_mqtt_is_installed_if_asked_for_and_kept_by_an_upgrade(device: Image) -> None:
    password = device.etc / "mqtt_password"
    unit = device.unit.with_name("parley-mqtt.service")
    drop_in = unit.with_name("parley-mqtt.service.d") / "password.conf"
    assert not unit.exists()
    password.write_text("secret\n")
    device.run("--install", "--mqtt")
    told = "[Service]\nLoadCredential=mqtt_password:/etc/parley/mqtt_password\n"
    assert drop_in.read_text() == told
    assert password.stat().st_mode & 0o777 == 0o600
    assert "mqtt_password" not in "".join(
        path.read_text() for path in device.unit.parent.glob("parleyd.service.d/*")
    )
    assert (device.opt / "venv/installed").read_text().endswith(" mqtt\n")
    password.unlink()
    device.run("--upgrade")
    assert unit.exists()
    assert not drop_in.exists()
    assert (device.opt / "venv/installed").read_text().endswith(" mqtt\n")
    device.run("--uninstall")
    assert not unit.exists()


@pytest.mark.parametrize(
    ("mqtt", "page", "enabled"),
    [
        ("", "", ""),
        ("kept", "kept", " parley-mqtt"),
        ("kept", "asked", " parley-mqtt parley-page-save.socket parley-page"),
    ],
)
def test_disabled_service_stays_so_until_asked_for(mqtt: str, page: str, enabled: str) -> None:
    """The page is disabled; functions replace the commands that would change this machine."""
    steps = f"""
        set -eEuo pipefail
        root={shlex.quote(str(ROOT))} mqtt={mqtt!r} page={page!r}
        source "$root/systemd/device.sh"
        step() {{ :; }}; logged() {{ "$@"; }}; fail_with_log() {{ exit 9; }}
        systemd-sysusers() {{ :; }}; udevadm() {{ :; }}
        systemctl() {{
          case "$*" in
            'is-enabled parley-page') echo disabled; return 1 ;;
            'is-enabled '*) echo enabled ;;
            *) echo "$*" ;;
          esac
        }}
        device_service
    """
    done = subprocess.run(["bash", "-c", steps], capture_output=True, text=True, check=True)
    assert f"enable parleyd{enabled}\n" in done.stdout
    started = re.findall(r"^restart (.*)", done.stdout, re.MULTILINE)
    assert started in ([], ["parleyd", *enabled.split()])  # [] on a machine without systemd


def test_page_is_installed_if_asked_for_with_a_token_and_kept_beside_other_sets(
    device: Image,
) -> None:
    folder, token = device.unit.parent, device.etc / "page_token"
    units = [folder / name for name in (
        "parley-page.service", "parley-page-save.socket", "parley-page-save@.service",
    )]  # fmt: skip
    assert not token.exists()
    assert not any(unit.exists() for unit in units)
    told = device.run("--install", "--page")
    first = token.read_text()
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}\n", first)
    assert token.stat().st_mode & 0o777 == 0o600
    assert all(unit.exists() for unit in units)
    assert "sudo cat /etc/parley/page_token" in told.stdout
    assert first.strip() not in told.stdout + told.stderr
    assert (device.opt / "venv/installed").read_text().endswith(" page\n")
    device.run("--install", "--mqtt", "--mcp")
    device.run("--upgrade")
    assert token.read_text() == first
    assert all(unit.exists() for unit in units)
    assert (device.opt / "venv/installed").read_text().split()[-3:] == ["mqtt", "page", "mcp"]
    device.run("--uninstall")
    assert not any(unit.exists() for unit in units)
    assert token.read_text() == first
    device.run("--uninstall", "--purge")
    assert not token.exists()


@pytest.mark.parametrize("umask", [0o077, 0o000, 0o777])
def test_install_with_any_umask_sets_the_same_modes(
    umask: int, installed: Checkout, tmp_path: Path
) -> None:
    image = Image(installed, tmp_path / "image")
    image.etc.mkdir(parents=True, mode=0o755)
    (image.etc / "openai_api_key").write_text("sk-secret")
    (image.etc / "openai_api_key").chmod(0o666)
    (image.etc / "xai_api_key.cred").touch(0o644)
    script = f"umask {umask:03o}; exec {installed.root}/install.sh --install"
    done = installed.call("bash", "-c", script, DESTDIR=str(image.root))
    assert done.returncode == 0, done.stdout + done.stderr
    for path in image.root.rglob("*"):
        mode = path.lstat().st_mode
        if path.is_symlink():
            continue
        wrong = f"{path} has mode {mode & 0o777:o}"
        if path.name in ("openai_api_key", "xai_api_key.cred"):
            assert mode & 0o777 == 0o600, wrong
            continue
        assert mode & 0o022 == 0, wrong
        assert mode & 0o444 == 0o444, wrong
        assert not path.is_dir() or mode & 0o111 == 0o111, wrong


def test_install_repairs_modes_of_an_earlier_umask(device: Image) -> None:
    device.etc.joinpath("parley.toml").chmod(0o666)
    device.etc.chmod(0o777)
    device.opt.chmod(0o700)
    library = next((device.opt / "venv").resolve().glob("lib/python3*/site-packages"))
    library.chmod(0o700)
    device.run("--install")
    modes = [p.stat().st_mode & 0o777 for p in (device.etc / "parley.toml", device.etc, device.opt)]
    assert modes == [0o644, 0o755, 0o755]
    assert library.stat().st_mode & 0o777 == 0o755


def test_uninstall_keeps_the_owners_files_unless_purged(device: Image) -> None:
    image = device
    (image.root / "var/lib/parley").mkdir(parents=True)
    (image.root / "var/lib/parley/turn.wav").touch()
    assert "kept: " in image.run("--uninstall").stdout
    assert image.files() == ["etc/parley/parley.toml", "var/lib/parley/turn.wav"]
    image.run("--uninstall", "--purge")
    assert image.files() == []


# Records the calls of apt-get; downloads are empty files, and nothing is installed.
APT_GET = """\
echo "$*" >>"${BASH_SOURCE%/*}/apt-get.calls"
for word; do
    case $word in
        Dir::Cache::archives=*) touch "${word#*=}"/{flite_2.2-5,libflite1_1%3a2.2-5}_arm64.deb ;;
        */flite_*.deb) touch "${BASH_SOURCE%/*}/flite-is-installed" ;;
    esac
done
"""
WITHOUT_FLITE = """\
shift 3
for package; do
    [[ $package != *flite* || -e ${BASH_SOURCE%/*}/flite-is-installed ]] &&
        echo "installed $package"
done
"""
SUDO = 'while [[ $1 == -* ]]; do shift; done; "$@"'


@pytest.fixture
def asked(checkout: Checkout) -> Path:
    """The calls of the stand-in for apt-get."""
    checkout.stand_in("apt-get", APT_GET)
    checkout.stand_in("sudo", SUDO)
    return checkout.root / "machine/apt-get.calls"


def test_debian_packages_come_from_the_wheels_folder(image: Image, asked: Path) -> None:
    wheels = image.checkout.root / "a folder"
    image.run("--make-wheels", str(wheels))
    assert "--download-only" in asked.read_text()
    assert "Dir::State::status=" in asked.read_text()  # includes packages that are installed here
    asked.unlink()
    image.checkout.machine(dpkg_query=WITHOUT_FLITE)
    image.run("--install", "--wheels", str(wheels))
    (call,) = asked.read_text().splitlines()  # no update, no download
    assert "install" in call
    assert f"{wheels}/debs/flite_2.2-5_arm64.deb" in call
    assert f"{wheels}/debs/libflite1_1%3a2.2-5_arm64.deb" in call


def test_missing_package_in_wheels_folder_is_named(image: Image, asked: Path) -> None:
    wheels = image.checkout.root / "a folder"
    image.run("--make-wheels", str(wheels))
    (wheels / "debs/flite_2.2-5_arm64.deb").unlink()
    image.checkout.machine(dpkg_query=WITHOUT_FLITE)
    line = image.checkout.refusal("--install", "--wheels", str(wheels), DESTDIR=str(image.root))
    assert "installing flite failed" in line
    assert "update" not in asked.read_text()


def test_wheels_are_collected_and_installed_without_an_index(image: Image, asked: Path) -> None:
    wheels = image.checkout.root / "a folder"
    told = image.checkout.run("--make-wheels", str(wheels))
    assert told.returncode == 0, told.stderr
    assert "1 wheels and 2 Debian packages" in told.stdout
    install = ("--install", "--wheels", str(wheels))
    default = image.checkout.root / "daemon/parleyd/config/default.toml"
    text = default.read_text()
    default.write_text(text + "# a later version\n")
    assert "another version" in image.checkout.refusal(*install, DESTDIR=str(image.root))
    default.write_text(text)
    image.run(*install)
    assert (image.opt / "venv/bin/parley").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--install", "--purge"), "--install does not know --purge"),
        (("--install", "--board"), "--board needs a value"),
        (("--install", "--board", "toaster"), "there is no board toaster"),
        (("--install", "--card"), "--card needs a value"),
        (("--install", "--key", "sk-secret"), "every user can read a key on a command line"),
        (("--install", "--key-file", "/nowhere"), "/nowhere is not a file"),
        (("--upgrade", "--card", "x"), "--upgrade does not know --card"),
        (("--install", "--wheels", "/nowhere"), "/nowhere is not a folder"),
        (("--upgrade",), "Parley is not installed"),
        (("--uninstall", "now"), "--uninstall does not know now"),
        (("--make-wheels",), "--make-wheels takes one folder"),
    ],
)
def test_impossible_arguments_are_refused(
    checkout: Checkout, arguments: tuple[str, ...], words: str
) -> None:
    told = checkout.refusal(*arguments, DESTDIR=str(checkout.root / "image"))
    assert words in told
    assert "sk-secret" not in told
    assert not (checkout.root / "image/etc").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_install_without_root_is_refused(checkout: Checkout) -> None:
    line = checkout.refusal("--install", "--card", "my card", by=NOBODY)
    assert line.endswith(f"; do: sudo {checkout.root}/install.sh --install --card my\\ card")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("option", ["--install", "--uninstall"])
def test_read_only_file_system_is_named(checkout: Checkout, option: str) -> None:
    """As after a fault of the SD card. The mount is in a namespace of its own."""
    there = checkout.root / "image"
    (there / "opt").mkdir(parents=True)
    mount = f"mount --bind {there} {there} && mount -o remount,ro,bind {there}"
    by = ("unshare", "--mount", "bash", "-c", f'{mount} && exec "$@"', "bash")
    line = checkout.refusal(option, by=by, DESTDIR=str(there))
    assert f"nothing can be written to {there}/opt" in line
    assert "sudo mount -o remount,rw /" in line
    assert not Path("/opt/parley").exists()
