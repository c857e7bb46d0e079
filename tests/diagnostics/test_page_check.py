"""The doctor's line about the page, with real sockets."""

import socket
from pathlib import Path

from parleyd.config import PageConfig
from parleyd.diagnostics import page_checks
from parleyd.diagnostics.findings import Severity


def test_page_is_checked_only_where_it_is_enabled(tmp_path: Path) -> None:
    enabled = tmp_path / "parley-page.service"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = PageConfig(port=listening.getsockname()[1])
        assert "not installed" in page_checks.page(settings, enabled).text
        enabled.touch()
        alone = page_checks.page(settings, enabled)
        assert alone.level is Severity.OK
        assert "for this device alone" in alone.text
        open_to_all = page_checks.page(PageConfig(host="0.0.0.0", port=settings.port), enabled)
        assert open_to_all.level is Severity.WARN
        assert "without encryption" in open_to_all.text
    refused = page_checks.page(settings, enabled)
    assert refused.level is Severity.FAIL
    assert "journalctl" in refused.remedy
