"""The daemon's hooks and `parley mqtt` under a real systemd, at a real broker."""

import json
from pathlib import Path

import pytest

from tests.mqtt.broker_rig import MOSQUITTO, needs_broker
from tests.page.page_rig import free_port
from tests.systemd.booting import CONFIG, booted, obstacle

pytestmark = [pytest.mark.slow, needs_broker]

HOOK = """\
#!/bin/sh
# the sandbox: what it can write, see and say
{ read -r line; touch /etc/x /usr/x; ls /home /dev/snd; } 2>/dev/null >/dev/null
echo "$PARLEY_STATE $(echo "$line" | cut -c 1-15) $(env | grep -c _API_KEY)" \\
    >>"$RUNTIME_DIRECTORY/states"
exit 3
"""
SETTINGS = f"""{CONFIG}
[hooks]
state = ["/usr/local/bin/hook"]
[mqtt]
host = "127.0.0.1"
port = PORT
user = "parley"
"""
BROKER = f"""\
[Service]
ExecStart={MOSQUITTO} -c /etc/broker.conf
"""
CHECK = """
import json, pathlib, subprocess, time
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

held = {}
home = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
home.username_pw_set("home", "home's")
home.on_message = lambda client, data, message: held.update({message.topic: message.payload})
home.on_connect = lambda client, *rest: client.subscribe("parley/#", 1)

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

def state():
    return next((p.decode() for t, p in held.items() if t.endswith("/state")), "")

def base():
    return next(topic for topic in held if topic.endswith("/state")).rpartition("/")[0]

told = {"broker": until(lambda: home.connect("127.0.0.1", PORT) == 0)}
home.loop_start()
journal = ["journalctl", "-q", "--no-pager", "-o", "cat", "-u", "parley*", "-u", "broker"]
if not until(lambda: state() == "idle"):
    subprocess.run(journal)
    raise SystemExit(f"no state at the broker, only {held}")
home.publish(f"{base()}/mute/set", "ON", qos=1)
told["muted"] = until(lambda: state() == "muted")
states = pathlib.Path("/run/parley/states")
told["hook"] = until(lambda: "muted" in states.read_text()) and states.read_text()
show = ["systemctl", "show", "parley-mqtt", "-P", "MainPID"]
pid = subprocess.run(show, capture_output=True, text=True).stdout.strip()
lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
told["process"] = {line.split(":")[0]: line.split()[1:] for line in lines}
told["environ"] = "home-password" in pathlib.Path(f"/proc/{pid}/environ").read_text()
told["log"] = subprocess.run(journal, capture_output=True, text=True).stdout
subprocess.run(["systemctl", "stop", "parley-mqtt"])
told["goodbye"] = until(lambda: held.get(f"{base()}/status") == b"offline")
told["failed"] = subprocess.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend",
    "parley*"], capture_output=True, text=True).stdout
print(json.dumps(told))
"""


def test_hooks_and_mqtt_work_inside_their_sandboxes(tmp_path: Path) -> None:
    if reason := obstacle():
        pytest.skip(f"THE UNITS FOR THE HOME ARE NOT BOOTED: {reason}")
    port = str(free_port())  # the container has no separate network
    credential = "[Service]\nLoadCredential=mqtt_password:/etc/parley/mqtt_password\n"
    files = {
        "etc/parley/parley.toml": SETTINGS.replace("PORT", port),
        "etc/parley/mqtt_password": "home-password",
        "etc/systemd/system/parley-mqtt.service.d/credentials.conf": credential,
        "etc/systemd/system/broker.service": BROKER,
        "etc/broker.conf": f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n",
        "usr/local/bin/hook": HOOK,
    }
    units = ["broker.service", "parleyd.service", "parley-mqtt.service"]
    text = booted(tmp_path, units, f"PORT = {port}\n{CHECK}", files)
    assert text.startswith("{"), text
    told = json.loads(text)
    assert all(told[name] for name in ("broker", "muted", "goodbye")), told["log"]
    lines = told["hook"].splitlines()
    assert [line.split()[0] for line in lines][-1] == "muted"
    assert all(line.split()[1:] == ['{"type":"state"', "0"] for line in lines)
    assert "the hook state failed, exit status 3" in told["log"]
    assert "home-password" not in told["log"]
    assert not told["environ"]
    assert told["process"]["CapEff"] == ["0000000000000000"]
    assert told["process"]["NoNewPrivs"] == ["1"]
    assert told["process"]["Seccomp"] == ["2"]
    assert "0" not in told["process"]["Uid"]
    assert told["failed"] == ""
