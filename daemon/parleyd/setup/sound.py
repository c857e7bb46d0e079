"""The question for the sound card: which one, a tone to hear, a recording to hear."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from msgspec import structs

from parleyd import config
from parleyd.alsa.card_names import USB, KernelCard
from parleyd.audio import level_dbfs
from parleyd.errors import AudioError
from parleyd.setup.asking import TRIES, Asker, Choice, agrees, choose
from parleyd.units import Frames

QUIET_DBFS = -60.0  # a far voice reaches -50 dBFS at the microphone of a USB stick
CLIPPED = 32_700
PLUG_IN = "plug in a USB sound card with a microphone and a loudspeaker"
_LAST = re.compile(r"hdmi|^b[12]$|loopback|dummy", re.IGNORECASE)


class SoundTrial(Protocol):
    """The sound card, for a moment; see `parleyd.setup.card_trial.CardTrial`."""

    @property
    def free(self) -> Callable[[], AbstractContextManager[None]]:
        """A block in which the service leaves the card free."""
        ...

    def closed(self) -> str:
        """Why the microphone must stay closed; "" if it may be opened."""
        ...

    def play_tone(self, audio: config.AudioConfig) -> None: ...
    def record(self, audio: config.AudioConfig) -> Frames: ...
    def play_back(self, audio: config.AudioConfig, frames: Frames) -> None: ...


class SoundNames(NamedTuple):
    """The ALSA names of both directions; "" is none."""

    capture: str
    playback: str


def default(cards: Sequence[KernelCard]) -> SoundNames:
    """The card that a person would choose: one for both directions, and HDMI last."""
    both = _ranked([card for card in cards if card.captures and card.plays])
    if both:
        return SoundNames(name(both[0], cards), name(both[0], cards))
    return SoundNames(
        next((name(card, cards) for card in _ranked(cards) if card.captures), ""),
        next((name(card, cards) for card in _ranked(cards) if card.plays), ""),
    )


def name(card: KernelCard, cards: Sequence[KernelCard]) -> str:
    """A name that survives a restart: two cards of one make differ by their USB ports."""
    make = re.sub(r"_\d+$", "", card.id)
    twins = [other for other in cards if re.sub(r"_\d+$", "", other.id) == make]
    return f"{USB}{card.usb_port}" if len(twins) > 1 and card.usb_port else card.name


def lasting(wanted: str, cards: Sequence[KernelCard]) -> str:
    """The name by the card's id for one by its number, which another order of cards changes.

    Raises `AudioError` if there are cards, and none has the number.
    """
    found = re.fullmatch(r"(?:plug)?hw:(?:CARD=)?(\d+)(?:,(?:DEV=)?0)?", wanted)
    card = next((card for card in cards if found and card.number == int(found[1])), None)
    if found and card is None and cards:
        here = ", ".join(name(card, cards) for card in cards)
        raise AudioError(f"there is no card {found[1]} for {wanted}; the cards are {here}")
    return wanted if card is None else name(card, cards)


def missing(cards: Sequence[KernelCard]) -> str:
    """What no card of these can do, as a sentence; "" if nothing is missing."""
    if not cards:
        return "There is no sound card."
    if not any(card.captures for card in cards):
        return "There is no microphone."
    return "" if any(card.plays for card in cards) else "There is no loudspeaker."


def ask(
    asker: Asker,
    cards: Sequence[KernelCard],
    titles: Callable[[KernelCard], str],
    present: config.AudioConfig,
    trial: SoundTrial,
) -> SoundNames:
    """Ask for both directions, and let the person hear them. Raises `Stopped`.

    Nothing is asked for a direction with one card; without any card of it, its name is "".
    """
    usual = default(cards)
    names = {name(card, cards): card for card in cards}
    chosen = SoundNames(
        present.capture if present.capture in names else usual.capture,
        present.playback if present.playback in names else usual.playback,
    )
    for _ in range(TRIES):
        chosen = SoundNames(
            capture=chosen.capture,
            playback=_which(asker, "Loudspeaker", _lines(cards, titles, "plays"), chosen.playback),
        )
        chosen = chosen._replace(
            capture=_which(asker, "Microphone", _lines(cards, titles, "captures"), chosen.capture)
        )
        if _heard(asker, chosen, present, trial):
            break
    return chosen


def _lines(
    cards: Sequence[KernelCard], titles: Callable[[KernelCard], str], can: str
) -> list[Choice]:
    able = _ranked([card for card in cards if getattr(card, can)])
    return [Choice(name(card, cards), f"{titles(card)} ({name(card, cards)})") for card in able]


def _which(asker: Asker, what: str, choices: Sequence[Choice], usual: str) -> str:
    if len(choices) > 1:
        asker.say(f"{what}:")
        return choose(asker, what, choices, usual)
    if choices:
        asker.say(f"{what}: {choices[0].text}")
    return usual


def _heard(
    asker: Asker, chosen: SoundNames, present: config.AudioConfig, trial: SoundTrial
) -> bool:
    """Return False if the person wants to choose the cards again."""
    audio = structs.replace(
        present,
        capture=chosen.capture or present.capture,
        playback=chosen.playback or present.playback,
    )
    steps: list[Callable[[], Iterator[str]]] = []
    if chosen.playback:
        steps.append(lambda: _tone(asker, audio, trial))
    if chosen.capture:
        steps.append(lambda: _recording(asker, audio, trial, hear=bool(chosen.playback)))
    for step in steps:
        for _ in range(TRIES):
            advice = list(step())
            if not advice:
                break
            for line in advice:
                asker.say(f"  {line}")
            again = choose(asker, "What now", _AGAIN, "again")
            if again == "cards":
                return False
            if again == "keep":
                break
    return True


_AGAIN = (
    Choice("again", "try again"),
    Choice("cards", "choose the cards again"),
    Choice("keep", "keep it so, and continue"),
)


def _tone(asker: Asker, audio: config.AudioConfig, trial: SoundTrial) -> Iterator[str]:
    """Play the tone; yield advice if it was not heard."""
    asker.say("  A tone plays now.")
    try:
        trial.play_tone(audio)
    except AudioError as error:
        yield str(error)
        return
    if not agrees(asker, "  Did you hear it?"):
        yield "Check the loudspeaker's plug and its switch. Then turn the card up in another"
        yield f"terminal: alsamixer{_control(audio.playback)} (arrow up is louder, M ends a mute)."


def _recording(
    asker: Asker, audio: config.AudioConfig, trial: SoundTrial, *, hear: bool
) -> Iterator[str]:
    """Record the person; yield advice if the recording is of no use."""
    if reason := trial.closed():
        asker.say(f"  The microphone is not opened: {reason}.")
        return
    asker.ask("  Press Enter, then speak for three seconds: ")
    try:
        frames = trial.record(audio)
        if flaw := recording_flaw(frames):
            yield flaw
            return
        if not hear:
            return
        asker.say("  Your recording follows.")
        trial.play_back(audio, frames)
    except AudioError as error:
        yield str(error)
        return
    if not agrees(asker, "  Did you hear yourself?"):
        yield f"Turn the microphone up in another terminal: alsamixer{_control(audio.capture)},"
        yield "F4 shows the microphone. Then check its plug."


def recording_flaw(frames: Frames) -> str:
    """Why a recording of a voice is of no use, with the remedy; "" if it is of use."""
    if not np.any(frames):
        return "The microphone delivers nothing but zeros: check its plug and its mute switch."
    if level_dbfs(frames) < QUIET_DBFS:
        return (
            f"The recording is very quiet ({level_dbfs(frames):.0f} dBFS): come nearer, or turn "
            "the microphone up (alsamixer, F4)."
        )
    if np.count_nonzero(np.abs(frames.astype(np.int32)) >= CLIPPED) > len(frames) // 100:
        return "The recording is too loud and distorts: turn the microphone down (alsamixer, F4)."
    return ""


def _control(name: str) -> str:
    found = re.search(r"CARD=([^,]+)", name)
    return f" -c {found[1]}" if found else ""


def _ranked(cards: Sequence[KernelCard]) -> list[KernelCard]:
    return sorted(cards, key=lambda card: (bool(_LAST.search(card.id)), card.number))
