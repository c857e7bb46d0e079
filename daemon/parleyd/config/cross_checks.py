"""The problems of a configuration that involve several keys.

Each check names the keys that it uses. It is skipped if one of them is wrong itself, because
the default of that key says nothing about the user's intention.
"""

import ipaddress
from collections.abc import Iterator
from pathlib import PurePath

from parleyd.config import boards, hosts, mcp_checks
from parleyd.config.clash import Clash
from parleyd.config.credentials import header_flaw
from parleyd.config.schema import (
    Config,
    HooksConfig,
    MqttConfig,
    PageConfig,
    RealtimeConfig,
    WakeConfig,
)
from parleyd.config.servers import Profile, profile, takes_keywords
from parleyd.printable import shown


def across(config: Config) -> Iterator[Clash]:
    """Every problem that involves more than one key."""
    yield from _pins(config)
    yield from _address(config.realtime)
    yield from _headers(config.realtime)
    yield from _transcription(config.realtime)
    yield from _wake(config.wake)
    yield from mcp_checks.mcp(config)
    yield from _hours(config)
    yield from _mqtt(config.mqtt)
    yield from _hooks(config.hooks)
    yield from _page(config.page)
    yield from _group(config)


# --- pins ---------------------------------------------------------------------------------


def _pins(config: Config) -> Iterator[Clash]:
    sound = boards.SOUND_PINS.get(config.board, {})
    used: dict[int, str] = {}
    for key, pin in _pins_of(config):
        if pin is None:
            continue
        if pin in sound:
            yield Clash(
                (key, "board"),
                f'{key}: GPIO {pin} is the {sound[pin]} of board = "{config.board}", '
                "allowed is another pin",
            )
        elif pin in used:
            yield Clash(
                (key.split(" ")[0], used[pin].split(" ")[0]),
                f"{key}: GPIO {pin} is already used by {used[pin]}, allowed is another pin",
            )
        used.setdefault(pin, key)


def _pins_of(config: Config) -> Iterator[tuple[str, int | None]]:
    buttons, lights = config.buttons, config.lights
    yield "buttons.push_pin", buttons.push_pin
    yield "buttons.mute_pin", buttons.mute_pin
    match lights.output:
        case "led":
            yield "lights.led_pin", lights.led_pin
        case "rgb":
            yield "lights.red_pin", lights.red_pin
            yield "lights.green_pin", lights.green_pin
            yield "lights.blue_pin", lights.blue_pin
        case "apa102" | "ws2812":
            yield f'lights.output = "{lights.output}"', 10  # MOSI
    if lights.output == "apa102":
        yield 'lights.output = "apa102"', 11  # SCLK


# --- the realtime server ------------------------------------------------------------------


def _address(realtime: RealtimeConfig) -> Iterator[Clash]:
    """The address of the server, which gets a key and the user's voice."""
    server, url, needs = realtime.server, realtime.url, profile(realtime.server)
    keys = ("realtime.server", "realtime.url", "realtime.key_host")
    if url and (problem := _address_problem(realtime, needs)):
        yield Clash(keys, f"realtime.url: {problem}")
    if realtime.key_host and not (url and hosts.host(url) == realtime.key_host.lower()):
        yield Clash(
            keys,
            f"realtime.key_host: {shown(realtime.key_host)} is not the host of realtime.url, "
            'allowed is exactly that host, or ""',
        )
    if not (url or needs.url) and server != "embedded":
        yield Clash(
            keys[:2],
            f'realtime.url: is missing, realtime.server = "{server}" needs an address '
            f"like {needs.url_like}",
        )
    if needs.needs_model and not realtime.model:
        yield Clash(
            ("realtime.server", "realtime.model"),
            f'realtime.model: is missing, realtime.server = "{server}" needs the name of '
            "what you have set up there (a deployment, a pipeline)",
        )


def _transcription(realtime: RealtimeConfig) -> Iterator[Clash]:
    """Keywords that no transcription model would get."""
    model = realtime.transcription_model
    if not realtime.transcription_keywords or (model and takes_keywords(model)):
        return
    why = f"{shown(model)} takes none" if model else "realtime.transcription_model is off"
    yield Clash(
        ("realtime.transcription_keywords", "realtime.transcription_model"),
        f"realtime.transcription_keywords: {why}, allowed is [] or another model "
        '("gpt-transcribe")',
    )


def _address_problem(realtime: RealtimeConfig, needs: Profile) -> str:
    url, name = realtime.url, hosts.host(realtime.url)
    told = hosts.without_secrets(url)
    if realtime.server == "embedded":
        return (
            f'{told} is not used by realtime.server = "embedded", allowed is "" or another server'
        )
    if flaw := hosts.flaw(url):
        return f"{told} {flaw}"
    if needs.needs_key and not (
        hosts.belongs_to(name, needs.hosts) or name == realtime.key_host.lower()
    ):
        return (
            f"{told} is not an address of {needs.maker}, and {needs.key} is only sent to "
            f'{needs.maker}; use realtime.server = "compatible" (or the name of the server), or '
            "set realtime.key_host to this host"
        )
    if hosts.is_clear_text(url) and needs.needs_key:
        return f"{told} would send {needs.key} in clear text, allowed is wss://..."
    if hosts.is_clear_text(url) and not hosts.in_house(name):
        return (
            f"{told} would send your voice and the key in clear text out of the house, allowed is "
            "wss://..., or ws://... to a private address, a name without a dot or a name that ends "
            "in .local, .lan, .home.arpa or .internal"
        )
    return ""


