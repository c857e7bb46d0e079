"""`parley doctor --bundle`: facts for a bug report, each one from an allow list.

A value enters only if it belongs to a fixed set, has the form of a version, or is a number. Texts
of findings lose everything but the program's own words. So there is no key, sound or transcript,
and no name or address of a person, machine or network, wherever it stands.
"""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from parleyd import __version__, config
from parleyd.config import boards
from parleyd.diagnostics.asking import NoAnswer, answer
from parleyd.diagnostics.bundle_log import counted
from parleyd.diagnostics.findings import Finding
from parleyd.diagnostics.plain_words import PlainWords

FORMAT = 1
PACKAGES = (
    "numpy", "msgspec", "websockets", "soxr", "pyalsaaudio", "onnxruntime", "pymicro-wakeword",
    "pvporcupine", "pocketsphinx", "gpiozero", "lgpio", "systemd-python", "click", "rich",
    "aiomqtt", "starlette", "uvicorn", "mcp", "python-socks",
)  # fmt: skip
SYSTEMS = ("debian", "raspbian", "ubuntu")
MACHINES = ("aarch64", "x86_64", "armv7l", "armv6l")
CARDS = (  # ids that the kernel gives to boards and common USB cards; others may hold a name
    "Device", "Headphones", "b1", "vc4hdmi", "vc4hdmi0", "vc4hdmi1", "seeed2micvoicec",
    "wm8960soundcard", "seeed4micvoicec", "ArrayUAC10", "sndrpigooglevoi", "sndrpihifiberry",
    "MAX98357A", "googlevoicehat", "Loopback", "Dummy", "Set", "Audio", "PCH",
)  # fmt: skip
BOARD = re.compile(
    r"Raspberry Pi [0-9A-Za-z]{1,7}( [0-9A-Z]{1,4}| Model| Plus| Module| Rev| \d\.\d)*"
)
VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){0,3}")
HEX_ID = re.compile(r"[0-9a-f]{4}")
UNIT_STATES: Mapping[str, tuple[str, ...]] = {
    "LoadState": ("loaded", "not-found", "masked", "error", "bad-setting"),
    "ActiveState": ("active", "inactive", "failed", "activating", "deactivating", "reloading"),
    "SubState": ("running", "dead", "failed", "auto-restart", "start", "stop"),
    "UnitFileState": ("enabled", "disabled", "static", "masked", "linked", "enabled-runtime"),
    "Result": (
        "success", "exit-code", "signal", "watchdog", "timeout", "start-limit-hit", "resources",
        "core-dump", "oom-kill", "protocol",
    ),
    "NeedDaemonReload": ("yes", "no"),
}  # fmt: skip
UNIT_NUMBERS = ("NRestarts", "ExecMainStatus", "MemoryCurrent", "TasksCurrent")
NUMBER = re.compile(r"\d{1,12}")
UNITS = ("parleyd", "parley-mqtt", "parley-page")
OTHER = "other"

Facts = dict[str, Any]


def collected(
    findings: Sequence[Finding], settings: config.Config | None, plain: PlainWords
) -> Facts:
    """All facts as a JSON object. Asks systemd and the journal; blocks for at most 60 s."""
    return {
        "parley_bundle": FORMAT,
        "versions": versions(),
        "hardware": hardware(),
        "findings": [
            {"check": found.check, "level": str(found.level), "text": plain.kept(found.text)}
            for found in findings
        ],
        "configuration": None if settings is None else keys_of(settings),
        "units": {unit: state_of(unit) for unit in UNITS},
        "log": counted(),
    }


def versions() -> Facts:
    """The versions of Parley, its packages, and the system."""
    release = _pairs(_text(Path("/etc/os-release")).replace('"', ""))
    return {
        "parley": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "kernel": _version(platform.release()),
        "machine": _among(platform.machine(), MACHINES),
        "system": _among(release.get("ID", ""), SYSTEMS),
        "system_version": _version(release.get("VERSION_ID", "")),
        "packages": {name: _installed(name) for name in PACKAGES if _installed(name)},
    }


def hardware(sysfs: Path = Path("/sys"), proc: Path = Path("/proc")) -> Facts:
    """Board, processors, memory and sound cards."""
    model = _text(sysfs / "firmware/devicetree/base/model").strip("\0\n ")
    memory = re.search(r"MemTotal:\s+(\d{1,10}) kB", _text(proc / "meminfo"))
    return {
        "board": model if BOARD.fullmatch(model) else OTHER if model else "",
        "processors": os.cpu_count(),
        "memory_mb": int(memory[1]) // 1024 if memory else None,
        "cards": [_card(folder) for folder in sorted((sysfs / "class/sound").glob("card[0-9]*"))],
    }


def keys_of(settings: config.Config) -> Facts:
    """Numbers, switches and choices of a configuration; of texts only whether they are changed."""
    board = settings.board
    found: Facts = {"board": board if board in boards.names() else OTHER if board else ""}
    for name in type(settings).__struct_fields__:
        section = getattr(settings, name)
        if isinstance(section, msgspec.Struct):
            found[name] = _section(section)
    found["skills"]["mcp"] = [
        {"where": _among(entry.where, ("server", "here")), "approval": entry.approval}
        for entry in settings.skills.mcp
    ]
    return found


def state_of(unit: str) -> Facts:
    """The state of a unit, in systemd's own words and numbers."""
    names = (*UNIT_STATES, *UNIT_NUMBERS)
    try:
        shown = _pairs(answer(["systemctl", "show", unit, *(f"--property={n}" for n in names)]))
    except NoAnswer:
        return {}
    states = {name: _among(shown.get(name, ""), known) for name, known in UNIT_STATES.items()}
    numbers = {name: int(shown[name]) for name in UNIT_NUMBERS if _is_number(shown.get(name, ""))}
    return {**states, **numbers}


def _section(section: msgspec.Struct) -> Facts:
    hints = get_type_hints(type(section), include_extras=True)
    fresh = type(section)()
    found: Facts = {}
    for name in section.__struct_fields__:
        value, usual = getattr(section, name), getattr(fresh, name)
        harmless = value is None or isinstance(value, bool | int | float)
        if harmless or value in _choices(hints[name]):
            found[name] = value
        else:
            found[name] = "default" if value == usual else "changed"
    return found


def _choices(hint: Any) -> tuple[Any, ...]:
    """The texts that a key's type names: those of `Literal`."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) in (Annotated, UnionType, Union):
        return tuple(choice for part in get_args(hint) for choice in _choices(part))
    return ()


def _card(folder: Path) -> Facts:
    device = (folder / "device").resolve()
    vendor, product = (_text(device.parent / name).strip() for name in ("idVendor", "idProduct"))
    on_usb = HEX_ID.fullmatch(vendor) and HEX_ID.fullmatch(product)
    return {
        "id": _among(_text(folder / "id").strip(), CARDS),
        "usb": f"{vendor}:{product}" if on_usb else "",
        "captures": any(folder.glob("pcm*c")),
        "plays": any(folder.glob("pcm*p")),
    }


def _among(value: str, known: Sequence[str]) -> str:
    return value if value in known or not value else OTHER


def _version(text: str) -> str:
    found = VERSION.match(text)
    return found[0] if found else ""


def _installed(package: str) -> str:
    try:
        return _version(version(package))
    except PackageNotFoundError:
        return ""


def _is_number(text: str) -> bool:
    return bool(NUMBER.fullmatch(text))


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
