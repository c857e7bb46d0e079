"""Which calls of Home Assistant's tools need a yes; pure.

Home Assistant marks all of its control tools as destructive, the light's too, because one tool,
HassTurnOff, turns off a lamp and unlocks a door. So the target decides: lamps and music run at
once, doors, gates, alarms and everything unknown ask.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from parleyd.mcp.messages import LONGEST_PROMPT
from parleyd.realtime.events import Json

EVERYDAY = frozenset(
    {
        "GetLiveContext", "GetDateTime", "HassGetState", "HassGetWeather", "HassTimerStatus",
        "HassGetCurrentDate", "HassGetCurrentTime", "HassClimateGetTemperature",
        "todo_get_items", "calendar_get_events",
        "HassLightSet", "HassFanSetSpeed", "HassClimateSetTemperature",
        "HassHumidifierSetpoint", "HassHumidifierMode",
        "HassMediaPause", "HassMediaUnpause", "HassMediaNext", "HassMediaPrevious",
        "HassMediaSearchAndPlay", "HassMediaPlayerMute", "HassMediaPlayerUnmute",
        "HassSetVolume", "HassSetVolumeRelative",
        "HassVacuumStart", "HassVacuumReturnToBase", "HassVacuumCleanArea",
        "HassListAddItem", "HassListCompleteItem", "HassShoppingListAddItem",
        "HassShoppingListCompleteItem", "HassBroadcast",
        "HassIncreaseTimer", "HassDecreaseTimer", "HassPauseTimer", "HassUnpauseTimer",
        "HassCancelTimer", "HassCancelAllTimers",
    }
)  # fmt: skip
"""They change nothing outside the room's comfort, whatever their arguments."""

BY_TARGET = frozenset(
    {"HassTurnOn", "HassTurnOff", "HassToggle", "HassSetPosition", "HassStopMoving"}
)
HARMLESS = frozenset(
    {
        "light", "switch", "fan", "media_player", "climate", "humidifier", "vacuum", "scene",
        "input_boolean", "sensor", "binary_sensor", "weather", "todo",
    }
)  # fmt: skip
"""Domains that run at once; a domain that is not here asks, such as lock, cover and script."""
HARMLESS_COVERS = frozenset({"blind", "curtain", "shade", "shutter", "awning"})

_FIELD = re.compile(r"(- |  )(?P<key>[a-z_]+): *(?P<value>.*)")


@dataclass(frozen=True, slots=True)
class ExposedDevices:
    """The devices that Home Assistant's prompt lists: the domains of each name, in lower case."""

    domains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    complete: bool = False
    """The prompt has them all."""

    @property
    def harmless(self) -> bool:
        """Whether no listed device needs a yes, and all are listed."""
        return self.complete and all(found <= HARMLESS for found in self.domains.values())


def exposed_devices(prompt: str) -> ExposedDevices:
    """Read the prompt's overview of the devices."""
    domains: dict[str, frozenset[str]] = {}
    for entry in _entries(prompt):
        domain, names = entry.get("domain", "").strip().lower(), entry.get("names", "")
        for name in names.strip("\"' ").replace("''", "'").split(", "):
            key = " ".join(name.split()).lower()
            domains[key] = domains.get(key, frozenset()) | {domain}
    return ExposedDevices(domains, bool(domains) and len(prompt) < LONGEST_PROMPT)


def _entries(prompt: str) -> Iterator[dict[str, str]]:
    """The entries of the YAML list: long values continue on lines that are indented further."""
    entry: dict[str, str] = {}
    key = ""
    for line in prompt.splitlines():
        found = _FIELD.fullmatch(line)
        if found is None and key and line.startswith("    "):
            entry[key] += f" {line.strip()}"
            continue
        if (found is None or line.startswith("- ")) and entry:
            yield entry
            entry = {}
        key = found["key"] if found is not None else ""
        if found is not None:
            entry[key] = found["value"]
    if entry:
        yield entry


def base_name(tool: str) -> str:
    """``intent__HassTurnOn`` and ``HassTurnOn`` are the same tool, in new and old releases."""
    return tool.rpartition("__")[2]


def target_asks(arguments: Json, devices: ExposedDevices) -> bool:
    """Whether the devices that these arguments name need a yes."""
    domains, classes = _texts(arguments.get("domain")), _texts(arguments.get("device_class"))
    if domains is None or classes is None:
        return True
    covers = bool(classes) and set(classes) <= HARMLESS_COVERS
    if domains:
        allowed = HARMLESS | {"cover"} if covers else HARMLESS
        return not set(domains) <= allowed
    if covers:
        return False
    name = arguments.get("name")
    if isinstance(name, str) and (found := devices.domains.get(name.strip().lower())):
        return not found <= HARMLESS
    return not devices.harmless


def _texts(value: object) -> list[str] | None:
    """A text or a list of them, in lower case; None for anything else."""
    values = value if isinstance(value, list) else [] if value in (None, "") else [value]
    texts = [one.strip().lower() for one in values if isinstance(one, str)]
    return texts if len(texts) == len(values) else None
