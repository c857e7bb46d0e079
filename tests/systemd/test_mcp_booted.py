"""MCP servers of the home under a real systemd: over HTTP with a credential, and as a command."""

import json
from pathlib import Path

import pytest

from tests.mcp.test_mcp_child import KEY, free_port
from tests.systemd.booting import CHECKOUT, CONFIG, PYTHON, booted, obstacle

pytestmark = pytest.mark.slow

SETTINGS = f"""{CONFIG}
[[skills.mcp]]
label = "home"
where = "here"
url = "http://127.0.0.1:PORT/api/mcp"
key = "HOME_MCP_KEY"
[[skills.mcp]]
label = "tool"
where = "here"
command = ["/usr/local/bin/tool"]
allowed_tools = ["movie_night"]
"""
HOME = f"""\
[Service]
WorkingDirectory={CHECKOUT}
ExecStart={PYTHON} -m tests.mcp.pretend_home http /tmp --port PORT --key {KEY}
"""
TOOL = f"""\
#!/bin/sh
cd {CHECKOUT} && mkdir -p /run/parley/tool && exec {PYTHON} -m tests.mcp.pretend_home \\
    stdio /run/parley/tool
"""
CHECK = """
import json, pathlib, subprocess, time

journal = ["journalctl", "-q", "--no-pager", "-o", "cat", "-u", "parleyd"]

def log():
    return subprocess.run(journal, capture_output=True, text=True).stdout

def known():
    return all(f"connected to the MCP server {name}:" in log() for name in ("home", "tool"))

ends = time.monotonic() + 120
while not known() and time.monotonic() < ends:
    time.sleep(0.5)
show = ["systemctl", "show", "parleyd", "-P", "MainPID"]
pid = subprocess.run(show, capture_output=True, text=True).stdout.strip()
found = subprocess.run(["pgrep", "-f", "parleyd.mcp.child"], capture_output=True, text=True)
children = []
for child in found.stdout.split():
    place = pathlib.Path(f"/proc/{child}")
    lines = (place / "status").read_text().splitlines()
    status = {line.split(":")[0]: line.split()[1:] for line in lines}
    secret = "a-key-of" in (place / "environ").read_text() + (place / "cmdline").read_text()
    adjusted = (place / "oom_score_adj").read_text().strip()
    policy = (place / "stat").read_text().rpartition(")")[2].split()[38]
    children.append([status, secret, adjusted, policy])
began = time.monotonic()
subprocess.run(["systemctl", "stop", "parleyd"])
told = {"known": known(), "children": children, "log": log(), "stop_s": time.monotonic() - began}
left = ["pgrep", "-f", "pretend_home stdio|parleyd.mcp"]
told["left"] = subprocess.run(left, capture_output=True, text=True).stdout
print(json.dumps(told))
"""


def test_mcp_servers_work_inside_the_sandbox(tmp_path: Path) -> None:
    if reason := obstacle():
        pytest.skip(f"THE MCP SERVERS ARE NOT BOOTED: {reason}")
    port = str(free_port())  # the container has no separate network
    files = {
        "etc/parley/parley.toml": SETTINGS.replace("PORT", port),
        "etc/parley/home_mcp_key": KEY,
        "etc/systemd/system/parleyd.service.d/keys.conf": (
            "[Service]\nLoadCredential=home_mcp_key:/etc/parley/home_mcp_key\n"
        ),
        "etc/systemd/system/home.service": HOME.replace("PORT", port),
        "usr/local/bin/tool": TOOL,
    }
    text = booted(tmp_path, ["home.service", "parleyd.service"], CHECK, files)
    assert text.startswith("{"), text
    told = json.loads(text)
    assert told["known"], told["log"]
    assert KEY not in told["log"]
    assert len(told["children"]) == 2
    for status, secret, adjusted, policy in told["children"]:
        assert not secret
        assert status["CapEff"] == ["0000000000000000"]
        assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])
        assert "0" not in status["Uid"]
        assert adjusted == "800"
        assert policy == "0"  # ordinary, not the real-time priority of the event loop
    assert told["stop_s"] < 5.0
    assert told["left"] == ""
