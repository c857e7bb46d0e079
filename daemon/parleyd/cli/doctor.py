"""`parley doctor`: check everything that a smart speaker needs."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from parleyd import __version__
from parleyd.cli.configuration import config_option
from parleyd.diagnostics import checks, examination, plain_words
from parleyd.diagnostics.bundle import collected
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.plain_words import PlainWords
from parleyd.errors import ParleyError
from parleyd.printable import printable
from parleyd.system import new_file
from parleyd.system.paths import INSTALLED_CONFIG

COLOURS = {Severity.OK: "green", Severity.WARN: "yellow", Severity.FAIL: "red"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.option("--offline", is_flag=True, help="Try nothing over the network.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a new file for a bug report: no key, sound, word, name or address is in it.",
)
def doctor(path: Path | None, as_json: bool, offline: bool, bundle: Path | None) -> None:
    """Try configuration, keys, server, clock, sound, pins, engines, service; print the remedies.

    Every line is ok, warn or fail; the exit status is 1 if any line is fail. Keys are never
    shown. The server is called with the key, without a response, so that it costs nothing. The
    sound card is opened briefly.
    """
    if bundle is not None and os.path.lexists(bundle):
        raise ParleyError(f"{bundle} exists and is not replaced: name another file")
    findings = []
    for finding in examine(path, os.environ, offline=offline):
        findings.append(finding)
        if not as_json:
            print_finding(finding)
    healthy = all(finding.level is not Severity.FAIL for finding in findings)
    if as_json:
        report = {
            "healthy": healthy,
            "version": __version__,
            "offline": offline,
            "findings": [asdict(finding) for finding in findings],
        }
        click.echo(json.dumps(report, indent=2))
    if bundle is not None:
        _write(bundle, findings, path)
    raise SystemExit(0 if healthy else 1)


def _write(bundle: Path, findings: list[Finding], path: Path | None) -> None:
    settings, _ = checks.configuration(path)
    plain = PlainWords(plain_words.of_program(), plain_words.names_of_machine(os.environ))
    facts = json.dumps(collected(findings, settings, plain), indent=2)
    try:
        new_file.create(bundle, f"{facts}\n".encode(), new_file.caller())
    except OSError as error:
        raise ParleyError(f"{bundle} cannot be written: {error.strerror}") from None
    click.echo(f"{bundle} is written, for a bug report; read it before you attach it", err=True)


def examine(
    path: Path | None, environ: Mapping[str, str], *, offline: bool = False
) -> Iterator[Finding]:
    """Yield the findings of all checks; some checks need a valid configuration."""
    if path == INSTALLED_CONFIG and os.geteuid() == 0:
        # check the service, not root's own state folder
        environ = {"STATE_DIRECTORY": examination.SERVICE_STATE, **environ}
    yield from examination.examine(path, environ, offline=offline)


def print_finding(finding: Finding) -> None:
    """Print a finding as one line, and its remedy as another."""
    level = click.style(f"{finding.level:<4}", fg=COLOURS[finding.level])
    click.echo(f"{level}  {finding.check:<14}  {printable(finding.text)}")
    if finding.remedy:
        click.echo(f"{'':<4}  {'':<14}  do: {printable(finding.remedy)}")
