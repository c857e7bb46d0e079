"""The commands that the server understands, written once for speech and for text.

Each intent has phrases in JSGF notation (`languages/en.toml`): ``[x]`` optional, ``(a | b)``
choice, ``<name>`` another rule. The recogniser gets them as one network of words; text is
matched with regular expressions made from the same phrases, so recognition and
understanding cannot drift apart.
JSGF: https://www.w3.org/TR/jsgf/
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from parleyd.embedded import languages
from parleyd.embedded.network import Arc, Network

_LANGUAGE = languages.load("en")
RULES = _LANGUAGE.rules
PHRASES = _LANGUAGE.intents
SLOTS = (
    "duration", "count", "when", "hour", "exact", "day", "every", "percent", "number", "label",
    "kind", "kinds", "story", "errand", "old", "percents",
    "brief", "own", "interval", "from",
)  # fmt: skip
"""Rules whose words are returned with the intent."""
MOST_LETTERS = 400
"""No command is longer; the time to match a text grows with its length."""

_TOKEN = re.compile(r"<(\w+)>|[\w']+|[\[\]()|]")
_NUMBERS = ("zero", *_LANGUAGE.units, *_LANGUAGE.teens)

_WHOLE = re.compile(r"\d{1,3}(?:%|-?[a-z][a-z-]*)?|\d{1,2}[:.]\d\d(?:[ap]\.?m)?|\d{1,2}[ap]\.m")
"""A number that keeps its value as words: not -5, 50.5, 1/2, or 1000."""
_HALF = re.compile(
    rf"(\d|\b(?:{'|'.join(_NUMBERS)}|thirty|forty|fifty)\b|o'clock) ?([ap])\.?m\b\.?"
)
"""An hour with "am", which is a word otherwise."""


RARE = {
    "wake": 0.3, "filler": 0.01, "request": 0.2, "negation": 0.03, "tail": 0.1, "revoked": 0.004
}  # fmt: skip
"""Shares of sentences with these parts; the same for all would let them swallow clear words."""


_BEFORE = "[<wake>] [<filler>] [<request>]"


def arcs() -> list[Arc]:
    """The whole grammar for the recogniser."""
    bodies = RULES | {f"i_{name}": " | ".join(phrases) for name, phrases in PHRASES.items()}
    network = Network({name: _tokens(body) for name, body in bodies.items()}, RARE)
    command = " | ".join(f"<i_{name}>" for name in PHRASES)
    network.add(_tokens(f"{_BEFORE} [<negation>] ({command}) [<tail>] [<revoked>]"))
    return network.arcs()


def _tokens(body: str) -> list[str]:
    return [found[0] for found in _TOKEN.finditer(body)]


def words() -> frozenset[str]:
    """Every word that the grammar can contain."""
    bodies = [*RULES.values(), *(phrase for phrases in PHRASES.values() for phrase in phrases)]
    found = (match for body in bodies for match in _TOKEN.finditer(body))
    return frozenset(m[0] for m in found if m[1] is None and m[0] not in "[]()|")


@cache
def names() -> frozenset[str]:
    """The wake words' names."""
    return frozenset(map(str.strip, RULES["name"].split("|")))


@cache
def openers() -> frozenset[str]:
    """Single words that may stand before a command and add nothing to it, as "um" or a name."""
    return names() | frozenset(map(str.strip, RULES["filler"].split("|")))


def match(said: str) -> tuple[str, Mapping[str, str]] | None:
    """The intent and the slots of a sentence, or None if the grammar does not contain it.

    `said`: any text; case and punctuation don't matter, and digits are understood.
    """
    given = said.strip().lower()
    if len(given) > MOST_LETTERS or _is_foreign(given) or _has_other_number(given):
        return None
    text = plain(said)
    return _matched(text) or (("no", {}) if _is_negated(text) else None)


def _matched(text: str) -> tuple[str, Mapping[str, str]] | None:
    for intent, pattern in _patterns().items():
        found = pattern.fullmatch(text)
        if found:
            named = found.groupdict().items()
            return intent, {name.split("_")[0]: part.strip() for name, part in named if part}
    return None


