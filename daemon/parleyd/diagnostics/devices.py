"""The hardware checks of `parley doctor`: sound cards, pins, and permissions."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from parleyd import config
from parleyd.alsa import card_names
from parleyd.alsa.sound_card import Card
from parleyd.diagnostics import remedies
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.errors import AudioError, LightsError
from parleyd.host.buttons import Buttons
from parleyd.lights import factory as lights
from parleyd.system.accounts import group_name

READS = 40  # 50 ms each: a sound server was silent for up to 1.5 s after opening
NO_BUTTONS = config.ButtonsConfig()
WIRING = "see hardware/README.md, Wiring"
SOUND = Path("/dev/snd")
GROUP_RW = stat.S_IRGRP | stat.S_IWGRP
IN_USE = "is in use, probably by parleyd"


def sound(
    audio: config.AudioConfig, *, served: bool, buttons: config.ButtonsConfig = NO_BUTTONS
) -> Iterator[Finding]:
    """Open both devices like the daemon, and record briefly unless muted.

    `served`: the service runs and holds the card, so "busy" is correct.
    """
    muted = _muted(buttons, served=served)
    present = card_names.present()
    for card in present:
        does = [verb for verb, can in (("records", card.captures), ("plays", card.plays)) if can]
        port = f" or usb:{card.usb_port}" if card.usb_port else ""
        text = f"{card.name}{port} {' and '.join(does) or 'does nothing'}"
        yield Finding("card", Severity.OK, text)
    if not present:
        yield Finding(
            "card",
            Severity.WARN,
            "the kernel has no sound card",
            "plug a card in, or set its dtoverlay in /boot/firmware/config.txt",
        )
    try:
        opened = Card(audio)
    except AudioError as error:
        yield _sound_failure("loudspeaker", error, served)
        yield from [muted] if muted else _microphone_alone(audio, served)
        return
    try:
        text = f'"{audio.playback}" plays {audio.playback_rate_hz} Hz'
        yield Finding("loudspeaker", Severity.OK, text)
        yield muted or _microphone(opened, audio, served)
    finally:
        opened.close()


def _muted(buttons: config.ButtonsConfig, *, served: bool) -> Finding | None:
    """Return why the microphone must stay closed, or None: the check respects the mute switch."""
    if buttons.mute_pin is None:
        return None
    if served:
        return Finding("microphone", Severity.OK, "is left to the service, which reads the switch")
    alone = structs.replace(buttons, push_pin=None)
    switch = Buttons(alone, on_press=lambda: None, on_mute=lambda muted: None)
    try:
        if not switch.muted:
            return None
        if not switch.mute_trouble:
            return Finding("microphone", Severity.OK, "is not opened: the mute switch is on")
        text = f"is not opened: the mute switch on GPIO {buttons.mute_pin} cannot be read"
        return Finding("microphone", Severity.WARN, text, "see pins, below")
    finally:
        switch.close()


def _microphone(opened: Card, audio: config.AudioConfig, served: bool) -> Finding:
    try:
        opened.open_capture()
        for _ in range(READS):
            if opened.read() is not None:
                return Finding("microphone", Severity.OK, f'"{audio.capture}" records 16000 Hz')
    except AudioError as error:
        return _sound_failure("microphone", error, served)
    return Finding(
        "microphone",
        Severity.FAIL,
        f'"{audio.capture}" opens but delivers no audio',
        "replug the card, or choose another as audio.capture",
    )


def _microphone_alone(audio: config.AudioConfig, served: bool) -> Iterator[Finding]:
    """Check capture alone if playback cannot be opened; ALSA's null device replaces it."""
    try:
        opened = Card(config.AudioConfig(capture=audio.capture, playback="null"))
    except AudioError:
        return  # the first error is sufficient
    try:
        yield _microphone(opened, audio, served)
    finally:
        opened.close()


def _sound_failure(check: str, error: AudioError, served: bool) -> Finding:
    text, separator, remedy = str(error).rpartition("; ")
    if not separator:
        text, remedy = remedy, "see hardware/README.md"
    if served and os.strerror(errno.EBUSY) in text:
        return Finding(check, Severity.OK, IN_USE)
    if os.strerror(errno.EACCES) in text:
        remedy = remedies.join("audio", SOUND)
    return Finding(check, Severity.FAIL, text, remedy)


def pins(settings: config.Config, *, served: bool, dev: Path = Path("/dev")) -> Iterator[Finding]:
    """Check that this user and the service's groups can use LEDs, button and switch."""
    buttons = settings.buttons
    on_spi = settings.lights.output in ("apa102", "ws2812")
    lit = settings.lights.output in ("led", "rgb") or on_spi
    pushed = buttons.push_pin is not None or buttons.mute_pin is not None
    if not lit and not pushed:
        yield Finding("pins", Severity.OK, "none are configured")
        return
    nodes = [*_spi(Path(settings.lights.spi_device))] if on_spi else []
    if pushed or not on_spi:
        nodes += _chip(dev)
    yield from nodes
    if nodes:
        return
    if served:
        yield Finding("pins", Severity.OK, IN_USE)
        return
    try:
        light = lights.create(settings.lights) if lit else None
        if light is not None:
            light.close()
    except LightsError as error:
        yield Finding("pins", Severity.FAIL, str(error), WIRING)
        return
    contacts = Buttons(buttons, on_press=lambda: None, on_mute=lambda muted: None)
    problems = [text for text in (contacts.push_trouble, contacts.mute_trouble) if text]
    contacts.close()
    for text in problems:
        yield Finding("pins", Severity.FAIL, text, WIRING)
    if not problems:
        yield Finding("pins", Severity.OK, "can be driven")


def _spi(node: Path) -> Iterator[Finding]:
    if node.exists():
        yield from _rights("spi", node, "spi")
        return
    remedy = "set dtparam=spi=on in /boot/firmware/config.txt and restart the machine"
    yield Finding("spi", Severity.FAIL, f"there is no {node}", remedy)


def _chip(dev: Path) -> Iterator[Finding]:
    chips = sorted(dev.glob("gpiochip[0-9]*"))
    if chips:
        yield from _rights("pins", chips[0], "gpio")
        return
    remedy = 'use a Raspberry Pi, or set lights.output = "none" and no buttons'
    yield Finding(
        "pins", Severity.FAIL, f"there is no {dev}/gpiochip0: the kernel has no pins", remedy
    )


def _rights(check: str, node: Path, group: str) -> Iterator[Finding]:
    """Check that this user and the service, which joins `group`, may use the device."""
    status = node.stat()
    owner = group_name(status.st_gid)
    granted = owner == group and status.st_mode & GROUP_RW == GROUP_RW
    if not os.access(node, os.R_OK | os.W_OK):
        remedy = remedies.join(group, node) if granted else remedies.grant(group, node)
        yield Finding(check, Severity.FAIL, f"{node} may not be used", remedy)
    elif os.geteuid() == 0 and not granted:
        text = f"{node} belongs to the group {owner}, but the service joins {group}"
        if owner == group:
            text = f"the group {group}, which the service joins, may not use {node}"
        yield Finding(check, Severity.FAIL, text, remedies.grant(group, node))
