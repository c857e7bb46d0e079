"""`parley explain`: why it did, or did not, stop."""

from pathlib import Path

import click

from parleyd import config, wav
from parleyd.printable import printable
from parleyd.units import MIC_RATE_HZ


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--picture", type=click.Path(path_type=Path), help="The PNG; default: beside it.")
@click.option("--config", "path", type=click.Path(path_type=Path), help="The TOML file.")
def explain(recording: Path, picture: Path | None, path: Path | None) -> None:
    """Replay RECORDING through hearing, print every decision with its figures, and draw them.

    RECORDING is a stereo WAV, left the loudspeaker, right the microphone: the demo's
    room.wav, or a turn that the daemon kept (log.keep_turns).
    """
    from parleyd.diagnostics import decision_plot
    from parleyd.diagnostics.replay import replay

    settings = config.load(path)
    heard = replay(wav.read(recording, MIC_RATE_HZ), settings.hearing)
    for seconds, decision in heard.decisions:
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in decision.metrics.items())
        onset_ms = round((seconds - decision.onset) * 1000)
        after = f"{onset_ms} ms after the onset"
        reason = printable(decision.reason)
        click.echo(f"{seconds:8.2f} s  {decision.kind:9} {after:26} {reason} ({numbers})")
    if not heard.decisions:
        click.echo("nothing in it was taken for speech while the loudspeaker spoke")
    picture = picture or recording.with_suffix(".png")
    decision_plot.draw(heard, f"What hearing made of {recording.name}", picture)
    click.echo(f"drawn in {printable(str(picture))}")
