"""The answer to "what can I say?"; the page of all phrases is daemon/docs/phrases.md."""

from collections.abc import Sequence

HELP = (
    (
        "You can ask me for the time, and set timers and alarms.",
        "Say, set a timer for ten minutes, wake me at seven, or, how long is left?",
        "When it rings, say, stop, or, snooze.",
        "Say, more, and I tell you what else.",
    ),
    (
        "Say, louder, it is too loud, or, set the volume to forty percent.",
        "Say, stop listening for ten minutes, and I close the microphone.",
        "Say, more, for the rest.",
    ),
    (
        "Say, tell me a story, interrupt me whenever you like, and say, go on.",
        "Say, cancel the timer, repeat that, stop, or, goodbye.",
        "I work without a network, so commands are all that I understand.",
    ),
)
"""The phrases, in groups that are short enough to listen to."""


def help_words(more: bool, answers: Sequence[str]) -> tuple[str, ...]:
    """The first group of phrases, or the one after the group that was said last."""
    last = next((a for a in reversed(answers) if any(g[0] in a for g in HELP)), "")
    said = [place for place, group in enumerate(HELP) if more and group[0] in last]
    return HELP[(said[0] + 1) % len(HELP)] if said else HELP[0]
