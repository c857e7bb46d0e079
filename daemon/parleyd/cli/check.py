"""`parley check`: is this configuration good?"""

import os
from pathlib import Path

import click

from parleyd.app import preflight

CREDENTIALS = Path("/etc/parley")  # where install.sh finds the keys that it names to the service


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Check the configuration file PATH as a whole; every problem is one line.

    Looked at are also the models of the wake words, the keys and the user's skills, whose
    files are run. A key counts as present where the service will find it.
    """
    preflight.check(path, os.environ, _held)
    click.echo(f"{path}: good")


def _held(name: str) -> bool:
    """Only its presence: it may be encrypted, or readable by root alone."""
    file = CREDENTIALS / name.lower()
    try:
        return bool(name) and (file.exists() or file.with_suffix(".cred").exists())
    except OSError:
        return False
