"""The addresses on which `parley serve` may listen."""

import pytest
from click.testing import CliRunner

from parleyd.cli.serve import serve


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "fe80::1", "example.org", "", "127.0.0.1.example"]
)
def test_serve_refuses_a_host_off_loopback(host: str) -> None:
    ran = CliRunner().invoke(serve, ["--host", host])
    assert ran.exit_code == 2
    assert "is not on loopback" in ran.output
    assert "127.0.0.1, ::1 and localhost" in " ".join(ran.output.split())
