"""A private mosquitto, a client of it, and `parley mqtt` between it and a control socket."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from parleyd.control.place import Place
from parleyd.control.replies import (
    AnyReply,
    Code,
    Done,
    ErrorReply,
    Logged,
    Microphone,
    StateChanged,
    StatusReply,
    TurnReported,
    VolumeReply,
)
from parleyd.control.requests import (
    ActRequest,
    MuteRequest,
    StatusRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.control.server import ControlServer
from parleyd.mqtt.discovery import Topics
from parleyd.mqtt.identity import MACHINE_ID, speaker_id

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
WITHIN_S = 60.0

needs_broker = pytest.mark.skipif(
    MOSQUITTO is None or not MACHINE_ID.exists(),
    reason="MQTT IS NOT TESTED WITH A BROKER: install mosquitto, and have a machine id",
)


class Mosquitto:
    """A broker on loopback that forgets everything when it ends."""

    def __init__(self, folder: Path, *lines: str, port: int | None = None) -> None:
        self.port = port or _free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user root\npersistence false\nlistener {self.port} 127.0.0.1\n" + "\n".join(lines)
        )
        self._log = (folder / "mosquitto.log").open("ab")
        self._process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        assert MOSQUITTO is not None
        command = [MOSQUITTO, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        until(self._listens, "mosquitto listens")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(WITHIN_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(WITHIN_S)

    def close(self) -> None:
        self.kill()
        self._log.close()

    def pause(self, signal: int) -> None:
        self._process.send_signal(signal)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False


class Home:
    """A client that keeps what it gets, as Home Assistant would."""

    def __init__(self, broker: Mosquitto, topics: Topics, **options: Any) -> None:
        self.topics = topics
        self.held: dict[str, str] = {}
        self.live: list[tuple[str, str, bool]] = []
        self._changed = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if ca := options.get("ca"):
            self._client.tls_set(str(ca))
        if user := options.get("user"):
            self._client.username_pw_set(user, options["password"])
        self._client.on_message = self._take
        self._client.on_connect = lambda client, *rest: client.subscribe("#", 1)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("localhost", broker.port, 60)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def value(self, name: str) -> str | None:
        return self.held.get(self.topics.of(name))

    def wait(self, **values: str) -> None:
        """Until the broker's values are these."""
        self.wait_for(lambda: all(self.value(k) == v for k, v in values.items()), str(values))

    def wait_for(self, there: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(there, WITHIN_S), f"{what}; got {self.live[-20:]}"

    def wait_live(self, topic: str) -> None:
        """Until a message of this topic has come since `live` was cleared."""
        self.wait_for(lambda: any(topic == found for found, *_ in self.live), topic)

    def command(self, name: str, payload: str | bytes, retain: bool = False) -> None:
        self.publish(self.topics.command(name), payload, retain)

    def publish(self, topic: str, payload: str | bytes, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WITHIN_S)

    def _take(self, client: Any, data: Any, message: Any) -> None:
        text = message.payload.decode("utf-8", "replace")
        with self._changed:
            self.held[message.topic] = text
            self.live.append((message.topic, text, message.retain))
            self._changed.notify_all()


class Speaker:
    """A daemon's control socket without the daemon: it keeps requests, mute and volume."""

    def __init__(self, folder: Path) -> None:
        (folder / "parley").mkdir(exist_ok=True)
        self.requests: list[ActRequest] = []
        self.closed, self.by_person, self.volume = False, False, 70
        self.indication = "idle"
        self._server = ControlServer(Place(folder / "parley/control", shared=False), self._answer)
        self._server.start()

    def close(self) -> None:
        self._server.close()

    def show(self, indication: str) -> None:
        self.indication = indication
        self._server.publish(StateChanged(indication=indication, detail=""))

    def log(self, name: str) -> None:
        self._server.publish(Logged(name=name, fields={}))

    def turn(self, **fields: int | bool | None) -> None:
        self._server.publish(TurnReported(fields={**fields}))

    def asked(self) -> list[ActRequest]:
        """The requests but those for the status, without their numbers."""
        return [r for r in self.requests if not isinstance(r, StatusRequest)]

    async def _answer(self, request: ActRequest) -> AnyReply:
        self.requests.append(request)
        match request:
            case StatusRequest():
                microphone = Microphone(closed=self.closed, by_switch=False, left_s=0, reason="")
                return StatusReply(
                    id=request.id, indication=self.indication, detail="", microphone=microphone,
                    volume=self.volume, server="embedded", xruns=0, uptime_s=0, version="0",
                )  # fmt: skip
            case MuteRequest():
                self.closed = True
            case UnmuteRequest() if self.by_person:
                return ErrorReply(id=request.id, code=Code.HELD, message="by a person")
            case UnmuteRequest():
                self.closed = False
            case VolumeRequest(percent=percent):
                self.volume = self.volume if percent is None else percent
                return VolumeReply(id=request.id, percent=self.volume)
        return Done(id=request.id)


class Process:
    """`parley mqtt` with its log."""

    def __init__(self, folder: Path, port: int, more: str = "", password: str = "") -> None:
        self.log = folder / "mqtt.log"
        config = folder / "mqtt.toml"
        config.write_text(
            f'[home]\narea = "Kitchen"\n[mqtt]\nhost = "localhost"\nport = {port}\n{more}'
        )
        environ = {**os.environ, "XDG_STATE_HOME": str(folder)}
        environ.pop("STATE_DIRECTORY", None)
        environ.pop("RUNTIME_DIRECTORY", None)
        if password:
            environ["MQTT_PASSWORD"] = password
        self._out = self.log.open("ab")
        self.arguments = [sys.executable, "-m", "parleyd", "mqtt", "--config", str(config)]
        self.environ = environ
        self.process = subprocess.Popen(
            self.arguments, env=environ, stdout=self._out, stderr=self._out
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WITHIN_S)
        self._out.close()

    def told(self) -> str:
        return self.log.read_text("utf-8")

    def wait(self, text: str) -> None:
        until(lambda: text in self.told(), f"{text!r} in the log")

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(WITHIN_S)


class Rig:
    """Broker, Home Assistant's side, speaker and process, which end together."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.topics = Topics(speaker_id(), "parley", "homeassistant")

    def broker(self, *lines: str) -> Mosquitto:
        broker = Mosquitto(self.folder, *(lines or ("allow_anonymous true",)))
        self._stack.callback(broker.close)
        return broker

    def home(self, broker: Mosquitto, **options: Any) -> Home:
        home = Home(broker, self.topics, **options)
        self._stack.callback(home.close)
        return home

    def speaker(self) -> Speaker:
        speaker = Speaker(self.folder)
        self._stack.callback(speaker.close)
        return speaker

    def process(self, port: int, more: str = "", password: str = "") -> Process:
        process = Process(self.folder, port, more, password)
        self._stack.callback(process.close)
        return process


@contextlib.contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    with contextlib.ExitStack() as stack:
        yield Rig(folder, stack)


def until(there: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + WITHIN_S
    while not there():
        assert time.monotonic() < ends, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
