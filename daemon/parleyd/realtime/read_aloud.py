"""A request to run a remote function, as words that the offline voice can speak; pure.

The user can permit only the words that they hear. So these contain the service, the function and
every argument, in their original order, and nothing that the voice would skip, shorten or guess:
numbers, symbols and letters of other alphabets become words. A request that cannot be read this way
is refused (`Unspeakable`), never cut.
"""

import json
import re
import unicodedata
from typing import Any

from parleyd.errors import Unspeakable

SPOKEN_CHARS = 500  # of the whole question: half a minute of the offline voice
RAW_CHARS = 4096  # of the received arguments, before any processing
LONGEST_WORD = 20  # letters; a longer word is not one that a listener knows
DEEPEST = 3  # objects and lists within each other; a listener cannot follow more

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")  # as `skills.mcp.label` allows
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")  # of a function or an argument
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")
_PARTS_OF_NAMES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TOKENS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[0-9]+|[^ ]")
_VOWEL = re.compile("[aeiouy]")
_END = "unquote"  # ends every text, so no text may contain it

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ("", "thousand", "million", "billion", "trillion")
_PAUSES = ".,;:?!"  # at the end of a word: a pause, as in prose
_SIGNS = {
    "\n": "new line", "\t": "tab", "!": "exclamation mark", '"': "quotation mark", "#": "hash",
    "$": "dollar", "%": "percent", "&": "ampersand", "'": "apostrophe", "(": "open parenthesis",
    ")": "close parenthesis", "*": "star", "+": "plus", ",": "comma", "-": "dash", ".": "dot",
    "/": "slash", ":": "colon", ";": "semicolon", "<": "less than", "=": "equals",
    ">": "greater than", "?": "question mark", "@": "at sign", "[": "open bracket",
    "\\": "backslash", "]": "close bracket", "^": "caret", "_": "underscore", "`": "backtick",
    "{": "open brace", "|": "pipe", "}": "close brace", "~": "tilde",
    "€": "euro", "£": "pound", "°": "degree", "§": "section", "–": "en dash", "—": "em dash",
    "“": "quotation mark", "”": "quotation mark", "„": "quotation mark", "‘": "apostrophe",
    "’": "apostrophe", "…": "three dots",
}  # fmt: skip
_MARKS = {
    "\u0300": "grave", "\u0301": "acute", "\u0302": "circumflex", "\u0303": "tilde",
    "\u0304": "macron", "\u0306": "breve", "\u0307": "dot above", "\u0308": "umlaut",
    "\u030a": "ring", "\u030b": "double acute", "\u030c": "caron", "\u0326": "comma below",
    "\u0327": "cedilla", "\u0328": "ogonek",
}  # fmt: skip
_LETTERS = {  # other than marked ASCII letters: their reading, and their spelling
    "ß": ("ss", "sharp s"), "æ": ("ae", "a e ligature"), "ø": ("o", "o stroke"),
    "œ": ("oe", "o e ligature"), "ł": ("l", "l stroke"), "đ": ("d", "d stroke"),
    "þ": ("th", "thorn"), "ð": ("d", "eth"),
}  # fmt: skip


def question(label: object, name: object, arguments: object, consent: str = "yes") -> str:
    """The question for permission, as sentences of plain lower-case words for the voice.

    `consent`: the words that the user shall answer, if they agree.
    `arguments` is the JSON text with which the server would run the function. Raises
    `Unspeakable`, whose text says why and contains nothing of the request.
    """
    service = _name(label, _LABEL, "the name of its service")
    function = _name(name, _NAME, "its name")
    given = _arguments(arguments)
    details = [f"{_key(key)} is {_value(value, 1)}" for key, value in given]
    sentences = [
        "parley needs your permission",
        f"the service {service} wants to run {function}",
        *(details or ["without any details"]),
        f"say {consent}, or no",
    ]
    if sum(map(len, sentences)) > SPOKEN_CHARS:
        raise Unspeakable("it takes too long to be read aloud")
    return ". ".join(sentences) + "."


# --- JSON -------------------------------------------------------------------------------


class _Object(list[tuple[str, Any]]):
    """An object's pairs, in their original order."""


class _Figure(str):
    """A number, in its original form."""


