"""`parley calibrate`: measure loudspeaker, microphone, room and user, and say what to change."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import click

from parleyd import config
from parleyd.alsa import mixer
from parleyd.alsa.card_names import alsa_name
from parleyd.app.preflight import WAKE_KEY
from parleyd.calibration.figures import Calibrated, WordFigures
from parleyd.calibration.judging import changes, judge
from parleyd.calibration.measuring import Measurer, volumes
from parleyd.calibration.picture import picture as draw
from parleyd.calibration.steadiness import unsteady
from parleyd.calibration.verdict import Installation, KeyChange
from parleyd.cli.calibration_results import (
    as_text,
    check_targets,
    report_changes,
    save_picture,
)
from parleyd.cli.calibration_screen import CalibrationScreen
from parleyd.cli.configuration import config_option
from parleyd.cli.control import EXIT_STATUS
from parleyd.control.client import ControlClient, failure
from parleyd.control.replies import Code, StatusReply
from parleyd.control.requests import StatusRequest
from parleyd.diagnostics.configuration_change import write_values
from parleyd.diagnostics.measuring_alone import alone
from parleyd.diagnostics.measuring_by_daemon import DaemonMeasurer
from parleyd.errors import AudioError, ControlError, ParleyError, WakeError
from parleyd.simulation.calibrating import SimulatedMeasurer
from parleyd.simulation.rooms import ROOMS
from parleyd.system import paths
from parleyd.wake import WakeEngine
from parleyd.wake import factory as wake
from parleyd.wake.micro_models import model_of

SERVICE_STATE = "/var/lib/parley"
TRIES = 5  # of the wake word
ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@click.command(epilog=EXIT_STATUS)
@config_option
@click.option("--skip-wake-word", is_flag=True, help="Do not ask for the wake word.")
@click.option("--write", is_flag=True, help="Write the suggested values into the configuration.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the levels into a new SVG.")
@click.option("--urgent", is_flag=True, help="Also in the quiet hours of the configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--room", type=click.Choice(list(ROOMS)), help="Measure a simulated room instead.")
def calibrate(
    path: Path | None,
    skip_wake_word: bool,
    write: bool,
    picture: Path | None,
    urgent: bool,
    as_json: bool,
    room: str | None,
) -> None:
    """Measure loudspeaker, microphone, room and your voice, and say what to change.

    First 3 seconds of silence, then four rising tones, then the wake word five times from your
    usual place. With a running daemon, the daemon measures, and is a speaker again afterwards;
    without one, this command opens the sound card itself. The mute switch is respected.

    Without a terminal the wake word is skipped.

    \b
    Examples:
      parley calibrate
      parley calibrate --skip-wake-word --picture levels.svg
      sudo parley calibrate --write && sudo systemctl reload parleyd
      parley calibrate --room loud-echo
    """
    with _errors(as_json=as_json):
        settings = config.load(path)
        check_targets(path, picture, write=write, simulated=room is not None)
        screen = CalibrationScreen(as_json=as_json)
        with _measurer(path, settings, room, screen, urgent=urgent) as (measurer, volume):
            silent_user = skip_wake_word or not (room or screen.asks)
            measured = _measure(measurer, settings, volume, screen, words=not silent_user)
        installation = _installation(settings, volume, simulated=room is not None)
        verdicts = judge(measured, installation)
        suggested = changes(measured, installation)
        problems: list[str] = []  # the results are shown all the same
        written = drawn = None
        with _collected(problems):
            written = _write(path, suggested) if write and path is not None else None
        with _collected(problems):
            if picture is not None:
                save_picture(picture, draw(measured, installation, verdicts[0]))
                drawn = picture
    if as_json:
        click.echo(as_text(measured, verdicts, suggested, written, drawn, problems))
        raise SystemExit(ParleyError.exit_code if problems else 0)
    screen.report(verdicts)
    if silent_user and not skip_wake_word:
        click.echo("The wake word was not tried: that needs a terminal.")
    report_changes(suggested, written, write=write)
    if drawn is not None:
        click.echo(f"Picture: {drawn}")
    if problems:
        raise ParleyError("\n".join(problems))


@contextlib.contextmanager
def _collected(problems: list[str]) -> Iterator[None]:
    """Add an error of the block to the problems."""
    try:
        yield
    except ParleyError as error:
        problems.append(str(error))


@contextlib.contextmanager
def _errors(*, as_json: bool) -> Iterator[None]:
    """Print the error of the block as JSON, if that is asked for; let signals undo the block."""
    for number in ENDINGS:
        signal.signal(number, _end)
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except ParleyError as error:
        if not as_json:
            raise
        code = error.code if isinstance(error, ControlError) else "failed"
        click.echo(json.dumps({"error": code, "message": str(error)}))
        raise SystemExit(error.exit_code) from None


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _measurer(
    path: Path | None,
    settings: config.Config,
    room: str | None,
    screen: CalibrationScreen,
    *,
    urgent: bool,
) -> Iterator[tuple[Measurer, int]]:
    """The measurer inside the block, and the volume in use."""
    engine = partial(_engine, settings.wake)
    if room is not None:
        screen.say(f"A simulated room: {ROOMS[room].what}.")
        simulated = SimulatedMeasurer(ROOMS[room], settings.audio, engine, screen.progress)
        try:
            yield simulated, settings.audio.volume
        finally:
            simulated.close()
        return
    try:
        client = ControlClient()
    except ControlError as error:
        if error.code != "no_daemon":
            raise
    else:
        with client:
            status = client.ask(StatusRequest(), StatusReply)
            if status.microphone.closed:  # before the user is asked to be quiet
                raise failure(Code.MUTED, "the microphone is closed, and no measurement opens it")
            screen.say("The daemon measures; meanwhile it does not listen to you.")
            yield (
                DaemonMeasurer(client, screen.progress, screen.say, urgent=urgent),
                status.volume,
            )
        return
    screen.say("No daemon runs: this command opens the sound card itself.")
    try:
        with alone(settings, _environ(path), engine, screen.progress) as measurer:
            yield measurer, settings.audio.volume
    except AudioError as error:
        raise ParleyError(f"{error} (`parley doctor` checks the cards)") from error


def _environ(path: Path | None) -> Mapping[str, str]:
    """The environment, with the state folder of the service for the service's configuration."""
    if path is not None and path.resolve() == paths.INSTALLED_CONFIG.resolve():
        return {"STATE_DIRECTORY": SERVICE_STATE, **os.environ}
    return os.environ


