"""The sound cards of this machine by their stable names: card id and USB port."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from parleyd.errors import AudioError

SOUND = Path("/sys/class/sound")
PROC = Path("/proc/asound")
USB = "usb:"  # prefix of a card that is named by its USB port: "usb:1-1.3"


class PcmFormat(NamedTuple):
    """The format of the frames in a PCM."""

    rate_hz: int
    channels: int
    sample: str
    """ALSA's name: ``S16_LE``."""

    def __str__(self) -> str:
        return f"{self.rate_hz} Hz, {self.channels} channel(s), {self.sample}"


@dataclass(frozen=True, slots=True)
class KernelCard:
    """One card that the kernel lists."""

    number: int
    """Depends on the order in which the kernel found the cards: never store it."""
    id: str
    """Unique among the cards present; a second card of the same make gets ``Device_1``."""
    usb_port: str
    """Such as ``1-1.3``; it belongs to the socket. Empty for a card that is not on USB."""
    captures: bool
    plays: bool

    @property
    def name(self) -> str:
        """The ALSA name that `audio.capture` and `audio.playback` accept."""
        return f"plughw:CARD={self.id}"


def present(sound: Path = SOUND) -> list[KernelCard]:
    """Return the kernel's cards by number; an empty list if there are none. Reads only sysfs."""
    return sorted(
        (_card(folder) for folder in sound.glob("card[0-9]*") if (folder / "id").is_file()),
        key=lambda card: card.number,
    )


def titles(proc: Path = PROC) -> dict[int, str]:
    """Return the makers' names of the cards by number: ``USB Audio Device``."""
    try:
        text = (proc / "cards").read_text("utf-8", "replace")
    except OSError:
        return {}
    found = re.finditer(r"(?m)^\s*(\d+) \[[^\]]*\]: .*? - (.+)$", text)
    return {int(card[1]): card[2].strip() for card in found}


def alsa_name(name: str, key: str, sound: Path = SOUND) -> str:
    """Return the ALSA name for a configured name: a card's id or ``usb:PORT``; others unchanged.

    Raises: AudioError, which names `key`, if no sound card is plugged into that port.
    """
    cards = present(sound)
    if name.startswith(USB):
        port = name.removeprefix(USB)
        for card in cards:
            if card.usb_port == port:
                return card.name
        there = ", ".join(USB + card.usb_port for card in cards if card.usb_port) or "none"
        raise AudioError(
            f'{key}: "{name}" has no sound card plugged in; a card is expected at that port '
            f"(ports with a card: {there}); plug the card in, or choose another port"
        )
    return next((card.name for card in cards if card.id == name), name)


def runs_at(info: Mapping[str, object], suffix: str, proc: Path = PROC) -> PcmFormat | None:
    """Return the card's real format behind ALSA's converters; None without a kernel card.

    `info`: pyalsaaudio's info of the open PCM; `suffix`: "p" for playback, "c" for capture.
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
