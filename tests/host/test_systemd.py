"""The real systemd-python with a real datagram socket, and with the journal if one runs."""

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.host.systemd import (
    FieldsFormatter,
    JournalHandler,
    Notifier,
    log_plainly,
    log_to_journal_or_stderr,
)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which the service manager listens."""
    # not tmp_path, because a socket's path may have at most 107 bytes
    with (
        tempfile.TemporaryDirectory(prefix="parley-notify-") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        path = str(Path(directory) / "notify")
        listener.bind(path)
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listener


def test_notifier_sends_the_life_of_a_service_in_order(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready("idle")
    notifier.status("speaking")
    notifier.watchdog()
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    notifier.stopping()
    told = [manager.recv(4096).decode() for _ in range(5)]
    assert told[0] == "READY=1\nSTATUS=idle"
    assert told[1] == "STATUS=speaking"
    assert told[2] == "WATCHDOG=1"
    assert told[4] == "STOPPING=1"
    reloading, moment = told[3].split("\n")
    assert reloading == "RELOADING=1"
    assert moment.startswith("MONOTONIC_USEC=")
    assert before <= int(moment.partition("=")[2]) <= time.monotonic_ns() // 1000


def test_notifier_status_cannot_contain_another_assignment(manager: socket.socket) -> None:
    Notifier().status("offline\nWATCHDOG=trigger")
    assert manager.recv(4096) == b"STATUS=offline WATCHDOG=trigger"
    Notifier().status("offline \x1b[31m\u202e")
    assert manager.recv(4096) == b"STATUS=offline \\x1b[31m\\u202e"


def test_notifier_without_a_manager_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.ready("idle")
    notifier.stopping()
    assert notifier.watchdog_interval_s() is None


def test_notifier_with_a_lost_manager_raises_nothing(manager: socket.socket) -> None:
    notifier = Notifier()
    path = manager.getsockname()
    manager.close()
    os.unlink(path)
    notifier.watchdog()


def test_notifier_without_systemd_python_logs_a_remedy(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "systemd.daemon", None)
    Notifier().ready("idle")
    assert "run install.sh again" in caplog.text


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval_is_half_of_its_time(
    environ: dict[str, str], interval_s: float | None
) -> None:
    assert Notifier(environ).watchdog_interval_s() == interval_s


# --- logging -------------------------------------------------------------------------


@pytest.fixture
def _root_logger() -> Iterator[None]:
    """Restore pytest's handlers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_formatter_appends_fields_to_the_line() -> None:
    record = logging.makeLogRecord({"msg": "turn", "fields": {"heard_ms": 310, "why": "voice"}})
    assert FieldsFormatter("%(message)s").format(record) == "turn heard_ms=310 why=voice"
    assert FieldsFormatter("%(message)s").format(logging.makeLogRecord({"msg": "x"})) == "x"


FORGED = "a\x1b[31m\n2026-12-01 10:00:00,000 ERROR   parleyd: the disk is on fire\u202e"
ESCAPED = "a\\x1b[31m\\n2026-12-01 10:00:00,000 ERROR   parleyd: the disk is on fire\\u202e"


def test_formatter_escapes_line_breaks_and_colours_in_text() -> None:
    formatter = FieldsFormatter("%(message)s")
    record = logging.makeLogRecord({"msg": "%s", "args": (FORGED,), "fields": {"why": FORGED}})
    assert formatter.format(record) == f"{ESCAPED} why={ESCAPED}"
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    failed = logging.makeLogRecord({"msg": "failed", "exc_info": found, "exc_text": FORGED})
    first, *traceback = formatter.format(failed).split("\n")
    assert first == "failed"
    assert all(line.startswith("  ") and line.isprintable() for line in traceback)
    assert traceback[-1].endswith("ERROR   parleyd: the disk is on fire\\u202e")


def test_formatter_shortens_a_long_line() -> None:
    record = logging.makeLogRecord({"msg": "c" * 3_000_000, "fields": {"why": "d" * 3_000_000}})
    assert len(FieldsFormatter("%(message)s").format(record)) < 3000


def test_journal_fields_are_one_line_each() -> None:
    sent: list[dict[str, object]] = []
    handler = JournalHandler(lambda message, **fields: sent.append({"message": message, **fields}))
    handler.setFormatter(FieldsFormatter("%(message)s"))
    handler.emit(logging.makeLogRecord({"msg": FORGED, "levelno": 30, "fields": {"why": FORGED}}))
    assert sent[0]["message"] == f"{ESCAPED} why={ESCAPED}"
    assert sent[0]["PARLEY_WHY"] == ESCAPED


