"""The check of `parley doctor` for the page: whether its service listens, and for whom."""

import socket
from pathlib import Path

from parleyd import config
from parleyd.config import hosts
from parleyd.diagnostics.findings import Finding, Severity

ENABLED = Path("/etc/systemd/system/multi-user.target.wants/parley-page.service")
ANSWERS_WITHIN_S = 5.0


def page(settings: config.PageConfig, enabled: Path = ENABLED) -> Finding:
    """Check that the page listens, if its service is enabled; the token is not tried."""
    if not enabled.exists():
        return Finding("page", Severity.OK, "the page is not installed, or its service is disabled")
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
