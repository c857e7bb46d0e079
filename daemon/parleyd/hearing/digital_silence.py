"""Detect a dead microphone, which delivers the same number forever.

Every converter has noise, so a second of the same number is digital silence: a muted source, a
microphone on the wrong channel of its bus, or an unplugged cable. Some microphones gate their
noise intentionally while the room is quiet; they are recognised by repeated silences.
"""

from parleyd.units import Frames

SILENT_PERIODS = 6000  # a minute; a gate opens at every step, door and word
GAP_PERIODS = 100  # a second; shorter silences are dropouts of a driver
GATING_GAPS = 10  # silences that ended by themselves; after them, the microphone has a gate


class DigitalSilence:
    """Checks each period of an open microphone; pure, deterministic.

    For a microphone with a gate, only the periods with expected sound count: while Parley
    listens to a user or plays. Otherwise each quiet night would be a fault. `gates`: the
    microphone is known to gate, like conference speakers with their own echo canceller.
    """

    def __init__(self, *, gates: bool = False) -> None:
        self.dead = False
        """Whether the microphone has delivered no sound for a minute."""
        self._value = 0
        self._gates = gates
        self._constant = 0  # periods of the current silence
        self._missed = 0  # those of them with expected sound
        self._gaps = 0

    def update(self, frames: Frames, *, expected: bool) -> bool:
        """Process one period; `expected`: whether sound is expected. Return whether `dead`
        changed."""
        if self._sounds(frames):
            self._gaps += self._constant >= GAP_PERIODS
            self._constant = self._missed = 0
            changed, self.dead = self.dead, False
            return changed
        self._constant += 1
        self._missed += expected or not (self._gates or self._gaps >= GATING_GAPS)
        if self.dead or self._missed < SILENT_PERIODS:
            return False
        self.dead = True
        return True

    def closed(self) -> None:
        """Reset after the microphone was closed, because the next one may be another."""
        self.dead = False
        self._constant = self._missed = self._gaps = 0

    def _sounds(self, frames: Frames) -> bool:
        before, self._value = self._value, int(frames[-1])
        first = int(frames[0])
        if first != before or first != self._value:  # a cheap test that is nearly always true
            return True
        return bool((frames != first).any())