def _headers(realtime: RealtimeConfig) -> Iterator[Clash]:
    keys = ("realtime.headers",)
    seen: set[str] = set()
    for name, value in realtime.headers.items():
        where = f"realtime.headers.{_bare(name)}"
        if name.lower() in seen:
            yield Clash(keys, f"{where}: occurs twice, in upper and lower case, allowed is once")
        seen.add(name.lower())
        if flaw := header_flaw(name):
            yield Clash(keys, f"{where}: {flaw}")
        elif hosts.tells_secret(name, value):
            yield Clash(
                keys,
                f"{where}: a key must not be in the file, allowed is the environment variable "
                f"{profile(realtime.server).key} or a systemd credential",
            )
        elif flaw := header_flaw(name, value):
            yield Clash(keys, f"{where}: {flaw}")


# --- the wake words -----------------------------------------------------------------------


def _wake(wake: WakeConfig) -> Iterator[Clash]:
    names = []
    for keyword in wake.keywords:
        if keyword.endswith((".json", ".ppn")) and not keyword.startswith("/"):
            yield Clash(
                ("wake.keywords",),
                f"wake.keywords: {shown(keyword)} is no path from the root, allowed is one such as "
                '"/etc/parley/wake/computer.json"',
            )
        name = PurePath(keyword).stem if keyword.endswith(".json") else keyword
        if name in names:
            yield Clash(
                ("wake.keywords",),
                f"wake.keywords: two words are called {shown(name)}, allowed is one of each name: "
                "remove one, or rename its file",
            )
        names.append(name)


# --- the hours of the home ----------------------------------------------------------------


def _hours(config: Config) -> Iterator[Clash]:
    for key, hours in (
        ("home.quiet_hours", config.home.quiet_hours),
        ("lights.night", config.lights.night),
    ):
        begin, _, end = hours.partition("-")
        if hours and begin == end:
            yield Clash(
                (key,),
                f"{key}: {shown(hours)} ends when it begins, allowed is another end, such as "
                '"00:00-23:59" for the whole day, or ""',
            )


# --- the MQTT broker ----------------------------------------------------------------------


def _mqtt(mqtt: MqttConfig) -> Iterator[Clash]:
    if mqtt.host and not hosts.is_host(mqtt.host.lower()):
        yield Clash(
            ("mqtt.host",),
            f"mqtt.host: {hosts.without_secrets(mqtt.host)} is no name or address, allowed is one "
            'such as "homeassistant.local" or "192.168.1.5"; the port is mqtt.port',
        )
        return
    if mqtt.user and not mqtt.tls and not hosts.in_house(mqtt.host):
        yield Clash(
            ("mqtt.host", "mqtt.tls", "mqtt.user"),
            "mqtt.tls: false would send the password in clear text out of the house, allowed is "
            "true, or a broker in the house: a private address, a name without a dot or in .local",
        )
    if mqtt.ca_file and not mqtt.tls:
        yield Clash(("mqtt.ca_file", "mqtt.tls"), "mqtt.ca_file: needs mqtt.tls = true")


# --- programs at events -------------------------------------------------------------------


def _hooks(hooks: HooksConfig) -> Iterator[Clash]:
    for kind in ("wake", "state", "alarm", "interruption"):
        command = getattr(hooks, kind)
        if command and not command[0].startswith("/"):
            yield Clash(
                (f"hooks.{kind}",),
                f"hooks.{kind}: {shown(command[0])} is no path from the root, allowed is a list "
                'like ["/usr/local/bin/lamp", "on"]: no shell looks for the program',
            )


# --- the page -----------------------------------------------------------------------------


def _page(page: PageConfig) -> Iterator[Clash]:
    try:
        ipaddress.ip_address(page.host)
    except ValueError:
        yield Clash(
            ("page.host",),
            f"page.host: {shown(page.host)} is not an address, allowed is one of this device, such "
            'as "127.0.0.1" (the device alone) or "0.0.0.0" (every network)',
        )


def _group(config: Config) -> Iterator[Clash]:
    if config.group.name and not config.mqtt.host:
        yield Clash(
            ("group.name", "mqtt.host"),
            "group.name: needs a broker, over which the speakers agree, allowed is the broker's "
            'name in mqtt.host, or ""',
        )


def _bare(name: str) -> str:
    """A header's name as it is, if a terminal shows it as it is."""
    return name if name.isascii() and name.isprintable() and 0 < len(name) <= 60 else shown(name)
