"""Takes phrases from public data sets, unread: nothing here may be chosen by looking at them.

The sources are clones of the repositories `clinc/oos-eval` (CLINC150, Larson et al. 2019, CC BY
3.0) and `home-assistant/intents` (CC BY 4.0); `slurp.py` has a third one. This project does not
contain their sentences. A label of the source says what a phrase asks for; times and durations are
read here, independently of the grammar.
"""

import importlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from tests.bench.phrases.wanted import Phrase, Wanted, spelled

MOST_WORDS = 9
MOST_WORDS_OUTSIDE = 12
_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3_600, "hr": 3_600}
_DIGITS = {spelled(f"{number}"): number for number in (*range(21), 30, 40, 45, 50, 60, 90)}
_NUMBER = r"\d+|" + "|".join(sorted(_DIGITS, key=len, reverse=True))
_LENGTH = re.compile(rf"\b({_NUMBER})[ -](second|sec|minute|min|hour|hr)s?\b")
_HOUR = re.compile(r"\b(\d{1,2})(?::(\d\d))? ?(am|pm|a\.m\.|p\.m\.)(?!\w)|\b(noon|midnight)\b")
_ELSEWHERE = re.compile(
    r"\b(in (?!the (morning|afternoon|evening))\w+|zone|timezone|tomorrow|next|from now|ago|"
    r"another|and (one|another)|two (alarms|timers)|day after|yesterday|every|weekdays?|"
    r"at the moment|both)\b"
)

CLINC_PLAIN = {
    # label: (intent of the grammar, most words, how many)
    "time": ("time", 8, 7),
    "date": ("date", 8, 5),
    "repeat": ("repeat", 7, 7),
    "cancel": ("stop", 4, 6),
    "goodbye": ("goodbye", 4, 4),
    "greeting": ("hello", 4, 4),
    "thank_you": ("thanks", 5, 4),
    "what_can_i_ask_you": ("help", 7, 4),
}
CLINC_INSIDE = frozenset(
    {
        *CLINC_PLAIN, "timer", "alarm", "change_volume", "yes", "no", "maybe", "reminder",
        "timezone", "reminder_update", "reset_settings", "whisper_mode", "how_old_are_you",
        "next_holiday",
    }
)  # fmt: skip
"""Labels of which some sentences are a command, so that none counts as outside."""
HASS_INSIDE = re.compile(
    "Timer|CurrentTime|CurrentDate|Nevermind|Volume|Mute|Media|Respond|Broadcast"
)


def in_scope(clinc: Path, hass: Path, split: str, seed: int | None) -> list[Phrase]:
    """Phrases that the skills can carry out, with their meaning; all of them without a seed."""
    chosen = random.Random(seed)
    by_label: dict[str, list[str]] = {}
    for text, label in json.loads((clinc / "data" / "data_full.json").read_text())[split]:
        by_label.setdefault(label, []).append(text.strip('" ').lower())
    found: list[Phrase] = []

    def take(phrases: Iterator[Phrase | None], count: int) -> None:
        pool = sorted({p.text: p for p in phrases if p is not None}.values(), key=lambda p: p.text)
        found.extend(pool if seed is None else chosen.sample(pool, min(count, len(pool))))

    take((timer(text) for text in by_label["timer"]), 12)
    take((alarm(text) for text in by_label["alarm"]), 12)
    take((_volume(text) for text in by_label["change_volume"]), 10)
    for label, (intent, most, count) in CLINC_PLAIN.items():
        take((_plain(text, intent, most) for text in by_label[label]), count)
    if split == "test":
        for count, read in ((8, _hass_timer), (8, _hass_volume), (12, _hass_plain)):
            take((read(*each) for each in _hass(hass)), count)
    return found


def out_of_scope(clinc: Path, hass: Path, split: str, seed: int | None) -> list[Phrase]:
    """Phrases that no skill can carry out; all of them without a seed."""
    chosen = random.Random(seed)
    data = json.loads((clinc / "data" / "data_full.json").read_text())
    others = [text for text, label in data[split] if label not in CLINC_INSIDE]
    wild = [text for text, _ in data[f"oos_{split}"]]
    home = [text for intent, text, _ in _hass(hass) if not HASS_INSIDE.search(intent)]
    found = []
    for pool, count in ((others, 50), (wild, 20), (home if split == "test" else [], 20)):
        fit = sorted({t for t in pool if 2 <= len(t.split()) <= MOST_WORDS_OUTSIDE})
        found += fit if seed is None else chosen.sample(fit, min(count, len(fit)))
    return [Phrase(spelled(text), Wanted(None)) for text in found]


