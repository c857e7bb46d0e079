"""The topics of a speaker, and the message by which Home Assistant finds it. Pure.

The fields are those of Home Assistant's MQTT discovery for devices.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from parleyd import __version__
from parleyd.core.states import Indication

ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
PRESS = "PRESS"
EVENT_TYPES = ("wake", "interrupted", "alarm")
COMMANDS = ("mute", "volume", "listen", "stop", "say")
DURATIONS = ("question_to_answer", "interruption_to_silence")
MADE_BY = "Parley"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one speaker."""

    speaker: str
    """Its id."""
    root: str
    """`mqtt.topic`."""
    discovery: str
    """`mqtt.discovery_topic`."""

    def of(self, value: str) -> str:
        """The topic of a value."""
        return f"{self.root}/{self.speaker}/{value}"

    def command(self, name: str) -> str:
        """The topic of a command."""
        return self.of(f"{name}/set")

    @property
    def status(self) -> str:
        """Whether the speaker can be reached: `ONLINE` or `OFFLINE`."""
        return self.of("status")

    @property
    def device(self) -> str:
        """The topic of the discovery message."""
        return f"{self.discovery}/device/{self.speaker}/config"

    @property
    def birth(self) -> str:
        """The topic on which Home Assistant says that it has started."""
        return f"{self.discovery}/status"

    def command_of(self, topic: str) -> str | None:
        """The name of the command with this topic, or None."""
        return next((name for name in COMMANDS if topic == self.command(name)), None)


def device_message(topics: Topics, area: str) -> bytes:
    """The discovery message. `area`: the room, or ""."""
    device: Json = {
        "identifiers": [topics.speaker],
        "name": MADE_BY,  # the entity ids get the area in front: without it, two speakers clash
        "manufacturer": MADE_BY,
        "model": "Smart speaker",
        "sw_version": __version__,
    }
    if area:
        device["suggested_area"] = area
    message = {
        "device": device,
        "origin": {"name": "parleyd", "sw_version": __version__},
        "availability_topic": topics.status,
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "qos": 1,
        "components": {
            key: {"unique_id": f"{topics.speaker}_{key}", **component}
            for key, component in _components(topics).items()
        },
    }
    return msgspec.json.encode(message)


def _components(topics: Topics) -> dict[str, Json]:
    return {
        "state": {
            "platform": "sensor",
            "name": "State",
            "icon": "mdi:account-voice",
            "device_class": "enum",
            "options": [str(indication) for indication in Indication],
            "state_topic": topics.of("state"),
        },
        "mute": {
            "platform": "switch",
            "name": "Mute",
            "icon": "mdi:microphone-off",
            "state_topic": topics.of("mute"),
            "command_topic": topics.command("mute"),
            "payload_on": ON,
            "payload_off": OFF,
        },
        "volume": {
            "platform": "number",
            "name": "Volume",
            "icon": "mdi:volume-high",
            "min": 0,
            "max": 100,
            "step": 5,
            "unit_of_measurement": "%",
            "state_topic": topics.of("volume"),
            "command_topic": topics.command("volume"),
        },
        "listen": _button(topics, "listen", "Listen", "mdi:ear-hearing"),
        "stop": _button(topics, "stop", "Stop", "mdi:stop"),
        "say": {
            "platform": "notify",
            "name": "Say",
            "icon": "mdi:bullhorn",
            "command_topic": topics.command("say"),
        },
        **{key: _duration(topics, key) for key in DURATIONS},
        "voice": {
            "platform": "event",
            "name": "Voice",
            "icon": "mdi:waveform",
            "event_types": list(EVENT_TYPES),
            "state_topic": topics.of("voice"),
        },
        "problem": {
            "platform": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "state_topic": topics.of("problem"),
            "payload_on": ON,
            "payload_off": OFF,
        },
    }


def _button(topics: Topics, key: str, name: str, icon: str) -> Json:
    return {
        "platform": "button",
        "name": name,
        "icon": icon,
        "command_topic": topics.command(key),
        "payload_press": PRESS,
    }


def _duration(topics: Topics, key: str) -> Json:
    return {
        "platform": "sensor",
        "name": key.replace("_", " ").capitalize(),
        "device_class": "duration",
        "unit_of_measurement": "ms",
        "state_class": "measurement",
        "entity_category": "diagnostic",
        "state_topic": topics.of(key),
    }
