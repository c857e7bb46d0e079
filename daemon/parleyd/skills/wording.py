"""Errors of code that others wrote, in words that can be logged and spoken."""

from parleyd.printable import printable

LONGEST = 500  # characters of an error's own message


def message(error: BaseException) -> str:
    """An error's message on one line, bounded, printable and valid Unicode. Never raises."""
    try:
        text = str(error)
        return printable(" ".join(text[: 2 * LONGEST].split()), LONGEST)
    except BaseException:  # a `__str__` of the user's own, sys.exit and all
        return "its message cannot be shown"
