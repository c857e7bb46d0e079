"""The running daemon's view of its sound, over its control socket: it holds the card."""

import time
from collections.abc import Iterator

from parleyd.control.client import ControlClient
from parleyd.control.replies import LevelsMeasured, StatusReply
from parleyd.control.requests import StatusRequest, SubscribeRequest
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.sound_judgement import QUIET_DBFS
from parleyd.errors import ControlError

LISTENS_S = 1.5
SERVICE = {"RUNTIME_DIRECTORY": "/run/parley"}
ALONE = "sudo systemctl stop parleyd && sudo parley doctor; sudo systemctl start parleyd"


def sound() -> list[Finding]:
    """Ask the service; empty if it cannot be asked, or has no working card. At most 12 s."""
    try:
        with ControlClient(SERVICE) as client:
            status = client.ask(StatusRequest(), StatusReply)
            if status.indication == "error":
                return []
            levels = [] if status.microphone.closed else list(_levels(client))
    except ControlError:
        return []
    played = f"is in use by the service, at volume {status.volume}; no tone was played"
    return [
        Finding("loudspeaker", Severity.OK, f"{played} (to play one: {ALONE})"),
        _microphone(status, levels),
        *_troubles(levels),
    ]


def link() -> str:
    """The connection of the service to its server, in words; "" unless it is up. At most 10 s."""
    try:
        with ControlClient(SERVICE) as client:
            status = client.ask(StatusRequest(), StatusReply)
    except ControlError:
        return ""
    if status.link != "up":
        return ""
    trip = "" if status.round_trip_ms is None else f" (round trip {status.round_trip_ms:.0f} ms)"
    return f"the service is connected{trip}"


def _troubles(levels: list[LevelsMeasured]) -> Iterator[Finding]:
    for trouble in sorted({level.trouble for level in levels if level.trouble}):
        text = f"the service says: {trouble}"
        yield Finding("microphone", Severity.WARN, text, "see daemon/docs/troubleshooting.md")
    for processing in sorted({level.processing for level in levels if level.processing}):
        text = f"it processes its sound: {processing}"
        remedy = "see microphone_processes in daemon/docs/troubleshooting.md"
        yield Finding("microphone", Severity.WARN, text, remedy)


def _levels(client: ControlClient) -> Iterator[LevelsMeasured]:
    client.send(SubscribeRequest(topics=("levels",)))
    ends = time.monotonic() + LISTENS_S
    for event in client.events():
        if isinstance(event, LevelsMeasured):
            yield event
        if time.monotonic() > ends:
            return


def _microphone(status: StatusReply, levels: list[LevelsMeasured]) -> Finding:
    if status.microphone.closed:
        text = f"is closed, so nothing was recorded: {status.microphone.reason}"
        return Finding("microphone", Severity.OK, text)
    heard = [level.mic_dbfs for level in levels if level.mic_dbfs is not None]
    if not heard:
        text = "the service gets no sound from it"
        return Finding("microphone", Severity.FAIL, text, "journalctl -u parleyd -n 20")
    loudest = max(heard)
    if loudest < QUIET_DBFS:
        text = f"the service hears digital silence ({loudest:.0f} dBFS): it is dead, or has a gate"
        return Finding("microphone", Severity.WARN, text, ALONE)
    text = f"the service hears {min(heard):.0f} to {loudest:.0f} dBFS"
    return Finding("microphone", Severity.OK, text)
