"""Open a PCM with the parameters that Parley needs, or explain why that is impossible."""

import errno
import logging
import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from parleyd.alsa import card_names
from parleyd.alsa.alsalib import alsaaudio
from parleyd.alsa.card_names import PcmFormat
from parleyd.errors import AudioError
from parleyd.units import PERIOD_MS, ms_to_frames

if TYPE_CHECKING:
    from alsaaudio import PCM

Direction = Literal["PCM_CAPTURE", "PCM_PLAYBACK"]

log = logging.getLogger(__name__)


class OpenedPcm(NamedTuple):
    """A PCM in the wanted format, and the sizes that the card granted."""

    pcm: "PCM"
    period_frames: int
    buffer_frames: int


def open_pcm(
    key: str, name: str, direction: Direction, rate_hz: int, channels: int, periods: int
) -> OpenedPcm:
    """Open a non-blocking PCM with periods of 10 ms.

    If a ``hw:`` device grants another rate, format or number of channels, it is opened
    through ALSA's converter, ``plughw:``. Every conversion is logged.

    Raises: AudioError, which names `key`, if the device cannot be opened or converted.
    """
    name = card_names.alsa_name(name, key)
    pcm = _attempt(key, name, direction, rate_hz, channels, periods)
    wanted = PcmFormat(rate_hz, channels, "S16_LE")
    granted = _format(pcm)
    if granted != wanted and name.startswith("hw:"):
        close_without_drain(pcm)
        pcm = _attempt(key, f"plug{name}", direction, rate_hz, channels, periods)
        log.warning('%s: "%s" grants %s; ALSA converts, with "plug%s"', key, name, granted, name)
    if _format(pcm) == wanted:
        info = pcm.info()
        card = card_names.runs_at(info, "c" if direction == "PCM_CAPTURE" else "p")
        if card not in (None, wanted):
            log.info('%s: "%s" runs at %s; ALSA converts it to %s', key, name, card, wanted)
        return OpenedPcm(pcm, info["period_size"], info["buffer_size"])
    refused = _format(pcm)
    close_without_drain(pcm)
    raise AudioError(
        f'{key}: "{name}" grants {refused}; {wanted} is required; '
        'let ALSA convert with a device such as "plughw:CARD=Device", '
        "or change the rate and channels under [audio]"
    )


def _attempt(
    key: str, name: str, direction: Direction, rate_hz: int, channels: int, periods: int
) -> "PCM":
    alsa = alsaaudio()
    try:
        return alsa.PCM(
            alsa.PCM_CAPTURE if direction == "PCM_CAPTURE" else alsa.PCM_PLAYBACK,
            alsa.PCM_NONBLOCK,
            device=name,
            rate=rate_hz,
            channels=channels,
            format=alsa.PCM_FORMAT_S16_LE,
            periodsize=ms_to_frames(PERIOD_MS, rate_hz),
            periods=periods,
        )
    except alsa.ALSAAudioError as error:
        raise AudioError(_refused(key, name, str(error))) from None


def _format(pcm: "PCM") -> PcmFormat:
    info = pcm.info()
    return PcmFormat(info["rate"], info["channels"], info["format_name"])


def _refused(key: str, name: str, reason: str) -> str:
    lister = "arecord" if key == "audio.capture" else "aplay"
    choose = f"choose a device from `{lister} -L` as {key}"
    remedies = {
        errno.ENOENT: f"plug in a sound card, or {choose}",
        errno.ENODEV: f"plug the card in, or {choose} (a service needs DeviceAllow=char-alsa)",
        errno.EBUSY: "end the program that uses it (`fuser -v /dev/snd/*`)",
        errno.EACCES: "add this user to the group audio",
        errno.ECONNREFUSED: "start the sound server, or choose a hw: device",
    }
    remedy = next(
        (text for code, text in remedies.items() if reason.startswith(os.strerror(code))), choose
    )
    what = reason.removesuffix(f" [{name}]")
    return f'{key}: "{name}" cannot be opened ({what}); a free ALSA device is expected; {remedy}'


def close_without_drain(pcm: "PCM") -> None:
    """Close a PCM; drop its frames first, because pyalsaaudio's close drains the stream."""
    for step in (pcm.drop, pcm.close):
        try:
            step()
        except alsaaudio().ALSAAudioError as error:  # the card is gone, so nothing needs freeing
            log.debug("closing: %s", error)
