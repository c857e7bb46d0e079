"""`parley run`: the daemon in this process."""

import asyncio
import os
import sys
from pathlib import Path

import click

from parleyd.app import preflight
from parleyd.app.daemon import SWITCH_S, Daemon
from parleyd.host.systemd import log_to_journal_or_stderr


@click.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="The TOML file; none: defaults."
)
@click.option(
    "--wait-for-card",
    is_flag=True,
    help="Start without a sound card and take it when it comes, as under systemd.",
)
@click.option("--meter", is_flag=True, help="Show levels and what hearing makes of them.")
def run(path: Path | None, wait_for_card: bool, meter: bool) -> None:
    """Be a smart speaker until SIGTERM; SIGHUP reads the configuration again.

    A sound card that is lost is taken again when it is back. One that is missing at the
    start is an error in a terminal; a service waits for it.
    """
    settings = preflight.load(path, os.environ)
    os.umask(0o077)  # recordings, state and sockets are for this user alone
    log_to_journal_or_stderr(settings.log.level)
    sys.setswitchinterval(SWITCH_S)
    patient = wait_for_card or "NOTIFY_SOCKET" in os.environ
    raise SystemExit(asyncio.run(Daemon(path, settings, patient, meter).run()))