def _arguments(text: object) -> _Object:
    if not isinstance(text, str):
        raise Unspeakable("its arguments are missing")
    if len(text) > RAW_CHARS:
        raise Unspeakable("it takes too long to be read aloud")
    try:
        found = json.loads(
            text.strip() or "{}",
            object_pairs_hook=_object,
            parse_int=_Figure,
            parse_float=_Figure,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise Unspeakable("its arguments are not in the form of arguments") from None
    if not isinstance(found, _Object):
        raise Unspeakable("its arguments are not in the form of arguments")
    return found


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    if len({key for key, _ in pairs}) != len(pairs):
        raise Unspeakable("it gives one argument twice")
    return _Object(pairs)


def _no_number(text: str) -> None:
    raise Unspeakable("it holds a number that is none")


def _value(value: Any, depth: int) -> str:
    match value:
        case True | False | None:
            return {True: "true", False: "false", None: "nothing"}[value]
        case _Figure():
            return _figure(value)
        case str():
            return _text(value)
        case _Object() | list() if len(value) == 0:
            return "empty"
        case _Object() | list() if depth >= DEEPEST:
            raise Unspeakable("its arguments are nested too deeply to be read aloud")
        case _Object():
            parts = [f"{_key(key)} is {_value(inner, depth + 1)}" for key, inner in value]
            return f"{_number(len(parts))} details, {', '.join(parts)}, end of details"
        case list():
            parts = [_value(inner, depth + 1) for inner in value]
            return f"a list of {_number(len(parts))}, {', '.join(parts)}, end of list"
    raise Unspeakable("its arguments are not in the form of arguments")


# --- names and numbers ------------------------------------------------------------------


def _key(key: str) -> str:
    return _name(key, _NAME, "the name of an argument")


def _name(name: object, form: re.Pattern[str], which: str) -> str:
    if not isinstance(name, str) or not form.fullmatch(name):
        raise Unspeakable(f"{which} cannot be read aloud")
    parts = _PARTS_OF_NAMES.findall(name)
    words = " ".join(_digits(part) if part.isdigit() else _word(part) for part in parts)
    if not words or _END in words.split():
        raise Unspeakable(f"{which} cannot be read aloud")
    return words


def _figure(text: str) -> str:
    """A JSON number in words; refuses rounded numbers and scientific notation."""
    if not _NUMBER.fullmatch(text):
        raise Unspeakable("it holds a number that is too long to be read aloud")
    whole, _, fraction = text.lstrip("-").partition(".")
    sign = "minus " if text.startswith("-") else ""
    point = f" point {_digits(fraction)}" if fraction else ""
    return f"{sign}{_number(int(whole))}{point}"


def _number(number: int) -> str:
    """A number from 0 to 10^15 - 1 in words."""
    if number == 0:
        return _ONES[0]
    groups = []
    for place in _THOUSANDS:
        number, group = divmod(number, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {place}".strip())
    return " ".join(reversed(groups))


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [_ONES[hundreds], "hundred"] if hundreds else []
    if 0 < rest < len(_ONES):
        words.append(_ONES[rest])
    elif rest:
        tens, ones = divmod(rest, 10)
        words += [_TENS[tens], *([_ONES[ones]] if ones else [])]
    return " ".join(words)


def _digits(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


# --- texts ------------------------------------------------------------------------------


def _text(text: str) -> str:
    """A text between `quote` and `unquote`, so that no text passes for a part of the question."""
    if len(text) > SPOKEN_CHARS:
        raise Unspeakable("it takes too long to be read aloud")
    composed = unicodedata.normalize("NFC", text)
    if not all(map(_readable, [*text, *composed])):
        raise Unspeakable("one of its texts holds signs or letters that cannot be read aloud")
    words = " ".join(_token(token, composed) for token in _TOKENS.finditer(composed))
    if not words:
        return "an empty text"
    words = words.replace(" ,", ",")
    if _END in words.replace(",", " ").split():
        raise Unspeakable(f"one of its texts holds the word {_END}")
    return f"quote {words} {_END}"


def _readable(char: str) -> bool:
    """Whether the voice has words for this character, and it does not look like another one."""
    if char == " " or char in _SIGNS or char in _MARKS or (char.isascii() and char.isalnum()):
        return True
    return _letter(char) is not None and unicodedata.normalize("NFC", char) == char


def _token(token: re.Match[str], text: str) -> str:
    found = token.group()
    if found.isdigit():
        return _digits(found)
    if found[0].isalpha():
        return _word(found)
    if found in _MARKS:
        raise Unspeakable("one of its texts holds signs or letters that cannot be read aloud")
    ends_a_word = text[token.end() : token.end() + 1] in (" ", "")
    return "," if found in _PAUSES and ends_a_word else _SIGNS[found]


def _word(word: str) -> str:
    """A word as the voice pronounces it, or letter by letter where it would guess.

    Upper and lower case are distinguished only within a word that mixes them.
    """
    mixed = not (word.islower() or word.isupper() or word.istitle())
    plain = "".join(char.lower() if char.isascii() else _known(char)[0] for char in word)
    short = len(word) == 1 or (word.isupper() and len(word) <= 4)
    if mixed or short or len(word) > LONGEST_WORD or not _VOWEL.search(plain):
        return _spelled(word, capitals=mixed)
    return plain if word.isascii() else f"{plain}, spelled {_spelled(word, capitals=False)},"


def _spelled(word: str, *, capitals: bool) -> str:
    return " ".join(
        ("capital " if capitals and char.isupper() else "") + _letter_name(char)
        for char in word
        if char != "'"
    )


def _letter_name(char: str) -> str:
    name = char.lower() if char.isascii() else _known(char)[1]
    return "ay" if name == "a" else name  # "a" would be the article


def _known(char: str) -> tuple[str, str]:
    """A letter that `_readable` accepted."""
    found = _letter(char)
    assert found is not None
    return found


def _letter(char: str) -> tuple[str, str] | None:
    """The reading and spelling of a Latin letter beyond ASCII; None for all others."""
    lower = char.lower()
    if lower in _LETTERS:
        return _LETTERS[lower]
    decomposed = unicodedata.normalize("NFD", lower)
    base, marks = decomposed[0], decomposed[1:]
    if not (marks and base.isascii() and base.isalpha() and all(m in _MARKS for m in marks)):
        return None
    return base, " ".join([_letter_name(base), *(_MARKS[mark] for mark in marks)])
