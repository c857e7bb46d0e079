"""The keys that systemd hands to the service: unit and drop-ins, not the view of root's shell."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parleyd import config
from parleyd.config.servers import PROFILES
from parleyd.diagnostics import remedies
from parleyd.diagnostics.asking import NoAnswer, answer
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import closed_file
from parleyd.errors import ConfigError
from parleyd.system import atomic_file

UNIT = "parleyd"
BOOTED = Path("/run/systemd/system")  # sd_booted(3)
HANDED = Path("/run/credentials")  # of the running services, by unit; only root reads it
LONGEST = 16_384  # bytes
DECRYPTS_WITHIN_S = 10.0

_FILE = re.compile(r"# (/.+\.(?:service|conf))")
_SETTING = re.compile(r"\s*((?:Load|Set)Credential(?:Encrypted)?)\s*=\s*(.*)")


@dataclass(frozen=True, slots=True)
class Credential:
    """One line of the unit that hands a key to the service."""

    name: str
    path: Path | None
    """None: the value is in the unit itself."""
    encrypted: bool
    named_in: str
    """The file of the unit."""
    value: str = field(default="", repr=False)
    """Of `SetCredential=`."""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """The keys and variables that the unit hands to the service."""

    credentials: Mapping[str, Credential]
    """By name: ``openai_api_key``."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    outdated: bool = False
    """The files of the unit have changed since systemd read them."""
    handed: Path | None = None
    """The folder of the running service, if this user can read it."""


def read(unit: str = UNIT, handed: Path = HANDED, booted: Path = BOOTED) -> ServiceView | None:
    """Ask systemd; None if it does not run or answer, or has no such unit. At most 20 s.

    In a chroot `systemctl cat` prints nothing, and no error.
    """
    if not booted.exists():
        return None
    try:
        files = answer(["systemctl", "cat", "--no-pager", unit])
        names = ("Environment", "NeedDaemonReload", "ActiveState", "MainPID")
        told = answer(["systemctl", "show", unit, *(f"--property={name}" for name in names)])
    except NoAnswer:
        return None
    shown = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    folder = handed / f"{unit}.service"
    running = shown.get("ActiveState") == "active" and os.access(folder, os.R_OK | os.X_OK)
    return ServiceView(
        credentials=of_unit(files),
        environment={
            **_pairs(shown.get("Environment", "")),
            **_of_process(shown.get("MainPID", "0")),
        },
        outdated=shown.get("NeedDaemonReload") == "yes",
        handed=folder if running else None,
    )


def of_unit(files: str) -> dict[str, Credential]:
    """The credentials in the output of `systemctl cat`; an empty setting resets those before it."""
    found: dict[str, Credential] = {}
    named_in = ""
    for line in files.replace("\\\n", " ").splitlines():
        if header := _FILE.fullmatch(line.strip()):
            named_in = header[1]
        if (setting := _SETTING.fullmatch(line)) is None:
            continue
        kind, value = setting[1], setting[2].strip()
        if not value:
            found = {name: entry for name, entry in found.items() if _kind(entry) != kind}
            continue
        name, _, source = value.partition(":")
        path = Path(source.strip() or name) if kind.startswith("Load") else None
        literal = source if kind == "SetCredential" else ""
        found[name] = Credential(name, path, kind.endswith("Encrypted"), named_in, literal)
    return found


