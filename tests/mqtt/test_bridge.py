"""`parley mqtt` as a process, between the real mosquitto and a real control socket."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.control.requests import (
    ListenRequest,
    MuteRequest,
    SayRequest,
    StopRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.mqtt.identity import speaker_id
from tests.mqtt.broker_rig import WITHIN_S, Rig, needs_broker, rig, until

pytestmark = [pytest.mark.slow, needs_broker]

PASSWORD = "correct horse'\"#battery"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found


def without_ids(requests: list[object]) -> list[object]:
    from msgspec import structs

    return [structs.replace(request, id=0) for request in requests]  # type: ignore[type-var]


def test_every_entity_has_its_state_and_its_command(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online", state="idle", mute="OFF", volume="70", problem="OFF")
    device = json.loads(home.held[place.topics.device])
    assert device["device"]["suggested_area"] == "Kitchen"
    assert device["availability_topic"] == place.topics.status

    home.command("mute", "ON")
    home.wait(mute="ON")
    home.command("mute", "OFF")
    home.wait(mute="OFF")
    home.command("volume", "35")
    home.wait(volume="35")
    for name, payload in (("listen", "PRESS"), ("stop", "PRESS"), ("say", "Dinner is ready")):
        home.command(name, payload)
    until(lambda: len(speaker.asked()) == 6, "six requests")
    assert set(without_ids([*speaker.asked()])) == {
        MuteRequest(by="home"),
        UnmuteRequest(by="home"),
        VolumeRequest(percent=35),
        ListenRequest(),
        StopRequest(),
        SayRequest(text="Dinner is ready"),
    }

    speaker.show("speaking")
    home.wait(state="speaking")
    speaker.show("offline")
    home.wait(problem="ON")
    speaker.turn(first_frame_ms=870, onset_to_hold_ms=40, interrupted=True)
    home.wait(question_to_answer="870", interruption_to_silence="40")
    for name in ("wake", "interrupted", "alarm_due", "hold"):
        speaker.log(name)
    voice = place.topics.of("voice")
    home.wait_for(lambda: sum(topic == voice for topic, *_ in home.live) == 3, "three events")
    kinds = [json.loads(text)["event_type"] for topic, text, _ in home.live if topic == voice]
    assert kinds == ["wake", "interrupted", "alarm"]

    later = place.home(broker)  # gets what the broker holds
    later.wait(status="online", volume="35", question_to_answer="870")
    assert place.topics.device in later.held
    assert voice not in later.held
    assert "Dinner" not in process.told()
    assert process.end() == 0
    home.wait(status="offline")


def test_killed_process_is_offline_by_its_last_will(place: Rig) -> None:
    broker, _ = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online")
    process.process.kill()
    home.wait(status="offline")
    place.process(broker.port)
    home.wait(status="online")


def test_daemon_that_ends_is_offline_and_returns(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online")
    speaker.close()
    home.wait(status="offline")
    home.command("listen", "PRESS")
    process.wait("ignored while no daemon runs")
    again = place.speaker()
    again.volume = 20
    home.wait(status="online", volume="20")
    assert process.told().count("the daemon cannot be reached") == 1


def test_everything_is_sent_again_when_home_assistant_starts(place: Rig) -> None:
    broker, _ = place.broker(), place.speaker()
    home = place.home(broker)
    place.process(broker.port)
    home.wait(status="online", state="idle")
    home.live.clear()
    home.publish(place.topics.birth, "online")
    for topic in (place.topics.device, place.topics.status, place.topics.of("volume")):
        home.wait_live(topic)


def test_refused_unmute_is_told_to_the_broker_again(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    speaker.closed = speaker.by_person = True
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online", mute="ON")
    home.live.clear()
    home.command("mute", "OFF")
    mute = place.topics.of("mute")
    home.wait_live(mute)
    assert home.value("mute") == "ON"
    process.wait("the MQTT command mute was refused: by a person")


def test_retained_command_is_ignored_and_told_once(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    home.command("mute", "OFF", retain=True)
    home.command("listen", "PRESS", retain=True)
    process = place.process(broker.port)
    home.wait(status="online")
    home.command("volume", "10", retain=True)
    home.command("volume", "30")
    home.wait(volume="30")
    assert without_ids([*speaker.asked()]) == [VolumeRequest(percent=30)]
    assert process.told().count("retained MQTT commands are ignored") == 1


def test_broker_that_comes_late_and_restarts_gets_everything(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    broker.stop()
    process = place.process(broker.port)
    process.wait("is away")
    broker.start()
    home = place.home(broker)
    home.wait(status="online", volume="70")
    broker.stop()
    speaker.volume = 50
    home.held.clear()
    broker.start()
    home.wait(status="online", volume="50", mute="OFF")
    assert place.topics.device in home.held
    assert process.told().count("is away") == 1


def test_broker_that_hangs_delays_nothing_and_gets_the_newest(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online", state="idle")
    broker.pause(signal.SIGSTOP)
    for _ in range(500):
        speaker.show("listening")
        speaker.show("thinking")
    asked = len(speaker.requests)
    until(lambda: len(speaker.requests) > asked, "the daemon is still asked")
    broker.pause(signal.SIGCONT)
    home.wait(state="thinking", status="online")
    assert sum(topic == place.topics.of("state") for topic, *_ in home.live) < 100
    assert process.process.poll() is None


def test_hostile_payloads_are_ignored_and_never_logged(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online")
    for payload in (b"\xff\xfe secret", b"\0" * 100, b"secret" * 1_000_000, b"", b"[" * 9_000):
        for name in ("mute", "volume", "listen", "stop", "say"):
            home.command(name, payload)
    home.publish(f"{place.topics.root}/{place.topics.speaker}/mute/set/secret", "ON")
    home.publish(f"{place.topics.root}/another/mute/set", "ON")
    home.publish(place.topics.birth, b"\xff secret" * 1000)
    until(lambda: process.told().count("is ignored: it") == 5, "one line for each command")
    assert process.process.poll() is None
    home.live.clear()
    home.publish(place.topics.birth, "online")
    home.wait_live(place.topics.status)
    assert speaker.asked() == []
    assert "secret" not in process.told()
    assert process.told().count("is ignored: it") == 5


def test_flood_of_commands_passes_in_the_pace_of_the_limit(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    home.wait(status="online")
    for _ in range(3000):
        home._client.publish(home.topics.command("stop"), "PRESS", qos=0)
    process.wait("MQTT commands a second: ignored")
    until(lambda: speaker.asked() != [], "some pass")
    home.publish(place.topics.birth, "online")
    speaker.show("listening")
    home.wait(state="listening", status="online")
    assert len(speaker.asked()) < 600
    assert process.told().count("MQTT commands a second") == 1
    assert process.process.poll() is None


# --- the way to the broker ----------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate of an authority, and one that it gave to localhost."""
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    steps = [
        ["req", "-x509", *key, "-subj", "/CN=Test", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *key[:3], "-subj", "/CN=localhost", "-keyout", "broker.key", "-out", "broker.csr"],
        ["x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
         "-CAcreateserial", "-extfile", "names", "-out", "broker.pem"],
    ]  # fmt: skip
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\n")
    for step in steps:
        subprocess.run(["openssl", *step], cwd=tmp_path, check=True, capture_output=True)
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "parley", PASSWORD], check=True)
    passwords.chmod(0o600)
    return tmp_path


