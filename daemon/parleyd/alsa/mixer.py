"""The card's own volume controls, which are set once when the card is opened.

Parley changes its volume in software, before the canceller's reference, so a volume step does
not change the echo path. A step in the card does change it, and the canceller then needs
seconds to learn it again. The card therefore stays at 0 dB and passes all frames unchanged.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from parleyd import config
from parleyd.alsa import card_names
from parleyd.alsa.alsalib import alsaaudio
from parleyd.errors import AudioError

if TYPE_CHECKING:
    from alsaaudio import Mixer

# the drivers' names for the playback controls; never "Mic" or "Line", which would route the
# microphone to the loudspeaker
VOLUMES = ("Master", "PCM", "Digital", "Playback", "Speaker", "Headphone", "HP DAC", "Line DAC")
SWITCHES = ("Left Output Mixer PCM", "Right Output Mixer PCM")  # on a WM8960, off by default
LOWEST, HIGHEST = -9_999_999, 10_000  # hundredths of a dB; the lowest is ALSA's name for mute

log = logging.getLogger(__name__)


def set_once(audio: config.AudioConfig) -> None:
    """Set the controls that `audio.mixer` selects, and log the result; never raises.

    "auto" sets every control of `VOLUMES` that has a dB scale. It leaves the others alone,
    because a sound server's volume belongs to the user. A control that the configuration
    names is unmuted and set, to its maximum if it has no dB scale. Blocks for a few ms.
    """
    if audio.mixer == "none":
        log.info('audio.mixer = "none": the card\'s own volume stays unchanged')
        return
    try:
        device = control_device(card_names.alsa_name(audio.playback, "audio.playback"))
        present = alsaaudio().mixers(device=device)
    except (AudioError, alsaaudio().ALSAAudioError):
        present = []
    if audio.mixer not in ("auto", *present):
        log.warning(
            'audio.mixer = "%s": "%s" has no such control (controls: %s); its volume stays '
            'unchanged; choose one of them, "auto" or "none"',
            *(audio.mixer, audio.playback, ", ".join(sorted(set(present))) or "none"),
        )
        return
    wanted = (*VOLUMES, *SWITCHES) if audio.mixer == "auto" else (audio.mixer,)
    done = [_set(device, name, audio) for name in wanted if name in present]
    log.info(
        'volume of "%s": in software; the card\'s own controls: %s',
        *(audio.playback, ", ".join(text for text in done if text) or "none"),
    )


@contextlib.contextmanager
def as_found(audio: config.AudioConfig) -> Iterator[None]:
    """Set the controls inside the block, and give them back as they were; never raises."""
    before = list(_found(audio))
    set_once(audio)
    try:
        yield
    finally:
        for found in before:
            _restore(found)


class CaptureControls(NamedTuple):
    """The names of the controls of a microphone's card."""

    gains: tuple[str, ...] = ()
    """Those that change the level of the microphone itself, not of a sidetone."""
    others: tuple[str, ...] = ()


def capture_controls(capture: str) -> CaptureControls:
    """Return the controls of a microphone's card; none if it has no mixer. Blocks for a few ms."""
    alsa = alsaaudio()
    try:
        device = control_device(card_names.alsa_name(capture, "audio.capture"))
        names = dict.fromkeys(alsa.mixers(device=device))
        gains = [
            name
            for name in names
            if "Capture Volume" in alsa.Mixer(name, device=device).volumecap()
        ]
    except (AudioError, alsa.ALSAAudioError):
        return CaptureControls()
    return CaptureControls(tuple(gains), tuple(name for name in names if name not in gains))


class _FoundControl(NamedTuple):
    """A control and its state, by channel; empty lists where it has no volume or no switch."""

    device: str
    name: str
    volume: list[int]
    muted: list[int]


