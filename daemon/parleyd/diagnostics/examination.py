"""All checks of `parley doctor`, in their order, each one in a child process with a deadline."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parleyd import config
from parleyd.diagnostics import (
    checks,
    devices,
    server_trial_checks,
    service_keys,
    sound_checks,
)
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.limited import LimitedCheck
from parleyd.diagnostics.server_checks import CREDENTIALS, KeySource, ShellKeys
from parleyd.diagnostics.service_keys import ServiceKeys, ServiceView
from parleyd.diagnostics.skill_checks import loaded
from parleyd.system.paths import INSTALLED_CONFIG

# Seconds for each check on a Pi that is busy with its boot; usually they take a tenth. Those of the
# network begin first and run beside the others.
KEY_S, SERVER_S, SOUND_S, PINS_S = 30.0, 45.0, 20.0, 10.0
WAKE_S, SPEECH_S, PRIORITY_S, SKILLS_S = 30.0, 30.0, 5.0, 60.0
MQTT_S, PAGE_S, MCP_S, STATE_S = 10.0, 10.0, 100.0, 10.0

SERVICE_STATE = "/var/lib/parley"
Body = Callable[[], Iterable[Finding]]


def examine(
    path: Path | None, environ: Mapping[str, str], *, offline: bool = False
) -> Iterator[Finding]:
    """Yield the findings. Ends within the sum of the deadlines, whatever hangs."""
    settings, problems = checks.configuration(path)
    yield from problems
    served, of_service = checks.service()
    if settings is not None:
        view = service_keys.read() if path == INSTALLED_CONFIG else None
        yield from _Examined(settings, path, environ, view, served, offline).findings()
    yield from _limited("state", STATE_S, lambda: checks.state(environ)).findings()
    if checks.SYSTEMD.exists():
        yield checks.memory_limit()
    yield of_service


@dataclass(frozen=True, slots=True)
class _Examined:
    """The checks that need a valid configuration."""

    settings: config.Config
    path: Path | None
    environ: Mapping[str, str]
    view: ServiceView | None
    served: bool
    offline: bool

    def findings(self) -> Iterator[Finding]:
        """Begin the checks of the network, and yield the findings of all in their order."""
        server = _limited("server", SERVER_S, self._server)
        far = [
            _limited("mqtt", MQTT_S, self._mqtt),
            _limited("page", PAGE_S, lambda: [checks.page(self.settings.page)]),
            _limited("mcp", MCP_S, self._mcp),
        ]
        yield from _limited("key", KEY_S, self._keys).findings()
        yield from server.findings()
        for begin in self._near():
            yield from begin().findings()
        for check in far:
            yield from check.findings()

    def _near(self) -> Iterator[Callable[[], LimitedCheck]]:
        """The checks that need the processor or the sound card for themselves."""
        settings = self.settings
        yield lambda: _limited("loudspeaker", SOUND_S, self._sound)
        yield lambda: _limited("pins", PINS_S, lambda: devices.pins(settings, served=self.served))
        yield lambda: _limited("wake word", WAKE_S, self._wake_word)
        yield lambda: _limited("offline speech", SPEECH_S, self._offline_speech)
        yield lambda: _limited("priority", PRIORITY_S, self._priority)
        yield lambda: _limited("skills", SKILLS_S, self._skills)

    @property
    def _source(self) -> KeySource:
        if self.view is not None:
            return ServiceKeys(self.view, CREDENTIALS)
        return ShellKeys(self.environ)

    @property
    def _of_daemon(self) -> Mapping[str, str]:
        """The environment of the daemon, for its proxy: not that of root's shell."""
        return self.environ if self.view is None else self.view.environment

    def _keys(self) -> Iterator[Finding]:
        source = self._source
        yield from checks.keys(self.settings, self.environ, CREDENTIALS, source)
        if isinstance(source, ServiceKeys) and (outdated := source.outdated):
            yield outdated

    def _server(self) -> Iterator[Finding]:
        yield from checks.proxy(self.settings, self._of_daemon)
        if self.offline:
            yield from server_trial_checks.offline(self.settings)
        else:
            yield from server_trial_checks.server(
                self.settings, self._of_daemon, self._source, self.path, served=self.served
            )

    def _sound(self) -> Iterator[Finding]:
        settings, environ = self.settings, self.environ
        if self.path == INSTALLED_CONFIG:  # also for a user who may not read it
            environ = {"STATE_DIRECTORY": SERVICE_STATE}
        return sound_checks.sound(
            settings.audio, served=self.served, buttons=settings.buttons, environ=environ
        )

    def _wake_word(self) -> Iterator[Finding]:
        yield checks.wake_word(self.settings.wake, self._source.look(checks.WAKE_KEY)[0])

    def _offline_speech(self) -> Iterator[Finding]:
        has_key = self._source.look("OPENAI_API_KEY")[0] is not None
        asks = any(remote.approval == "voice" for remote in self.settings.skills.mcp)
        server = self.settings.realtime.server
        needed = asks or server == "embedded" or (server == "auto" and not has_key)
        yield checks.offline_speech(needed=needed)

    def _priority(self) -> Iterator[Finding]:
        yield checks.priority(self.settings.audio.priority)

    def _skills(self) -> Iterator[Finding]:
        # the uid of the service's user varies
        owners = (0,) if self.path == INSTALLED_CONFIG else None
        folder = Path(self.settings.skills.folder)
        found = list(checks.skills(folder, owners))
        yield from found
        if all(finding.level is Severity.OK for finding in found):
            yield from loaded(folder)

    def _mqtt(self) -> Iterator[Finding]:
        if self.offline and self.settings.mqtt.host:
            yield Finding("mqtt", Severity.OK, "the broker was not called: --offline")
        else:
            yield checks.mqtt(self.settings.mqtt)

    def _mcp(self) -> Iterator[Finding]:
        if self.offline and any(entry.where == "here" for entry in self.settings.skills.mcp):
            yield Finding("mcp", Severity.OK, "no server was called: --offline")
        elif not self.offline:
            environ = checks.with_keys(self.settings, self.environ, self._source)
            yield from checks.local_mcp(self.settings, environ)


def _limited(check: str, allowed_s: float, body: Body) -> LimitedCheck:
    return LimitedCheck.begin(Finding(check, Severity.FAIL, ""), allowed_s, body)
