"""The check of `parley doctor` that calls the realtime server, and judges the clock by its date."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from parleyd import config
from parleyd.config.servers import OPENAI, Profile, profile
from parleyd.diagnostics import clock_checks, daemon_view, remedies, server_trial
from parleyd.diagnostics.clock_checks import ClockState
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import KeySource, as_root
from parleyd.diagnostics.server_trial import Cause, Trial
from parleyd.realtime.address import ServerAddress
from parleyd.system.paths import INSTALLED_CONFIG

ROUTES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))
NOWHERE = "00000000"
AGAIN = "wait a few minutes, then run `parley doctor` again"


def offline(settings: config.Config) -> Iterator[Finding]:
    """Say that no server was tried, and judge the clock by itself."""
    text = "was not called: --offline"
    if settings.realtime.server == "embedded":
        text = "the embedded server needs no network"
    yield Finding("server", Severity.OK, text)
    yield from clock_checks.clock(None, time.time(), clock_checks.state())


def server(
    settings: config.Config,
    environ: Mapping[str, str],
    source: KeySource,
    place: Path | None,
    *,
    served: bool = False,
) -> Iterator[Finding]:
    """Call the server that the daemon would call, and judge the clock.

    `environ`: the daemon's, for its proxy. `place`: the configuration's file, for remedies.
    `served`: the service runs. If it is connected to a server of the owner, this is not called:
    some of these have one session only. Blocks for at most 35 s.
    """
    known = clock_checks.state()
    name = settings.realtime.server
    needed = OPENAI if name == "auto" else profile(name)
    key = source.look(needed.key)[0]
    if key is None and name != "embedded" and source.closed(needed.key):
        text = "was not called, because this user cannot read the key"
        yield Finding("server", Severity.WARN, text, as_root())
        yield from clock_checks.clock(None, time.time(), known)
        return
    if name == "embedded" or (name == "auto" and key is None):
        yield Finding("server", Severity.OK, "the embedded server needs no network")
        yield from clock_checks.clock(None, time.time(), known)
        return
    address = ServerAddress.of(settings.realtime, needed, key)
    if served and not needed.maker and (link := daemon_view.link()):
        text = f"{address.host}: {link}; no second session was opened"
        yield Finding("server", Severity.OK, text)
        yield from clock_checks.clock(None, time.time(), known)
        return
    trial = asyncio.run(server_trial.attempt(address, environ))
    date, taken_at = trial.date, trial.taken_at
    if trial.cause is Cause.CERTIFICATE_TIME and not trial.way.proxy:
        date, taken_at = asyncio.run(server_trial.unverified_date(address)), time.time()
    judge = _Judge(needed, settings.realtime, source, place, known)
    yield judge.finding(trial, address, date, taken_at)
    yield from clock_checks.clock(date, taken_at if date is not None else time.time(), known)


class _Judge:
    """Makes the finding of a trial."""

    def __init__(
        self,
        server: Profile,
        realtime: config.RealtimeConfig,
        source: KeySource,
        place: Path | None,
        known: ClockState,
    ) -> None:
        self._server = server
        self._realtime = realtime
        self._source = source
        self._place = place or Path("parley.toml")
        self._known = known

    def finding(
        self, trial: Trial, address: ServerAddress, date: float | None, taken_at: float
    ) -> Finding:
        text, advice, host = trial.text, trial.advice, address.host
        match trial.cause:
            case Cause.ACCEPTED:
                return self._accepted(address)
            case Cause.NO_PROTOCOL:
                text = f"{host} opens a WebSocket, but sends nothing that a realtime server sends"
                return _bad(text, self._url(), Severity.WARN)
            case Cause.DROPPED:
                text = f"{host} accepts the connection and drops it at once, without a reason"
                return _bad(text, self._url())
            case Cause.NOT_HERE:
                return _bad(text, _ELSEWHERE)
            case Cause.NO_KEY:
                text = f"{host} is reachable; a session was not tried, because there is no key"
                return _bad(text, self._source.put(self._server.key), Severity.WARN)
            case Cause.KEY_REFUSED:
                return _bad(f"{host} refuses the key", self._source.put(self._server.key))
            case Cause.NO_QUOTA:
                return _bad(f"{host} accepts the key, but {text}", _CREDIT)
            case Cause.WRONG_MODEL:
                return _bad(text, self._model())
            case Cause.WRONG_PATH:
                return _bad(text, self._url())
            case Cause.NO_WEBSOCKET:
                return _bad(text, f"{_LOGIN}; else {self._url()}")
            case Cause.CERTIFICATE_TIME:
                return self._out_of_time(text, date, taken_at)
            case Cause.CERTIFICATE_NAME:
                return _bad(text, f"{_LOGIN}; else write the certificate's name into realtime.url")
            case Cause.CERTIFICATE_AUTHORITY:
                return _bad(text, f"{_LOGIN}; with an authority of your own: {_TRUST}")
            case Cause.NO_NAME if not self._realtime.url:
                return self._unreached(text, _DNS)
            case Cause.NO_NAME | Cause.NO_CONNECTION | Cause.SILENT:
                return self._unreached(text, advice)
            case Cause.PROXY:
                return _bad(text, self._proxy(text, advice))
        return _bad(text, advice or AGAIN)

    def _accepted(self, address: ServerAddress) -> Finding:
        how = "with the key" if address.carries_key else "without a key"
        text = f"{address.host} opens a session {how} (no response was asked for)"
        return Finding("server", Severity.OK, text)

    def _out_of_time(self, text: str, date: float | None, taken_at: float) -> Finding:
        if date is None:
            says = f"this device's clock says {clock_checks.shown(time.time())} UTC"
            return _bad(f"{text}; {says}", _CLOCK_OR_SERVER)
        off_s = clock_checks.off_s(date, taken_at)
        if abs(off_s) > clock_checks.WRONG_S:
            side = "ahead" if off_s > 0 else "behind"
            text += f", because this device's clock is {clock_checks.duration(abs(off_s))} {side}"
            return _bad(text, clock_checks.remedy(date, self._known))
        return _bad(f"{text}, and this device's clock is right", "renew the server's certificate")

    def _unreached(self, text: str, advice: str) -> Finding:
        if not connected():
            text = f"{text}; this device has no network: no route leads out"
            return _bad(text, "plug in a network cable, or join a Wi-Fi: sudo nmtui")
        return _bad(text, advice or AGAIN)

    def _proxy(self, text: str, advice: str) -> str:
        if "(407)" in text and self._place == INSTALLED_CONFIG:
            return remedies.service_proxy()
        return advice or "ask the operator of the proxy, or remove it"

    def _model(self) -> str:
        if self._server.model:
            return remedies.setting("realtime.model", self._server.model, self._place)
        return f"set realtime.model in {self._place} to a model that your server has"

    def _url(self) -> str:
        if self._server.url:
            return remedies.setting("realtime.url", self._server.url, self._place)
        return f"correct realtime.url in {self._place}, like {self._server.url_like}"


_DNS = "enter a DNS server that works, for example 9.9.9.9: sudo nmtui, Edit a connection, IPv4"
_CREDIT = (
    "add credit at the operator of the server (OpenAI: platform.openai.com, Settings, Billing)"
)
_ELSEWHERE = 'set server = "embedded" in [realtime], or the server of another operator'
_CLOCK_OR_SERVER = "set the clock if it is wrong, or let the server's certificate be renewed"
_LOGIN = "if this is a guest network, open its login page with a browser"
_TRUST = "sudo cp YOUR-CA.crt /usr/local/share/ca-certificates/ && sudo update-ca-certificates"


def connected(routes: tuple[Path, ...] = ROUTES) -> bool:
    """Whether a default route exists, by the kernel's tables."""
    for table in routes:
        try:
            lines = table.read_text("ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if table.name == "route" and fields[1:2] == [NOWHERE]:
                return True
            if table.name != "route" and fields[:2] == ["0" * 32, "00"] and fields[-1] != "lo":
                return True
    return False


def _bad(text: str, remedy: str, level: Severity = Severity.FAIL) -> Finding:
    return Finding("server", level, text, remedy)