def _is_negated(text: str) -> bool:
    """Whether it is a command that "don't" before it, or "no wait" after it, takes back."""
    before, after = _negations()
    negated = before.match(text)
    if negated and _matched(text[negated.end() :]):
        return True
    revoked = (found.start(1) for found in after.finditer(text))
    return any(_matched(text[:start]) or _is_negated(text[:start]) for start in revoked)


@cache
def _negations() -> tuple[re.Pattern[str], re.Pattern[str]]:
    before = re.compile(_regex(f"{_BEFORE} <negation>"))
    return before, re.compile(rf"(?=(?:^|(?<= ))({_rule('revoked')})$)")


_SPELLINGS = {
    "ai": "a i", "alright": "all right", "cant": "can't", "couldnt": "couldn't", "didnt": "didn't",
    "dont": "don't", "goodnight": "good night", "how're": "how are", "how've": "how have",
    "hows": "how's", "hr": "hour", "hrs": "hours", "im": "i'm", "ive": "i've", "lets": "let's",
    "min": "minute", "mins": "minutes", "nevermind": "never mind", "ok": "okay", "sec": "second",
    "secs": "seconds", "thats": "that's", "til": "till", "todays": "today's",
    "tomorrows": "tomorrow's",
    "u": "you", "wakeup": "wake up", "everyday": "every day", "setup": "set up",
    "oclock": "o'clock", "mon": "monday", "tue": "tuesday", "tues": "tuesday",
    "wed": "wednesday", "thu": "thursday", "thur": "thursday", "thurs": "thursday",
    "fri": "friday", "sat": "saturday", "sun": "sunday",
    "whats": "what's", "whens": "when's", "wheres": "where's", "youre": "you're",
}  # fmt: skip
"""How people type words of the grammar."""


def plain(said: str) -> str:
    """A text as words of the grammar, each followed by one space."""
    text = said[: 2 * MOST_LETTERS].lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = re.sub(r"\b(morning|evening|afternoon)'s\b", r"\1", text)
    text = re.sub(r"\b((?:sun|mon|tues|wednes|thurs|fri|satur)day)'s\b", r"\1s", text)
    text = _HALF.sub(r"\1 \2 m", text.replace("%", " percent"))
    text = re.sub(r"\b0([1-9]):(\d\d)\b(?! ?[ap] ?m)", r"\1:\2 a m", text)  # 24 hours
    text = re.sub(r"\b0([1-9]):([0-5]\d)\b(?! ?[ap] m)", r"\1:\2 a m", text)
    text = re.sub(r"(\d{1,2}):00\b", r"\1", text)
    text = re.sub(r"\d+", _in_words, re.sub(r"(\d{1,2})[:.](0?)(\d)", _with_zero, text))
    words = (_SPELLINGS.get(word, word) for word in re.findall(r"[a-z']+", text))
    return "".join(f"{word} " for word in words)[:MOST_LETTERS]


def _is_foreign(text: str) -> bool:
    """Whether a word has letters that no word of the grammar has: without them another remains."""
    return any(letter.isalpha() and not letter.isascii() for letter in text)


def _has_other_number(text: str) -> bool:
    """Whether a number has a sign or a fraction, or is too long: other words would remain."""
    parts = [part.strip("\"'().,;:!?") for part in text.split() if re.search(r"\d", part)]
    numeric = any(letter.isnumeric() and not letter.isascii() for letter in text)
    signed = re.search(r"(?:^|\s)[-+\u2010-\u2015\u2212]\s+\d", text)
    return bool(numeric or signed) or not all(map(_WHOLE.fullmatch, parts))


def _with_zero(found: re.Match[str]) -> str:
    return f"{found[1]} {'oh ' if found[2] else ''}{found[3]}"


def _in_words(found: re.Match[str]) -> str:
    return f" {spelled(int(found[0]))} " if len(found[0]) <= 3 else " "


