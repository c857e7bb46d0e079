"""The keys' lines of `parley doctor` under a real systemd: each fault is mended by its remedy."""

import json
from pathlib import Path

import pytest

from tests.diagnostics.trial_server import KEY, TrialServer, beside
from tests.systemd.booting import booted, obstacle

pytestmark = pytest.mark.slow

CONFIG = """\
[audio]
playback = "null"
capture = "null"
priority = 0
[realtime]
server = "compatible"
url = "ws://127.0.0.1:{port}/v1/realtime"
model = "m"
"""
QUICK = """\
[Service]
Type=exec
ExecStart=
ExecStart=/bin/sleep infinity
ExecStopPost=
WatchdogSec=0
RestartSec=10ms
"""
CHECK = r"""
import json, os, pathlib, subprocess
from parleyd import config
from parleyd.diagnostics import checks, clock_checks, daemon_view, server_trial
from parleyd.diagnostics import server_trial_checks, service_keys
from parleyd.diagnostics.server_checks import CREDENTIALS, keys
from parleyd.diagnostics.service_keys import ServiceKeys

server_trial.OBJECTS_WITHIN_S = 0.2
INSTALLED = pathlib.Path("/etc/parley/parley.toml")
FILE = CREDENTIALS / "realtime_api_key"
DROP_IN = service_keys.DROP_IN
told = {}

def run(command, text=""):
    return subprocess.run(["bash", "-ec", f'sudo() {{ "$@"; }}; {command}'], input=text,
        capture_output=True, text=True, timeout=60)

def look():
    settings, source = config.load(INSTALLED), ServiceKeys(service_keys.read(), CREDENTIALS)
    found = list(keys(settings, os.environ, CREDENTIALS, source))
    found += [source.outdated] if source.outdated else []
    found += list(server_trial_checks.server(settings, {}, source, INSTALLED))[:1]
    return [*found, checks.service()[1]]

def bad(found):
    return [f for f in found if f.level != "ok"]

def scene(name, *breaks, text="", first=0):
    for command in breaks:
        run(command)
    before = bad(look())
    steps = []
    for _ in range(4):
        wrong = bad(look())
        if not wrong:
            break
        ran = run(wrong[0].remedy, text)
        steps.append([wrong[0].check, wrong[0].level, wrong[0].text, wrong[0].remedy,
            ran.returncode, ran.stderr[-300:]])
    told[name] = {"steps": steps, "left": [str(f) for f in bad(look())]}

RIGHT, restart = KEY + "\n", "systemctl restart parleyd"
scene("no key", f"rm -f {FILE} {DROP_IN}", "systemctl daemon-reload", restart, text=RIGHT)
told["good"] = [f"{f.level} {f.text}" for f in look()]
scene("unnamed", f"rm {DROP_IN}", "systemctl daemon-reload", restart)
scene("missing", f"rm {FILE}", restart, text=RIGHT)
scene("changed", f"echo {KEY[::-1]} >{FILE}", restart, f"echo {KEY} >{FILE}")
scene("unread", f"sleep 1; printf '\\n# a change\\n' >>{DROP_IN}")
scene("wrong", f"echo {KEY[::-1]} >{FILE}", restart, text=RIGHT)
scene("form", f"echo '\"{KEY}\"' >{FILE}", restart, text=RIGHT)
scene("open", f"chmod 644 {FILE}")
scene("encrypted", f"systemd-creds encrypt --name=realtime_api_key {FILE} {FILE}.cred",
    f"rm {FILE} {DROP_IN}", "systemctl daemon-reload", restart)
told["decrypted"] = [f"{f.level} {f.text}" for f in look()]
scene("spoiled", f"systemd-creds encrypt --name=other_key - {FILE}.cred <<<{KEY}", restart,
    text=RIGHT)
scene("disabled", "systemctl disable --now parleyd")
before = list(clock_checks.clock(None, 2e9, clock_checks.state()))[1:]
told["zone"] = [f.text for f in before] + [run(f.remedy).returncode for f in before]
told["zone"] += [f.text for f in list(clock_checks.clock(None, 2e9, clock_checks.state()))[1:]]
os.environ["PATH"] = "/opt/parley/venv/bin:" + os.environ["PATH"]
commands = ["journalctl -u parleyd -n 50", "journalctl -u parleyd", "systemctl status parleyd",
    "journalctl -u parleyd -n 20", "journalctl -u parley-page -n 20"]
commands.append("set +e; " + daemon_view.ALONE)
told["ran"] = [[command, run(command).returncode] for command in commands]
told["doctor"] = run("parley doctor --json --config /etc/parley/parley.toml").stdout
os.environ["REALTIME_API_KEY"] = KEY
run(f"rm {DROP_IN} {FILE}.cred; systemctl daemon-reload; {restart}")
told["shell"] = [f"{f.level} {f.text}" for f in look()]
print(json.dumps(told))
"""


def test_faults_of_keys_are_mended_by_their_remedies(tmp_path: Path) -> None:
    if reason := obstacle():
        pytest.skip(f"THE KEYS OF THE SERVICE ARE NOT TRIED: {reason}")
    with beside(TrialServer().running) as server:
        files = {
            "etc/parley/parley.toml": CONFIG.format(port=server.port),
            "etc/systemd/system/parleyd.service.d/00-quick.conf": QUICK,
            "etc/machine-info": "",
        }
        text = booted(tmp_path, ["parleyd.service"], f"KEY = {KEY!r}\n{CHECK}", files)
    assert text.startswith("{"), text
    told = json.loads(text)
    names = ("good", "decrypted", "shell", "zone", "ran", "doctor")
    good, decrypted, shell, zone, ran, doctor = (told.pop(name) for name in names)
    for name, scene in told.items():
        assert all(step[4] == 0 for step in scene["steps"]), (name, scene)
        assert scene["left"] == [], (name, scene)
    firsts = {name: scene["steps"][0][:3] for name, scene in told.items() if scene["steps"]}
    assert "encrypted" in told
    assert firsts["no key"][:2] == ["server", "warn"]
    for name, words in {
        "unnamed": "no file of parleyd.service names it",
        "missing": "does not exist: systemd does not start the service",
        "changed": "the service, which has the old key",
        "unread": "systemd has not read them",
        "wrong": "refuses the key",
        "form": "not in the form of a key",
        "open": "other users can read",
        "encrypted": "no file of parleyd.service names it",
        "spoiled": "cannot be decrypted on this machine",
        "disabled": "is inactive",
    }.items():
        assert words in firsts[name][2], (name, firsts[name])
    drop_in = "/etc/systemd/system/parleyd.service.d/keys.conf"
    handed = f"ok REALTIME_API_KEY is handed to the service by {drop_in} (not shown)"
    assert good[0] == decrypted[0] == handed
    assert shell[0] == 'ok realtime.server = "compatible" needs no key'
    assert "a session was not tried, because there is no key" in shell[1]
    assert zone == ["the time zone is Etc/UTC: alarms ring by its hours", 0]
    assert [status for _, status in ran] == [0] * len(ran), ran
    found = {line["check"]: line["level"] for line in json.loads(doctor)["findings"]}
    assert (found["key"], found["server"], found["service"]) == ("ok", "ok", "ok")
    assert KEY not in text.replace(repr(KEY), "")
