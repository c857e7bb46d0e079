"""The doctor's line about the MQTT broker, with real sockets."""

import socket

import pytest

from parleyd.config import MqttConfig
from parleyd.diagnostics import mqtt_checks
from parleyd.diagnostics.findings import Severity


def test_broker_that_listens_is_fine_and_one_that_does_not_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        settings = MqttConfig(host="127.0.0.1", port=broker.getsockname()[1])
        assert mqtt_checks.mqtt(settings).level is Severity.OK
    refused = mqtt_checks.mqtt(settings)
    assert refused.level is Severity.FAIL
    assert "cannot be reached" in refused.text


def test_missing_package_fails_only_where_a_broker_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt_checks, "find_spec", lambda name: None)
    assert mqtt_checks.mqtt(MqttConfig()).level is Severity.OK
    missing = mqtt_checks.mqtt(MqttConfig(host="broker"))
    assert missing.level is Severity.FAIL
    assert "--mqtt" in missing.remedy
