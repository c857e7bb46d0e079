"""Counts of the log for a bug report: by the words of events, never their fields or texts."""

import json
from collections import Counter

from parleyd.diagnostics.asking import NoAnswer, answer

SINCE = "-7d"
MOST_LINES = 20_000
READS_FOR_S = 20.0  # a journal of a week on an SD card

EVENTS = frozenset(
    {
        "alarm_dismissed", "alarm_due", "announcement", "calibrated", "connection", "echo_too_loud",
        "follow_ups_over", "full_duplex", "group_ignored", "half_duplex", "hearing_well", "hold",
        "interrupt", "interrupted", "lead_increased", "loudspeaker_not_heard",
        "microphone_processes", "mute", "no_sound", "permission", "playback_buffer_full", "ready",
        "reply_cut", "reply_failed", "resume", "room_talks", "server_error", "sound_again",
        "spoke_early", "state", "stood_down", "stop_word", "transcript", "turn", "usage", "wake",
        "xrun",
    }
)  # fmt: skip
"""The words of the log; a test compares them with the source."""


def counted() -> dict[str, dict[str, int]]:
    """The lines of a week, by event and by priority; empty without a journal."""
    try:
        lines = answer(
            [
                *("journalctl", "--unit", "parleyd", "--since", SINCE, "--output", "json"),
                *("--no-pager", "--lines", str(MOST_LINES), "--output-fields", "MESSAGE,PRIORITY"),
            ],
            allowed_s=READS_FOR_S,
        ).splitlines()
    except NoAnswer:
        return {"events": {}, "priorities": {}}
    events: Counter[str] = Counter()
    priorities: Counter[str] = Counter()
    for line in lines:
        word, priority = _entry(line)
        events[word if word in EVENTS else "other"] += 1
        priorities[priority if priority in "01234567" and priority else "other"] += 1
    return {"events": dict(sorted(events.items())), "priorities": dict(sorted(priorities.items()))}


def _entry(line: str) -> tuple[str, str]:
    """The first word and the priority of an entry."""
    try:
        entry = json.loads(line)
        message, priority = entry.get("MESSAGE"), entry.get("PRIORITY")
    except (ValueError, AttributeError, RecursionError):
        return "", ""
    word = message.partition(" ")[0] if isinstance(message, str) else ""
    return word, priority if isinstance(priority, str) and len(priority) == 1 else ""
