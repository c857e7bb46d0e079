"""Errors of code that others wrote, in words that can be logged and spoken."""

LONGEST = 500  # characters of an error's own message


def message(error: BaseException) -> str:
    """An error's message on one line, bounded, printable and valid Unicode. Never raises."""
    try:
        text = str(error)
    except Exception:  # a `__str__` of the user's own
        return "its message cannot be shown"
    return printable(" ".join(text[: 2 * LONGEST].split())[:LONGEST])


def printable(text: str) -> str:
    """Control characters and surrogates as escapes: a file name may hold any."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
