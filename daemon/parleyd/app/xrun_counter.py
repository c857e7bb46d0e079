"""Dropouts of sound: counted since the start, told without flooding the log."""

TOLD_EVERY_S = 10.0  # a machine that is too slow drops out many times a second


class Dropouts:
    """Counts what cards lost (underruns and overruns); times are monotonic seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._untold = 0
        self._told_at = float("-inf")

    def add(self, count: int, now: float) -> int:
        """So many more; returns how many are to be told now, 0 for not yet."""
        self.total += count
        self._untold += count
        if now - self._told_at < TOLD_EVERY_S:
            return 0
        due, self._untold, self._told_at = self._untold, 0, now
        return due

    def __str__(self) -> str:
        """For a status line: ``3 dropouts``, empty when there was none."""
        return f"{self.total} dropout{'s' * (self.total != 1)}" if self.total else ""
