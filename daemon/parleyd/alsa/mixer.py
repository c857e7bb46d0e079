"""The card's own volume controls, set once when it is opened.

How loud Parley is, is decided in software, before the canceller's reference: a step there
leaves the echo as predictable as it was, a step in the card changes the echo's path, and the
canceller must learn it again for seconds. So the card is set to let pass what is written as
it is, 0 dB, and stays so.
"""

import logging
import re
from typing import Any

from parleyd import config
from parleyd.alsa import card_names
from parleyd.alsa.alsalib import alsaaudio
from parleyd.errors import AudioError

# what sound passes on its way out, by the names that drivers use; never "Mic" or "Line", which
# would let the microphone through to the loudspeaker
VOLUMES = ("Master", "PCM", "Digital", "Playback", "Speaker", "Headphone", "HP DAC", "Line DAC")
SWITCHES = ("Left Output Mixer PCM", "Right Output Mixer PCM")  # of a WM8960, off by default
LOWEST, HIGHEST = -9_999_999, 10_000  # hundredths of a dB; the lowest is ALSA's name for mute

log = logging.getLogger(__name__)


def set_once(audio: config.Audio) -> None:
    """Set what `audio.mixer` asks for, and tell the log what was done; never raises.

    "auto" sets every control of `VOLUMES` that tells its level in dB, and leaves alone one
    that does not: a sound server's is the user's. A control that is named is unmuted and
    set, one without a scale to its most. Blocks for a few ms.
    """
    if audio.mixer == "none":
        log.info('audio.mixer = "none": the card\'s own volume stays as it is')
        return
    try:
        device = control_device(card_names.alsa_name(audio.playback, "audio.playback"))
        present = alsaaudio().mixers(device=device)
    except (AudioError, alsaaudio().ALSAAudioError):
        present = []
    if audio.mixer not in ("auto", *present):
        log.warning(
            'audio.mixer = "%s": "%s" has no such control (there are: %s); its volume is left as '
            'it is, choose one of them, "auto" or "none"',
            *(audio.mixer, audio.playback, ", ".join(sorted(set(present))) or "none"),
        )
        return
    wanted = (*VOLUMES, *SWITCHES) if audio.mixer == "auto" else (audio.mixer,)
    done = [_set(device, name, audio) for name in wanted if name in present]
    log.info(
        'volume of "%s": in software; its own controls: %s',
        *(audio.playback, ", ".join(text for text in done if text) or "none"),
    )


def control_device(pcm: str) -> str:
    """The control device of a PCM's card: ``hw:CARD=Device`` for ``plughw:CARD=Device,DEV=0``."""
    if named := re.search(r"CARD=([^,]+)", pcm):
        return f"hw:CARD={named[1]}"
    if numbered := re.match(r"(?:plug)?hw:(\w+)", pcm):
        return f"hw:{numbered[1]}"
    return pcm


def _set(device: str, name: str, audio: config.Audio) -> str:
    """Set one control; what it is now, for people, or nothing where it is not for playback."""
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


def _scale(control: Any) -> tuple[int, int] | None:
    """Lowest and highest level in hundredths of a dB; None where the driver tells none.

    pyalsaaudio 0.11 overlooks that alsa-lib refuses and returns whatever lies in memory.
    """
    unit = alsaaudio().VOLUME_UNITS_DB
    lowest, highest = control.getrange(units=unit)
    level = control.getvolume(units=unit)[0]
    plausible = LOWEST <= lowest <= level <= highest <= HIGHEST and highest - lowest >= 100
    return (lowest, highest) if plausible else None


def _left_alone(control: Any, name: str, mutes: bool) -> str:
    muted = mutes and any(control.getmute())
    percent = control.getvolume()[0]
    if muted or percent == 0:
        log.warning(
            "%s is muted or at 0 %%, so nothing will be heard: turn it up, or have Parley do it "
            'with audio.mixer = "%s"',
            *(name, name),
        )
    return f"{name} left at {percent} %{', muted' if muted else ''} (it has no scale in dB)"
