"""`parley mqtt`: Home Assistant over an MQTT broker, as a process beside the daemon."""

import asyncio
import os
from pathlib import Path

import click

from parleyd import config
from parleyd.cli.configuration import config_option
from parleyd.host.systemd import log_to_journal_or_stderr
from parleyd.mqtt.bridge import Bridge, broker_address, serve
from parleyd.mqtt.broker_link import import_aiomqtt
from parleyd.mqtt.discovery import Topics
from parleyd.mqtt.identity import speaker_id


@click.command()
@config_option
@click.option("--forget", is_flag=True, help="Remove the speaker from the broker, and end.")
def mqtt(path: Path | None, forget: bool) -> None:
    """Connect the running daemon with an MQTT broker, for Home Assistant, until SIGTERM.

    The daemon may be started before or after it. The password is the credential or the
    environment variable MQTT_PASSWORD.

    \b
    Examples:
      parley mqtt
      parley mqtt --forget
    """
    settings = config.load(path)
    address = broker_address(settings.mqtt, os.environ)
    import_aiomqtt()
    topics = Topics(speaker_id(), settings.mqtt.topic, settings.mqtt.discovery_topic)
    if forget:
        asyncio.run(Bridge(address, topics, "").forget())
        return
    log_to_journal_or_stderr(settings.log.level)
    asyncio.run(serve(address, topics, settings.home.area, settings.group.name))
