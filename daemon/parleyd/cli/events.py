"""`parley events`: what happens in the running daemon, as JSON lines."""

import time

import click

from parleyd.cli.control import EXIT_STATUS, refusals
from parleyd.control.client import ControlClient
from parleyd.control.replies import Done, StatusReply, encode
from parleyd.control.requests import StatusRequest, SubscribeRequest, Topic
from parleyd.errors import ControlError

RETRIES_S = 1.0
PASSING = frozenset({"no_daemon", "gone", "late", "full", "reloading"})
"""Errors after which the daemon may come back."""
_TOPICS = click.Choice(["state", "turns", "log", "levels"])


@click.command(epilog=EXIT_STATUS)
@click.option(
    "--topic", "topics", type=_TOPICS, multiple=True, help="Default: all but levels; repeatable."
)
@click.option("--wait", is_flag=True, help="Wait for a daemon, and for the next one after its end.")
def events(topics: tuple[Topic, ...], wait: bool) -> None:
    """Print what happens in the running daemon, one JSON object a line.

    The first line is the status, so that the state is known. The end of the daemon ends the
    command; with --wait it begins again. No line holds words of a conversation.

    \b
    Examples:
      parley events | jq -c 'select(.name == "wake")'
      parley events --topic state --wait | while read -r line; do ...; done
    """
    while True:
        try:
            print_events(topics or ("state", "turns", "log"))
        except KeyboardInterrupt:
            return
        except ControlError as error:
            if not wait or error.code not in PASSING:
                with refusals(as_json=True):
                    raise
            time.sleep(RETRIES_S)


def print_events(topics: tuple[Topic, ...]) -> None:
    """Print the status and then each event, until the daemon ends. Raises `ControlError`."""
    with ControlClient() as daemon:
        daemon.ask(SubscribeRequest(topics=topics), Done)
        click.echo(encode(daemon.ask(StatusRequest(), StatusReply)).decode(), nl=False)
        for event in daemon.events():
            click.echo(encode(event).decode(), nl=False)
