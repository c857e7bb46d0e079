"""All questions in their order, answered by flags, a person, or the defaults. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from parleyd import config
from parleyd.alsa.card_names import KernelCard
from parleyd.config import boards
from parleyd.config.key_makers import entry_flaw, maker_of, wrong_maker
from parleyd.config.servers import profile
from parleyd.errors import ConfigError
from parleyd.printable import shown
from parleyd.setup import sound
from parleyd.setup.asking import TRIES, Asker, Choice, agrees, choose
from parleyd.setup.sound import SoundNames, SoundTrial

QUESTIONS = ("sound", "board", "wake_word", "key")
NO_BOARD = "none: a sound card, and nothing on the GPIO pins"


class Flags(NamedTuple):
    """Answers from the command line; None is a question without one."""

    capture: str | None = None
    playback: str | None = None
    board: str | None = None
    wake_words: tuple[str, ...] | None = None
    key: str | None = None
    """The key itself, which a file or a pipe has brought."""


@dataclass(frozen=True, slots=True)
class Known:
    """This machine and its present configuration."""

    settings: config.Config
    cards: Sequence[KernelCard]
    titles: Callable[[KernelCard], str]
    words: Sequence[str]
    """The wake words that the engine can hear; () if they are not a matter of a question."""
    word_flaw: Callable[[str], str]
    """Why the service could not start with a keyword, or ""."""
    has_pins: bool
    has_key: Callable[[str], bool]
    """Whether the key with this name (``OPENAI_API_KEY``) is in its place."""
    answered: frozenset[str] = frozenset()
    """Of `QUESTIONS`, those that are not asked again."""


@dataclass(slots=True)
class SetupAnswers:
    """The values to save; None leaves a key as it is."""

    sound: SoundNames | None = None
    board: str | None = None
    wake_words: tuple[str, ...] | None = None
    server: str | None = None
    key: tuple[str, str] | None = field(default=None, repr=False)
    """Name and value."""
    given: set[str] = field(default_factory=set)
    """Of `QUESTIONS`, those that a person or a flag has answered."""
    notes: list[str] = field(default_factory=list)
    """Lines for the person: choices made without them, and missing parts."""


def settle(known: Known, flags: Flags, asker: Asker | None, trial: SoundTrial) -> SetupAnswers:
    """Collect the answers: flags first, then the person, without one the defaults.

    Raises: `Stopped`, and `ConfigError` for a flag's key that has not the form of one.
    """
    answers = SetupAnswers()
    _sound(known, flags, asker, trial, answers)
    _board(known, flags, asker, answers)
    _wake_word(known, flags, asker, answers)
    _key(known, flags, asker, answers)
    return answers


def _sound(
    known: Known, flags: Flags, asker: Asker | None, trial: SoundTrial, answers: SetupAnswers
) -> None:
    audio = known.settings.audio
    if flags.capture is not None or flags.playback is not None:
        answers.sound = SoundNames(
            sound.lasting(flags.capture or audio.capture, known.cards),
            sound.lasting(flags.playback or audio.playback, known.cards),
        )
        answers.given.add("sound")
        return
    if "sound" in known.answered:
        return
    lacking = sound.missing(known.cards)
    if lacking:
        answers.notes.append(f"{lacking} {_FIRST_CARD}")
    if not known.cards:
        return
    if asker is None:
        answers.sound = sound.default(known.cards)
        if answers.sound != (audio.capture, audio.playback):
            names = " and ".join(dict.fromkeys(filter(None, answers.sound)))
            answers.notes.append(f"Sound card: {names} is taken.")
        return
    asker.say("\nThe sound card")
    with trial.free():
        answers.sound = sound.ask(asker, known.cards, known.titles, audio, trial)
    if not lacking:
        answers.given.add("sound")


_FIRST_CARD = f"Next, {sound.PLUG_IN}, then: sudo parley setup"


def _board(known: Known, flags: Flags, asker: Asker | None, answers: SetupAnswers) -> None:
    if flags.board is not None:
        answers.board = flags.board
        answers.given.add("board")
        return
    if "board" in known.answered:
        return
    usual = known.settings.board or _board_of(answers.sound)
    if asker is None or not (known.has_pins or usual):
        answers.board = usual
        return
    asker.say("\nThe board: lights, button and mute switch on the GPIO pins (hardware/README.md)")
    titles = [Choice(board, f"{board}: {boards.title(board)}") for board in boards.names()]
    answers.board = choose(asker, "Board", [Choice("", NO_BOARD), *titles], usual)
    answers.given.add("board")


def _board_of(chosen: SoundNames | None) -> str:
    """The only board whose card is the chosen one; "" if none or several have it."""
    having = [
        board
        for board in boards.names()
        if chosen is not None
        and boards.under({}, board)["audio"]["capture"] == chosen.capture
        and boards.SOUND_PINS.get(board)
    ]
    return having[0] if len(having) == 1 else ""


def _wake_word(known: Known, flags: Flags, asker: Asker | None, answers: SetupAnswers) -> None:
    if flags.wake_words is not None:
        answers.wake_words = tuple(_keyword(word, known) for word in flags.wake_words)
        answers.given.add("wake_word")
        return
    present = known.settings.wake.keywords
    if asker is None or "wake_word" in known.answered or not set(present) <= set(known.words):
        return
    asker.say("\nThe wake word")
    choices = [Choice(word, f'"{word.replace("_", " ")}"') for word in known.words]
    chosen = choose(asker, "Wake word", choices, present[0])
    if chosen != present[0]:
        answers.wake_words = (chosen,)
    answers.given.add("wake_word")


def _keyword(word: str, known: Known) -> str:
    """ "Hey Jarvis" is the keyword ``hey_jarvis``; a path stays. Raises `ConfigError`."""
    keyword = word if "/" in word else "_".join(word.lower().split())
    if flaw := known.word_flaw(keyword):
        raise ConfigError([f"--wake-word: {shown(word)} {flaw}"])
    return keyword


def _key(known: Known, flags: Flags, asker: Asker | None, answers: SetupAnswers) -> None:
    server: str = known.settings.realtime.server
    own_host = bool(known.settings.realtime.key_host)
    if flags.key is not None:
        if flaw := entry_flaw(flags.key):
            raise ConfigError([f"the key is not saved: {flaw}"])
        server = _server_for(flags.key, server)
        if flaw := "" if own_host else wrong_maker(server, flags.key):
            raise ConfigError([f"the key is not saved: {flaw}"])
        answers.server = None if server == known.settings.realtime.server else server
        answers.key = (_key_name(server), flags.key)
        answers.given.add("key")
        return
    if asker is None or "key" in known.answered or not profile(server).needs_key:
        return
    name = _key_name(server)
    asker.say(f"\nThe key of {profile(server).maker}, for conversation ({_WITHOUT})")
    kept = "keeps the present one" if known.has_key(name) else "is none"
    for _ in range(TRIES):
        entered = asker.ask_secretly(f"Key (it does not appear; Enter {kept}): ")
        if not entered:
            break
        if flaw := entry_flaw(entered):
            asker.say(f"  This is not a key: {flaw}.")
            continue
        if _accepted(asker, server, own_host, entered, answers):
            asker.say(f"  A key of {len(entered)} characters is taken.")
            break
    answers.given.add("key")


_WITHOUT = "without one Parley knows commands only, offline"


def _server_for(key: str, server: str) -> str:
    """The server that the owner means by this key, if they have not chosen another one.

    Raises: `ConfigError` for the embedded server and a key of an unknown maker.
    """
    maker = maker_of(key)
    if server == "auto":
        return maker.server if maker and maker.server == "xai" else server
    if server != "embedded":
        return server
    if maker is None or not maker.server:
        raise ConfigError(
            ['the key is not saved: realtime.server = "embedded" takes none; set another server']
        )
    return maker.server


def _key_name(server: str) -> str:
    return profile(server).key


def _accepted(
    asker: Asker, server: str, own_host: bool, entered: str, answers: SetupAnswers
) -> bool:
    """Take the key of the server, or of another one that Parley knows, if the person wants it."""
    flaw = "" if own_host else wrong_maker(server, entered)
    if not flaw:
        answers.key = (_key_name(server), entered)
        return True
    asker.say(f"  This key does not fit: {flaw}.")
    maker = maker_of(entered)
    if maker is None and agrees(asker, "  Take it all the same?", default=False):
        answers.key = (_key_name(server), entered)
        return True
    if maker is not None and maker.server and agrees(asker, f"  Use {maker.name} as the server?"):
        answers.server = maker.server
        answers.key = (_key_name(maker.server), entered)
        return True
    return False
