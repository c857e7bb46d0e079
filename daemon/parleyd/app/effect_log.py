"""The log lines of effects: which are warnings, and which the log never drops."""

import logging

from parleyd.core.events import LogEvent
from parleyd.hearing.fuse import ComponentFault

LOUD_EVENTS = dict.fromkeys(
    [
        *(
            "server_error",
            "playback_buffer_full",
            "xrun",
            "lead_increased",
            "half_duplex",
            "room_talks",
            "loudspeaker_not_heard",
            "echo_too_loud",
            "microphone_processes",
        ),
        "no_sound",
        "group_ignored",
    ],
    logging.WARNING,
)
EACH = frozenset(
    {
        *("state", "turn"),  # `parley turns` and every diagnosis need each of them
        "server_error",  # the core bounds their number
    }
)
"""Events of which every line is written, however fast they follow each other."""

log = logging.getLogger("parleyd.turns")


def write_log_event(event: LogEvent) -> None:
    """Write one line: the event's name, then its numbers, which are journal fields, too."""
    fields = {key: _short(value) for key, value in event.fields.items()}
    level = LOUD_EVENTS.get(event.name, logging.INFO)
    log.log(level, event.name, extra={"fields": fields, "each": event.name in EACH})


def log_fault(fault: ComponentFault) -> None:
    """Write the traceback of a part's failure once, then a line at 2, 4, 8 ... failures."""
    error = fault.error if not fault.known else None
    if error is None and fault.times & (fault.times - 1):
        return
    fields = {"error": type(fault.error).__name__, "times": fault.times, "means": fault.means}
    line = f"the part {fault.part} failed and was reset"
    log.error(line, exc_info=error, extra={"fields": fields})


def _short(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value
