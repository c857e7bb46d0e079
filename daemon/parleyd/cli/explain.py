"""`parley explain`: show why Parley did, or did not, stop in a recording."""

from pathlib import Path

import click

from parleyd import config, wav
from parleyd.cli.configuration import config_option
from parleyd.errors import ParleyError
from parleyd.printable import printable
from parleyd.units import MIC_RATE_HZ


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--picture", type=click.Path(path_type=Path), help="The PNG; default: beside RECORDING."
)
@config_option
def explain(recording: Path, picture: Path | None, path: Path | None) -> None:
    """Replay RECORDING through the hearing; print and draw every decision with its values.

    RECORDING may be a folder: each recording in it gets one line, without pictures. Pairs
    NAME_lpb.wav (the loudspeaker's signal) and NAME_mic.wav count as one recording.

    RECORDING is a stereo WAV file with the loudspeaker on the left and the microphone on the
    right: the demo's room.wav, or a turn that the daemon recorded (log.record_turns).
    Every sound of the loudspeaker counts as an answer, also a chime.
    """
    from parleyd.diagnostics import decision_plot
    from parleyd.diagnostics.replay import replay

    settings = config.load(path)
    if recording.is_dir():
        if picture is not None:
            raise click.UsageError("--picture needs one recording, not a folder")
        _folder(recording, settings.hearing)
        return
    heard = replay(wav.read(recording, MIC_RATE_HZ), settings.hearing)
    for seconds, decision in heard.decisions:
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in decision.metrics.items())
        onset_ms = round((seconds - decision.onset) * 1000)
        after = f"{onset_ms} ms after the onset"
        reason = printable(decision.reason)
        click.echo(f"{seconds:8.2f} s  {decision.decision:9} {after:26} {reason} ({numbers})")
    if not heard.decisions:
        click.echo("no speech was detected while the loudspeaker spoke")
    picture = picture or recording.with_suffix(".png")
    decision_plot.draw(heard, f"Barge-in decisions in {recording.name}", picture)
    click.echo(f"picture: {printable(str(picture))}")


def _folder(folder: Path, settings: config.HearingConfig) -> None:
    """Print one line for each recording, and one for each file that is none."""
    from parleyd.diagnostics.recordings import recordings
    from parleyd.diagnostics.replay import replay
    from parleyd.diagnostics.summary import header, line, summarise

    found = 0
    for recording in recordings(folder):
        name = printable(recording.name)
        if recording.stereo is None:
            click.echo(f"{name}: {printable(recording.problem)}")
            continue
        if not found:
            click.echo(header())
        found += 1
        click.echo(line(name, summarise(replay(recording.stereo, settings))))
    if not found:
        raise ParleyError(f"{folder}: holds no recording that can be heard")
