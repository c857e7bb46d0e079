"""Checks who else can change a skill: its code runs with Parley's rights, microphone and keys."""

import os
import pwd
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from parleyd.system.accounts import group_name

MOST_LINKS = 40  # followed for one path, as the kernel does


class Untrusted(Exception):
    """The message says who else can change it; `path` is the file, folder or link that allows it.

    `foreign`: because it belongs to another user, not because of its mode.
    """

    def __init__(self, text: str, path: Path, *, foreign: bool) -> None:
        super().__init__(text)
        self.path, self.foreign = path, foreign


def check(path: Path, owners: Collection[int] | None = None) -> None:
    """Check that only root and the given users (uids; None: this process's) can change this file
    or folder, or replace it.

    Follows symbolic links, and checks each of them. Raises `Untrusted`, and OSError if the path
    cannot be inspected. Blocks.
    """
    trusted = {0, *([os.geteuid()] if owners is None else owners)}
    *above, last = _walked(path)
    for place in above:
        _check_one(place, os.lstat(place), trusted, may_be_sticky=True)
    _check_one(last, os.lstat(last), trusted, may_be_sticky=False)


def check_open(descriptor: int, path: Path, owners: Collection[int] | None = None) -> None:
    """The same check for an open file. Raises `Untrusted`."""
    trusted = {0, *([os.geteuid()] if owners is None else owners)}
    _check_one(path, os.fstat(descriptor), trusted, may_be_sticky=False)


def _walked(path: Path) -> Iterator[Path]:
    """Every folder and link on the way to the path, and finally its target."""
    todo = list(reversed((Path.cwd() / path).parts[1:]))
    place, links = Path("/"), 0
    yield place
    while todo:
        part = todo.pop()
        if part == "..":
            place = place.parent
            continue
        here = place / part
        yield here
        if not here.is_symlink():
            place = here
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(f"too many symbolic links: {path}")
        target = here.readlink()
        if target.is_absolute():
            place = Path("/")
        todo.extend(reversed([part for part in target.parts if part not in ("/", ".")]))
    yield place


def _check_one(
    path: Path, status: os.stat_result, trusted: Collection[int], *, may_be_sticky: bool
) -> None:
    if status.st_uid not in trusted:
        text = f"{path} belongs to {_user(status.st_uid)}, who can change it"
        raise Untrusted(text, path, foreign=True)
    if stat.S_ISLNK(status.st_mode):
        return  # its mode is meaningless: its owner and its folder decide
    mode = stat.S_IMODE(status.st_mode)
    sticky = may_be_sticky and mode & stat.S_ISVTX  # like /tmp: only owners can rename there
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        who = "everybody" if mode & stat.S_IWOTH else f"the group {group_name(status.st_gid)}"
        raise Untrusted(f"{who} can write {path}", path, foreign=False)


def _user(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with the id {uid}"
