"""`parley lights-off`: the service runs it when the daemon has ended, however it ended."""

from pathlib import Path

import click

from parleyd.errors import LightsError
from parleyd.lights import off


@click.command("lights-off")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="The TOML file; none: defaults."
)
def lights_off(path: Path | None) -> None:
    """Darken the lights of a daemon that no longer runs.

    A broken configuration is read as far as it goes.
    """
    settings = off.to_darken(path)
    try:
        off.darken(settings)
    except OSError as error:
        raise LightsError(f"the lights cannot be darkened: {error}") from None
