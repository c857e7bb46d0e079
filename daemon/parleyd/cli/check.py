"""`parley check`: check a configuration file."""

import os
from pathlib import Path

import click

from parleyd.app import preflight

CREDENTIALS = Path("/etc/parley")  # install.sh passes the keys in this folder to the service


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Check the whole configuration file PATH; every problem is one line.

    This also checks the models of the wake words, the keys, and the user's skills, whose
    files are run. A key is present if the service can find it.
    """
    preflight.check(path, os.environ, _held)
    click.echo(f"{path}: good")


def _held(name: str) -> bool:
    """Return whether the key exists; it may be encrypted, or readable only by root."""
    file = CREDENTIALS / name.lower()
    try:
        return bool(name) and (file.exists() or file.with_suffix(".cred").exists())
    except OSError:
        return False
