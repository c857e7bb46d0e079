"""`parley check`: is this configuration good?"""

import os
from pathlib import Path

import click

from parleyd import config
from parleyd.cli import serverchecks
from parleyd.errors import ConfigError
from parleyd.printable import printable


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Check the configuration file PATH as a whole; every problem is one line.

    Keys that are there are looked at for their form, and never shown.
    """
    settings = config.load(path)
    if problems := serverchecks.malformed(settings, os.environ):
        raise ConfigError(problems)
    click.echo(f"{printable(str(path))}: good")
