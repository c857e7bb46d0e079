"""The trade-off of the first stage: detected users and false interruptions for each threshold.

Without barge-in nothing is held, so the reply continues and one run judges all thresholds.
After a false alarm no other counts for half a second, the length of a hold.
"""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from parleyd.hearing.barge_in import HITS, THRESHOLD, WINDOW
from tests.bench.hearing.session import Outcome
from tests.bench.hearing.tables import GROUPS, SPEECH

THRESHOLDS = (0.3, 0.5, 0.6, 0.7, THRESHOLD, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99)
_HOLD_PERIODS = 50
_WITHIN = 20  # periods


def print_curve(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print one row for each threshold."""
    table = Table(
        title="first stage: users within 200 ms by ENR, false interruptions per hour by noise"
    )
    table.add_column("threshold")
    noises = ("quiet", "pink", "kitchen", "dishes")
    for name in (*(f"{group} dB" for group in GROUPS), *noises, "other"):
        table.add_column(name, justify="right")
    for threshold in sorted(set(THRESHOLDS)):
        row = [f"{threshold:.2f}" + (" *" if threshold == THRESHOLD else "")]
        row += [_found(outcomes, test, threshold) for test in GROUPS.values()]
        plain = [o for o in outcomes if o.scene.condition == "plain" and not o.scene.music]
        rest = [o for o in outcomes if o not in plain]
        row += [_alarms([o for o in plain if o.scene.noise == n], threshold) for n in noises]
        row.append(_alarms(rest, threshold))
        table.add_row(*row)
    console.print(table)
    console.print("* the shipped threshold; other: music, moved paths, jumps")


def _found(outcomes: Sequence[Outcome], of_group: object, threshold: float) -> str:
    assert callable(of_group)
    found = users = 0
    for outcome in outcomes:
        scene = outcome.scene
        if not of_group(scene.enr_db) or scene.clock == "100ppm" or scene.condition != "plain":
            continue
        over = _over(outcome, threshold)
        for trial in outcome.trials:
            if trial.kind in SPEECH and trial.at_onset == "speaking":
                first = round(trial.onset_s * 100)
                users += 1
                found += bool(over[first : first + _WITHIN].any())
    return f"{100 * found / users:.0f} % of {users}" if users else "-"


def _alarms(outcomes: Sequence[Outcome], threshold: float) -> str:
    alarms, hours = 0, 0.0
    for outcome in outcomes:
        if outcome.scene.task != "echo":
            continue
        last = -_HOLD_PERIODS
        for at in np.flatnonzero(_over(outcome, threshold)):
            if at - last >= _HOLD_PERIODS:
                alarms, last = alarms + 1, int(at)
        hours += len(outcome.likely) / 360_000
    return f"{alarms / hours:.0f}" if hours else "-"


def _over(outcome: Outcome, threshold: float) -> np.ndarray:
    hits = np.convolve(outcome.likely > threshold, np.ones(WINDOW))[: len(outcome.likely)]
    return np.asarray(hits >= HITS)
