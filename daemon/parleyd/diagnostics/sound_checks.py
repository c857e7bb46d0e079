"""The sound card's lines of `parley doctor`: it is opened like by the daemon, recorded, and played.

Nothing is recorded while the microphone is muted, by the switch or by voice.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from parleyd import config
from parleyd.alsa import card_names, mixer
from parleyd.alsa.sound_card import Card
from parleyd.diagnostics import daemon_view, remedies, sound_findings
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.kept_mute import closed_by_voice
from parleyd.diagnostics.server_checks import as_root
from parleyd.diagnostics.sound_judgement import Flaw, judge
from parleyd.diagnostics.sound_trial import Muted, try_card
from parleyd.errors import AudioError
from parleyd.host.buttons import Buttons

NO_BUTTONS = config.ButtonsConfig()
SOUND = Path("/dev/snd")
IN_USE = "is in use, probably by parleyd"
MUTED = Finding("microphone", Severity.OK, "is closed: the mute switch was closed meanwhile")


def sound(
    audio: config.AudioConfig,
    *,
    served: bool,
    buttons: config.ButtonsConfig = NO_BUTTONS,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Finding]:
    """Open both devices like the daemon, record for about 3 s unless muted, and play a tone.

    `served`: the service runs and holds the card, so it is asked instead if it can be. `environ`:
    names the state folder, where the daemon keeps that a user closed the microphone by voice.
    """
    yield from _cards()
    if served and (known := daemon_view.sound()):
        yield from known
        return
    if served and buttons.mute_pin is not None:
        muted = Finding("microphone", Severity.OK, "is left to the service, which reads the switch")
        yield from _opened(audio, muted, lambda: True, served)
        return
    alone = structs.replace(buttons, push_pin=None)
    switch = Buttons(alone, on_press=lambda: None, on_mute=lambda muted: None)
    try:
        muted_now = _muted(buttons, switch) or _muted_by_voice(environ or {})
        yield from _opened(audio, muted_now, lambda: switch.muted, served)
    finally:
        switch.close()


def _opened(
    audio: config.AudioConfig, muted: Finding | None, closed: Callable[[], bool], served: bool
) -> Iterator[Finding]:
    """The lines of the card; `muted`: why the microphone is not opened."""
    try:
        opened = Card(audio)
    except AudioError as error:
        yield _failure("loudspeaker", error, served)
        yield from [muted] if muted else _microphone_alone(audio, closed, served)
        return
    try:
        with mixer.as_found(audio):
            if muted:
                yield sound_findings.unheard(audio, muted.text)
                yield muted
            else:
                yield from _both(opened, audio, closed, served)
    finally:
        opened.close()


def _cards() -> Iterator[Finding]:
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


def _muted(buttons: config.ButtonsConfig, switch: Buttons) -> Finding | None:
    """Return why the microphone must stay closed, or None: the check respects the mute switch."""
    if not switch.muted:
        return None
    if not switch.mute_trouble:
        return Finding("microphone", Severity.OK, "is not opened: the mute switch is on")
    text = f"is not opened: the mute switch on GPIO {buttons.mute_pin} cannot be read"
    return Finding("microphone", Severity.WARN, text, "see pins, below")


def _muted_by_voice(environ: Mapping[str, str]) -> Finding | None:
    """The same for a microphone that a user closed by voice or command."""
    if not (reason := closed_by_voice(environ)):
        return None
    if "use sudo" in reason:
        return Finding("microphone", Severity.WARN, f"is not opened: {reason}", as_root())
    return Finding("microphone", Severity.OK, f"is not opened: {reason}")


def _both(
    opened: Card, audio: config.AudioConfig, closed: Callable[[], bool], served: bool
) -> Iterator[Finding]:
    try:
        opened.open_capture()
        got = try_card(opened, closed, plays=True)
    except Muted:
        opened.close_capture()
        yield sound_findings.unheard(audio, "the mute switch was closed")
        yield MUTED
        return
    except AudioError as error:
        if "audio.capture" not in str(error):
            yield _failure("loudspeaker", error, served)
            return
        yield sound_findings.unheard(audio, "the microphone does not work")
        yield _failure("microphone", error, served)
        return
    if len(got.room) == 0:
        yield sound_findings.unheard(audio, "the microphone does not work")
        yield sound_findings.no_audio(audio)
        return
    found = judge(got.room)
    if found.flaw is Flaw.DEAD and got.heard:
        found = replace(found, flaw=Flaw.GATE)
    yield sound_findings.loudspeaker(got, found, audio)
    yield sound_findings.microphone(found, audio)


def _microphone_alone(
    audio: config.AudioConfig, closed: Callable[[], bool], served: bool
) -> Iterator[Finding]:
    """Check capture alone if playback cannot be opened; ALSA's null device replaces it."""
    try:
        opened = Card(config.AudioConfig(capture=audio.capture, playback="null"))
    except AudioError:
        return  # the first error is sufficient
    try:
        opened.open_capture()
        got = try_card(opened, closed, plays=False)
    except Muted:
        opened.close_capture()
        yield MUTED
    except AudioError as error:
        yield _failure("microphone", error, served)
    else:
        yield (
            sound_findings.microphone(judge(got.room), audio)
            if len(got.room)
            else sound_findings.no_audio(audio)
        )
    finally:
        opened.close()


def _failure(check: str, error: AudioError, served: bool) -> Finding:
    text, separator, remedy = str(error).rpartition("; ")
    if not separator:
        text, remedy = remedy, "see hardware/README.md"
    if served and os.strerror(errno.EBUSY) in text:
        return Finding(check, Severity.OK, IN_USE)
    if os.strerror(errno.EACCES) in text:
        remedy = remedies.join("audio", SOUND)
    return Finding(check, Severity.FAIL, text, remedy)
