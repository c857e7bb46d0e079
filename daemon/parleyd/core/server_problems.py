"""The server's errors on their way to the log: pure, time is an argument.

A server may send thousands of errors a second. Each of them would become a log event that leaves
the audio thread, so their number is bounded here as well as where lines are written.
"""

import re
from dataclasses import dataclass, field

from parleyd.core.events import Effect, LogEvent, Reconnect
from parleyd.realtime.server_errors import ErrorAction
from parleyd.system.repeats import Repeats

_DIGITS = re.compile(r"\d+")
_OTHERS = "errors of other kinds"


@dataclass(slots=True)
class ServerProblems:
    """One log event for each error; errors that repeat within a second are counted."""

    _repeats: Repeats = field(default_factory=Repeats)

    def take(self, action: ErrorAction, text: str, now: float) -> list[Effect]:
        """The effects of an error: its log event, and a new socket if only that helps."""
        event = self.log_event(action, text, now)
        effects: list[Effect] = [event] if event is not None else []
        if action in (ErrorAction.RECONNECT, ErrorAction.LATER, ErrorAction.FATAL):
            fatal, later = action is ErrorAction.FATAL, action is ErrorAction.LATER
            effects.append(Reconnect(text, fatal=fatal, later=later))
        return effects

    def log_event(self, action: ErrorAction, text: str, now: float) -> LogEvent | None:
        """The log event of an error; None if it is only counted, as a repetition of one that
        differs in nothing but digits."""
        if self._repeats.admit("server_error", _DIGITS.sub("0", text), now) is not None:
            return None
        return LogEvent("server_error", {"action": action.name.lower(), "text": text})

    def counts(self, now: float) -> list[LogEvent]:
        """One log event for each kind of error that was counted in the second that has ended."""
        return [
            LogEvent("server_error", {"more": count.more, "text": count.key[1] or _OTHERS})
            for count in self._repeats.over(now)
        ]
