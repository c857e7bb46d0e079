"""The pause before the next attempt to connect: a pure function."""

from parleyd.realtime.server_errors import ErrorAction

STEPS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # then 30 s each time
BUSY_STEPS_S = (8.0, 15.0, 30.0, 60.0)  # the server asked for fewer requests
LATER_STEPS_S = (60.0, 120.0, 300.0, 600.0)  # people add credit or access: minutes will do
JITTER = 0.25  # of the step, in both directions: a house full of speakers must not connect at once


def delay_s(action: ErrorAction, attempt: int, chance: float) -> float | None:
    """Seconds to wait after a socket ended; None: do not try again.

    `attempt`: the number of successive attempts that ended early, 0 for the first; `chance`: 0..1.
    """
    if action is ErrorAction.FATAL:
        return None
    steps = {ErrorAction.BACK_OFF: BUSY_STEPS_S, ErrorAction.LATER: LATER_STEPS_S}.get(
        action, STEPS_S
    )
    step = steps[min(attempt, len(steps) - 1)]
    return step * (1 + JITTER * (2 * chance - 1))
