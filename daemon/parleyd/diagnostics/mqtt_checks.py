"""The check of `parley doctor` for the MQTT broker: its package, and whether it can be reached."""

import socket
from importlib.util import find_spec

from parleyd import config
from parleyd.diagnostics import remedies
from parleyd.diagnostics.findings import Finding, Severity

ANSWERS_WITHIN_S = 5.0


def mqtt(settings: config.MqttConfig) -> Finding:
    """Check that the broker listens; user and password are not tried."""
    if not settings.host:
        return Finding("mqtt", Severity.OK, "mqtt.host is empty: Home Assistant is not connected")
    if find_spec("aiomqtt") is None:
        text = "mqtt.host is set, but its package is not installed"
        return Finding("mqtt", Severity.FAIL, text, remedies.install("--install --mqtt"))
    where = f"{settings.host}:{settings.port}"
    try:
        socket.create_connection((settings.host, settings.port), ANSWERS_WITHIN_S).close()
    except (OSError, UnicodeError) as error:
        text = f"the broker {where} cannot be reached: {error}"
        return Finding("mqtt", Severity.FAIL, text, "correct [mqtt], or start the broker")
    return Finding("mqtt", Severity.OK, f"the broker {where} listens; its user was not tried")
