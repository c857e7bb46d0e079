"""Home Assistant itself: it finds a real daemon at a real broker, and controls it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from daemon_process import Daemon
from lamp_server import LampServer

from parleyd import __version__
from tests.e2e.test_control import CONFIG
from tests.mqtt.broker_rig import WITHIN_S, Mosquitto, needs_broker, until

FOLDER = peers.folder("HOME_ASSISTANT")
pytestmark = [
    needs_broker,
    pytest.mark.skipif(FOLDER is None, reason="peers are run by tests/peers/run"),
]

FIRST = "sensor.kitchen_parley_state"
LAMP = "input_boolean.lamp"


class HomeAssistant:
    """The guest, in its own Debian."""

    def __init__(self, root: Path, broker: Mosquitto, log: Path) -> None:
        shutil.copy(Path(__file__).with_name("home_assistant_guest.py"), root / "guest.py")
        shutil.rmtree(root / "conf", ignore_errors=True)
        self.port = peers.free_port()
        guest = ["/ha/bin/python", "-W", "ignore", "/guest.py", "/conf"]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                ["chroot", str(root), *guest, str(broker.port), str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.version = self._reply()["version"]

    def ask(self, **what: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def call(self, domain: str, service: str, **data: Any) -> None:
        reply = self.ask(do="call", domain=domain, service=service, data=data)
        assert reply == {}, reply

    def states(self) -> dict[str, str]:
        found: dict[str, str] = self.ask(do="states")["entities"]
        return found

    def wait(self, **states: str) -> None:
        """Until the entities of Parley have these states."""
        names = {name.replace("__", ".kitchen_parley_"): to for name, to in states.items()}
        until(lambda: names.items() <= self.states().items(), str(names))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=WITHIN_S)

    def _reply(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    running = Daemon(tmp_path, CONFIG)
    try:
        running.wait("READY=1")
        yield running
    finally:
        running.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    served = Mosquitto(tmp_path, "allow_anonymous true")
    yield served
    served.close()


@pytest.fixture
def home(tmp_path: Path, broker: Mosquitto) -> Iterator[HomeAssistant]:
    assert FOLDER is not None
    served = HomeAssistant(FOLDER / "root", broker, tmp_path / "home-assistant.log")
    yield served
    served.close()


@pytest.fixture
def bridge(tmp_path: Path, broker: Mosquitto, daemon: Daemon) -> Iterator[subprocess.Popen[bytes]]:
    """`parley mqtt` for the daemon, in the kitchen."""
    config = tmp_path / "mqtt.toml"
    config.write_text(
        f'{CONFIG}\n[home]\narea = "Kitchen"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    )
    command = [sys.executable, "-m", "parleyd", "mqtt", "--config", str(config)]
    with subprocess.Popen(command) as process:
        yield process
        process.kill()


def parley(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "parleyd", *words], check=True, timeout=WITHIN_S)


def test_home_assistant_finds_and_controls_a_daemon(
    home: HomeAssistant, bridge: subprocess.Popen[bytes], daemon: Daemon
) -> None:
    until(lambda: home.states().get(FIRST) == "idle", "Home Assistant shows Parley")
    told = home.ask(do="states")
    print(f"Home Assistant {home.version}:")
    for entity, state in sorted(told["entities"].items()):
        print(f"  {entity} = {state}")
    assert told["devices"] == [{"name": "Parley", "area": "Kitchen", "sw_version": __version__}]
    home.wait(switch__mute="off", number__volume="70", binary_sensor__problem="off")

    home.call("switch", "turn_on", entity_id="switch.kitchen_parley_mute")
    home.wait(switch__mute="on", sensor__state="muted")
    home.call("switch", "turn_off", entity_id="switch.kitchen_parley_mute")
    home.wait(switch__mute="off", sensor__state="idle")
    home.call("number", "set_value", entity_id="number.kitchen_parley_volume", value=35)
    home.wait(number__volume="35")
    home.call("button", "press", entity_id="button.kitchen_parley_listen")
    home.wait(sensor__state="listening")
    home.call("button", "press", entity_id="button.kitchen_parley_stop")
    home.wait(sensor__state="idle")
    home.call(
        "notify",
        "send_message",
        entity_id="notify.kitchen_parley_say",
        message="The laundry is done, and the dishes wait in the kitchen",
    )
    daemon.wait("STATUS=speaking")
    home.wait(sensor__state="idle")

    parley("mute", "30")  # a person closes it: no assistant of the home may open it
    home.wait(switch__mute="on", sensor__state="muted")
    home.call("switch", "turn_off", entity_id="switch.kitchen_parley_mute")
    parley("unmute")
    home.wait(switch__mute="off")

    bridge.kill()  # its last will marks every entity
    home.wait(sensor__state="unavailable", switch__mute="unavailable")


def test_a_realtime_model_switches_a_lamp_of_home_assistant(
    tmp_path: Path, home: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = LampServer("HassTurnOn", {"name": "Kitchen lamp"})
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    until(lambda: home.states().get(LAMP) == "off", "Home Assistant has a lamp")
    monkeypatch.setenv("HOME_MCP_KEY", home.ask(do="token")["token"])
    realtime = f'server = "compatible"\nurl = "ws://127.0.0.1:{server.port}/v1/realtime"'
    mcp = f'label = "home"\nwhere = "here"\nurl = "http://127.0.0.1:{home.port}/api/mcp"'
    running = Daemon(
        tmp_path,
        CONFIG.replace('server = "embedded"', realtime)
        + f'[home]\narea = "Kitchen"\n[[skills.mcp]]\n{mcp}\nkey = "HOME_MCP_KEY"\n',
    )
    try:
        running.wait("READY=1")
        until(lambda: bool(server.function), "the model has Home Assistant's functions")
        assert "Kitchen lamp" in server.session["instructions"]
        parley("listen")
        until(lambda: home.states()[LAMP] == "on", "the lamp is on")
        until(lambda: bool(server.outputs), "the model is told")
        print(f"Home Assistant {home.version}: {server.function} -> {server.outputs[0][:200]}")
        assert "Kitchen lamp" in server.outputs[0]
        assert "Kitchen lamp" not in running.log.read_text()
    finally:
        running.close()
        server.close()
