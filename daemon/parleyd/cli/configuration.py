"""The option `--config` of the commands: without it, the installed configuration counts."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from parleyd.system import paths

_Function = Callable[..., Any]


def installed() -> Path | None:
    """The configuration of the service, if it is installed."""
    return paths.INSTALLED_CONFIG if os.path.exists(paths.INSTALLED_CONFIG) else None


def config_option(function: _Function) -> _Function:
    """Add `--config` as the parameter ``path``; None stands for the default values."""
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        callback=lambda context, option, path: path or installed(),
        help=f"The TOML file; default: {paths.INSTALLED_CONFIG}, if it exists, else the defaults.",
    )(function)
