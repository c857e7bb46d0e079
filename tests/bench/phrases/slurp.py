"""Takes phrases from SLURP (Bastianelli et al. 2020, CC BY 4.0), unread, like `public.py`.

The source is a clone of the repository `pswietojanski/slurp`. Its split `devel` was used for
development, `test` was not.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from tests.bench.phrases import public
from tests.bench.phrases.wanted import Phrase, Wanted, spelled

SPLITS = {"train": "devel", "test": "test"}
COUNTS = {"in scope": 20, "out of scope": 40}
INSIDE = frozenset({"alarm", "audio", "datetime", "general", "calendar", "lists", "music"})
"""Scenarios of which some sentences are a command, so that none counts as outside."""
_NUMBERS = {spelled(f"{number}"): number for number in range(60)}
_NUMBER = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_CLOCK = re.compile(rf"\b({_NUMBER})(?: ({_NUMBER}))? ([ap]) ?m\b")
_LENGTH = re.compile(rf"\b({_NUMBER})(?= (?:second|minute|hour)s?\b)")
_NAMES = re.compile(r"\b(olly|google|siri|pda|echo|cortana|alexa)\b")


def in_scope(clone: Path, split: str, seed: int | None) -> list[Phrase]:
    """Phrases that the skills can carry out, with their meaning; all of them without a seed."""
    pool = sorted({p.text: p for p in inside(clone, split)}.values(), key=lambda p: p.text)
    count = len(pool) if seed is None else min(COUNTS["in scope"], len(pool))
    return random.Random(seed).sample(pool, count)


def out_of_scope(clone: Path, split: str, seed: int | None) -> list[Phrase]:
    """Phrases that no skill can carry out; all of them without a seed."""
    pool = sorted(
        {
            spelled(text)
            for scenario, _, text, _ in _sentences(clone, split)
            if scenario not in INSIDE and 2 <= len(text.split()) <= public.MOST_WORDS_OUTSIDE
        }
    )
    count = len(pool) if seed is None else min(COUNTS["out of scope"], len(pool))
    chosen = random.Random(seed).sample(pool, count)
    return [Phrase(text, Wanted(None)) for text in chosen]


def inside(clone: Path, split: str) -> Iterator[Phrase]:
    """Each sentence whose label is one of our intents, and that needs nothing else."""
    for scenario, action, text, entities in _sentences(clone, split):
        short = len(text.split()) <= public.MOST_WORDS and not _NAMES.search(text)
        phrase = _read(f"{scenario}_{action}", text, entities) if short else None
        if phrase is not None:
            yield phrase


def _read(label: str, text: str, entities: set[str]) -> Phrase | None:
    if label == "alarm_set" and entities <= {"time", "timeofday", "date"}:
        return public.alarm(_with_digits(text)) or public.timer(_with_digits(text))
    plain = {
        "alarm_query": "list_timers", "alarm_remove": "cancel_timer", "general_greet": "hello"
    }.get(label)  # fmt: skip
    if plain and (not entities or (entities <= {"time"} and plain == "cancel_timer")):
        return Phrase(spelled(text), Wanted(plain)) if plain == "hello" or "alarm" in text else None
    steps = {"audio_volume_up": 1, "audio_volume_down": -1}.get(label)
    if steps and not entities and re.search("volume|loud|quiet|soft|sound|speaker", text):
        return Phrase(spelled(text), Wanted("change_volume", steps=steps))
    asked = re.findall(r"\b(time|date|day)\b", text)
    if label == "datetime_query" and len(set(asked)) == 1 and not entities - {"date"}:
        if entities and not re.search(r"\btoday('s)?\b", text):
            return None
        return Phrase(spelled(text), Wanted("time" if asked[0] == "time" else "date"))
    return None


def _with_digits(text: str) -> str:
    """``six thirty am`` as ``6:30 am``, and ``five minutes`` as ``5 minutes``."""
    text = _CLOCK.sub(
        lambda m: f"{_NUMBERS[m[1]]}:{_NUMBERS[m[2]] if m[2] else 0:02} {m[3]}m", text
    )
    return _LENGTH.sub(lambda m: f"{_NUMBERS[m[1]]}", text)


def _sentences(clone: Path, split: str) -> Iterator[tuple[str, str, str, set[str]]]:
    path = clone / "dataset" / "slurp" / f"{SPLITS[split]}.jsonl"
    for line in path.read_text("utf-8").splitlines():
        found = json.loads(line)
        kinds = {entity["type"] for entity in found["entities"]}
        yield found["scenario"], found["action"], found["sentence"].lower(), kinds