@pytest.mark.usefixtures("_root_logger")
def test_log_on_stderr_counts_repeated_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_journal_or_stderr("info", {})
    for _ in range(1000):
        logging.getLogger("parleyd.x").warning("bad delta")
    logging.getLogger().handlers[0].filters[0].flush_counts()  # type: ignore[union-attr]
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 10
    counts = [
        int(line.split("parleyd.x: ")[1].split(" more")[0]) for line in lines if "more" in line
    ]
    assert sum(counts) + len(lines) - len(counts) == 1000


@pytest.mark.usefixtures("_root_logger")
def test_log_plainly_writes_warnings_as_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = logging.lastResort
    assert handler is not None
    logging.getLogger().handlers.clear()
    try:
        log_plainly()
        for _ in range(3):
            logging.getLogger("parleyd.embedded").warning("a client sent %s", FORGED)
        assert capsys.readouterr().err == f"a client sent {ESCAPED}\n"
    finally:
        handler.filters[0].flush_counts()  # type: ignore[union-attr]
        handler.filters.clear()
        handler.setFormatter(None)


@pytest.mark.usefixtures("_root_logger")
def test_log_without_a_journal_writes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_journal_or_stderr("info", {})
    logging.getLogger("parleyd.x").info("turn", extra={"fields": {"heard_ms": 310}})
    logging.getLogger("parleyd.x").debug("not shown")
    err = capsys.readouterr().err
    assert err.endswith("INFO    parleyd.x: turn heard_ms=310\n")


@pytest.mark.usefixtures("_root_logger")
def test_log_uses_the_journal_only_if_stderr_leads_there(
    capfd: pytest.CaptureFixture[str],
) -> None:
    status = os.fstat(2)
    for stream, kind in (
        (f"{status.st_dev}:{status.st_ino}", JournalHandler),
        (f"{status.st_dev}:{status.st_ino + 1}", logging.StreamHandler),
    ):
        log_to_journal_or_stderr("info", {"JOURNAL_STREAM": stream})
        assert type(logging.getLogger().handlers[0]) is kind


def test_journal_handler_sends_a_record_as_fields() -> None:
    sent: list[tuple[str, dict[str, str]]] = []
    log = logging.Logger("parleyd.core.turn")
    handler = JournalHandler(lambda message, **fields: sent.append((message, fields)))
    handler.setFormatter(FieldsFormatter("%(message)s"))
    log.addHandler(handler)
    log.warning("turn", extra={"fields": {"heard_ms": 310}})
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("failed")
    message, fields = sent[0]
    assert message == "turn heard_ms=310"
    assert fields["PARLEY_HEARD_MS"] == "310"
    assert fields["PRIORITY"] == "4"
    assert fields["CODE_FUNC"] == "test_journal_handler_sends_a_record_as_fields"
    assert sent[1][1]["PRIORITY"] == "3"
    assert "ValueError: why" in sent[1][0]


def test_journal_send_accepts_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd needs CODE_LINE as a number; a text raised, and no line reached the journal."""
    journal = pytest.importorskip("systemd.journal")
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(journal, "sendv", lambda *fields: sent.append(fields))
    log = logging.Logger("parleyd.core.turn")
    log.addHandler(JournalHandler(journal.send))
    log.warning("turn", extra={"fields": {"heard_ms": 310}})
    ((message, *fields),) = sent
    assert message == "MESSAGE=turn"
    assert "PARLEY_HEARD_MS=310" in fields
    assert any(field.startswith("CODE_LINE=") for field in fields)


@pytest.mark.skipif(
    not Path("/run/systemd/journal/socket").exists() or shutil.which("journalctl") is None,
    reason="the journal is NOT tested: no journald runs on this machine",
)
def test_journal_receives_fields() -> None:
    journal = pytest.importorskip("systemd.journal")
    mark = uuid.uuid4().hex
    handler = JournalHandler(journal.send)
    handler.emit(logging.makeLogRecord({"msg": "test", "levelno": 20, "fields": {"mark": mark}}))
    subprocess.run(["journalctl", "--sync"], check=False, timeout=30)
    lines = subprocess.run(
        ["journalctl", f"PARLEY_MARK={mark}", "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout.splitlines()
    assert [json.loads(line)["MESSAGE"] for line in lines] == ["test"]
