"""`parley page` as a process, between clients of any kind and a real control socket."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from parleyd.control.requests import (
    ListenRequest,
    MuteRequest,
    StopRequest,
    SubscribeRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.page.gate import HEADERS, LONGEST_BODY
from tests.page import scenes
from tests.page.page_rig import TOKEN, WITHIN_S, PageRig, WebClient, until

pytestmark = pytest.mark.slow

FOREIGN = "http://evil.example"


def test_requests_reach_the_daemon_as_a_persons(place: PageRig) -> None:
    speaker, page = place.speaker(), place.page()
    client = place.client(page)
    for path, body in (
        ("listen", {}),
        ("stop", {}),
        ("mute", {"minutes": 10}),
        ("unmute", {}),
        ("volume", {"percent": 30}),
    ):
        assert client.ask(f"/api/{path}", body).status == 200
    assert [type(request) for request in speaker.asked()] == [
        ListenRequest, StopRequest, MuteRequest, UnmuteRequest, VolumeRequest,
    ]  # fmt: skip
    muted, opened = speaker.asked()[2:4]
    assert isinstance(muted, MuteRequest)
    assert isinstance(opened, UnmuteRequest)
    assert (muted.minutes, muted.by, opened.by) == (10, "person", "person")
    assert speaker.volume == 30


def test_switch_is_not_overridden_and_the_reason_is_shown(place: PageRig) -> None:
    speaker, page = place.speaker(), place.page()
    speaker.by_switch = True
    answer = place.client(page).ask("/api/unmute", {})
    assert answer.status == 409
    assert answer.json["error"] == "switch"
    assert "mute switch" in answer.json["message"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/mute", {"minutes": 0}, 400),
        ("/api/mute", {"minutes": "x"}, 400),
        ("/api/mute", {"by": "nobody"}, 400),
        ("/api/volume", {"percent": 101}, 400),
        ("/api/volume", b"\xff", 400),
        ("/api/volume", b"[" * 5000, 400),
        ("/api/volume", b"x" * (LONGEST_BODY + 1), 413),
        ("/api/say", {"text": "x"}, 404),
        ("/api/../../etc/passwd", None, 404),
        ("/docs", None, 404),
        ("/api/listen", None, 405),
    ],
)
def test_wrong_requests_are_refused_with_a_reason(
    path: str, body: object, status: int, place: PageRig
) -> None:
    speaker, page = place.speaker(), place.page()
    answer = place.client(page).ask(path, body)
    assert answer.status == status
    assert answer.json["message"]
    assert speaker.asked() == []


def test_nothing_leaves_without_the_token(place: PageRig) -> None:
    speaker, page = place.speaker(), place.page("[audio]\nvolume = 41\n")
    client = WebClient(page)
    for path in ("/api/settings", "/api/events", "/api/x"):
        assert client.ask(path).status == 401
    for path in ("listen", "mute", "settings/preview", "settings/save", "logout"):
        assert client.ask(f"/api/{path}", {}).status == 401
    html = client.ask("/")
    assert html.status == 200
    assert b"41" not in html.body.partition(b"<style>")[0] + html.body.partition(b"</style>")[2]
    assert speaker.asked() == []
    assert client.ask("/api/login", {"token": TOKEN[:-1]}).status == 403
    assert client.ask("/api/login", {"token": ""}).status == 403
    assert client.ask(f"/api/settings?token={TOKEN}").status == 401


def test_cookie_is_for_this_page_alone_and_ends(place: PageRig) -> None:
    place.speaker()
    page = place.page()
    client = WebClient(page)
    cookie = client.ask("/api/login", {"token": TOKEN}).headers["Set-Cookie"]
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly", "samesite=strict", "path=/", "max-age=2592000",
    }  # fmt: skip
    client.cookie = cookie.partition(";")[0]
    assert client.ask("/api/settings").status == 200
    assert "max-age=0" in client.ask("/api/logout", {}).headers["Set-Cookie"].lower()
    client.cookie += "0"
    assert client.ask("/api/settings").status == 401


def test_wrong_tokens_are_slowed_down_and_never_logged(place: PageRig) -> None:
    place.speaker()
    page = place.page()
    client = WebClient(page)
    wrong = [client.ask("/api/login", {"token": f"guess-{n}"}).status for n in range(8)]
    assert wrong[:4] == [403] * 4
    assert wrong[-1] == 429
    client.sign_in()  # a flood of guesses does not lock the owner out
    assert TOKEN not in page.told()
    assert "guess" not in page.told()
    command = Path(f"/proc/{page.process.pid}/cmdline").read_bytes()
    assert TOKEN.encode() not in command


def test_other_sites_get_nothing(place: PageRig) -> None:
    """A site in the same browser: it can send, with cookies, but neither lie about its origin."""
    speaker, page = place.speaker(), place.page()
    client = place.client(page)
    assert client.ask("/api/listen", {}, Origin=FOREIGN).status == 403
    assert client.ask("/api/listen", {}, Origin="").status == 403
    assert client.ask("/api/login", {"token": TOKEN}, Origin=FOREIGN).status == 403
    assert client.ask("/api/listen", {}, Content_Type="text/plain").status == 415
    rebound = {"Host": f"evil.example:{page.port}", "Origin": f"http://evil.example:{page.port}"}
    for path, body in (("/", None), ("/api/settings", None), ("/api/listen", {})):
        answer = client.ask(path, body, **rebound)
        assert answer.status == 421
        assert "page.names" in answer.json["message"]
    assert speaker.asked() == []
    for path in ("/", "/api/settings", "/api/x"):
        headers = client.ask(path).headers
        assert {name: headers[name] for name in HEADERS} == dict(HEADERS)
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Access-Control-Allow-Origin"] is None


def test_own_names_are_answered(place: PageRig) -> None:
    place.speaker()
    page = place.page(more='names = ["kitchen.example.org"]')
    client = WebClient(page)
    for name in (f"localhost:{page.port}", "localhost:1234", "Kitchen.example.org"):
        assert client.ask("/", Host=name).status == 200


def test_stream_has_state_levels_turns_timers_and_the_picture(place: PageRig) -> None:
    speaker = place.speaker()
    speaker.timers, speaker.turns = scenes.TIMERS, ({**scenes.TURNS[0], "words": "a transcript"},)
    page = place.page()
    stream = place.stream(place.client(page))
    stream.wait(lambda got: got["status"]["connected"] and got["timers"] and got["turns"])
    assert stream.newest["timers"][0]["name"] == "pasta"
    assert stream.newest["turns"] == [scenes.TURNS[0]]
    until(lambda: speaker.server.measures, "a subscription to the levels")
    scenes.interruption(speaker)
    stream.wait(
        lambda got: got["interruption"]["turn"] and got["status"]["indication"] == "listening"
    )
    picture = stream.newest["interruption"]
    assert [mark["name"] for mark in picture["marks"]] == ["hold", "interrupt", "interrupted"]
    assert len(picture["samples"]) > 30
    assert picture["turn"]["onset_to_hold_ms"] == 40
    speaker.show("error", "no sound card")
    stream.wait(lambda got: got["status"]["detail"] == "no sound card")
    assert b"transcript" not in stream.raw
    stream.close()
    until(lambda: not speaker.server.measures, "the end of the subscription")


def test_levels_are_measured_only_while_a_page_is_open_or_parley_answers(place: PageRig) -> None:
    speaker, page = place.speaker(), place.page()
    client = place.client(page)
    assert not speaker.server.measures
    speaker.show("speaking")
    until(lambda: speaker.server.measures, "levels for the picture of an interruption")
    speaker.show("idle")
    until(lambda: not speaker.server.measures, "no levels while idle")
    streams = [place.stream(client), place.stream(client)]
    until(lambda: speaker.server.measures, "levels for two pages")
    for stream in streams:
        stream.close()
    until(lambda: not speaker.server.measures, "no levels without a page")
    assert SubscribeRequest not in [type(request) for request in speaker.requests]


def test_daemon_that_is_away_is_shown_and_returns(place: PageRig) -> None:
    page = place.page()
    client = place.client(page)
    stream = place.stream(client)
    stream.wait(lambda got: got["status"]["connected"] is False)
    until(lambda: "cannot be reached" in page.told(), "a line in the log")
    answer = client.ask("/api/listen", {})
    assert (answer.status, answer.json["error"]) == (503, "no_daemon")
    assert answer.headers["Retry-After"]
    speaker = place.speaker()
    stream.wait(lambda got: got["status"]["connected"])
    speaker.close()
    stream.wait(lambda got: got["status"]["connected"] is False)
    place.speaker().volume = 20
    stream.wait(lambda got: got["status"]["connected"] and got["status"]["volume"] == 20)
    assert page.told().count("cannot be reached") == 2


def test_setting_is_previewed_saved_and_shown(place: PageRig) -> None:
    place.speaker()
    page = place.page("[audio]\nvolume = 40 # Anna's\n")
    client = place.client(page)
    found = client.ask("/api/settings").json
    assert found["saves"] is False
    wish = {"revision": found["revision"], "changes": {"audio.volume": 55, "wake.sensitivity": 1}}
    assert client.ask("/api/settings/preview", wish).json["lines"] == [
        {"section": "audio", "before": "volume = 40 # Anna's", "after": "volume = 55 # Anna's"},
        {"section": "wake", "before": "", "after": "sensitivity = 1.0"},
    ]
    answer = client.ask("/api/settings/save", wish)
    assert (answer.status, answer.json["error"]) == (503, "not_saved")
    service = place.saving(page)
    assert client.ask("/api/settings").json["saves"] is True
    assert client.ask("/api/settings/save", wish).status == 200
    assert "volume = 55 # Anna's" in page.config.read_text()
    until(lambda: service.statuses == [0], "systemd reloads the daemon after status 0")
    again = client.ask("/api/settings/save", wish)
    assert (again.status, again.json["error"]) == (409, "changed")
    fresh = client.ask("/api/settings").json
    assert {key["name"]: key["value"] for key in fresh["keys"]}["audio.volume"] == 55
    wrong = {"revision": fresh["revision"], "changes": {"audio.volume": 101}}
    answer = client.ask("/api/settings/save", wrong)
    assert answer.status == 422
    assert "allowed is a whole number from 0 to 100" in answer.json["problems"][0]
    assert service.statuses == [0]


def test_file_with_mistakes_is_not_quoted(place: PageRig) -> None:
    place.speaker()
    page = place.page()
    client = place.client(page)
    page.config.write_text('[realtime]\nurl = "wss://user:secret@gateway.example"\n')
    answer = client.ask("/api/settings")
    assert (answer.status, answer.json["error"]) == (409, "config")
    assert b"secret" not in answer.body


# --- start and end --------------------------------------------------------------------------


def test_sigterm_ends_it_at_once_also_with_an_open_stream(place: PageRig) -> None:
    place.speaker()
    page = place.page()
    stream = place.stream(place.client(page))
    stream.wait(lambda got: got["status"])
    assert page.end() == 0
    assert "Traceback" not in page.told()


@pytest.mark.parametrize(
    ("token", "host", "status", "told"),
    [
        ("", "127.0.0.1", 2, "PAGE_TOKEN: is missing"),
        ("", "0.0.0.0", 2, "PAGE_TOKEN: is missing"),
        ("short", "127.0.0.1", 2, "PAGE_TOKEN: has fewer than 16 characters"),
        (TOKEN, "192.0.2.1", 1, "cannot listen at page.host = '192.0.2.1'"),
        (TOKEN, "everywhere", 2, "page.host: 'everywhere' is not an address"),
    ],
)
def test_start_is_refused_with_the_remedy(
    token: str, host: str, status: int, told: str, place: PageRig
) -> None:
    page = place.page(token=token, host=host)
    assert page.process.wait(WITHIN_S) == status
    (line,) = page.told().splitlines()
    assert told in line
    assert not token or token not in line


def test_open_network_is_warned_about(place: PageRig) -> None:
    place.speaker()
    page = place.page(host="0.0.0.0")
    assert "WARNING" in page.told()
    assert WebClient(page).ask("/", Host=f"{socket.gethostname()}:1").status == 200


def test_missing_packages_are_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['starlette'] = None; from parleyd.cli.main import main; main()"
    environ = {**os.environ, "PAGE_TOKEN": TOKEN}
    told = subprocess.run(
        [sys.executable, "-c", code, "page"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 2
    assert "install.sh --install --page" in told.stderr


def test_daemon_imports_nothing_of_it() -> None:
    code = "import sys, parleyd.app.assembly; print([m for m in sys.modules if 'starlette' in m])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == []
