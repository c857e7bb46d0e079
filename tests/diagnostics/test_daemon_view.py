"""The sound's lines of `parley doctor` while the service holds the card: the daemon is asked."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from parleyd import config
from parleyd.control.replies import Done, Hello, LevelsMeasured, Microphone, StatusReply, encode
from parleyd.diagnostics import daemon_view, server_trial_checks, sound_checks
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import ShellKeys

OPEN = Microphone(closed=False, by_switch=False, left_s=0, reason="")
CLOSED = Microphone(closed=True, by_switch=True, left_s=0, reason="the mute switch is on")
NO_BUTTONS = config.ButtonsConfig()
STATUS = StatusReply(
    indication="idle", detail="", microphone=OPEN, volume=70, server="auto", xruns=0, uptime_s=9,
    version="0.2.0",
)  # fmt: skip


def levels(dbfs: float | None, trouble: str = "", processing: str = "") -> LevelsMeasured:
    return LevelsMeasured(mic_dbfs=dbfs, buffered_ms=0, trouble=trouble, processing=processing)


@contextlib.contextmanager
def daemon(folder: Path, status: StatusReply, *measured: LevelsMeasured) -> Iterator[list[str]]:
    """A daemon for one client; yields the types of the requests that it got."""
    asked: list[str] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control"))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection, connection.makefile("rw", encoding="utf-8") as lines:
                    lines.write(encode(Hello(protocol=1, version="0.2.0")).decode())
                    lines.flush()
                    for line in lines:
                        asked.append(json.loads(line)["type"])
                        replies = [status] if asked[-1] == "status" else [Done(), *measured]
                        lines.write("".join(encode(reply).decode() for reply in replies))
                        lines.flush()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_view, "SERVICE", {"RUNTIME_DIRECTORY": str(tmp_path)})
    monkeypatch.setattr(daemon_view, "LISTENS_S", 0.0)


def told(buttons: config.ButtonsConfig = NO_BUTTONS) -> list[Finding]:
    audio = config.AudioConfig(capture="nowhere", playback="nowhere")
    found = sound_checks.sound(audio, served=True, buttons=buttons)
    return [finding for finding in found if finding.check != "card"]


def test_levels_of_the_service_are_shown_and_nothing_is_opened(tmp_path: Path) -> None:
    with daemon(tmp_path, STATUS, levels(-52.4)) as asked:
        loudspeaker, microphone = told()
    assert asked == ["status", "subscribe"]
    assert loudspeaker.level is microphone.level is Severity.OK
    assert "in use by the service, at volume 70; no tone was played" in loudspeaker.text
    assert "sudo systemctl stop parleyd" in loudspeaker.text
    assert microphone.text == "the service hears -52 to -52 dBFS"


def test_closed_microphone_is_not_listened_to(tmp_path: Path) -> None:
    muted = StatusReply(**{**{f: getattr(STATUS, f) for f in STATUS.__struct_fields__},
                           "microphone": CLOSED})  # fmt: skip
    with daemon(tmp_path, muted) as asked:
        _, microphone = told(config.ButtonsConfig(mute_pin=24))
    assert asked == ["status"]
    assert microphone.level is Severity.OK
    assert "is closed, so nothing was recorded: the mute switch is on" in microphone.text


@pytest.mark.parametrize(
    ("measured", "level", "words"),
    [
        (levels(-120.0), Severity.WARN, "digital silence"),
        (levels(None), Severity.FAIL, "gets no sound from it"),
        (levels(-50.0, trouble="the echo is too loud"), Severity.WARN, "the echo is too loud"),
        (levels(-50.0, processing="a gate"), Severity.WARN, "processes its sound: a gate"),
    ],
)
def test_trouble_of_the_service_is_a_line(
    tmp_path: Path, measured: LevelsMeasured, level: Severity, words: str
) -> None:
    with daemon(tmp_path, STATUS, measured):
        found = told()[-1]
    assert (found.check, found.level) == ("microphone", level)
    assert words in found.text
    assert found.remedy


@pytest.mark.parametrize(
    ("link", "round_trip_ms", "words"),
    [
        ("up", 12.3, "the service is connected (round trip 12 ms)"),
        ("up", None, "the service is connected"),
        ("connecting", None, ""),
        ("resting", None, ""),
    ],
)
def test_link_of_the_service_is_known(
    tmp_path: Path, link: str, round_trip_ms: float | None, words: str
) -> None:
    status = structs.replace(STATUS, link=link, round_trip_ms=round_trip_ms)
    with daemon(tmp_path, status):
        assert daemon_view.link() == words


def test_server_of_the_owner_gets_no_second_session_beside_the_service(tmp_path: Path) -> None:
    realtime = config.RealtimeConfig(server="compatible", url="ws://127.0.0.1:9/v1", model="m")
    with daemon(tmp_path, structs.replace(STATUS, link="up")):
        found, *_ = server_trial_checks.server(
            config.Config(realtime=realtime), {}, ShellKeys({}), None, served=True
        )
    assert found.level is Severity.OK
    assert found.text == "127.0.0.1: the service is connected; no second session was opened"


def test_service_that_cannot_be_asked_keeps_its_switch_and_its_card() -> None:
    *_, microphone = told(config.ButtonsConfig(mute_pin=24))
    assert "left to the service" in microphone.text
