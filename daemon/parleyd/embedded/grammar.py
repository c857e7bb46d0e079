"""The commands that the server understands, written once for speech and for text.

Each intent has phrases in JSGF notation: ``[x]`` optional, ``(a | b)`` choice,
``<name>`` another rule. The recogniser gets them as one JSGF grammar; text is
matched with regular expressions made from the same phrases, so recognition and
understanding cannot drift apart.
JSGF: https://www.w3.org/TR/jsgf/
"""

import re
from collections.abc import Mapping
from functools import cache

_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

WAKE_WORDS = ("jarvis", "parley", "alexa", "computer", "porcupine", "nabu", "bumblebee")
"""May precede a command: the audio often starts with the end of a wake word."""

RULES: dict[str, str] = {
    "unit": " | ".join(_UNITS),
    "tens": " | ".join(_TENS),
    "teen": " | ".join(_TEENS),
    "number": "<unit> | <teen> | <tens> [<unit>]",
    "seconds": "<number> (second | seconds)",
    "minutes": "(a | <number>) (minute | minutes)",
    "hours": "(an | <number>) (hour | hours)",
    "duration": (
        "<seconds> | <minutes> [and <seconds>] | <hours> [and <minutes>]"
        " | half an hour | an hour and a half"
    ),
    "hour": "<number> [o'clock | <number>] [in the (morning | afternoon | evening)]",
    "percent": "<number> [percent] | (a | one) hundred [percent] | zero [percent]",
    "label": "pasta | egg | tea | pizza | bread | laundry | kitchen",
    "story": "lighthouse | fox | clock | river",
    "wake": "[hey | okay] (" + " | ".join(WAKE_WORDS) + ")",
    "filler": "please | uh | um | well | now | and | so",
    "request": (
        "can you [please] [tell me] | could you [please] [tell me] | would you [please]"
        " | i want you to | tell me | do you know"
    ),
    "tail": "please | now | thanks | thank you | for me | again",
}

PHRASES: dict[str, tuple[str, ...]] = {
    "time": (
        "(what | what's) [is] the time [is it]",
        "what time is it",
        "what time it is",
        "the time",
    ),
    "date": (
        "(what | what's) [is] the date [today]",
        "(what | which) day is it [today]",
        "(what | which) day it is [today]",
        "(what's | what is) today's date",
        "what is the date today",
        "the date",
    ),
    "set_timer": (
        "(set | start | make) (a | an | the | my) [<label>] timer (for | of | to) <duration>",
        "(set | start | make) (a | an | the | my) <duration> [<label>] timer",
        "[a] timer for <duration>",
        "wake me in <duration>",
        "(remind me | call me) in <duration>",
    ),
    "cancel_timer": (
        "(cancel | stop | delete | clear) (the | my | all | all the | all my)"
        " (timer | timers | alarm | alarms)",
        "(turn | switch) off the (timer | alarm)",
    ),
    "set_alarm": (
        "(set | make) (an | the | my) alarm (for | at) <hour>",
        "wake me [up] at <hour>",
    ),
    "list_timers": (
        "(what | which) (timers | alarms) (are set | do i have)",
        "how long (is | does) the timer [have] [to go]",
        "how much time is left",
    ),
    "mute": (
        "(close | mute | turn off | switch off) the microphone for <duration>",
        "(stop listening | mute) for <duration>",
    ),
    "volume_up": (
        "turn (it | the volume | the sound) up",
        "turn up the (volume | sound)",
        "(volume | speak) (up | louder)",
        "[a bit | a little] louder",
        "(raise | increase) the volume",
    ),
    "volume_down": (
        "turn (it | the volume | the sound) down",
        "turn down the (volume | sound)",
        "volume down",
        "[a bit | a little] (quieter | softer)",
        "speak (more quietly | softer)",
        "(lower | decrease) the volume",
    ),
    "volume_set": (
        "(set | turn | put) the volume (to | at) <percent>",
        "volume [to | at] <percent>",
    ),
    "story": (
        "(tell | read) (me | us) [a | another] story",
        "(tell | read) (me | us) (a | the | another) story about (a | the) <story>",
        "[a | another] story [about (a | the) <story>]",
        "i want [to hear] (a | another) story",
    ),
    "help": (
        "what can (i | you) (say | do)",
        "what do you (know | understand)",
        "help [me]",
        "what commands [do you know]",
    ),
    "stop": (
        "stop [it | talking | the story]",
        "be quiet",
        "never mind",
        "forget it",
        "cancel",
        "that's enough",
        "shut up",
    ),
    "repeat": (
        "repeat [that | it]",
        "say (that | it) again",
        "what did you say",
        "(pardon | sorry) [me]",
        "once more",
    ),
    "go_on": (
        "go on [with the story | with it]",
        "continue [the story | with the story]",
        "carry on [with the story]",
        "keep going",
        "and then",
        "what happened (next | then)",
    ),
    "thanks": ("thanks [a lot]", "thank you [very much | so much]"),
    "hello": (
        "hello [there]",
        "hi [there]",
        "good (morning | afternoon | evening | night)",
        "how are you [today]",
    ),
}

