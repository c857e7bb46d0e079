"""The discovery message against the fields that Home Assistant documents, and the mapping."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.control.replies import Microphone, StatusReply
from parleyd.control.requests import (
    ListenRequest,
    MuteRequest,
    SayRequest,
    StopRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.core.states import Indication
from parleyd.errors import ParleyError
from parleyd.mqtt.discovery import COMMANDS, EVENT_TYPES, Topics, device_message
from parleyd.mqtt.identity import speaker_id
from parleyd.mqtt.mapping import (
    UnusableCommand,
    request_of,
    status_values,
    turn_values,
    voice_event,
)

TOPICS = Topics("parley_0123456789ab", "parley", "homeassistant")
MESSAGE = json.loads(device_message(TOPICS, "Kitchen"))

# Home Assistant's documentation of MQTT: discovery for devices, and the page of each platform.
EVERYWHERE = {"platform", "name", "unique_id", "icon", "entity_category", "qos"}
PLATFORMS: dict[str, tuple[set[str], set[str]]] = {  # the required and the other fields in use
    "sensor": (
        {"state_topic"},
        {"device_class", "options", "unit_of_measurement", "state_class"},
    ),
    "binary_sensor": ({"state_topic"}, {"device_class", "payload_on", "payload_off"}),
    "switch": ({"command_topic"}, {"state_topic", "payload_on", "payload_off"}),
    "number": (
        {"command_topic"},
        {"state_topic", "min", "max", "step", "unit_of_measurement"},
    ),
    "button": ({"command_topic"}, {"payload_press"}),
    "notify": ({"command_topic"}, set()),
    "event": ({"state_topic", "event_types"}, set()),
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version", "suggested_area"}
DURATION_UNITS = {"d", "h", "min", "s", "ms"}


@pytest.mark.parametrize("key", sorted(MESSAGE["components"]))
def test_component_has_the_documented_fields(key: str) -> None:
    component: dict[str, Any] = MESSAGE["components"][key]
    required, others = PLATFORMS[component["platform"]]
    assert required | {"platform", "unique_id"} <= set(component)
    assert set(component) <= required | others | EVERYWHERE
    assert component["unique_id"] == f"{TOPICS.speaker}_{key}"
    assert component.get("entity_category", "diagnostic") == "diagnostic"
    if component.get("device_class") == "enum":
        assert component["options"] == [str(indication) for indication in Indication]
        assert {"unit_of_measurement", "state_class"}.isdisjoint(component)
    if component.get("device_class") == "duration":
        assert component["unit_of_measurement"] in DURATION_UNITS
    for field in component.keys() & {"state_topic", "command_topic"}:
        assert component[field].startswith("parley/parley_0123456789ab/")
        assert {"#", "+"}.isdisjoint(component[field])
    assert component.get("retain") is None  # commands are never retained


def test_message_has_the_documented_fields() -> None:
    assert set(MESSAGE) == {
        "device", "origin", "components", "availability_topic", "payload_available",
        "payload_not_available", "qos",
    }  # fmt: skip
    assert set(MESSAGE["device"]) == DEVICE
    assert MESSAGE["device"]["identifiers"] == [TOPICS.speaker]
    assert MESSAGE["device"]["suggested_area"] == "Kitchen"
    assert "Kitchen" not in MESSAGE["device"]["name"]
    assert "name" in MESSAGE["origin"]
    assert TOPICS.device == "homeassistant/device/parley_0123456789ab/config"
    assert "suggested_area" not in json.loads(device_message(TOPICS, ""))["device"]


def test_every_command_topic_is_one_that_is_subscribed() -> None:
    topics = {c["command_topic"] for c in MESSAGE["components"].values() if "command_topic" in c}
    assert topics == {TOPICS.command(name) for name in COMMANDS}
    assert [TOPICS.command_of(TOPICS.command(name)) for name in COMMANDS] == list(COMMANDS)
    assert TOPICS.command_of("parley/another/mute/set") is None


# --- the speaker's name -------------------------------------------------------------------


def test_name_is_a_hash_that_two_machines_do_not_share(tmp_path: Path) -> None:
    file, names = tmp_path / "machine-id", []
    for machine in ("a" * 32, "b" * 32):
        file.write_text(f"{machine}\n")
        names.append(speaker_id(file))
        assert machine[:8] not in names[-1]
    assert names[0] != names[1]
    assert all(name.startswith("parley_") and len(name) == 19 for name in names)


@pytest.mark.parametrize("content", [None, "", "uninitialized\n"])
def test_machine_without_a_name_is_an_error(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "machine-id"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ParleyError, match="systemd-machine-id-setup"):
        speaker_id(file)


# --- values and events --------------------------------------------------------------------


def status(indication: str = "idle", *, closed: bool = False) -> StatusReply:
    microphone = Microphone(closed=closed, by_switch=False, left_s=0, reason="")
    return StatusReply(
        indication=indication, detail="", microphone=microphone, volume=70, server="embedded",
        xruns=0, uptime_s=1, version="0",
    )  # fmt: skip


def test_status_becomes_values() -> None:
    assert status_values(status()) == {
        "state": "idle", "problem": "OFF", "mute": "OFF", "volume": "70"
    }  # fmt: skip
    assert status_values(status("muted", closed=True))["mute"] == "ON"
    assert [n for n in Indication if status_values(status(n))["problem"] == "ON"] == [
        Indication.ERROR, Indication.OFFLINE
    ]  # fmt: skip


def test_turn_becomes_the_times_that_it_has() -> None:
    fields = {"first_frame_ms": 870, "onset_to_hold_ms": 40, "interrupted": True}
    assert turn_values({**fields}) == {
        "question_to_answer": "870", "interruption_to_silence": "40"
    }  # fmt: skip
    assert turn_values({**fields, "interrupted": False}) == {"question_to_answer": "870"}
    assert turn_values({"first_frame_ms": None, "interrupted": True}) == {}


def test_log_event_becomes_a_voice_event() -> None:
    found = [voice_event(name) for name in ("wake", "interrupted", "alarm_due", "transcript")]
    assert found[3] is None
    assert [json.loads(event)["event_type"] for event in found if event] == list(EVENT_TYPES)


# --- commands -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "payload", "request_"),
    [
        ("mute", b"ON", MuteRequest(by="home")),
        ("mute", b"OFF", UnmuteRequest(by="home")),
        ("volume", b"35", VolumeRequest(percent=35)),
        ("volume", b"100.0", VolumeRequest(percent=100)),
        ("listen", b"PRESS", ListenRequest()),
        ("stop", b"PRESS", StopRequest()),
        ("say", b" Das  Essen\nist fertig ", SayRequest(text="Das Essen ist fertig")),
        ("say", b"x" * 400, SayRequest(text="x" * 400)),
    ],
)
def test_command_becomes_a_request(command: str, payload: bytes, request_: object) -> None:
    assert request_of(command, payload) == request_


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        ("mute", b"on"), ("mute", b""), ("mute", b'{"by":"person"}'), ("mute", b"OFF\n"),
        ("volume", b"101"), ("volume", b"-1"), ("volume", b"nan"), ("volume", b"1e2"),
        ("volume", "٣".encode()), ("volume", b"9" * 5000), ("volume", b"50.5"),
        ("listen", b""), ("listen", b"press"), ("stop", b"\xff\xfe"),
        ("say", b""), ("say", b" \n"), ("say", b"\0a"), ("say", b"x" * 401),
        ("say", b"secret \xff"),
    ],
)  # fmt: skip
def test_wrong_command_is_refused_without_its_words(command: str, payload: bytes) -> None:
    with pytest.raises(UnusableCommand) as refused:
        request_of(command, payload)
    assert "secret" not in str(refused.value)


@given(st.sampled_from(COMMANDS), st.binary(max_size=50))
def test_any_payload_is_a_request_or_refused(command: str, payload: bytes) -> None:
    try:
        request = request_of(command, payload)
    except UnusableCommand:
        return
    assert not isinstance(request, MuteRequest | UnmuteRequest) or request.by == "home"
