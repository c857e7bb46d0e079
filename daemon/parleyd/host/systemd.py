"""The service manager and the journal, through systemd-python; does nothing without them."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping

from parleyd.host.repeated import OneASecond
from parleyd.printable import printable

log = logging.getLogger(__name__)

FIELD_CHARS = 500  # the limit for one field of a record and for one line of a traceback
TRACEBACK_LINES = 200  # longer tracebacks are shortened in the middle


class Notifier:
    """Reports the daemon's status to the service manager; does nothing without NOTIFY_SOCKET.

    Any thread; a call sends one datagram and does not block noticeably. A failed send is
    not an error, because the watchdog covers it.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._notify: Callable[[str], object] | None = None
        self._watchdog_us = _watchdog_us(environ)
        if not environ.get("NOTIFY_SOCKET"):
            return
        try:
            from systemd.daemon import notify
        except ImportError as error:
            log.warning(
                "cannot import systemd-python (%s): READY and WATCHDOG are not sent, so the "
                "service manager will stop Parley; run install.sh again",
                error,
            )
            return
        self._notify = notify

    def ready(self, status: str) -> None:
        """Report the end of a start or reload; `systemctl status` shows `status`."""
        self._tell(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """Set the text in `systemctl status`: the state's name and a message about a problem."""
        self._tell(f"STATUS={_one_line(status)}")

    def watchdog(self) -> None:
        """Report that the daemon works; call this every `watchdog_interval_s`."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Report the start of a reload; `ready` ends it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon stops."""
        self._tell("STOPPING=1")

    def watchdog_interval_s(self) -> float | None:
        """Return half of the unit's WatchdogSec (sd_watchdog_enabled(3)); None without it."""
        return None if self._watchdog_us is None else self._watchdog_us / 2e6

    def _tell(self, message: str) -> None:
        if self._notify is None:
            return
        try:
            self._notify(message)
        except OSError as error:
            log.debug("cannot notify the service manager: %s", error)


def log_to_journal_or_stderr(level: str, environ: Mapping[str, str] = os.environ) -> None:
    """Set up the root logger, once: the journal if stderr leads there, else stderr itself.

    A record's ``extra={"fields": {"heard_ms": 310}}`` is appended to its line as
    ``heard_ms=310`` and is also a separate journal field, ``PARLEY_HEARD_MS``.
    """
    handler = _journal_handler(environ) or logging.StreamHandler(sys.stderr)
    if isinstance(handler, JournalHandler):
        handler.setFormatter(FieldsFormatter("%(message)s"))
    else:
        handler.setFormatter(FieldsFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    handler.addFilter(OneASecond(handler))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def log_plainly() -> None:
    """Format records in a process without a set-up log as single lines.

    Python writes warnings and errors of such a process to stderr. They get the format and the
    filter of `log_to_journal_or_stderr`.
    """
    handler = logging.lastResort
    if handler is not None and not handler.filters:
        handler.setFormatter(FieldsFormatter("%(message)s"))
        handler.addFilter(OneASecond(handler))


class FieldsFormatter(logging.Formatter):
    """Appends a record's `fields` to its message; the result is always one line.

    A traceback follows in indented lines, so none of its lines looks like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and the traceback, if any."""
        record.message = printable(record.getMessage())
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        if record.exc_info:
            lines += _indented(self.formatException(record.exc_info))
        if record.stack_info:
            lines += _indented(record.stack_info)
        return "\n".join(lines)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without the traceback."""
        line = super().formatMessage(record)
        return " ".join([line, *(f"{name}={value}" for name, value in _shown(record).items())])


def _indented(text: str) -> list[str]:
    lines = text.split("\n")
    half = TRACEBACK_LINES // 2
    if len(lines) > TRACEBACK_LINES:
        left_out = f"... {len(lines) - 2 * half} lines ..."
        lines = [*lines[:half], left_out, *lines[-half:]]
    return [f"  {printable(line, FIELD_CHARS)}" for line in lines]


class JournalHandler(logging.Handler):
    """Sends records to the journal, each of its `fields` as a field ``PARLEY_...``.

    systemd-python's own handler sends every attribute of a record, and a dictionary as one
    text.
    """

    def __init__(self, send: Callable[..., object]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; failures go to logging's own error handling."""
        try:
            self._send(
                self.format(record),
                PRIORITY=str(_priority(record.levelno)),
                SYSLOG_IDENTIFIER="parley",
                LOGGER=record.name,
                THREAD_NAME=str(record.threadName),
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                **{f"PARLEY_{name.upper()}": value for name, value in _shown(record).items()},
            )
        except Exception:  # as in every logging handler: a full journal must not end a conversation
            self.handleError(record)


def _journal_handler(environ: Mapping[str, str]) -> JournalHandler | None:
    if not _stderr_is_journal(environ):
        return None
    try:
        from systemd.journal import send
    except ImportError:
        return None  # stderr leads to the journal anyway, but without fields
    return JournalHandler(send)


def _stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """Compare stderr with JOURNAL_STREAM, a stream's device and inode (systemd.exec(5))."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _shown(record: logging.LogRecord) -> Mapping[str, str]:
    fields: Mapping[str, object] = getattr(record, "fields", {})
    return {name: printable(str(value), FIELD_CHARS) for name, value in fields.items()}


def _priority(level: int) -> int:
    """Return the syslog level (sd-daemon(3)) for a level of logging."""
    for least, priority in ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4)):
        if level >= least:
            return priority
    return 6 if level >= logging.INFO else 7


def _watchdog_us(environ: Mapping[str, str]) -> int | None:
    """Return WATCHDOG_USEC; None if the watchdog is off or belongs to another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds if microseconds > 0 else None


def _one_line(text: str) -> str:
    """Remove line breaks, because a line break would start another assignment."""
    return printable(" ".join(text.split()), FIELD_CHARS)