def test_tls_with_an_own_authority_and_a_password(place: Rig, authority: Path) -> None:
    broker = place.broker(
        f"certfile {authority}/broker.pem",
        f"keyfile {authority}/broker.key",
        "allow_anonymous false",
        f"password_file {authority}/passwords",
    )
    place.speaker()
    home = place.home(broker, ca=authority / "ca.pem", user="parley", password=PASSWORD)
    process = place.process(
        broker.port, f'tls = true\nca_file = "{authority}/ca.pem"\nuser = "parley"\n', PASSWORD
    )
    home.wait(status="online", volume="70")
    command = Path(f"/proc/{process.process.pid}/cmdline").read_text()
    assert PASSWORD not in command + process.told()


@pytest.mark.parametrize(
    ("lines", "password", "reason"),
    [
        ('tls = true\nca_file = "{}/ca.pem"\nuser = "parley"\n', "wrong", "Not authorized"),
        ('tls = true\nuser = "parley"\n', PASSWORD, "certificate verify failed"),
    ],
)
def test_broker_that_refuses_is_told_once_without_the_password(
    lines: str, password: str, reason: str, place: Rig, authority: Path
) -> None:
    broker = place.broker(
        f"certfile {authority}/broker.pem",
        f"keyfile {authority}/broker.key",
        f"password_file {authority}/passwords",
    )
    process = place.process(broker.port, lines.format(authority), password)
    process.wait(reason)
    assert process.told().count("is away") == 1
    assert password not in process.told()
    assert process.end() == 0


def test_speakers_with_one_name_are_told(place: Rig) -> None:
    broker = place.broker()
    process = place.process(broker.port)
    process.wait("connected to the MQTT broker")
    twin = subprocess.Popen(
        process.arguments, env=process.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process.wait(f"does another client use the name {speaker_id()}?")
    twin.kill()
    twin.wait(WITHIN_S)
    assert process.told().count("another client") == 1
    assert process.end() == 0


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('host = ""\n', "mqtt.host: is empty"),
        ('ca_file = "/nowhere.pem"\ntls = true\n', "mqtt.ca_file: cannot be used"),
    ],
)
def test_mistake_of_the_configuration_ends_it_for_good(
    more: str, problem: str, place: Rig, tmp_path: Path
) -> None:
    process = place.process(1)
    process.process.kill()
    config = tmp_path / "mqtt.toml"
    config.write_text(
        '[mqtt]\nhost = "localhost"\n'.replace('host = "localhost"\n', "") + more
        if "host" in more
        else f'[mqtt]\nhost = "localhost"\n{more}'
    )
    ended = subprocess.run(
        process.arguments, env=process.environ, capture_output=True, text=True, timeout=WITHIN_S
    )
    assert ended.returncode == 2
    assert problem in ended.stderr


def test_forgotten_speaker_leaves_nothing_at_the_broker(place: Rig) -> None:
    broker, speaker = place.broker(), place.speaker()
    home = place.home(broker)
    process = place.process(broker.port)
    speaker.turn(first_frame_ms=870)
    home.wait(status="online", volume="70")
    assert process.end() == 0
    subprocess.run(
        [*process.arguments, "--forget"], env=process.environ, check=True, timeout=WITHIN_S
    )
    home.wait(status="", volume="")
    assert place.home(broker).held == {}
