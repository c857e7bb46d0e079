"""The server's errors on their way to the log: pure, with time as an argument.

A server may send thousands of errors a second. Each of them would be a note that leaves the
audio thread, so their number is bounded here and not only where lines are written.
"""

import re
from dataclasses import dataclass, field

from parleyd.core.events import Note
from parleyd.realtime.server_errors import Remedy
from parleyd.system.repeats import Repeats

_DIGITS = re.compile(r"\d+")
_OTHERS = "errors of other kinds"


@dataclass(slots=True)
class Troubles:
    """One note for each error; errors that repeat within a second are counted."""

    _repeats: Repeats = field(default_factory=Repeats)

    def note(self, remedy: Remedy, text: str, now: float) -> Note | None:
        """The note of an error; None for one that is counted. Numbers do not make a kind."""
        if self._repeats.admit("trouble", _DIGITS.sub("0", text), now) is not None:
            return None
        return Note("trouble", {"remedy": remedy.name.lower(), "text": text})

    def counts(self, now: float) -> list[Note]:
        """One note for each kind that was counted in the second that has ended."""
        return [
            Note("trouble", {"more": count.more, "text": count.key[1] or _OTHERS})
            for count in self._repeats.over(now)
        ]
