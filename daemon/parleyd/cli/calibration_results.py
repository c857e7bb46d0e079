"""The results of `parley calibrate`: the suggested values, the picture, and JSON."""

import json
from pathlib import Path

import click
import msgspec

from parleyd.calibration.figures import Calibrated
from parleyd.calibration.verdict import Grade, KeyChange, Verdict
from parleyd.diagnostics.configuration_change import check_writable
from parleyd.errors import ParleyError
from parleyd.system import new_file

PICTURE_MODE = 0o644


def check_targets(path: Path | None, picture: Path | None, *, write: bool, simulated: bool) -> None:
    """Refuse before half a minute of sound, not after it."""
    if write and simulated:
        raise click.UsageError("--write needs your own room: leave --room out")
    if write and path is None:
        raise click.UsageError(
            "--write needs a configuration file: there is no installed one; name it with --config"
        )
    if write and path is not None:
        check_writable(path)
    if picture is not None:
        _check_picture(picture)


def _check_picture(path: Path) -> None:
    """Raise `click.BadParameter` if no new file can be written there."""
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            problem = f"there is no folder {folder}"
        else:
            new_file.check(path)
            return
    except FileExistsError:
        problem = f"{path} exists and is not replaced: name another file"
    except OSError as error:
        problem = f"{path} cannot be written ({error.strerror}): name another file"
    raise click.BadParameter(problem, param_hint="--picture")


def save_picture(path: Path, svg: str) -> None:
    """Write the picture. Raises `ParleyError`."""
    try:
        new_file.create(path, svg.encode(), new_file.caller(), PICTURE_MODE)
    except OSError as error:
        raise ParleyError(f"{path}: cannot be written ({error.strerror})") from None


def report_changes(suggested: list[KeyChange], written: list[str] | None, *, write: bool) -> None:
    """Print the values: suggested ones, or lines about those that were written."""
    if not suggested:
        if write:
            click.echo("Nothing to write: the configuration suits this room.")
        return
    if written is None:
        click.echo("Suggested for the configuration (--write writes it):")
        for change in suggested:
            click.echo(f"  {change.key} = {change.value:g}  # now {change.now:g}")
        return
    for line in written:
        click.echo(line)
    click.echo("To use it: sudo systemctl reload parleyd")


def as_text(
    measured: Calibrated,
    verdicts: list[Verdict],
    suggested: list[KeyChange],
    written: list[str] | None,
    picture: Path | None,
    problems: list[str],
) -> str:
    """The JSON object; `problems`: why a file was not written."""
    well = all(verdict.grade is Grade.GOOD for verdict in verdicts)
    report = {
        "well": well,
        "verdicts": verdicts,
        "changes": suggested,
        "written": written,
        "picture": picture and str(picture),
        "measured": measured,
    }
    if problems:
        report |= {"error": "failed", "message": "\n".join(problems)}
    return json.dumps(_rounded(msgspec.to_builtins(report)), indent=2)


def _rounded(part: object) -> object:
    if isinstance(part, dict):
        return {name: _rounded(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_rounded(value) for value in part]
    return round(part, 3) if isinstance(part, float) else part
