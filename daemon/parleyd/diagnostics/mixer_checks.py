"""The card's own controls, as far as they silence a microphone or a loudspeaker, and `amixer`."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parleyd.alsa import card_names
from parleyd.alsa.alsalib import alsaaudio
from parleyd.alsa.mixer import SWITCHES, VOLUMES, control_device
from parleyd.errors import AudioError

if TYPE_CHECKING:
    from alsaaudio import Mixer

LOUD_PERCENT = 80


@dataclass(frozen=True, slots=True)
class CardControl:
    """A control of one direction, at this moment."""

    device: str
    name: str
    off: bool
    """Muted, or not recording."""
    percent: int | None
    """None: it is only a switch."""

    @property
    def silent(self) -> bool:
        """Nothing gets through it."""
        return self.off or self.percent == 0

    @property
    def state(self) -> str:
        """For people."""
        return f"the card's control {self.name!r} is {'off' if self.off else 'at 0 %'}"

    def set(self, percent: int, switch: str) -> str:
        """The command that sets it; `switch`: ``unmute`` or ``cap``."""
        value = "" if self.percent is None else f" {percent}%"
        device, name = shlex.quote(self.device), shlex.quote(self.name)
        return f"amixer -q -D {device} sset {name}{value} {switch}"


def playback(pcm: str) -> list[CardControl]:
    """The controls of a loudspeaker that Parley uses; empty if the card has none."""
    return [control for control in _controls(pcm, "Playback") if control.name in _PLAYED]


def capture(pcm: str) -> list[CardControl]:
    """The controls of a microphone; a boost is none of them, because it may be at 0."""
    return [control for control in _controls(pcm, "Capture") if "boost" not in control.name.lower()]


_PLAYED = (*VOLUMES, *SWITCHES)


def _controls(pcm: str, direction: str) -> Iterator[CardControl]:
    alsa = alsaaudio()
    try:
        device = control_device(card_names.alsa_name(pcm, "audio"))
        names = dict.fromkeys(alsa.mixers(device=device))
    except (AudioError, alsa.ALSAAudioError):
        return
    for name in names:
        try:
            yield from _of(alsa.Mixer(name, device=device), device, name, direction)
        except alsa.ALSAAudioError:
            continue


def _of(control: "Mixer", device: str, name: str, direction: str) -> Iterator[CardControl]:
    captures = direction == "Capture"
    switch = any((direction in cap) or cap == "Mute" for cap in control.switchcap())
    volume = any((direction in cap) or cap == "Volume" for cap in control.volumecap())
    if not switch and not volume:
        return
    alsa = alsaaudio()
    off = False
    if switch:
        off = not any(control.getrec()) if captures else any(control.getmute())
    kind = alsa.PCM_CAPTURE if captures else alsa.PCM_PLAYBACK
    percent = max(control.getvolume(pcmtype=kind)) if volume else None
    yield CardControl(device, name, off, percent)