def spelled(number: int) -> str:
    """0..999 in words, as the grammar has them."""
    hundreds, rest = divmod(number, 100)
    parts = [f"{_NUMBERS[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        parts.append(_LANGUAGE.tens[rest // 10 - 2])
        rest %= 10
    if rest or not parts:
        parts.append(_NUMBERS[rest])
    return " ".join(parts)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """One regular expression for each intent; it names the slots of a phrase `<slot>_<number>`."""
    before = _regex(_BEFORE)
    after = f"(?:{_regex(RULES['tail'])})?"
    made = {}
    for intent, phrases in PHRASES.items():
        count = iter(range(1_000))
        either = "|".join(f"(?:{_regex(phrase, count)})" for phrase in phrases)
        made[intent] = re.compile(f"{before}(?:{either}){after}")
    return made


def _regex(body: str, count: Iterator[int] | None = None) -> str:
    """A JSGF expansion as a regular expression over words that each end in one space."""
    parts = []
    for token in _TOKEN.finditer(body):
        name = token[1]
        if name:
            group = f"?P<{name}_{next(count)}>" if count and name in SLOTS else "?:"
            parts.append(f"({group}{_rule(name)})")
        elif token[0] in "[(":
            parts.append("(?:")
        elif token[0] == "]":
            parts.append(")?")
        elif token[0] in ")|":
            parts.append(token[0])
        else:
            parts.append(re.escape(token[0]) + " ")
    return "".join(parts)


@cache
def _rule(name: str) -> str:
    return _regex(RULES[name])


LEVELS = {"half": 50, "minimum": 10, "low": 20, "medium": 50, "high": 80}
"""Percent of a level without a number."""


def number(text: str) -> int:
    """The whole number 0..999 that `text` spells in words, or that a level means; 0 for none."""
    total = 0
    for word in text.split():
        if word == "hundred":
            total = 100 * max(total, 1)
        elif word in _NUMBERS:
            total += _NUMBERS.index(word)
        elif word in _LANGUAGE.tens:
            total += 20 + 10 * _LANGUAGE.tens.index(word)
        else:
            total += LEVELS.get(word, 0)
    return total


def repeats_a_unit(duration: str) -> bool:
    """Whether it has the same unit twice ("ten minutes and five minutes"): two durations."""
    units = re.findall(r"\b(second|minute|hour)", duration)
    return len(units) > len(set(units))


def label_in(errand: str) -> str:
    """The name of a timer that an `errand` of the grammar is about."""
    return next((word for word in errand.split() if word in RULES["label"].split()), "")


def seconds(duration: str) -> int:
    """The seconds in a `duration` of the grammar."""
    words = re.sub(r"\b(every|each|other) ", "", plain(duration))
    words = words.replace("three quarters of an hour", "forty five minutes")
    words = re.sub(r"(a )?quarter of an hour", "fifteen minutes", words)
    words = re.sub(r"(a )?couple (of )?", "two ", words)
    words = re.sub(r"\b(hours?|minutes?) (?:and )?((?!and)\w+ (?:five )?)$", _with_unit, words)
    total = 0.0
    for count, unit, half in _PART.findall(words):
        size = {"second": 1, "minute": 60, "hour": 3_600}[unit]
        total += size * (_count(count) + 0.5 * bool(half))
    return round(total)


def _with_unit(found: re.Match[str]) -> str:
    """``one hour thirty``: the rest counts the next smaller unit."""
    if not number(found[2]):
        return found[0]
    return f"{found[1]} {found[2]}{'minutes' if 'hour' in found[1] else 'seconds'}"


_PART = re.compile(r"([a-z ]*?)\b(second|minute|hour)s?\b( and a half)?")


def _count(words: str) -> float:
    if re.search(r"(?<!and a )\bhalf (an? )?$", words):
        return 0.5
    halves = 0.5 * ("and a half" in words)
    return (number(words.replace("and a half", "")) or 1) + halves
