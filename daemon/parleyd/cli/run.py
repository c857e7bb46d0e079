"""`parley run`: the daemon in this process."""

import asyncio
import os
import sys
from pathlib import Path

import click

from parleyd.app import preflight
from parleyd.app.daemon import SWITCH_S, Daemon
from parleyd.cli.configuration import config_option
from parleyd.host.systemd import log_to_journal_or_stderr


@click.command()
@config_option
@click.option(
    "--wait-for-card",
    is_flag=True,
    help="Start without a sound card and open it when it is plugged in, as under systemd.",
)
@click.option("--meter", is_flag=True, help="Show the levels and the detectors' values.")
def run(path: Path | None, wait_for_card: bool, meter: bool) -> None:
    """Run the smart-speaker daemon until SIGTERM; SIGHUP reloads the configuration.

    A lost sound card is opened again when it returns. A missing sound card at the start is
    an error in a terminal, but a service waits for it.
    """
    settings = preflight.load(path, os.environ)
    os.umask(0o077)  # recordings, state and sockets are private to this user
    log_to_journal_or_stderr(settings.log.level)
    sys.setswitchinterval(SWITCH_S)
    patient = wait_for_card or "NOTIFY_SOCKET" in os.environ
    raise SystemExit(asyncio.run(Daemon(path, settings, patient, meter).run()))
