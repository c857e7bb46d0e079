"""Numbers in decoded JSON, which some servers write as texts."""

import contextlib

from parleyd.realtime.events import Json

MOST_DIGITS = 20  # more than in any plausible number; longer ones take time to parse


def number(fields: Json, *names: str, most: float) -> float | None:
    """The first of these fields that is a number from 0 to `most`; None if there is none.

    Infinity, NaN and booleans do not count as numbers.
    """
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and len(value) <= MOST_DIGITS:
            with contextlib.suppress(ValueError):
                value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
            return value
    return None