SLOTS = ("duration", "hour", "percent", "label", "story")
"""Rules whose words are returned with the intent."""

_TOKEN = re.compile(r"<(\w+)>|[\w']+|[\[\]()|]")


def jsgf() -> str:
    """The whole grammar for the recogniser."""
    lines = ["#JSGF V1.0;", "grammar parley;"]
    lines += [f"<{name}> = {body};" for name, body in RULES.items()]
    lines += [f"<i_{name}> = {' | '.join(phrases)};" for name, phrases in PHRASES.items()]
    lines.append(f"<command> = {' | '.join(f'<i_{name}>' for name in PHRASES)};")
    lines.append("public <said> = [<wake>] [<filler>] [<request>] <command> [<tail>];")
    return "\n".join(lines) + "\n"


def words() -> frozenset[str]:
    """Every word that the grammar can contain."""
    bodies = [*RULES.values(), *(phrase for phrases in PHRASES.values() for phrase in phrases)]
    found = (match for body in bodies for match in _TOKEN.finditer(body))
    return frozenset(m[0] for m in found if m[1] is None and m[0] not in "[]()|")


def match(said: str) -> tuple[str, Mapping[str, str]] | None:
    """The intent and the slots of a sentence, or None if the grammar does not contain it.

    `said`: any text; case and punctuation don't matter, and digits are understood.
    """
    plain = "".join(f"{word} " for word in re.findall(r"[a-z0-9']+", said.lower()))
    for intent, pattern in _patterns():
        found = pattern.fullmatch(plain)
        if found:
            slots = {name: text.strip() for name, text in found.groupdict().items() if text}
            return intent, slots
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    before = "".join(f"(?:{_regex(RULES[name])})?" for name in ("wake", "filler", "request"))
    after = f"(?:{_regex(RULES['tail'])})?"
    made = []
    for intent, phrases in PHRASES.items():
        for phrase in phrases:
            core = f"(?:{_regex(phrase, slots=True)})"
            made.append((intent, re.compile(before + core + after)))
    return tuple(made)


def _regex(body: str, *, slots: bool = False) -> str:
    """A JSGF expansion as a regular expression over words that each end in one space."""
    parts = []
    for token in _TOKEN.finditer(body):
        name = token[1]
        if name:
            inner = _regex(RULES[name])
            if name == "number":
                inner += r"|\d{1,3} "
            parts.append(f"(?P<{name}>{inner})" if slots and name in SLOTS else f"(?:{inner})")
        elif token[0] in "[(":
            parts.append("(?:")
        elif token[0] == "]":
            parts.append(")?")
        elif token[0] in ")|":
            parts.append(token[0])
        else:
            parts.append(re.escape(token[0]) + " ")
    return "".join(parts)


def number(text: str) -> int:
    """The whole number 0..999 that `text` spells in words or digits; 0 for none."""
    total = 0
    for word in text.split():
        if word.isdigit():
            total += int(word)
        elif word == "hundred":
            total = 100
        elif word in _UNITS:
            total += 1 + _UNITS.index(word)
        elif word in _TEENS:
            total += 10 + _TEENS.index(word)
        elif word in _TENS:
            total += 20 + 10 * _TENS.index(word)
    return total


def hour(text: str) -> tuple[int, int, bool] | None:
    """Parse an `hour` of the grammar: hours, minutes, and whether it names the part of the day
    (otherwise seven may mean seven in the evening); None if no clock shows such an hour."""
    said, _, part = text.partition(" in the ")
    either = "|".join(_hours())
    numbers = re.match(rf"((?:{either})\b ?)(o'clock)?(.*)", said)
    if numbers is None:
        return None
    hours, minutes = number(numbers[1]), number(numbers[3])
    if part in ("afternoon", "evening") and hours < 12:
        hours += 12
    if part == "morning" and hours == 12:
        hours = 0
    return (hours, minutes, bool(part) or hours > 12) if hours < 24 and minutes < 60 else None


def _hours() -> list[str]:
    """All words for an hour, longest first: twenty three is not twenty past three."""
    words = [*_UNITS, *_TEENS, "twenty", *(f"twenty {unit}" for unit in _UNITS[:3])]
    return sorted([*words, r"\d{1,2}"], key=len, reverse=True)


def seconds(duration: str) -> int:
    """The seconds in a `duration` of the grammar."""
    if duration == "half an hour":
        return 1_800
    if duration == "an hour and a half":
        return 5_400
    total = 0
    for count, unit in re.findall(r"([a-z0-9 ]+?) (second|minute|hour)s?\b", duration):
        size = {"second": 1, "minute": 60, "hour": 3_600}[unit]
        plain = count.removeprefix(" and ").removeprefix("and ").strip()
        total += size * (1 if plain in ("a", "an") else number(plain))
    return total
