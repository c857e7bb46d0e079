"""The check of `parley doctor` for the page: whether its service listens, and for whom."""

import socket
from pathlib import Path

from parleyd import config
from parleyd.config import hosts
from parleyd.diagnostics.findings import Finding, Severity

UNIT = Path("/etc/systemd/system/parley-page.service")
ANSWERS_WITHIN_S = 5.0


def page(settings: config.PageConfig, unit: Path = UNIT) -> Finding:
    """Check that the page listens, if it is installed; the token is not tried."""
    if not unit.exists():
        return Finding("page", Severity.OK, "the page is not installed")
    where = f"{settings.host} port {settings.port}"
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    address = everywhere.get(settings.host, settings.host)
    try:
        socket.create_connection((address, settings.port), ANSWERS_WITHIN_S).close()
    except OSError as error:
        text = f"the page does not listen at {where}: {error}"
        return Finding("page", Severity.FAIL, text, "journalctl -u parley-page -n 20")
    if settings.host in everywhere or not hosts.is_loopback(settings.host):
        text = f"the page listens at {where}, without encryption"
        remedy = "set page.host to 127.0.0.1 unless you trust every device of the network"
        return Finding("page", Severity.WARN, text, remedy)
    return Finding("page", Severity.OK, f"the page listens at {where}, for this device alone")
