"""The last line of an installation: what to say, or what to do first. Pure."""

from collections.abc import Sequence

from parleyd.app.start_report import spoken
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.setup import sound

AGAIN = "sudo parley setup"


def last_line(
    findings: Sequence[Finding], words: Sequence[str], *, missing: str, runs: bool, after: str
) -> str:
    """Return one sentence.

    `words`: the wake words of the configuration. `missing`: see `parleyd.setup.sound.missing`.
    `runs`: systemd runs here. `after`: the fate of the answers: "saved", "stopped" or "refused".
    """
    if after != "saved":
        cause = "An answer was refused" if after == "refused" else "The questions were stopped"
        return f"{cause}, and none is saved. Do this first: {AGAIN}"
    failures = [finding for finding in findings if finding.level is Severity.FAIL]
    if failures and missing:
        return f"{missing} Do this first: {sound.PLUG_IN}, then: {AGAIN}"
    if failures:
        first = failures[0]
        remedy = first.remedy or "sudo parley doctor"
        return f"{first.check.capitalize()}: {first.text}. Do this first: {remedy}"
    said = f'Say: "{spoken(words[0])}", and after the chime: "what can I say"'
    return said if runs else f"Start it with: sudo parley run. {said}"
