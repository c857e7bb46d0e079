"""Whether the microphone delivers sound at all: a dead one delivers one number for ever.

Every converter has noise, so a second of the same number is digital silence: a muted source, a
microphone on the other channel of its bus, a cable that has come off. Some microphones do the
same on purpose and gate their noise while the room is quiet; they are known by it.
"""

from parleyd.units import Frames

SILENT_PERIODS = 6000  # a minute; a gate opens at every step, door and word
GAP_PERIODS = 100  # a second: shorter ones are dropouts of a driver
GATING_GAPS = 10  # silences that ended by themselves: from then on it is a microphone with a gate


class DigitalSilence:
    """Looks at each period of an open microphone; pure, deterministic.

    Of a microphone that gates only the time counts in which it should hear something: while
    Parley listens to a user or plays. Else each quiet night would be a fault. `gates`: it is
    known to, as conference speakers do that cancel the echo themselves.
    """

    def __init__(self, *, gates: bool = False) -> None:
        self.dead = False
        """The microphone has delivered nothing for a minute."""
        self._value = 0
        self._gates = gates
        self._constant = 0  # periods of the present silence
        self._missed = 0  # of these, the ones in which there should have been sound
        self._gaps = 0

    def update(self, frames: Frames, *, expected: bool) -> bool:
        """Take one period; `expected`: it should hold sound. True when `dead` has changed."""
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
        """The microphone was closed: the next one may be another."""
        self.dead = False
        self._constant = self._missed = self._gaps = 0

    def _sounds(self, frames: Frames) -> bool:
        before, self._value = self._value, int(frames[-1])
        first = int(frames[0])
        if first != before or first != self._value:  # nearly always, and cheap
            return True
        return bool((frames != first).any())
