"""Takes everything out of a finding's text that is not a word of the program itself.

The words are read from the program's source: each text there, without its inserted values. A name,
an address, a path or a key is not among them, wherever it comes from.
"""

import ast
import getpass
import os
import pwd
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

HIDDEN = "..."
PACKAGE = Path(__file__).parents[1]
SOURCES = (
    "diagnostics/*.py", "alsa/*.py", "realtime/failures.py", "realtime/server_errors.py",
    "realtime/address.py", "realtime/dialing.py", "realtime/proxies.py", "config/credentials.py",
    "config/hosts.py", "lights/*.py", "host/*.py", "skills/trust.py", "mcp/*.py", "wake/*.py",
)  # fmt: skip
MOST_ERRORS = 134  # errno(3) on Linux
_PUNCTUATION = "()[]{}<>,;:.!?=\"'`"
_QUOTED = re.compile(r'"[^"]*"')  # values of the configuration, in messages
_WORD = re.compile(r"[A-Za-z][A-Za-z'/_.-]*")
_NUMBER = re.compile(r"[+-]?\d{1,4}(\.\d)?%?")
_FIRST_LOGIN, _LAST_LOGIN = 1000, 60_000  # people, on Debian


class PlainWords:
    """Keeps words of the program and short numbers; pure once it is made."""

    def __init__(self, words: Collection[str], own: Collection[str] = ()) -> None:
        """`own`: names of this machine and its users, hidden even if the program has the word."""
        hidden = {name.lower() for name in own if name}
        self._words = {word for word in words if word.lower() not in hidden}

    def kept(self, text: str) -> str:
        """The text as one line, with `HIDDEN` for quoted parts and each run of other words."""
        shown: list[str] = []
        for token in _QUOTED.sub(f'"{HIDDEN}"', text).split():
            core = token.strip(_PUNCTUATION)
            known = core in self._words or _NUMBER.fullmatch(core) or not core
            if known:
                shown.append(token)
            elif not shown or shown[-1] != HIDDEN:
                shown.append(HIDDEN)
        return " ".join(shown)


def of_program(package: Path = PACKAGE) -> set[str]:
    """The words in the texts of the source; empty if there is no source."""
    found: set[str] = set()
    for number in range(1, MOST_ERRORS):
        found.update(_cores(os.strerror(number)))
    for pattern in SOURCES:
        for path in package.glob(pattern):
            found.update(_words(path.read_text("utf-8")))
    return found


def names_of_machine(environ: Mapping[str, str]) -> set[str]:
    """The names of this machine and of the people who log in."""
    names = {environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER", "HOSTNAME")}
    names |= {entry.pw_name for entry in pwd.getpwall() if _is_person(entry.pw_uid)}
    host = socket.gethostname()
    names |= {host, *host.split("."), getpass.getuser() if os.geteuid() else ""}
    return names - {"", "root"}


def _is_person(uid: int) -> bool:
    return _FIRST_LOGIN <= uid < _LAST_LOGIN


def _words(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in documentation:
            continue
        if isinstance(node.value, str):
            yield from _cores(node.value)


def _cores(text: str) -> Iterator[str]:
    for token in text.split():
        core = token.strip(_PUNCTUATION)
        if _WORD.fullmatch(core):
            yield core
