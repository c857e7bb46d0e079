"""`parley setup`: the questions of the installation, and its last line."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from parleyd import config
from parleyd.alsa import card_names
from parleyd.alsa.card_names import KernelCard
from parleyd.app.preflight import WAKE_KEY
from parleyd.cli.doctor import examine, print_finding
from parleyd.config import boards
from parleyd.config.servers import profile
from parleyd.diagnostics.examination import SERVICE_STATE
from parleyd.errors import ConfigError, ParleyError
from parleyd.printable import printable
from parleyd.setup import closing, saving, service, sound
from parleyd.setup.asking import Stopped
from parleyd.setup.limited_trial import LimitedTrial
from parleyd.setup.questions import QUESTIONS, Flags, Known, SetupAnswers, settle
from parleyd.setup.terminal import Terminal
from parleyd.setup.wake_words import WakeWords
from parleyd.system import atomic_file, paths

LONGEST_KEY_FILE = 1 << 14
STOPPED = 130  # as a shell reports Ctrl-C
CHIPS = Path("/dev")
ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@click.command()
@click.option("--card", help="The ALSA name of the sound card, for both directions.")
@click.option("--microphone", help="The ALSA name of the microphone.")
@click.option("--loudspeaker", help="The ALSA name of the loudspeaker.")
@click.option("--board", type=click.Choice(["none", *boards.names()]), help="The board.")
@click.option("--wake-word", "words", multiple=True, help='A wake word, such as "alexa".')
@click.option("--key-file", type=click.Path(path_type=Path), help="A file with the key.")
@click.option("--key", "key_from", metavar="-", help="Read the key from standard input.")
@click.option("--yes", "--no-questions", "unasked", is_flag=True, help="Take the defaults.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help=f"The TOML file; default: {paths.INSTALLED_CONFIG}. A key is put beside it.",
)
@click.option("--part", type=click.Choice(["questions", "image", "end"]), hidden=True)
@click.option("--after", default="saved", hidden=True)
def setup(path: Path | None, part: str | None, unasked: bool, after: str, **given: Any) -> None:
    """Ask for sound card, board, wake word and key; save what differs, and start Parley.

    An option answers its question. Without a terminal, and with --yes, nothing is asked: the
    other answers stay, or are taken from this machine. The key never belongs on a command line,
    where every user can read it: type it, or use --key-file or --key -.

    \b
    Examples:
      sudo parley setup
      sudo parley setup --card plughw:CARD=Device --wake-word alexa
      sudo parley setup --yes --key-file ./key.txt
    """
    file = path or paths.INSTALLED_CONFIG
    for ending in ENDINGS:  # by an exception, so that typing is shown and the service started
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    starts = True
    if part != "end":
        flags = _flags(**given)
        _must_be_writable(file)
        saved = _questions(file, flags, part, unasked=unasked)
        if part is not None or not saved:
            raise SystemExit(0 if saved else STOPPED)
        if file == paths.INSTALLED_CONFIG:
            saving.pass_key_on()
            starts = service.restart()
    _end(file, after)
    raise SystemExit(0 if starts else 1)


def _questions(path: Path, flags: Flags, part: str | None, *, unasked: bool) -> bool:
    """Ask, save and report; return False if the person has stopped the questions."""
    asker = None
    if not unasked and sys.stdin.isatty() and sys.stdout.isatty():
        asker = Terminal("\nEnter takes the answer in brackets. Ctrl-C ends the questions.")
    elif part is None and not unasked and flags == Flags():
        click.echo("Nothing is asked without a terminal; over SSH: ssh -t HOST sudo parley setup")
    known = _known(path, image=part == "image", again=part is None and asker is not None)
    environ: Mapping[str, str] = os.environ
    if path == paths.INSTALLED_CONFIG:
        environ = {**environ, "STATE_DIRECTORY": SERVICE_STATE}
    trial = LimitedTrial(known.settings.buttons, environ, service.stopped)
    try:
        with _interruptible():
            answers = settle(known, flags, asker, trial)
    except Stopped:
        click.echo(
            "\nStopped: nothing of these answers is saved. Answer them with: sudo parley setup"
        )
        return False
    if asker is not None and not asker.used:
        click.echo("The questions have their answers. To answer them again: sudo parley setup")
    _report(answers, saving.save(path, answers))
    return True


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the questions also while a tone plays."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped from None


def _report(answers: SetupAnswers, lines: list[str]) -> None:
    for note in answers.notes:
        click.echo(printable(note))
    for line in lines:
        click.echo(f"saved: {printable(line)}")


def _known(path: Path, *, image: bool, again: bool) -> Known:
    try:
        settings = config.load(path if path.exists() else None)
    except ConfigError as error:
        hint = "first correct the file; default.toml explains every key"
        raise ConfigError([*error.problems, hint]) from None
    cards = [] if image else card_names.present()
    makers = card_names.titles()

    def title(card: KernelCard) -> str:
        return makers.get(card.number, card.id)

    def has_key(name: str) -> bool:
        file = path.with_name(name.lower())
        return file.exists() or file.with_suffix(".cred").exists()

    words = WakeWords(settings.wake, has_key=has_key(WAKE_KEY), here=not image)
    answered = frozenset() if again else saving.answered(path)
    if not again and has_key(profile(settings.realtime.server).key):
        answered |= {"key"}
    return Known(
        settings=settings,
        cards=cards,
        titles=title,
        words=words.offered,
        word_flaw=words.flaw,
        has_pins=any(CHIPS.glob("gpiochip[0-9]*")),
        has_key=has_key,
        answered=frozenset(QUESTIONS) if image else answered,
    )


def _flags(
    card: str | None,
    microphone: str | None,
    loudspeaker: str | None,
    board: str | None,
    words: tuple[str, ...],
    key_file: Path | None,
    key_from: str | None,
) -> Flags:
    if key_from not in (None, "-"):
        raise click.UsageError(
            "every user can read a key on a command line: use --key - (a pipe) or --key-file"
        )
    if key_from and key_file:
        raise click.UsageError("--key and --key-file exclude each other")
    return Flags(
        capture=microphone or card,
        playback=loudspeaker or card,
        board="" if board == "none" else board,
        wake_words=words or None,
        key=_read_key(key_file) if key_file or key_from else None,
    )


def _read_key(file: Path | None) -> str:
    """The key of a file or, for None, of standard input. Raises `ParleyError`."""
    try:
        if file is None:
            if sys.stdin.isatty():
                raise ParleyError("--key - reads a pipe: leave it out, and type the key when asked")
            data = sys.stdin.buffer.read(LONGEST_KEY_FILE)
        else:
            data = atomic_file.read(file, LONGEST_KEY_FILE)
    except OSError as error:
        raise ParleyError(f"--key-file: {file} cannot be read ({error.strerror})") from None
    return data.decode("utf-8", "replace").strip()


def _must_be_writable(path: Path) -> None:
    if path == paths.INSTALLED_CONFIG and not path.exists():
        raise ParleyError(f"{path} does not exist: Parley is not installed; see README.md, Install")
    if not os.access(path.parent, os.W_OK) and os.geteuid() == 0:
        raise ParleyError(
            f"{path.parent} is on a read-only file system; do: sudo mount -o remount,rw / "
            "(raspi-config: turn the overlay file system off), then: sudo parley setup"
        )
    if not os.access(path.parent, os.W_OK):
        raise ParleyError(
            f"this changes {path.parent}, which belongs to root; run: sudo parley setup"
        )


def _end(path: Path, after: str) -> None:
    """Print the doctor's lines and, as the last one, what to say or what to do first."""
    findings = []
    for finding in examine(path, os.environ):
        findings.append(finding)
        print_finding(finding)
    try:
        words = config.load(path).wake.keywords
    except ConfigError:
        words = config.WakeConfig().keywords
    missing = sound.missing(card_names.present())
    line = closing.last_line(
        findings, words, missing=missing, runs=service.SYSTEMD.exists(), after=after
    )
    click.echo(f"\n{printable(line)}")
