"""The lines of `parley doctor` for pins and SPI, and the rights to use them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from parleyd import config
from parleyd.diagnostics import remedies
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.errors import LightsError
from parleyd.host.buttons import Buttons
from parleyd.lights import factory as lights
from parleyd.system.accounts import group_name

WIRING = "see hardware/README.md, Wiring"
GROUP_RW = stat.S_IRGRP | stat.S_IWGRP
IN_USE = "is in use, probably by parleyd"


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