class ServiceKeys:
    """Finds keys as the service does; `look` reads files, and decrypts."""

    def __init__(self, view: ServiceView, folder: Path) -> None:
        self._view = view
        self._folder = folder

    def look(self, name: str) -> tuple[str | None, str]:
        """The key that the service gets, or None, and the flaw in its form or ""."""
        value = self._value(name.lower()) or self._view.environment.get(name, "")
        try:
            return config.secret(name, {name: value}), ""
        except ConfigError as error:
            return None, error.problems[0]

    def troubles(self, name: str) -> Iterator[Finding]:
        """Why the service does not get this key, or an old one, although there is one."""
        file = name.lower()
        entry = self._view.credentials.get(file)
        if entry is None and not self._value(file):  # ImportCredential= has no line for each key
            yield from self._unnamed(name)
        if entry is None:
            return
        if entry.path is None:
            return
        if not os.path.exists(entry.path):
            text = (
                f"{entry.named_in} names {entry.path}, which does not exist: "
                "systemd does not start the service"
            )
            drop = (
                rf"sudo sed -i '\|Credential.*={file}:|d' {remedies.quoted(Path(entry.named_in))}"
            )
            yield Finding("key", Severity.FAIL, text, f"{drop} && {RESTART}")
        elif entry.encrypted and os.geteuid() == 0 and decrypted(entry) is None:
            text = f"{entry.path} cannot be decrypted on this machine, or not as {file}"
            yield Finding("key", Severity.FAIL, text, self.put(name))
        elif self._changed(entry):
            text = f"{entry.path} has changed since the start of the service, which has the old key"
            yield Finding("key", Severity.FAIL, text, "sudo systemctl restart parleyd")

    def put(self, name: str) -> str:
        """The command that stores a key, so that the service gets it."""
        file = name.lower()
        entry = self._view.credentials.get(file)
        if entry is not None and entry.path is not None and entry.encrypted:
            store = f"sudo systemd-creds encrypt --name={file} - {entry.path}"
            return f"{store} && {RESTART}  {PASTE}"
        if name in SERVER_KEYS and shutil.which("parley"):
            return "sudo parley setup"
        path = entry.path if entry is not None and entry.path is not None else self._folder / file
        then = RESTART if entry is not None else hand_over(file, path)
        return f"sudo install -m 600 /dev/stdin {remedies.quoted(path)} && {then}  {PASTE}"

    def source(self, name: str) -> str:
        """Where the service gets the key from, for a message; "" for none."""
        entry = self._view.credentials.get(name.lower())
        if entry is not None:
            return f"by {entry.named_in}"
        return "in its environment" if self._view.environment.get(name) else ""

    def closed(self, name: str) -> str:
        """The key's file that this user cannot read, or ""."""
        entry = self._view.credentials.get(name.lower())
        if self._view.handed is not None or entry is None or entry.path is None:
            return ""
        return closed_file(entry.path)

    @property
    def outdated(self) -> Finding | None:
        """The finding about files of the unit that systemd has not read."""
        if not self._view.outdated:
            return None
        text = "the files of parleyd.service have changed, and systemd has not read them"
        return Finding("key", Severity.WARN, text, RESTART)

    def _value(self, file: str) -> str:
        if self._view.handed is not None:
            return _text(self._view.handed / file)
        entry = self._view.credentials.get(file)
        if entry is None or entry.path is None:
            return entry.value if entry is not None else ""
        return (decrypted(entry) or "") if entry.encrypted else _text(entry.path)

    def _unnamed(self, name: str) -> Iterator[Finding]:
        file = name.lower()
        for path, encrypted in (
            (self._folder / file, False),
            (self._folder / f"{file}.cred", True),
        ):
            if os.path.exists(path):
                text = f"{path} exists, but no file of parleyd.service names it: it has no key"
                yield Finding(
                    "key", Severity.FAIL, text, hand_over(file, path, encrypted=encrypted)
                )
                return

    def _changed(self, entry: Credential) -> bool:
        if self._view.handed is None or entry.path is None:
            return False
        now = decrypted(entry) if entry.encrypted else _text(entry.path)
        return now is not None and now != _text(self._view.handed / entry.name)


DROP_IN = Path("/etc/systemd/system/parleyd.service.d/keys.conf")  # the one of install.sh
RESTART = (  # ten failed starts would refuse the next one
    "sudo systemctl daemon-reload && sudo systemctl reset-failed parleyd && "
    "sudo systemctl restart parleyd"
)
SERVER_KEYS = {server.key for server in PROFILES.values()}  # `parley setup` asks for them
PASTE = "# paste the key, Enter, Ctrl-D"


def hand_over(file: str, path: Path, *, encrypted: bool = False) -> str:
    """The command that names a key's file in the drop-in, and restarts the service."""
    setting = f"LoadCredential{'Encrypted' if encrypted else ''}={file}:{path}"
    return (
        f"sudo mkdir -p {DROP_IN.parent} && "
        f"printf '[Service]\\n%s\\n' {shlex.quote(setting)} | sudo tee -a {DROP_IN} >/dev/null && "
        f"{RESTART}"
    )


def decrypted(entry: Credential) -> str | None:
    """The content of an encrypted credential; None if this machine cannot decrypt it."""
    command = ["systemd-creds", "decrypt", f"--name={entry.name}", str(entry.path), "-"]
    try:
        return answer(command, allowed_s=DECRYPTS_WITHIN_S).strip()
    except (NoAnswer, subprocess.SubprocessError):
        return None


def _text(path: Path) -> str:
    try:
        return atomic_file.read(path, LONGEST).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _kind(entry: Credential) -> str:
    kind = "SetCredential" if entry.path is None else "LoadCredential"
    return f"{kind}Encrypted" if entry.encrypted else kind


def _of_process(pid: str) -> dict[str, str]:
    """The environment of a process, also from files and the manager; empty unless readable."""
    try:
        text = Path(f"/proc/{int(pid)}/environ").read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError):
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def _pairs(environment: str) -> dict[str, str]:
    try:
        words = shlex.split(environment)
    except ValueError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)
