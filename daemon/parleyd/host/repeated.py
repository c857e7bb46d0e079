"""A logging filter that passes one line of a kind each second and counts the others."""

import atexit
import logging
import re
import threading
import time
from collections.abc import Callable, Hashable

from parleyd.printable import printable
from parleyd.system.repeats import EVERY_S, Count, Key, Repeats

SHOWN_CHARS = 500  # the longest part of a repeated line that is shown with its count

_DIGITS = re.compile(r"\d+")


class OneASecond(logging.Filter):
    """The filter for one handler, which also receives the counts. Any thread.

    `clock` is monotonic. A record with a true attribute `each` is always written. A count is
    written before the next line after its second, by a timer, or when the process ends.
    """

    def __init__(
        self, handler: logging.Handler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._handler = handler
        self._clock = clock
        self._repeats = Repeats()
        self._newest: dict[Key, logging.LogRecord] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        atexit.register(self.flush_counts)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this record is written."""
        if getattr(record, "each", False):
            return True
        with self._lock:
            now = self._clock()
            counts = self._counted(self._repeats.over(now))
            key = self._repeats.admit(_template(record), _text(record), now)
            if key is not None:
                self._newest[key] = record
                if self._timer is None:
                    self._timer = threading.Timer(EVERY_S, self._time_is_up)
                    self._timer.daemon = True
                    self._timer.start()
        self._write(counts)
        return key is None

    def flush_counts(self) -> None:
        """Write every count that is due."""
        with self._lock:
            counts = self._counted(self._repeats.rest(self._clock()))
        self._write(counts)

    def _time_is_up(self) -> None:
        with self._lock:
            counts = self._counted(self._repeats.over(self._clock()))
            self._timer = None
            if self._repeats.counting:
                self._timer = threading.Timer(EVERY_S, self._time_is_up)
                self._timer.daemon = True
                self._timer.start()
        self._write(counts)

    def _counted(self, counts: list[Count]) -> list[logging.LogRecord]:
        return [_summary(self._newest.pop(count.key), count) for count in counts]

    def _write(self, records: list[logging.LogRecord]) -> None:
        for record in records:
            self._handler.acquire()
            try:
                self._handler.emit(record)
            finally:
                self._handler.release()


def _template(record: logging.LogRecord) -> Hashable:
    """Return the key of records with the same message; for an error, it includes the place."""
    kind: Hashable = None
    if record.exc_info and record.exc_info[0] is not None:
        traceback = record.exc_info[2]
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        kind = (record.exc_info[0].__name__, traceback and traceback.tb_lineno)
    return record.name, record.levelno, str(record.msg), kind


def _text(record: logging.LogRecord) -> str:
    """Return the text that distinguishes lines of one template; in warnings, without numbers."""
    fields = getattr(record, "fields", None)
    text = printable(f"{_message(record)} {fields or ''}", SHOWN_CHARS)
    return _DIGITS.sub("0", text) if record.levelno >= logging.WARNING else text


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # wrong arguments, which logging itself reports
        return str(record.msg)


def _summary(newest: logging.LogRecord, count: Count) -> logging.LogRecord:
    if count.more == 1:
        return newest  # no line was omitted
    fields = getattr(newest, "fields", None) or {}
    line = " ".join([_message(newest), *(f"{key}={value}" for key, value in fields.items())])
    made = logging.makeLogRecord(newest.__dict__ | {"fields": {}})
    made.msg = "%d more in %.1f s like this: %s"
    made.args = (count.more, count.seconds, printable(line, SHOWN_CHARS))
    made.exc_info = made.exc_text = made.stack_info = None
    return made
