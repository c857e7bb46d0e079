"""`parley page`: a page for browsers, as a process beside the daemon."""

import asyncio
import os
from importlib.util import find_spec
from pathlib import Path

import click

from parleyd import config
from parleyd.cli.configuration import config_option
from parleyd.errors import ConfigError
from parleyd.host.systemd import log_to_journal_or_stderr
from parleyd.page.saving import SOCKET


@click.command()
@config_option
@click.option(
    "--save-socket",
    type=click.Path(path_type=Path),
    default=SOCKET,
    show_default=True,
    help="Where the process that saves settings listens.",
)
def page(path: Path | None, save_socket: Path) -> None:
    """Serve a page with state, levels, turns, volume and settings, until SIGTERM.

    The daemon may be started before or after it. The token is the credential or the environment
    variable PAGE_TOKEN.

    \b
    Example:
      PAGE_TOKEN=... parley page
    """
    settings = config.load(path)
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ConfigError(
            ["the page needs starlette and uvicorn: run sudo ./install.sh --install --page"]
        )
    from parleyd.page import serving

    token = serving.page_token(os.environ)
    log_to_journal_or_stderr(settings.log.level)
    with serving.listening_socket(settings.page) as listening:
        asyncio.run(serving.serve(settings.page, token, path, save_socket, listening))
