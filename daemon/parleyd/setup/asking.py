"""A person at a terminal, as the questions need one, and the two forms of a question."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

TRIES = 5  # of one question; then its default counts, so that no input keeps it for ever


class Stopped(Exception):
    """The person has ended the questions with Ctrl-C or Ctrl-D."""


class Asker(Protocol):
    """A person who answers; see `parleyd.setup.terminal.Terminal`."""

    def say(self, text: str) -> None: ...
    def ask(self, prompt: str) -> str:
        """Return one line without spaces at its ends. Blocks. Raises `Stopped`."""
        ...

    def ask_secretly(self, prompt: str) -> str:
        """Like `ask`, and the line does not appear."""
        ...


class Choice(NamedTuple):
    """One line of a list."""

    value: str
    text: str


def choose(asker: Asker, prompt: str, choices: Sequence[Choice], default: str) -> str:
    """Return the value of the chosen line, by its number or its value. Raises `Stopped`.

    `default`: the value for Enter, and after `TRIES` other entries.
    """
    values = [choice.value for choice in choices]
    place = values.index(default) + 1
    for number, choice in enumerate(choices, 1):
        asker.say(f"  {number}  {choice.text}")
    for _ in range(TRIES):
        entered = asker.ask(f"{prompt} [{place}]: ")
        if not entered:
            return default
        if entered.isascii() and entered.isdecimal() and 0 < int(entered[:9]) <= len(values):
            return values[int(entered) - 1]
        named = "_".join(entered.strip("\"'").lower().split())  # "hey jarvis" is hey_jarvis
        if named in values:
            return named
        asker.say(f"  Enter a number from 1 to {len(values)}, or nothing for {place}.")
    asker.say(f"  {place} is taken.")
    return default


def agrees(asker: Asker, prompt: str, *, default: bool = True) -> bool:
    """Return whether the person says yes. Raises `Stopped`."""
    shown = "Y/n" if default else "y/N"
    for _ in range(TRIES):
        entered = asker.ask(f"{prompt} [{shown}]: ").lower()
        if not entered:
            return default
        if entered in ("y", "yes", "n", "no"):
            return entered[0] == "y"
        asker.say("  Enter y or n.")
    return default
