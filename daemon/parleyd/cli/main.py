"""The command `parley` and its subcommands; each is imported only when it is asked for."""

import io
import logging
import os
import sys
from importlib import import_module

import click

from parleyd import __version__
from parleyd.errors import ConfigError, ParleyError
from parleyd.host.systemd import log_plainly
from parleyd.printable import printable

COMMANDS = {
    "run": "Be a smart speaker (what the service runs).",
    "demo": "Watch and hear a conversation in a simulated room.",
    "serve": "Run the embedded realtime server by itself.",
    "check": "Check a configuration file and say what is wrong with it.",
    "doctor": "Check that everything a speaker needs is here.",
    "turns": "Show the last turns as a table, with percentiles.",
    "lights-off": "Darken the lights of a daemon that was killed.",
    "explain": "Draw why it did, or did not, stop in a recording.",
}


class _Lazy(click.Group):
    """Loads a subcommand's module by its name: `parley run` must not import matplotlib."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"parleyd.cli.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parley")
def parley() -> None:
    """A smart speaker that can be interrupted in mid-sentence."""


def main() -> None:
    """Run the command line; what was foreseen to go wrong is one line, not a traceback."""
    log_plainly()
    try:
        sys.exit(parley(prog_name="parley", standalone_mode=False))
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        for line in told.getvalue().splitlines():
            print(printable(line), file=sys.stderr)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ConfigError as error:
        for problem in error.problems:
            print(f"parley: {printable(problem)}", file=sys.stderr)
        sys.exit(2)
    except ParleyError as error:
        print(f"parley: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except Exception:  # the rim of the process: what is in the traceback may be anybody's text
        logging.getLogger(__name__).exception("parley failed")
        sys.exit(1)
