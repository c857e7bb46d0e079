"""`parley check`: is this configuration good?"""

from pathlib import Path

import click

from parleyd import config
from parleyd.printable import printable


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Check the configuration file PATH as a whole; every problem is one line."""
    config.load(path)
    click.echo(f"{printable(str(path))}: good")
