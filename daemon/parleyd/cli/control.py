"""The commands for the running daemon, over its control socket: `parley status`, `listen`, ..."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import click
import msgspec

from parleyd.control.client import ANSWERS_WITHIN_S, ControlClient
from parleyd.control.replies import Done, StatusReply, TimersReply, VolumeReply
from parleyd.control.requests import (
    LONGEST_MUTE_MIN,
    LONGEST_SPEECH,
    ListenRequest,
    MuteRequest,
    SayRequest,
    StatusRequest,
    StopRequest,
    TimersRequest,
    UnmuteRequest,
    Voice,
    VolumeRequest,
)
from parleyd.errors import ControlError
from parleyd.printable import printable

EXIT_STATUS = """\b
Exit status:
  0  done
  1  it failed: the daemon's log has the reason
  2  wrong arguments
  3  no daemon runs
  4  you are not in the group parley
  5  refused, because the present state does not allow it
  6  no answer, or a daemon of another version
"""

SAID_WITHIN_S = 660.0  # the daemon gives up earlier

_Order = ListenRequest | StopRequest | MuteRequest | UnmuteRequest | SayRequest
Run = Callable[..., None]


def of_the_daemon(run: Run) -> click.Command:
    """Make a command of a function that asks the daemon; the function's name is the command's.

    With ``--json`` a refusal is an object, too: ``{"error": "muted", "message": "..."}``.
    """

    def carry_out(as_json: bool, **arguments: Any) -> None:
        with refusals(as_json=as_json):
            run(as_json=as_json, **arguments)

    carry_out.__doc__ = run.__doc__
    carry_out.__click_params__ = getattr(run, "__click_params__", [])  # type: ignore[attr-defined]
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    return click.command(name=run.__name__, epilog=EXIT_STATUS)(option(carry_out))


@contextlib.contextmanager
def refusals(*, as_json: bool) -> Iterator[None]:
    """End the command by a `ControlError` of the block; with `as_json`, print it first."""
    try:
        yield
    except ControlError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"error": error.code, "message": str(error)}))
        raise SystemExit(error.exit_code) from None


@of_the_daemon
def status(as_json: bool) -> None:
    """Show the state of the running daemon.

    \b
    Examples:
      parley status
      parley status --json | jq -r .indication
    """
    with ControlClient() as daemon:
        reply = daemon.ask(StatusRequest(), StatusReply)
    if as_json:
        _print_json(reply)
        return
    microphone = reply.microphone
    closed = f"closed: {microphone.reason or 'the mute switch is on'}"
    rows = {
        "state": f"{reply.indication}: {reply.detail}" if reply.detail else reply.indication,
        "microphone": closed if microphone.closed else "open",
        "volume": f"{reply.volume} %",
        "server": reply.server,
        "xruns": str(reply.xruns),
        "running": f"{reply.uptime_s // 60} min, version {reply.version}",
    }
    for title, text in rows.items():
        click.echo(f"{title:<10}  {printable(text)}")


@of_the_daemon
def listen(as_json: bool) -> None:
    """Let the daemon listen, as after the wake word.

    A reply or an alarm that plays ends. The command returns when listening has begun. It is
    refused while the microphone is closed.

    \b
    Examples:
      parley listen
      parley listen || echo "status $?"
    """
    _order(ListenRequest(), as_json)


@of_the_daemon
def stop(as_json: bool) -> None:
    """End the turn or the ringing alarm; without one, do nothing.

    \b
    Examples:
      parley stop
    """
    _order(StopRequest(), as_json)


@of_the_daemon
@click.argument(
    "minutes", type=click.IntRange(1, LONGEST_MUTE_MIN), default=LONGEST_MUTE_MIN, required=False
)
def mute(as_json: bool, minutes: int) -> None:
    """Close the microphone for MINUTES, at most and by default a day.

    The push button, `parley unmute` and a move of the mute switch open it earlier.

    \b
    Examples:
      parley mute 30
      parley mute && make-a-call; parley unmute
    """
    _order(MuteRequest(minutes=minutes), as_json)


@of_the_daemon
def unmute(as_json: bool) -> None:
    """Open the microphone that was closed by command or voice.

    The mute switch has priority: while it is on, the microphone stays closed and the exit status
    is 5.

    \b
    Examples:
      parley unmute
    """
    _order(UnmuteRequest(), as_json)


@of_the_daemon
@click.argument("level", required=False, metavar="[N|+|-]")
def volume(as_json: bool, level: str | None) -> None:
    """Show the volume in percent, or set it: to N, or louder (+) or quieter (-) by 10.

    The quietest volume is 5.

    \b
    Examples:
      parley volume
      parley volume 40
      parley volume +
    """
    with ControlClient() as daemon:
        reply = daemon.ask(_volume_request(level), VolumeReply)
    if as_json:
        _print_json(reply)
    else:
        click.echo(f"{reply.percent} %")


@of_the_daemon
@click.argument("text", nargs=-1, required=True)
@click.option(
    "--voice",
    type=click.Choice(["embedded", "model"]),
    default="embedded",
    show_default=True,
    help="The offline voice, or the realtime model's, which needs OpenAI or Azure.",
)
@click.option("--urgent", is_flag=True, help="Also in the quiet hours of the configuration.")
def say(as_json: bool, text: tuple[str, ...], voice: Voice, urgent: bool) -> None:
    """Speak TEXT when no conversation and no alarm needs the loudspeaker.

    The command returns when the text was heard. A text waits for at most five minutes. The
    microphone is not opened, and no turn follows. The offline voice speaks English.

    \b
    Examples:
      parley say Dinner is ready
      parley say --voice model "Das Essen ist fertig."
      parley say --urgent The smoke detector in the cellar reports smoke
    """
    words = " ".join(" ".join(text).split())
    if not 0 < len(words) <= LONGEST_SPEECH:
        raise click.BadParameter(f"1 to {LONGEST_SPEECH} characters are allowed", param_hint="TEXT")
    _order(SayRequest(text=words, voice=voice, urgent=urgent), as_json, SAID_WITHIN_S)


@of_the_daemon
def timers(as_json: bool) -> None:
    """List the timers and alarms that are set, the next one first.

    \b
    Examples:
      parley timers
      parley timers --json | jq '.timers[0].left_s'
    """
    with ControlClient() as daemon:
        reply = daemon.ask(TimersRequest(), TimersReply)
    if as_json:
        _print_json(reply)
        return
    for entry in reply.timers:
        kind = "timer" if entry.timer else "alarm"
        minutes, seconds = divmod(entry.left_s, 60)
        line = f"{minutes:>5}:{seconds:02}  {entry.due}  {kind}  {printable(entry.name)}"
        click.echo(line.rstrip())


def _volume_request(level: str | None) -> VolumeRequest:
    if level is None:
        return VolumeRequest()
    if level in ("+", "-"):
        return VolumeRequest(steps=1 if level == "+" else -1)
    if level.isascii() and level.isdigit() and int(level) <= 100:
        return VolumeRequest(percent=int(level))
    raise click.BadParameter(f"{level!r} is neither 0 to 100 nor + nor -", param_hint="N")


def _order(request: _Order, as_json: bool, within_s: float = ANSWERS_WITHIN_S) -> None:
    with ControlClient() as daemon:
        reply = daemon.ask(request, Done, within_s)
    if as_json:
        _print_json(reply)


def _print_json(reply: msgspec.Struct) -> None:
    """Print the reply's fields; scripts need neither its type nor its number."""
    fields = msgspec.to_builtins(reply)
    click.echo(json.dumps({k: v for k, v in fields.items() if k not in ("type", "id")}))
