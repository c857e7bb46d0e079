"""Log lines that repeat: one a second is written, the others are counted. Pure, with time as
an argument."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

EVERY_S = 1.0
DISTINCT = 10  # different texts of one template that are written within a second
MOST_LINES = 1000  # different lines that are written within a second
MOST_LISTED = 100  # entries of one list; more of them are no help

ONE_OF_A_LIST = {"each": True}
"""For `extra=` of a line that is written although the lines before it are alike: "file1.py:3" and
"file2.py:3" are two mistakes. Only for lists of at most `MOST_LISTED` entries."""

Key = tuple[Hashable, str]


class Count(NamedTuple):
    """How many lines of a key were not written, in how many seconds."""

    key: Key
    more: int
    seconds: float


@dataclass(slots=True)
class _Line:
    since: float
    more: int = 0  # that came since


@dataclass(slots=True)
class Repeats:
    """The lines of the last second."""

    _lines: OrderedDict[Key, _Line] = field(default_factory=OrderedDict)
    _texts: dict[Hashable, int] = field(default_factory=dict)  # by template

    @property
    def counting(self) -> bool:
        """Some lines were not written, and their count is due."""
        return any(line.more for line in self._lines.values())

    def admit(self, template: Hashable, text: str, now: float) -> Key | None:
        """None: write the line. Else the key under which it was counted.

        Different texts of one template are different lines, as long as they are few.
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
        """The counts of the seconds that have ended by now.

        While a line repeats, its count is written each second, and not the line.
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
        """All that was counted so far, as if every second were over."""
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
