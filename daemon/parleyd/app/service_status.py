"""The line that `systemctl status` shows of the daemon."""

from parleyd.app.effect_log import write_log_event
from parleyd.app.xrun_counter import XrunCounter
from parleyd.core.events import LogEvent, Show
from parleyd.core.states import Indication
from parleyd.host.systemd import Notifier


class ServiceStatus:
    """Sends ``idle``, ``idle, 3 xruns`` or ``error, 3 xruns: the reason`` when it changes.

    Outlives a reload. The event loop calls it; a call is one datagram.
    """

    def __init__(self, notifier: Notifier) -> None:
        self.line = "starting"
        """The newest line."""
        self._notifier = notifier
        self.shown = Show(Indication.IDLE)
        """The newest indication."""
        self._xruns = XrunCounter()

    @property
    def xruns(self) -> int:
        """Since the start of the process."""
        return self._xruns.total

    def show(self, show: Show) -> None:
        """The indication has changed."""
        self.shown = show
        self._send()

    def add_xruns(self, count: int, now: float) -> None:
        """Count lost sound; the log and the line get the number when it is due (`XrunCounter`)."""
        due = self._xruns.add(count, now)
        if due:
            fields = {"count": due, "total": self._xruns.total}
            write_log_event(
                LogEvent("xrun", {**fields, "means": "the CPU is busy, or audio.lead_ms short"})
            )
            self._send()

    def fail(self, error: Exception) -> None:
        """The daemon ends because of an error."""
        self._notifier.status(f"error: {error}")

    def _send(self) -> None:
        words = ", ".join(filter(None, [str(self.shown.indication), str(self._xruns)]))
        self.line = f"{words}: {self.shown.detail}" if self.shown.detail else words
        self._notifier.status(self.line)
