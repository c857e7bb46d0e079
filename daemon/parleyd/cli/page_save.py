"""`parley page-save`: save one change of the settings, which `parley page` sends.

systemd starts it for each change, with the connection as its input and output.
"""

import os
import select
import sys
import time
from pathlib import Path

import click
import msgspec

from parleyd.page.saving import LONGEST_REQUEST, save

REQUEST_WITHIN_S = 5.0


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="The TOML file to change.",
)
def page_save(path: Path) -> None:
    """Change the file as the line on the standard input says; the answer is a line of JSON.

    Only systemd needs this command, for `parley page`. Exit status 1: nothing was saved.
    """
    reply = save(path, _line())
    sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
    sys.stdout.buffer.flush()
    sys.exit(0 if reply.saved else 1)


def _line() -> bytes:
    """The first line of the input, as far as it comes in time and is not too long."""
    data = b""
    ends = time.monotonic() + REQUEST_WITHIN_S
    while b"\n" not in data and len(data) < LONGEST_REQUEST:
        ready, _, _ = select.select([sys.stdin], [], [], max(0.0, ends - time.monotonic()))
        more = os.read(sys.stdin.fileno(), LONGEST_REQUEST) if ready else b""
        if not more:
            break
        data += more
    return data.partition(b"\n")[0]
