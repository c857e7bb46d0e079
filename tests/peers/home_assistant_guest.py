"""Home Assistant as a process that a test can ask: one JSON object a line, on its standard input.

    home_assistant_guest.py FOLDER BROKER_PORT HTTP_PORT

Runs in Home Assistant's own Python. Its integrations are those of an ordinary home: MQTT, an
assistant with a lamp that it may switch, and the MCP server. Each line has a ``do``:

- ``states``: the reply has each entity of Parley with its state, and the lamp.
- ``call``: a service, with ``domain``, ``service`` and ``data``.
- ``token``: a long-lived token.
- ``end``.
"""

import asyncio
import datetime
import json
import sys
from pathlib import Path
from typing import Any

from homeassistant import auth, bootstrap, config_entries, core, loader
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.const import __version__
from homeassistant.helpers import area_registry, device_registry
from homeassistant.setup import async_setup_component

LAMP = "input_boolean.lamp"


def entry(domain: str, data: dict[str, Any], minor_version: int) -> dict[str, Any]:
    """A configured integration, as the user's interface would store it."""
    return {
        "created_at": "2026-01-01T00:00:00+00:00",
        "modified_at": "2026-01-01T00:00:00+00:00",
        "data": data,
        "disabled_by": None,
        "discovery_keys": {},
        "domain": domain,
        "entry_id": f"{domain}_entry",
        "version": 1,
        "minor_version": minor_version,
        "options": {"discovery": True} if domain == "mqtt" else {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": domain,
        "unique_id": None,
    }


def configure(folder: Path, broker_port: int) -> None:
    """Write the configuration that Home Assistant reads."""
    (folder / ".storage").mkdir(parents=True)
    (folder / "configuration.yaml").write_text("homeassistant:\n  name: peer\n")
    broker = {"broker": "127.0.0.1", "port": broker_port, "protocol": "5"}
    server = {
        "llm_hass_api": ["assist"],
        "all_llm_apis": False,
        "read_only": False,
        "require_admin": False,
    }
    entries = [entry("mqtt", broker, 2), entry("mcp_server", server, 2)]
    stored = {"version": 1, "minor_version": 5, "key": "core.config_entries"}
    (folder / ".storage/core.config_entries").write_text(
        json.dumps({**stored, "data": {"entries": entries}})
    )


async def started(folder: Path, http_port: int) -> core.HomeAssistant:
    """Start Home Assistant as its own `hass` does, with the integrations of the test."""
    hass = core.HomeAssistant(str(folder))
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [{"type": "homeassistant"}], [])
    http = {"server_host": ["127.0.0.1"], "server_port": http_port}
    lamp = {"lamp": {"name": "Kitchen lamp"}}
    for name, settings in {
        "homeassistant": {},
        "http": {"http": http},
        "mqtt": {},
        "input_boolean": {"input_boolean": lamp},
        "api": {},
        "intent": {},
        "conversation": {},
        "mcp_server": {},
    }.items():
        if not await async_setup_component(hass, name, settings):
            raise SystemExit(f"Home Assistant could not set up {name}")
    await hass.async_start()
    async_expose_entity(hass, "conversation", LAMP, True)
    return hass


def states(hass: core.HomeAssistant) -> dict[str, Any]:
    """What Home Assistant shows of Parley and of the lamp."""
    entities = {
        state.entity_id: state.state
        for state in hass.states.async_all()
        if "parley" in state.entity_id or state.entity_id == LAMP
    }
    areas = area_registry.async_get(hass)
    devices = [
        {
            "name": device.name,
            "area": (area := device.area_id and areas.async_get_area(device.area_id)) and area.name,
            "sw_version": device.sw_version,
        }
        for device in device_registry.async_get(hass).devices
    ]
    return {"entities": entities, "devices": devices}


async def token(hass: core.HomeAssistant) -> dict[str, str]:
    """A token as a user makes it on the profile's page."""
    user = await hass.auth.async_create_user("parley", group_ids=["system-users"])
    refresh = await hass.auth.async_create_refresh_token(
        user,
        client_name="parley",
        token_type="long_lived_access_token",
        access_token_expiration=datetime.timedelta(days=1),
    )
    return {"token": hass.auth.async_create_access_token(refresh)}


async def main() -> None:
    """Serve until ``end`` or the end of standard input."""
    folder, broker_port, http_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    configure(folder, broker_port)
    hass = await started(folder, http_port)
    print(json.dumps({"version": __version__}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        reply: dict[str, Any] = {}
        match asked["do"]:
            case "states":
                reply = states(hass)
            case "call":
                try:
                    await hass.services.async_call(
                        asked["domain"], asked["service"], asked["data"], blocking=True
                    )
                except Exception as error:  # its text goes to the test
                    reply = {"error": repr(error)}
            case "token":
                reply = await token(hass)
            case "end":
                break
        print(json.dumps(reply), flush=True)
    await hass.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main())
