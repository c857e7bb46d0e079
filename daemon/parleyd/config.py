"""The configuration: one TOML file, typed, checked as a whole.

`load` reads a file and raises `ConfigError` with *every* problem at once, each
as ``section.key: what is wrong, what is allowed``. Secrets are never in the
file: keys come from the environment or from systemd credentials (`secrets`).
Every key is documented in ``default.toml`` beside this module, and a test
holds the two together.
"""

import difflib
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from parleyd import boards
from parleyd.errors import ConfigError
from parleyd.realtime.profiles import PROFILES, profile

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Level = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
MOST_MCP = 8  # servers; each makes every session begin later
Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
Span = Annotated[
    str, msgspec.Meta(pattern=f"^({_CLOCK}-{_CLOCK})?$", description='"22:00-07:00" or ""')
]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; every key has a default."""


class Audio(_Section, frozen=True, kw_only=True):
    capture: str = "default"
    playback: str = "default"
    playback_rate_hz: Literal[16000, 24000, 44100, 48000] = 48000
    playback_channels: Literal[1, 2] = 1
    lead_ms: Annotated[int, msgspec.Meta(ge=20, le=200)] = 40
    volume: Percent = 70
    boot_chime: bool = True
    mixer: str = "auto"
    mixer_db: Annotated[float, msgspec.Meta(ge=-60, le=20)] = 0.0
    priority: Annotated[int, msgspec.Meta(ge=0, le=49)] = 20


class Playout(_Section, frozen=True, kw_only=True):
    capacity_s: Annotated[int, msgspec.Meta(ge=30, le=1200)] = 360


class Wake(_Section, frozen=True, kw_only=True):
    engine: Literal["auto", "micro", "porcupine"] = "auto"
    keywords: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=8)] = ("hey_jarvis",)
    sensitivity: Level = 0.5
    refractory_s: Annotated[float, msgspec.Meta(ge=0.2, le=10)] = 2.0
    preroll_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 200
    chime: bool = True


class Turn(_Section, frozen=True, kw_only=True):
    detection: Literal["server_vad", "semantic_vad", "local"] = "server_vad"
    silence_ms: Annotated[int, msgspec.Meta(ge=200, le=3000)] = 600
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    nothing_said_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 8.0
    follow_up_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 6.0
    follow_up_turns: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 8
    longest_s: Annotated[float, msgspec.Meta(ge=5, le=300)] = 60.0
    answer_within_s: Annotated[float, msgspec.Meta(ge=2, le=120)] = 20.0


class Hearing(_Section, frozen=True, kw_only=True):
    canceller: Literal["software", "hardware"] = "software"
    reaction: Literal["hold", "duck"] = "hold"
    duck_db: Annotated[float, msgspec.Meta(ge=3, le=40)] = 18.0
    confirm_ms: Annotated[int, msgspec.Meta(ge=200, le=1500)] = 500
    preroll_ms: Annotated[int, msgspec.Meta(ge=100, le=2000)] = 500
    barge_in: bool = True


class Realtime(_Section, frozen=True, kw_only=True):
    server: Literal[
        "auto",
        "openai",
        "azure",
        "xai",
        "localai",
        "speech-to-speech",
        "compatible",
        "embedded",
    ] = "auto"
    url: str = ""
    model: str = ""
    connection: Literal["warm", "on-wake"] = "warm"
    headers: Mapping[str, str] = {}
    voice: str = "marin"
    instructions: str = (
        "You are Parley, a friendly voice assistant in a smart speaker. "
        "Answer in one to three short spoken sentences unless asked for more. "
        "If you were interrupted, do not repeat what was already heard."
    )
    language: str = ""
    transcription_model: str = ""
    noise_reduction: Literal["far_field", "near_field", "off"] = "far_field"
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 4096


class Mcp(_Section, frozen=True, kw_only=True):
    """One remote server of functions; its key is a secret called `key`."""

    label: str = ""
    server_url: str = ""
    allowed_tools: tuple[str, ...] = ()
    approval: Literal["voice", "never"] = "voice"
    key: str = ""
    key_header: str = ""


class Skills(_Section, frozen=True, kw_only=True):
    mcp: Annotated[tuple[Mcp, ...], msgspec.Meta(max_length=MOST_MCP)] = ()
    folder: str = "/etc/parley/skills"
    within_s: Annotated[float, msgspec.Meta(ge=0.5, le=30)] = 5.0
    ring_min: Annotated[float, msgspec.Meta(ge=0.5, le=60)] = 5.0


_MCP = typing.get_type_hints(Skills, include_extras=True)["mcp"]
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ADDRESS = re.compile(r"https://[\w.-]+(:\d+)?(/[\w.~%/-]*)?", re.ASCII)
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,59}_KEY")  # install.sh finds credentials by their end


class Lights(_Section, frozen=True, kw_only=True):
    output: Literal["none", "led", "rgb", "apa102", "ws2812", "terminal"] = "none"
    led_pin: Pin = 17
    red_pin: Pin = 17
    green_pin: Pin = 27
    blue_pin: Pin = 22
    active_high: bool = True
    leds: Annotated[int, msgspec.Meta(ge=1, le=64)] = 3
    spi_device: str = "/dev/spidev0.0"
    brightness: Level = 0.6
    night: Span = ""
    night_brightness: Level = 0.1


class Buttons(_Section, frozen=True, kw_only=True):
    push_pin: Pin | None = None
    mute_pin: Pin | None = None
    mute_closed_means_muted: bool = True


class Log(_Section, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    keep_turns: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    transcripts: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file; a missing section means its defaults, or those of the board."""

    board: str = ""
    audio: Audio = Audio()
    playout: Playout = Playout()
    wake: Wake = Wake()
    turn: Turn = Turn()
    hearing: Hearing = Hearing()
    realtime: Realtime = Realtime()
    skills: Skills = Skills()
    lights: Lights = Lights()
    buttons: Buttons = Buttons()
    log: Log = Log()


