"""`parley lights-off`: the service runs it after every end of the daemon, even a crash."""

from pathlib import Path

import click

from parleyd.cli.configuration import config_option
from parleyd.errors import LightsError
from parleyd.lights import off


@click.command("lights-off")
@config_option
def lights_off(path: Path | None) -> None:
    """Switch off the lights of a daemon that no longer runs.

    The valid lines of a broken configuration are used.
    """
    settings = off.to_darken(path)
    try:
        off.darken(settings)
    except OSError as error:
        raise LightsError(f"the lights cannot be switched off: {error}") from None
