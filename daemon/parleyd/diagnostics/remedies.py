"""Commands that `parley doctor` advises: each can be pasted into a shell as it is.

A command names only what is Parley's own, or what its owner named for it. What belongs to the
system or to another user is never given away, opened or moved: there the advice is in words.
"""

import grp
import itertools
import os
import pwd
import shlex
import sys
from pathlib import Path

OWN_NAME = "parley"  # of a folder that serves nothing but Parley: ~/.local/state/parley
CHECKOUT = Path(__file__).resolve().parents[3]  # if Parley runs from one


def user() -> str:
    """The name of the user who runs this."""
    return user_name(os.geteuid())


def user_name(uid: int) -> str:
    """Its name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Its name, or its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def quoted(path: Path) -> str:
    """The path as one word of a shell; never an option."""
    return shlex.quote(str(path))


def take_over(path: Path) -> str:
    """Give a file or folder of Parley's, with all that is in it, to this user."""
    owner = shlex.quote(f"{os.geteuid()}:{os.getegid()}")
    return f"sudo chown -R {owner} {quoted(path)}"


def make(folders: list[Path]) -> str:
    """Make folders, the outermost first, that belong to this user."""
    owned = f"-o {os.geteuid()} -g {os.getegid()}"
    return f"sudo install -d -m 700 {owned} {' '.join(map(quoted, folders))}"


def move_aside(path: Path) -> str:
    """Keep what stands in the way under another name, one that is free."""
    names = (f"{path.name}.old{n or ''}" for n in itertools.count())
    free = next(name for name in names if not os.path.lexists(path.with_name(name)))
    command = f"mv -nT {quoted(path)} {quoted(path.with_name(free))}"
    return command if os.access(path.parent, os.W_OK) else f"sudo {command}"


def chmod(mode: str, path: Path) -> str:
    """Change rights; with sudo where the path is another user's."""
    command = f"chmod {mode} {quoted(path)}"
    return command if os.lstat(path).st_uid == os.geteuid() else f"sudo {command}"


def pip_install(package: str) -> str:
    """Into the environment that runs this."""
    python = Path(sys.executable)
    sudo = "" if os.access(Path(sys.prefix), os.W_OK) else "sudo "
    return f"{sudo}{quoted(python)} -m pip install --force-reinstall {package}"


def install(option: str) -> str:
    """Run install.sh again, from where it is."""
    script = CHECKOUT / "install.sh"
    if script.exists():
        return f"sudo {quoted(script)} {option}"
    return f"run install.sh {option} again, in the folder from which Parley was installed"


def join(group: str, device: Path) -> str:
    """Let this user use a device that its group may use."""
    name = user()
    try:
        member = name in grp.getgrnam(group).gr_mem
    except KeyError:
        return grant(group, device)
    if member:
        return f"log out and in again: {name} is in the group {group}, this session is not yet"
    return f"sudo usermod -aG {group} {shlex.quote(name)}  # then log out and in again"


def grant(group: str, device: Path) -> str:
    """Let the group use the device, now and after each start: by udev's rules."""
    rules = CHECKOUT / "systemd" / "60-parley.rules"
    if not rules.exists():
        return install("--install")
    return (
        f"sudo groupadd -f --system {group} && "
        f"sudo install -m 644 {quoted(rules)} /etc/udev/rules.d/60-parley.rules && "
        f"sudo udevadm control --reload && sudo udevadm trigger {quoted(device)}"
    )
