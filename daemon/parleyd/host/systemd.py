"""The service manager and the journal, through systemd-python; silent where there is neither."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from parleyd.host.repeated import OneASecond
from parleyd.printable import printable

log = logging.getLogger(__name__)

FIELD_CHARS = 500  # of one field of a record, or of one line of a traceback
TRACEBACK_LINES = 200  # of the longest that is written whole


class Notifier:
    """Tells the service manager how we are; without one (no NOTIFY_SOCKET) does nothing.

    Any thread; a call is one datagram and does not block noticeably. A manager that
    does not take it is not an error: the watchdog is there for that.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._notify: Callable[[str], Any] | None = None
        self._watchdog_us = _watchdog_us(environ)
        if not environ.get("NOTIFY_SOCKET"):
            return
        try:
            # by name: in a checkout the folder systemd/ would be taken for its package by mypy
            self._notify = import_module("systemd.daemon").notify
        except ImportError as error:
            log.warning(
                "systemd-python cannot be imported (%s), so READY and WATCHDOG are not told and "
                "the service manager will give up on us; run install.sh again",
                error,
            )

    def ready(self, status: str) -> None:
        """Started (or reloaded) and able to serve; `status` stands in `systemctl status`."""
        self._tell(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """What `systemctl status` shows: the state's name, and the last problem in words."""
        self._tell(f"STATUS={_one_line(status)}")

    def watchdog(self) -> None:
        """All is well; to be told every `watchdog_interval_s`."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """On the way out."""
        self._tell("STOPPING=1")

    def watchdog_interval_s(self) -> float | None:
        """Half of what the unit's WatchdogSec allows (sd_watchdog_enabled(3)); None without."""
        return None if self._watchdog_us is None else self._watchdog_us / 2e6

    def _tell(self, message: str) -> None:
        if self._notify is None:
            return
        try:
            self._notify(message)
        except OSError as error:
            log.debug("the service manager was not told: %s", error)


def log_to_journal_or_stderr(level: str, environ: Mapping[str, str] = os.environ) -> None:
    """Set up the root logger, once: the journal when stderr leads there, else stderr itself.

    A record's ``extra={"fields": {"heard_ms": 310}}`` is appended to its line as
    ``heard_ms=310`` and is also a journal field of its own, ``PARLEY_HEARD_MS``.
    """
    handler = _journal_handler(environ) or logging.StreamHandler(sys.stderr)
    if isinstance(handler, JournalHandler):
        handler.setFormatter(FieldsFormatter("%(message)s"))
    else:
        handler.setFormatter(FieldsFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    handler.addFilter(OneASecond(handler))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def log_plainly() -> None:
    """What is logged where nothing is set up for it (warnings and worse, on stderr) is one line
    each, as `log_to_journal_or_stderr` has it."""
    handler = logging.lastResort
    if handler is not None and not handler.filters:
        handler.setFormatter(FieldsFormatter("%(message)s"))
        handler.addFilter(OneASecond(handler))


class FieldsFormatter(logging.Formatter):
    """Appends a record's `fields` to its message; whatever is in them, it stays one line.

    A traceback follows in lines that are indented, so that none looks like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback if there is one."""
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
        """The line without a traceback."""
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

    systemd-python has a handler too, which sends every attribute of a record, a
    dictionary as one text.
    """

    def __init__(self, send: Callable[..., Any]) -> None:
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
        except Exception:  # as every logging handler: a full journal must not end a conversation
            self.handleError(record)


def _journal_handler(environ: Mapping[str, str]) -> JournalHandler | None:
    if not _stderr_is_journal(environ):
        return None
    try:
        return JournalHandler(import_module("systemd.journal").send)
    except ImportError:
        return None  # stderr leads to the journal anyway, only without fields


def _stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """JOURNAL_STREAM names the device and inode of the stream (systemd.exec(5))."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _shown(record: logging.LogRecord) -> Mapping[str, str]:
    fields: Mapping[str, object] = getattr(record, "fields", {})
    return {name: printable(str(value), FIELD_CHARS) for name, value in fields.items()}


def _priority(level: int) -> int:
    """A syslog level (sd-daemon(3)) for one of logging's."""
    for least, priority in ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4)):
        if level >= least:
            return priority
    return 6 if level >= logging.INFO else 7


def _watchdog_us(environ: Mapping[str, str]) -> int | None:
    """From the environment; None when the watchdog is off or meant for another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds if microseconds > 0 else None


def _one_line(text: str) -> str:
    """A line break would begin another assignment."""
    return printable(" ".join(text.split()), FIELD_CHARS)
