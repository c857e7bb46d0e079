"""Errors of third-party code, in words that can be logged and spoken."""

from parleyd.printable import printable

LONGEST = 500  # characters of an error's own message


def message(error: BaseException) -> str:
    """An error's message on one line, bounded, printable and valid Unicode. Never raises."""
    try:
        text = str(error)
        return printable(" ".join(text[: 2 * LONGEST].split()), LONGEST)
    except BaseException:  # a user's `__str__` may raise anything, even SystemExit
        return "its message cannot be shown"