def _found(audio: config.AudioConfig) -> Iterator[_FoundControl]:
    """The controls that `set_once` may change, with their volumes and mutes."""
    alsa = alsaaudio()
    try:
        device = control_device(card_names.alsa_name(audio.playback, "audio.playback"))
        present = alsa.mixers(device=device)
    except (AudioError, alsa.ALSAAudioError):
        return
    wanted = (*VOLUMES, *SWITCHES) if audio.mixer == "auto" else (audio.mixer,)
    for name in dict.fromkeys(name for name in wanted if name in present):
        with contextlib.suppress(alsa.ALSAAudioError):
            control = alsa.Mixer(name, device=device)
            mutes = any("Capture" not in cap for cap in control.switchcap())
            turns = any("Capture" not in cap for cap in control.volumecap())
            volume = control.getvolume(units=alsa.VOLUME_UNITS_RAW) if turns else []
            yield _FoundControl(device, name, volume, control.getmute() if mutes else [])


def _restore(found: _FoundControl) -> None:
    alsa = alsaaudio()
    try:
        # opened again: an older handle believes in its own values and writes nothing
        control = alsa.Mixer(found.name, device=found.device)
        for channel, value in enumerate(found.volume):
            control.setvolume(value, channel, units=alsa.VOLUME_UNITS_RAW)
        for channel, off in enumerate(found.muted):
            control.setmute(off, channel)
    except alsa.ALSAAudioError as error:
        log.warning("a control of the card was not given back: %s", error)


def control_device(pcm: str) -> str:
    """Return a PCM's control device: ``hw:CARD=Device`` for ``plughw:CARD=Device,DEV=0``."""
    if named := re.search(r"CARD=([^,]+)", pcm):
        return f"hw:CARD={named[1]}"
    if numbered := re.match(r"(?:plug)?hw:(\w+)", pcm):
        return f"hw:{numbered[1]}"
    return pcm


def _set(device: str, name: str, audio: config.AudioConfig) -> str:
    """Set one control; return its new state as text, or "" if it is not for playback."""
    alsa = alsaaudio()
    try:
        control = alsa.Mixer(name, device=device)
        switch, volume = control.switchcap(), control.volumecap()
        mutes = any("Capture" not in cap for cap in switch)
        turns = any("Capture" not in cap for cap in volume)
        if not mutes and not turns:
            return ""
        scale = _scale(control) if turns else None
        if turns and scale is None and audio.mixer == "auto":
            return _left_alone(control, name, mutes)
        if mutes:
            control.setmute(0)
        if not turns:
            return f"{name} on"
        if scale is None:
            control.setvolume(100)
            return f"{name} 100 % (it has no scale in dB)"
        lowest, highest = scale
        wanted = min(max(round(audio.mixer_db * 100), lowest), highest)
        control.setvolume(wanted, units=alsa.VOLUME_UNITS_DB)
        return f"{name} {control.getvolume(units=alsa.VOLUME_UNITS_DB)[0] / 100:g} dB"
    except alsa.ALSAAudioError as error:
        return f"{name} not set ({error})"


def _scale(control: "Mixer") -> tuple[int, int] | None:
    """Return the lowest and highest level in hundredths of a dB; None without a dB scale.

    pyalsaaudio 0.11 ignores alsa-lib's refusal and returns uninitialised memory, hence the
    plausibility check.
    """
    unit = alsaaudio().VOLUME_UNITS_DB
    lowest, highest = control.getrange(units=unit)
    level = control.getvolume(units=unit)[0]
    plausible = LOWEST <= lowest <= level <= highest <= HIGHEST and highest - lowest >= 100
    return (lowest, highest) if plausible else None


def _left_alone(control: "Mixer", name: str, mutes: bool) -> str:
    muted = mutes and any(control.getmute())
    percent = control.getvolume()[0]
    if muted or percent == 0:
        log.warning(
            "%s is muted or at 0 %%, so the loudspeaker is silent: turn it up, or let Parley do "
            'so with audio.mixer = "%s"',
            *(name, name),
        )
    return f"{name} left at {percent} %{', muted' if muted else ''} (it has no scale in dB)"