def load(path: Path | None) -> Config:
    """Read and check the file; None means all defaults. Raises `ConfigError`."""
    if path is None:
        return Config()
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read ({error.strerror}), a TOML file is expected"]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{path}: is not UTF-8 text (byte {error.start}), a TOML file is expected"]
        ) from None
    return parse(text, source=str(path))


def parse(text: str, *, source: str = "configuration") -> Config:
    """Check TOML text as a whole. Raises `ConfigError` with every problem."""
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{source}: is not valid TOML: brackets within brackets"]) from None
    except ValueError as error:  # TOMLDecodeError, and a number of more than 4300 digits
        raise ConfigError([f"{source}: is not valid TOML: {error}"]) from None
    problems: list[str] = []
    sections: dict[str, Any] = {}
    known = typing.get_type_hints(Config)
    board = tables.pop("board", "")
    if board in boards.names():
        tables = boards.under(tables, board)
        sections["board"] = board
    elif board != "":
        close = difflib.get_close_matches(str(board), boards.names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"allowed are {', '.join(boards.names())}"
        problems.append(f"board: {_shown(board)} is unknown, {hint}")
    for name, table in tables.items():
        if name not in known:
            problems.append(_unknown(name, f"section [{name}]", known))
        elif not isinstance(table, dict):
            problems.append(f"{name}: is a value, but it names a section: write [{name}]")
        else:
            sections[name] = _section(name, known[name], table, problems)
    if not problems:
        problems.extend(_across(Config(**sections)))
    if problems:
        raise ConfigError(problems)
    return Config(**sections)


def _section(name: str, kind: type[_Section], table: dict[str, Any], problems: list[str]) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints:
            problems.append(_unknown(key, f"{name}.{key}", hints))
            continue
        if hints[key] is _MCP and _is_tables(value):
            values[key] = tuple(
                _section(f"{name}.{key}[{place}]", Mcp, entry, problems)
                for place, entry in enumerate(value, 1)
            )
            continue
        try:
            values[key] = msgspec.convert(value, hints[key], strict=True)
        except msgspec.ValidationError as error:
            problems.append(
                f"{name}.{key}: {_shown(value)} is not allowed: {_reason(error)}"
                f", allowed is {_allowed(hints[key])}"
            )
    return kind(**values)


def _across(config: Config) -> list[str]:
    """Problems that only show when keys are seen together."""
    problems = []
    used: dict[int, str] = {}
    pins: list[tuple[str, int | None]] = [
        ("buttons.push_pin", config.buttons.push_pin),
        ("buttons.mute_pin", config.buttons.mute_pin),
    ]
    if config.lights.output == "led":
        pins.append(("lights.led_pin", config.lights.led_pin))
    if config.lights.output == "rgb":
        pins += [
            (f"lights.{c}_pin", getattr(config.lights, f"{c}_pin"))
            for c in ("red", "green", "blue")
        ]
    if config.lights.output in ("apa102", "ws2812"):
        pins.append((f'lights.output = "{config.lights.output}"', 10))  # MOSI
    if config.lights.output == "apa102":
        pins.append(('lights.output = "apa102"', 11))  # SCLK
    for key, pin in pins:
        if pin is None:
            continue
        if pin in used:
            problems.append(
                f"{key}: GPIO {pin} is already used by {used[pin]}, allowed is a pin of its own"
            )
        used.setdefault(pin, key)
    problems.extend(_server(config.realtime))
    problems.extend(_mcp(config))
    return problems


def _mcp(config: Config) -> list[str]:
    """What a remote server of functions needs, and who can call it at all."""
    problems = []
    server = config.realtime.server
    if config.skills.mcp and not profile(server).mcp:
        able = " or ".join(repr(name) for name, row in PROFILES.items() if row.mcp)
        problems.append(
            f'skills.mcp: realtime.server = "{server}" does not call remote servers, '
            f"allowed is [[skills.mcp]] with {able}"
        )
    used: set[str] = set()
    for place, mcp in enumerate(config.skills.mcp, 1):
        where = f"skills.mcp[{place}]"
        if not _LABEL.fullmatch(mcp.label) or mcp.label in used:
            problems.append(
                f"{where}.label: {_shown(mcp.label)} is not allowed, allowed is a name of its own "
                "of letters, digits, _ and -"
            )
        used.add(mcp.label)
        if not _ADDRESS.fullmatch(mcp.server_url):
            problems.append(
                f"{where}.server_url: is no bare https address, allowed is https://host/path as "
                f"the realtime server reaches it, without a password or ?..., for which "
                f"{where}.key is there"
            )
        if mcp.key and not _SECRET.fullmatch(mcp.key):
            problems.append(
                f"{where}.key: is no name, allowed is what the key is called, ending in _KEY "
                "(HOME_MCP_KEY), never the key itself"
            )
        if mcp.key_header and not mcp.key:
            problems.append(f"{where}.key: is missing, {where}.key_header needs it")
    return problems


def _server(realtime: Realtime) -> list[str]:
    """What a kind of server needs beside its name, and what must not go to another one."""
    problems = []
    server, url = realtime.server, realtime.url
    needs = profile(server)
    if url and not (url.startswith(("wss://", "ws://")) and _host(url)):
        problems.append(
            f"realtime.url: {_shown(url)} is not a WebSocket address, "
            "allowed is wss://... (ws://... only on the local network)"
        )
    elif url and server in ("auto", "openai") and not _of_openai(url):
        problems.append(
            f"realtime.url: {_shown(url)} is not OpenAI's, which alone gets OPENAI_API_KEY, "
            'allowed is another server with realtime.server = "compatible" (or its own name)'
        )
    if not (url or needs.url) and server != "embedded":
        problems.append(
            f'realtime.url: is missing, realtime.server = "{server}" needs an address '
            f"like {needs.url_like}"
        )
    if needs.needs_model and not realtime.model:
        problems.append(
            f'realtime.model: is missing, realtime.server = "{server}" needs the name of '
            "what you have set up there (a deployment, a pipeline)"
        )
    problems.extend(
        f"realtime.headers.{header}: a key must not stand in the file, "
        f"allowed is the environment variable {needs.key} or a systemd credential"
        for header in realtime.headers
        if header.lower() in ("authorization", "api-key")
    )
    return problems


def _of_openai(url: str) -> bool:
    host = _host(url)
    return host == "openai.com" or host.endswith(".openai.com")


def _host(url: str) -> str:
    """The host of an address that can be connected to, else ""."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")
        return host if parts.port != 0 and url.isprintable() else ""
    except ValueError:
        return ""


def _is_tables(value: Any) -> bool:
    """A list of tables that is not too long; anything else is told as any wrong value."""
    tables = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    return tables and len(value) <= MOST_MCP


def _unknown(name: str, where: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"allowed are {', '.join(sorted(known))}"
    return f"{where}: is unknown, {hint}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _reason(error: msgspec.ValidationError) -> str:
    text = str(error).split(" - at ")[0].replace("`", "").lower()
    return re.sub(r"matching regex .*", "of another form", text)


def _allowed(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(hint))
    if origin is Annotated:
        base, meta = typing.get_args(hint)[:2]
        if meta.description is not None:
            return str(meta.description)
        if meta.ge is not None:
            return f"{_allowed(base)} from {meta.ge} to {meta.le}"
        if meta.min_length is not None:
            return f"{_allowed(base)} with {meta.min_length} to {meta.max_length} entries"
    if origin is tuple:
        return "a list of strings"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_allowed(a) for a in typing.get_args(hint) if a is not type(None))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(hint, "a table of texts")


def secret(name: str, environ: Mapping[str, str]) -> str | None:
    """The key called `name` (``OPENAI_API_KEY``), or None when there is none.

    Looked for as a systemd credential (a file ``$CREDENTIALS_DIRECTORY/openai_api_key``)
    first, then in the environment. The value must never reach a log or an exception.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        path = os.path.join(directory, name.lower())
        try:
            with open(path, encoding="utf-8") as file:
                value = file.read().strip()
        except (OSError, UnicodeDecodeError):
            value = ""
        if value:
            return value
    return environ.get(name, "").strip() or None
