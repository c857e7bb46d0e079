"""The commands that `parley doctor` recommends; each can be pasted into a shell unchanged.

A command changes only files of Parley, or files that its owner configured. Files of the system
or of another user never change owner, mode or name; for them, the remedy is in words.
"""

import grp
import itertools
import os
import shlex
import sys
from pathlib import Path

from parleyd.system.accounts import user_name
from parleyd.system.paths import INSTALLED_CONFIG

UNIT_FOLDER = "/etc/systemd/system/parleyd.service.d"
OWN_NAME = "parley"  # the name of a folder that only Parley uses: ~/.local/state/parley
CHECKOUT = Path(__file__).resolve().parents[3]  # if Parley runs from a checkout


def user() -> str:
    """Return the name of the user who runs this process."""
    return user_name(os.geteuid())


def quoted(path: Path) -> str:
    """Return the path as one word of a shell, which is never an option."""
    return shlex.quote(str(path))


def take_over(path: Path) -> str:
    """Give a file or folder of Parley, with its content, to this user."""
    owner = shlex.quote(f"{os.geteuid()}:{os.getegid()}")
    return f"sudo chown -R {owner} {quoted(path)}"


def make(folders: list[Path]) -> str:
    """Create folders, the outermost first, that belong to this user."""
    owned = f"-o {os.geteuid()} -g {os.getegid()}"
    return f"sudo install -d -m 700 {owned} {' '.join(map(quoted, folders))}"


def move_aside(path: Path) -> str:
    """Rename an obstructing file or folder to a free name."""
    names = (f"{path.name}.old{n or ''}" for n in itertools.count())
    free = next(name for name in names if not os.path.lexists(path.with_name(name)))
    command = f"mv -nT {quoted(path)} {quoted(path.with_name(free))}"
    return command if os.access(path.parent, os.W_OK) else f"sudo {command}"


def chmod(mode: str, path: Path) -> str:
    """Change the mode; with sudo if the path belongs to another user."""
    command = f"chmod {mode} {quoted(path)}"
    return command if os.lstat(path).st_uid == os.geteuid() else f"sudo {command}"


def pip_install(package: str) -> str:
    """Install a package into the environment that runs this process."""
    python = Path(sys.executable)
    sudo = "" if os.access(Path(sys.prefix), os.W_OK) else "sudo "
    return f"{sudo}{quoted(python)} -m pip install --force-reinstall {package}"


def install(option: str) -> str:
    """Repeat the installation: by install.sh, or by the script of the Debian package."""
    script = CHECKOUT / "install.sh"
    if script.exists():
        return f"sudo {quoted(script)} {option}"
    packaged = Path(sys.prefix).with_name("configure")
    if packaged.exists():
        return f"sudo {quoted(packaged)}"
    return f"run install.sh {option} again, in the folder from which Parley was installed"


def join(group: str, device: Path) -> str:
    """Add this user to the group that may use a device."""
    name = user()
    try:
        member = name in grp.getgrnam(group).gr_mem
    except KeyError:
        return grant(group, device)
    if member:
        return f"log out and in again: {name} is in the group {group}, but not in this session yet"
    return f"sudo usermod -aG {group} {shlex.quote(name)}  # then log out and in again"


def grant(group: str, device: Path) -> str:
    """Let the group use the device, now and after each boot, by udev's rules."""
    rules = CHECKOUT / "systemd" / "60-parley.rules"
    if not rules.exists():
        return install("--install")
    return (
        f"sudo groupadd -f --system {group} && "
        f"sudo install -m 644 {quoted(rules)} /etc/udev/rules.d/60-parley.rules && "
        f"sudo udevadm control --reload && sudo udevadm trigger {quoted(device)}"
    )


def setting(key: str, value: str, place: Path) -> str:
    """Change a key of the configuration, and let the service read it."""
    section, _, name = key.partition(".")
    reload = "; then: sudo systemctl reload parleyd" if place == INSTALLED_CONFIG else ""
    return f'set {name} = "{value}" in [{section}] of {place}{reload}'


def service_proxy() -> str:
    """Change the proxy of the service; neither command nor `systemctl show` has its password."""
    file, drop_in = "/etc/parley/proxy.env", f"{UNIT_FOLDER}/proxy-file.conf"
    return (
        f"sudo install -b -m 600 /dev/stdin {file} && sudo mkdir -p {UNIT_FOLDER} && "
        f"printf '[Service]\\nEnvironmentFile={file}\\n' | sudo tee {drop_in} >/dev/null && "
        "sudo systemctl daemon-reload && sudo systemctl restart parleyd"
        "  # paste https_proxy=http://USER:PASSWORD@HOST:PORT, Enter, Ctrl-D"
    )
