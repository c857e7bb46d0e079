"""Repeated log lines: one each second is written, and the others are counted.

Pure: time is an argument.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

EVERY_S = 1.0
DISTINCT = 10  # different texts of one template that are written within a second
MOST_LINES = 1000  # different lines that are written within a second
MOST_LISTED = 100  # entries of one list; a longer list does not help the reader

ONE_OF_A_LIST = {"each": True}
"""The `extra=` of a line that is written even if similar lines precede it: "file1.py:3" and
"file2.py:3" are two errors. Only for lists of at most `MOST_LISTED` entries."""

Key = tuple[Hashable, str]


class Count(NamedTuple):
    """The number of lines of a key that were not written, and the time in seconds."""

    key: Key
    more: int
    seconds: float


@dataclass(slots=True)
class _Line:
    since: float
    more: int = 0  # repetitions since then


@dataclass(slots=True)
class Repeats:
    """The lines of the last second."""

    _lines: OrderedDict[Key, _Line] = field(default_factory=OrderedDict)
    _texts: dict[Hashable, int] = field(default_factory=dict)  # by template

    @property
    def counting(self) -> bool:
        """Whether some lines were not written and their count is due."""
        return any(line.more for line in self._lines.values())

    def admit(self, template: Hashable, text: str, now: float) -> Key | None:
        """Return None if the line is to be written, else the key under which it was counted.

        The first `DISTINCT` texts of one template count as different lines.
        """
        key = (template, text)
        if key not in self._lines:
            if self._texts.get(template, 0) < DISTINCT and len(self._lines) < MOST_LINES:
                self._begin(key, now)
                return None
            key = (template, "") if len(self._lines) < MOST_LINES else ("", "")
            if key not in self._lines:
                self._begin(key, now)
        self._lines[key].more += 1
        return key

    def over(self, now: float) -> list[Count]:
        """Return the counts of the seconds that have ended by now.

        While a line repeats, its count is written each second instead of the line.
        """
        counts = []
        while self._lines:
            key, line = next(iter(self._lines.items()))  # the oldest
            if now < line.since + EVERY_S:
                break
            self._end(key)
            if line.more:
                counts.append(Count(key, line.more, now - line.since))
                self._begin(key, now)
        return counts

    def rest(self, now: float) -> list[Count]:
        """Return all counts so far, as if every second were over."""
        counts = [Count(k, line.more, now - line.since) for k, line in self._lines.items()]
        self._lines.clear()
        self._texts.clear()
        return [count for count in counts if count.more]

    def _begin(self, key: Key, now: float) -> None:
        self._lines[key] = _Line(now)
        self._texts[key[0]] = self._texts.get(key[0], 0) + 1

    def _end(self, key: Key) -> None:
        del self._lines[key]
        self._texts[key[0]] -= 1
        if not self._texts[key[0]]:
            del self._texts[key[0]]
