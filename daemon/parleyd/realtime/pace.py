"""The share of the processor that a server's messages may take; further messages wait in the
network. Pure, with times as arguments."""

from dataclasses import dataclass

SHARE = 0.15  # on average, of a thread that shares the interpreter's lock with the audio thread;
# an answer's 300 deltas take 15 ms on a server, perhaps 100 ms on a Pi
BURST_S = 0.004  # at once: an audio period has 10 ms, and its own work takes 1 to 3 ms of that
LEAST_WAIT_S = 0.002  # shorter waits are not worth a timer


@dataclass(slots=True)
class Pace:
    """A token bucket of processor time."""

    _at: float
    _left_s: float = BURST_S

    def wait_s(self, used_s: float, now: float) -> float:
        """How long to rest after work of `used_s` of processor time."""
        self._left_s = min(BURST_S, self._left_s + (now - self._at) * SHARE) - used_s
        self._at = now
        wait_s = -self._left_s / SHARE
        return wait_s if wait_s >= LEAST_WAIT_S else 0.0
