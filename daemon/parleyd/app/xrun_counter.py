"""Counts xruns since the start, and reports them without flooding the log."""

TOLD_EVERY_S = 10.0  # an overloaded machine has many xruns each second


class XrunCounter:
    """Counts underruns and overruns; times are monotonic seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._untold = 0
        self._told_at = float("-inf")

    def add(self, count: int, now: float) -> int:
        """Add xruns; returns the number to report now, 0 if it is too early."""
        self.total += count
        self._untold += count
        if now - self._told_at < TOLD_EVERY_S:
            return 0
        due, self._untold, self._told_at = self._untold, 0, now
        return due

    def __str__(self) -> str:
        """For a status line: ``3 xruns``, or an empty string."""
        return f"{self.total} xrun{'s' * (self.total != 1)}" if self.total else ""
