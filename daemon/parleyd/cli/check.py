"""`parley check`: check a configuration file."""

import os
from pathlib import Path

import click

from parleyd.app import preflight
from parleyd.cli.configuration import config_option

CREDENTIALS = Path("/etc/parley")  # install.sh passes the keys in this folder to the service


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
def check(file: Path | None, path: Path | None) -> None:
    """Check a whole configuration file; every problem is one line.

    The file is FILE, or that of --config. The models of the wake words, the keys and the user's
    skills are checked, too: the files of the skills are run. A key is present if the service can
    find it.
    """
    checked = file or path
    if checked is None:
        raise click.UsageError("there is no installed configuration: name a FILE")
    preflight.check(checked, os.environ, _held)
    click.echo(f"{checked}: good")


def _held(name: str) -> bool:
    """Return whether the key exists; it may be encrypted, or readable only by root."""
    file = CREDENTIALS / name.lower()
    try:
        return bool(name) and (file.exists() or file.with_suffix(".cred").exists())
    except OSError:
        return False
