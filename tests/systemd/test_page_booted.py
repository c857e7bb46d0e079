"""The units of the page under a real systemd: their users, their sandboxes, a saved setting."""

import json
from pathlib import Path

import pytest

from tests.page.page_rig import TOKEN
from tests.systemd.booting import booted, obstacle

pytestmark = pytest.mark.slow

CHECK = """
import http.client, json, os, pathlib, socket, subprocess, time

def show(unit, name):
    told = subprocess.run(["systemctl", "show", "-P", name, unit], capture_output=True, text=True)
    return told.stdout.strip()

def ask(path, body=None, cookie=""):
    connection = http.client.HTTPConnection("127.0.0.1", 8470, timeout=60)
    headers = {"Cookie": cookie, "Origin": "http://127.0.0.1:8470"}
    headers["Content-Type"] = "application/json"
    connection.request("POST" if body else "GET", path, body and json.dumps(body), headers)
    return connection.getresponse()

def until(there):
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            if there():
                return True
        except OSError:
            pass
        time.sleep(0.2)
    return False

told = {"answers": until(lambda: ask("/").status == 200)}
cookie = ask("/api/login", {"token": TOKEN}).headers["Set-Cookie"].partition(";")[0]
told["connected"] = until(lambda: ask("/api/mute", {"minutes": 1}, cookie).status == 200)
settings = json.load(ask("/api/settings", cookie=cookie))
told["saves"] = settings["saves"]
wish = {"revision": settings["revision"], "changes": {"audio.volume": 25}}
told["saved"] = ask("/api/settings/save", wish, cookie).status
bad = {"revision": settings["revision"], "changes": {"skills.folder": "/tmp"}}
told["refused"] = ask("/api/settings/save", bad, cookie).status
told["file"] = pathlib.Path("/etc/parley/parley.toml").read_text()
status = ["/opt/parley/venv/bin/parley", "status", "--json"]
volume = lambda: json.loads(subprocess.run(status, capture_output=True).stdout).get("volume")
told["reloaded"] = until(lambda: volume() == 25)
pid = show("parley-page", "MainPID")
lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
told["process"] = {line.split(":")[0]: line.split()[1:] for line in lines}
inside = ["nsenter", "-t", pid, "-m", "--", "sh", "-c"]
write = "for f in /etc/parley/x /usr/x /var/x; do echo x >$f && echo $f; done"
told["written"] = subprocess.run([*inside, write], capture_output=True, text=True).stdout
told["failed"] = subprocess.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend",
    "parley*"], capture_output=True, text=True).stdout
if os.fork() == 0:
    os.setgid(65534); os.setgroups([]); os.setuid(65534)
    try:
        socket.socket(socket.AF_UNIX).connect("/run/parley-page-save")
    except PermissionError:
        os._exit(0)
    os._exit(1)
told["others"] = os.wait()[1]
print(json.dumps(told))
"""


def test_page_saves_a_setting_and_systemd_reloads_the_daemon(tmp_path: Path) -> None:
    if reason := obstacle():
        pytest.skip(f"THE UNITS OF THE PAGE ARE NOT BOOTED: {reason}")
    units = ["parleyd.service", "parley-page.service", "parley-page-save.socket"]
    text = booted(tmp_path, units, f"TOKEN = {TOKEN!r}\n{CHECK}", {"etc/parley/page_token": TOKEN})
    assert text.startswith("{"), text
    told = json.loads(text)
    assert told["answers"]
    assert told["connected"]
    assert told["saves"]
    assert (told["saved"], told["refused"]) == (200, 409)  # the file has changed since
    assert "volume = 25   # Anna's\n" in told["file"]
    assert told["reloaded"]
    process = told["process"]
    assert int(process["Uid"][0]) > 60_000, "a temporary user"
    assert process["CapEff"] == process["CapBnd"] == ["0000000000000000"]
    assert (process["NoNewPrivs"], process["Seccomp"]) == (["1"], ["2"])
    assert told["written"] == ""
    assert told["failed"] == ""
    assert told["others"] == 0, "another user reached the socket of the saving process"
