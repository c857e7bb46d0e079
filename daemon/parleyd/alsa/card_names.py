"""The sound cards of this machine by the names that stay: card id and USB port."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from parleyd.errors import AudioError

SOUND = Path("/sys/class/sound")
PROC = Path("/proc/asound")
USB = "usb:"  # begins the name of a card by the port it is plugged into: "usb:1-1.3"


class PcmFormat(NamedTuple):
    """What goes in or out of a PCM."""

    rate_hz: int
    channels: int
    sample: str
    """ALSA's name: ``S16_LE``."""

    def __str__(self) -> str:
        return f"{self.rate_hz} Hz, {self.channels} channel(s), {self.sample}"


@dataclass(frozen=True, slots=True)
class KernelCard:
    """One card that the kernel has."""

    number: int
    """Changes with the order in which cards were found: never a name to keep."""
    id: str
    """Unique among the cards present; a second card of the same make gets ``Device_1``."""
    usb_port: str
    """As ``1-1.3``, stays with the socket; empty for a card that is not on USB."""
    captures: bool
    plays: bool

    @property
    def name(self) -> str:
        """What `audio.capture` and `audio.playback` take."""
        return f"plughw:CARD={self.id}"


def present(sound: Path = SOUND) -> list[KernelCard]:
    """The cards of the kernel, by number; empty where there is none. Reads sysfs only."""
    return sorted(
        (_card(folder) for folder in sound.glob("card[0-9]*") if (folder / "id").is_file()),
        key=lambda card: card.number,
    )


def alsa_name(name: str, key: str, sound: Path = SOUND) -> str:
    """The ALSA name for one of the configuration: a card's id, ``usb:PORT``, or itself.

    `key` begins the error, an `AudioError` when nothing is plugged into that port.
    """
    cards = present(sound)
    if name.startswith(USB):
        port = name.removeprefix(USB)
        for card in cards:
            if card.usb_port == port:
                return card.name
        there = ", ".join(USB + card.usb_port for card in cards if card.usb_port) or "none"
        raise AudioError(
            f'{key}: "{name}" has no sound card plugged in, one is expected at that port '
            f"(cards there: {there}); plug it in, or choose another"
        )
    return next((card.name for card in cards if card.id == name), name)


def runs_at(info: Mapping[str, Any], suffix: str, proc: Path = PROC) -> PcmFormat | None:
    """What an open PCM's card really does behind ALSA's converters; None for no kernel card.

    `info`: pyalsaaudio's of the PCM; `suffix`: "p" to play, "c" to capture.
    """
    folder = proc / f"card{info.get('card_no', -1)}" / f"pcm{info.get('device_no', 0)}{suffix}"
    try:
        text = (folder / f"sub{info.get('subdevice_no', 0)}" / "hw_params").read_text("utf-8")
        told = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        return PcmFormat(int(told["rate"].split()[0]), int(told["channels"]), told["format"])
    except (OSError, KeyError, ValueError):
        return None


def _card(folder: Path) -> KernelCard:
    port = re.search(r"/usb\d+/(?:[^/]+/)*?(\d+-[\d.]+):[\d.]+/", f"{folder.resolve()}/")
    pcms = [entry.name for entry in folder.glob("pcm*")]
    return KernelCard(
        number=int(folder.name.removeprefix("card")),
        id=(folder / "id").read_text("utf-8").strip(),
        usb_port=port[1] if port else "",
        captures=any(pcm.endswith("c") for pcm in pcms),
        plays=any(pcm.endswith("p") for pcm in pcms),
    )
