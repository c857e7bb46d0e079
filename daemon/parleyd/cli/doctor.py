"""`parley doctor`: check everything that a smart speaker needs."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from parleyd.cli.configuration import config_option
from parleyd.diagnostics import checks, devices
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.printable import printable

INSTALLED = checks.INSTALLED
SERVICE_STATE = "/var/lib/parley"
COLOURS = {Severity.OK: "green", Severity.WARN: "yellow", Severity.FAIL: "red"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def doctor(path: Path | None, as_json: bool) -> None:
    """Check configuration, keys, cards, pins, engines and service; print the remedies.

    Every line is ok, warn or fail; the exit status is 1 if any line is fail. Keys are never
    shown. The check opens the sound card briefly.
    """
    environ: Mapping[str, str] = os.environ
    if path == INSTALLED and os.geteuid() == 0:  # check the service, not root's own state folder
        environ = {"STATE_DIRECTORY": SERVICE_STATE, **environ}
    findings = []
    for finding in examine(path, environ):
        findings.append(finding)
        if not as_json:
            _print(finding)
    healthy = all(finding.level is not Severity.FAIL for finding in findings)
    if as_json:
        report = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(report, indent=2))
    raise SystemExit(0 if healthy else 1)


def examine(path: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings of all checks; some checks need a valid configuration."""
    settings, problems = checks.configuration(path)
    yield from problems
    served, of_service = checks.service()
    if settings is not None:
        yield from checks.keys(settings, environ)
        yield from checks.proxy(settings, environ)
        yield from devices.sound(settings.audio, served=served, buttons=settings.buttons)
        yield from devices.pins(settings, served=served)
        picovoice = checks.secret("PICOVOICE_ACCESS_KEY", environ)
        yield checks.wake_word(settings.wake, picovoice)
        has_key = checks.secret("OPENAI_API_KEY", environ) is not None
        server = settings.realtime.server
        asks = any(remote.approval == "voice" for remote in settings.skills.mcp)
        needed = asks or server == "embedded" or (server == "auto" and not has_key)
        yield checks.offline_speech(needed=needed)
        yield checks.priority(settings.audio.priority)
        owners = (0,) if path == INSTALLED else None  # the uid of the service's user varies
        yield from checks.skills(Path(settings.skills.folder), owners)
        yield checks.mqtt(settings.mqtt)
        yield checks.page(settings.page)
        yield from checks.local_mcp(settings, checks.with_keys(settings, environ))
    yield from checks.state(environ)
    if checks.SYSTEMD.exists():
        yield checks.memory_limit()
    yield of_service


def _print(finding: Finding) -> None:
    level = click.style(f"{finding.level:<4}", fg=COLOURS[finding.level])
    click.echo(f"{level}  {finding.check:<14}  {printable(finding.text)}")
    if finding.remedy:
        click.echo(f"{'':<4}  {'':<14}  do: {printable(finding.remedy)}")
