"""`parley watch`: the running daemon, live, on a full screen or as lines of text."""

import select
import time

import click
from rich.console import Console

from parleyd.cli.control import EXIT_STATUS, refusals
from parleyd.cli.events import PASSING, print_events
from parleyd.cli.full_screen import FullScreen
from parleyd.control.client import ControlClient
from parleyd.control.replies import EventsDropped
from parleyd.control.requests import StatusRequest, SubscribeRequest, Topic, TurnsRequest
from parleyd.diagnostics.watch_screen import ASCII, UNICODE, plain, plain_turn, screen
from parleyd.diagnostics.watching import KEPT_TURNS, WatchSnapshot
from parleyd.errors import ControlError

STATUS_S = 1.0
DRAWS_S = 0.19  # five times a second, with every other level: half of the work, and no flicker
LOOKS_S = 0.25  # at the size of the terminal, and for a daemon that does not answer
RETRIES_S = 1.0
PLAIN_S = 1.0
TOPICS: tuple[Topic, ...] = ("state", "levels", "turns")


@click.command(epilog=EXIT_STATUS)
@click.option("--json", "as_json", is_flag=True, help="Print events, one JSON object a line.")
def watch(as_json: bool) -> None:
    """Watch the running daemon: state, levels, scores, link, and the last turns.

    On a terminal this is a full screen; q or Ctrl+C ends it. If the daemon ends, the command
    waits for the next one. In a pipe or on a dumb terminal it prints a line each second, and
    ends with the daemon. NO_COLOR is respected. No words of a conversation are shown.

    \b
    Examples:
      parley watch
      ssh -t speaker parley watch
      parley watch | head -n 5
      parley watch --json | jq -c 'select(.type == "turn")'
    """
    console = Console(highlight=False)
    try:
        with refusals(as_json=as_json):
            if as_json:
                print_events(TOPICS)
            elif console.is_terminal and not console.is_dumb_terminal:
                _watch(console)
            else:
                _print_lines()
    except (KeyboardInterrupt, EOFError):
        return


class _Feed:
    """The daemon's lines, folded into a snapshot, over one connection after the other."""

    def __init__(self) -> None:
        self.shown = WatchSnapshot(time.monotonic())
        self.client: ControlClient | None = None
        self._asked_at = self._tried_at = 0.0

    def connect(self) -> None:
        """Connect, and ask for everything. Raises `ControlError`."""
        self._tried_at, self._asked_at = time.monotonic(), 0.0
        client = ControlClient()
        client.send(SubscribeRequest(topics=TOPICS))
        client.send(TurnsRequest(count=KEPT_TURNS))
        self.client = client

    def wait(self, keys: int | None = None) -> bool:
        """Wait for lines and take them; return whether keys were pressed.

        Raises `ControlError`.
        """
        sources = [source for source in (self.client, keys) if source is not None]
        ready, _, _ = select.select(sources, [], [], LOOKS_S)
        if self.client in ready:
            self._take()
        self._ask(time.monotonic())
        return keys in ready

    def wait_patiently(self, keys: int | None) -> bool:
        """As `wait`, but wait for the next daemon, too."""
        try:
            return self.wait(keys)
        except ControlError as error:
            if error.code not in PASSING:
                raise
            if self.client is not None:
                self.client.__exit__()
            self.client = None
            self.shown = self.shown.gone(f"{error}; waiting for the next one")
            return False

    def _take(self) -> None:
        assert self.client is not None
        for line in self.client.lines():
            self.shown = self.shown.with_line(line, time.monotonic())
            if isinstance(line, EventsDropped):
                self.client.send(TurnsRequest(count=KEPT_TURNS))

    def _ask(self, now: float) -> None:
        if self.client is None:
            if now - self._tried_at >= RETRIES_S:
                self.connect()
        elif now - self._asked_at >= STATUS_S:
            self._asked_at = now
            self.client.send(StatusRequest())


def _watch(console: Console) -> None:
    feed = _Feed()
    feed.connect()  # first: without a daemon, the screen stays as it is
    glyphs = ASCII if console.options.ascii_only else UNICODE
    drawn_at = 0.0
    with FullScreen(console) as full:
        while not (feed.wait_patiently(full.keys) and "q" in full.pressed().lower()):
            now = time.monotonic()
            if now - drawn_at >= DRAWS_S:
                drawn_at = now
                full.draw(screen(feed.shown.at(now), *full.size, glyphs))


def _print_lines() -> None:
    feed = _Feed()
    feed.connect()
    printed_at, indication = time.monotonic(), ""
    while True:
        feed.wait()
        now, shown = time.monotonic(), feed.shown
        for turn in shown.news:
            click.echo(plain_turn(turn))
        if shown.indication != indication or now - printed_at >= PLAIN_S:
            printed_at, indication = now, shown.indication
            click.echo(plain(shown.at(now)))
        feed.shown = shown.without_news()
