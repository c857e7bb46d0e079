"""`parley setup` under a real systemd: the key reaches the service, which starts and listens."""

from pathlib import Path

import pytest

from tests.systemd.booting import booted, obstacle

pytestmark = pytest.mark.slow

CHECK = r"""
import pathlib, subprocess

def told(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr

key = "xai-Zq7wXy9vBn3mKl5jHg8fDs2a"
flags = ("--yes", "--key", "-", "--wake-word", "alexa")
said = told("/opt/parley/venv/bin/parley", "setup", *flags, text=key)
print("last:", said.strip().splitlines()[-1])
print("shown:", key in said)
print("restarted:", told("systemctl", "show", "parleyd", "--property=ActiveState"), end="")
handed = pathlib.Path("/run/credentials/parleyd.service/xai_api_key")
print("handed:", handed.read_text() == key + "\n")
print(pathlib.Path("/etc/systemd/system/parleyd.service.d/keys.conf").read_text())
print(pathlib.Path("/etc/parley/parley.toml").read_text())
"""


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
def test_key_reaches_the_service_which_starts_again(tmp_path: Path) -> None:
    """The container has no network: the server of the key is the first thing to mend."""
    told = booted(tmp_path, ["parleyd.service"], CHECK, {})
    assert "Do this first: " in told
    assert "shown: False" in told
    assert "restarted: ActiveState=active" in told
    assert "handed: True" in told
    assert "[Service]\nLoadCredential=xai_api_key:/etc/parley/xai_api_key\n" in told
    assert 'server = "xai"' in told
    assert 'keywords = ["alexa"]' in told
    assert "volume = 40   # Anna's" in told
