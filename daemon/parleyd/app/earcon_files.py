"""The owner's sounds in place of Parley's own: the files that `[earcons]` names."""

from pathlib import Path

from parleyd import config, wav
from parleyd.errors import ParleyError
from parleyd.playback.cues import BUILT_IN, Cue
from parleyd.units import SERVER_RATE_HZ, Frames

LONGEST_S, LONGEST_ALARM_S = 2.0, 10.0  # a longer cue is a hindrance


def load(settings: config.EarconsConfig) -> tuple[dict[Cue, Frames], list[str]]:
    """Return the sounds of all files (int16 at 24 kHz), and the problems of the others. Blocks."""
    found: dict[Cue, Frames] = {}
    problems = []
    for cue in Cue:
        path = getattr(settings, cue)
        if path in ("", BUILT_IN):
            continue
        longest_s = LONGEST_ALARM_S if cue is Cue.TIMER else LONGEST_S
        try:
            found[cue] = wav.read_sound(Path(path), SERVER_RATE_HZ, longest_s)
        except ParleyError as error:
            problems.append(f"earcons.{cue}: {error}")
    return found, problems