def _engine(settings: config.WakeConfig) -> WakeEngine:
    return wake.create(settings, config.secret(WAKE_KEY, os.environ))


def _measure(
    measurer: Measurer,
    settings: config.Config,
    volume: int,
    screen: CalibrationScreen,
    *,
    words: bool,
) -> Calibrated:
    if words:
        measurer.get_ready()  # first: a missing key of the engine must not cost the measurement
    screen.step("Silence: please be quiet for 3 seconds")
    silence = measurer.silence()
    screen.step("Four rising tones, up to volume " + str(max(volumes(volume))))
    sweeps = measurer.sweeps(volumes(volume))
    if unsteady(sweeps):
        screen.step("The delay of the loudspeaker jumped: the four tones once more")
        sweeps = measurer.sweeps(volumes(volume))
    said: list[WordFigures] = []
    for number in range(1, TRIES + 1 if words else 1):
        screen.step(f'{number} of {TRIES}: say "{_word(settings.wake)}" from your usual place')
        said.append(measurer.word())
        screen.heard(said[-1])
    screen.end()
    return Calibrated(silence=silence, sweeps=sweeps, words=tuple(said))


def _word(settings: config.WakeConfig) -> str:
    return Path(settings.keywords[0]).stem.replace("_", " ")


def _installation(settings: config.Config, volume: int, *, simulated: bool) -> Installation:
    audio, devices = settings.audio, ("default", "default")
    controls = mixer.CaptureControls()
    if not simulated:
        with contextlib.suppress(AudioError):  # the card has gone meanwhile
            names = ((audio.capture, "audio.capture"), (audio.playback, "audio.playback"))
            capture, playback = (mixer.control_device(alsa_name(*name)) for name in names)
            devices, controls = (capture, playback), mixer.capture_controls(audio.capture)
    middle = None
    with contextlib.suppress(WakeError):  # another engine's word
        middle = model_of(settings.wake.keywords[0]).cutoff
    return Installation(
        volume=volume,
        configured_volume=audio.volume,
        sensitivity=settings.wake.sensitivity,
        lead_ms=audio.lead_ms,
        hardware_canceller=settings.hearing.canceller == "hardware",
        word=_word(settings.wake),
        middle_cutoff=middle,
        capture_device=devices[0],
        playback_device=devices[1],
        gains=controls.gains,
        controls=controls.others,
    )


def _write(path: Path, suggested: list[KeyChange]) -> list[str]:
    if not suggested:
        return []
    return write_values(path, {change.key: change.value for change in suggested})
