"""The command `parley`; each subcommand is imported only when it is used."""

import errno
import io
import logging
import os
import sys
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from parleyd import __version__
from parleyd.errors import ConfigError, ParleyError
from parleyd.host.systemd import log_plainly
from parleyd.printable import printable

COMMANDS = {
    "run": "Run the smart-speaker daemon, like the service.",
    "demo": "Watch and hear a conversation in a simulated room.",
    "serve": "Run the embedded realtime server alone.",
    "check": "Check a configuration file and list its problems.",
    "setup": "Answer the questions of the installation, again.",
    "doctor": "Check everything that a smart speaker needs.",
    "calibrate": "Measure loudspeaker, microphone, room and voice; say what to change.",
    "completion": "Print the completion of these commands for a shell.",
    "turns": "Show the last turns as a table, with percentiles.",
    "status": "Show the state of the running daemon.",
    "watch": "Watch the running daemon, live.",
    "events": "Print what happens in the running daemon, as JSON lines.",
    "listen": "Let the daemon listen, as after the wake word.",
    "stop": "End the turn or the ringing alarm.",
    "mute": "Close the microphone for a time.",
    "unmute": "Open the microphone again.",
    "volume": "Show or set the volume.",
    "say": "Speak a text.",
    "timers": "List the timers and alarms that are set.",
    "mqtt": "Connect the running daemon with Home Assistant over MQTT.",
    "page": "Serve a page for browsers: state, levels, settings.",
    "page-save": "Save a change of the settings; systemd starts it for `parley page`.",
    "lights-off": "Switch off the lights of a killed daemon.",
    "wake": "Test the wake word, live or in recordings.",
    "explain": "Show why Parley did, or did not, stop in a recording.",
}
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of writing to the standard output; those of other files carry their names."""
_OF_THE_DAEMON = frozenset(
    {"status", "listen", "stop", "mute", "unmute", "volume", "say", "timers"}
)


class _Lazy(click.Group):
    """Loads a subcommand's module by its name: `parley run` must not import matplotlib."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        function = name.replace("-", "_")
        module = "control" if name in _OF_THE_DAEMON else function
        command: click.Command = getattr(import_module(f"parleyd.cli.{module}"), function)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names without loading the commands."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=COMMANDS[name]) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parley")
def parley() -> None:
    """A smart speaker that you can interrupt in mid-sentence."""


def main() -> None:
    """Run the command line; an expected error is one line, not a traceback."""
    _replace_closed_streams()
    log_plainly()
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()  # here, where its failure can be reported
    except BrokenPipeError:  # the reader of the output has closed the pipe
        _discard_output()
        sys.exit(1)
    except OSError as error:  # of a nameless file: the output
        _discard_output()
        print(f"parley: the output cannot be written ({error.strerror})", file=sys.stderr)
        sys.exit(1)


def _run() -> None:
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
    except ConfigError as error:
        for problem in error.problems:
            print(f"parley: {printable(problem)}", file=sys.stderr)
        sys.exit(2)
    except ParleyError as error:
        print(f"parley: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:  # the rim of the process: the traceback may have untrusted text
        if isinstance(error, OSError) and error.errno in UNWRITABLE and error.filename is None:
            raise
        logging.getLogger(__name__).exception("parley failed")
        sys.exit(1)


def _replace_closed_streams() -> None:
    """Open the null device in place of a closed standard stream, which Python sets to None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 never closed


def _discard_output() -> None:
    """Write the rest of the output to the null device, or Python complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