def timer(text: str) -> Phrase | None:
    lengths = _LENGTH.findall(text)
    if len(lengths) != 1 or len(text.split()) > MOST_WORDS or "(x)" in text or "half" in text:
        return None
    ((count, unit),) = lengths
    seconds = _UNITS[unit] * (int(count) if count.isdigit() else _DIGITS[count])
    return Phrase(spelled(text), Wanted("set_timer", seconds=seconds, name=None))


def alarm(text: str) -> Phrase | None:
    hours = _HOUR.findall(text)
    if len(hours) != 1 or len(text.split()) > MOST_WORDS or _ELSEWHERE.search(text):
        return None
    ((hour, minute, half, word),) = hours
    at = {"noon": 12, "midnight": 0}.get(word, int(hour or 0) % 12 + 12 * half.startswith("p"))
    return Phrase(spelled(text), Wanted("set_alarm", time=f"{at:02}:{int(minute or 0):02}"))


def _volume(text: str) -> Phrase | None:
    numbers = re.findall(r"\b\d+\b", text)
    up = re.search(r"\b(up|increase|increased|raise|raised|louder)\b", text)
    down = re.search(r"\b(down|decrease|decreased|lower|lowered|quieter|softer|limit)\b", text)
    if len(text.split()) > MOST_WORDS or not re.search("volume|loud|quiet|soft|turn", text):
        return None
    if len(numbers) == 1 and re.search(r"\bby \d", text) and bool(up) != bool(down):
        size = int(numbers[0])
        steps = size if size <= 10 and "percent" not in spelled(text) else max(1, round(size / 10))
        return Phrase(spelled(text), Wanted("change_volume", steps=steps if up else -steps))
    if len(numbers) == 1:
        level = int(numbers[0])  # "to four" means four of ten
        percent = level if level > 10 or "percent" in spelled(text) else 10 * level
        return Phrase(spelled(text), Wanted("set_volume", percent=percent))
    if not numbers and bool(up) != bool(down):
        return Phrase(spelled(text), Wanted("change_volume", steps=1 if up else -1))
    return None


def _plain(text: str, intent: str, most: int) -> Phrase | None:
    if len(text.split()) > most or _ELSEWHERE.search(text) or re.search(r"\d|, \w\w$", text):
        return None
    return Phrase(spelled(text), Wanted(intent))


# --- Home Assistant ---------------------------------------------------------------------------

_Slots = dict[str, object]


def _hass(folder: Path) -> Iterator[tuple[str, str, _Slots]]:
    yaml = importlib.import_module("yaml")  # PyYAML, which nothing else here needs
    for path in sorted((folder / "tests" / "en").rglob("*.yaml")):
        for test in (yaml.safe_load(path.read_text("utf-8")) or {}).get("tests") or ():
            intent = test.get("intent") or {}
            for text in test.get("sentences") or ():
                yield intent.get("name", ""), str(text).lower(), dict(intent.get("slots") or {})


def _hass_timer(intent: str, text: str, slots: _Slots) -> Phrase | None:
    sizes = {"hours": 3_600, "minutes": 60, "seconds": 1}
    if intent != "HassStartTimer" or not set(slots) <= {*sizes, "name"} or _long(text):
        return None
    seconds = sum(int(str(slots.get(unit, 0))) * size for unit, size in sizes.items())
    return Phrase(spelled(text), Wanted("set_timer", seconds=seconds, name=_name(slots)))


def _hass_volume(intent: str, text: str, slots: _Slots) -> Phrase | None:
    if _long(text) or not set(slots) <= {"volume_level", "volume_step"}:
        return None
    if intent == "HassSetVolume" and "volume_level" in slots:
        return Phrase(spelled(text), Wanted("set_volume", percent=int(str(slots["volume_level"]))))
    step = slots.get("volume_step")
    if intent == "HassSetVolumeRelative" and step in ("up", "down"):
        return Phrase(spelled(text), Wanted("change_volume", steps=1 if step == "up" else -1))
    return None


_HASS_PLAIN = {
    "HassGetCurrentTime": "time",
    "HassGetCurrentDate": "date",
    "HassNevermind": "stop",
    "HassTimerStatus": "list_timers",
    "HassCancelTimer": "cancel_timer",
    "HassCancelAllTimers": "cancel_timer",
}


def _hass_plain(intent: str, text: str, slots: _Slots) -> Phrase | None:
    cancels = intent == "HassCancelTimer"
    if intent not in _HASS_PLAIN or _long(text) or not set(slots) <= {"name"} & {"name" * cancels}:
        return None
    return Phrase(spelled(text), Wanted(_HASS_PLAIN[intent], name=_name(slots)))


def _name(slots: _Slots) -> str:
    """The first of several spellings, where the source has more than one."""
    name = slots.get("name", "")
    return str(name[0] if isinstance(name, list) else name).strip()


def _long(text: str) -> bool:
    return len(text.split()) > MOST_WORDS
