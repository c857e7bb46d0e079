"""Verdicts on the loudspeaker, its echo, and the clocks. Pure."""

import math
from collections.abc import Iterator, Sequence

from parleyd.calibration.figures import Calibrated, SweepFigures
from parleyd.calibration.interrupting import reliable
from parleyd.calibration.steadiness import CLIPPED, DISTORTS_DB
from parleyd.calibration.verdict import Grade, Installation, Verdict

_NOT_FOLLOWED_DB = 3.0
_LEVELS_DB = 10.0  # echo over noise: levels of weaker ones are rough
_REVERBERANT_S, _LATE_DB = 0.8, -18.0
_FAR_MS, _SLOW_MS = 300.0, 150.0  # the canceller's search; the user hears that Parley stops late
_DRIFT_PPM, _MOST_PPM = 20.0, 500.0


def heard(measured: Calibrated) -> bool:
    """Whether the microphone hears the loudspeaker."""
    return bool(reliable(measured.sweeps.sweeps))


def not_heard_verdict(measured: Calibrated, installation: Installation) -> Verdict:
    """The verdict for a loudspeaker that the microphone does not hear."""
    loudest = max((sweep.volume for sweep in measured.sweeps.sweeps), default=0)
    if measured.sweeps.spoilt:
        return dropout_verdict(measured)
    if installation.hardware_canceller:
        return Verdict(
            name="echo_removed",
            grade=Grade.GOOD,
            text="The microphone does not hear the loudspeaker: its own echo canceller works.",
        )
    if any(sweep.heard for sweep in measured.sweeps.sweeps):
        return Verdict(
            name="echo_under_noise",
            grade=Grade.BETTER,
            text="The microphone hears the loudspeaker, but softer than the noise of the room: it "
            "covers no voice, and its figures are unknown.",
            remedy="for figures, switch fans and machines off, or calibrate at a quieter time",
        )
    return Verdict(
        name="loudspeaker_not_heard",
        grade=Grade.WRONG,
        text=f"The microphone does not hear the loudspeaker, also at volume {loudest}.",
        remedy="if you heard nothing either: switch the loudspeaker on, unmute it "
        f"(amixer -D {installation.playback_device} scontents), or choose another audio.playback; "
        "if you heard the sweep: audio.capture is another microphone than the one beside it, or "
        'the board removes the echo itself, which is hearing.canceller = "hardware"',
    )


def echo_verdicts(measured: Calibrated, installation: Installation) -> Iterator[Verdict]:
    """Yield the flaws of an echo that is heard."""
    sweeps = reliable(measured.sweeps.sweeps)
    yield from _distortion(sweeps)
    yield from _not_followed(sweeps)
    yield from _delay(sweeps, measured.sweeps.lead_ms)
    yield from _reverberation(sweeps)
    yield from _clocks(measured)
    if measured.sweeps.xruns or measured.sweeps.spoilt:
        yield dropout_verdict(measured)


def distorted(sweeps: Sequence[SweepFigures]) -> list[SweepFigures]:
    """The sweeps that the loudspeaker distorts: a clipping microphone looks alike."""
    return [
        sweep
        for sweep in sweeps
        if sweep.distortion_db is not None
        and sweep.distortion_db > DISTORTS_DB
        and sweep.clipped_runs < CLIPPED
    ]


def _distortion(sweeps: Sequence[SweepFigures]) -> Iterator[Verdict]:
    if not (bad := distorted(sweeps)):
        return
    worst = max(bad, key=lambda sweep: sweep.distortion_db or 0.0)
    percent = round(100 * 10 ** ((worst.distortion_db or 0.0) / 20))
    yield Verdict(
        name="loudspeaker_distorts",
        grade=Grade.WRONG,
        text=f"From volume {min(s.volume for s in bad)} on the loudspeaker distorts or rattles "
        f"({percent} % at {worst.volume}): no canceller removes that, and it resembles a voice.",
        remedy="look for loose screws, cables and a rattling lid; put felt under the loudspeaker; "
        "else use a lower volume, a lower audio.mixer_db, or a bigger loudspeaker",
    )


def _not_followed(sweeps: Sequence[SweepFigures]) -> Iterator[Verdict]:
    clear = sorted(
        (s for s in sweeps if s.over_noise_db >= _LEVELS_DB), key=lambda sweep: sweep.volume
    )
    if len({sweep.volume for sweep in clear}) < 2:
        return
    soft, loud = clear[0], clear[-1]
    expected = 40 * math.log10(loud.volume / soft.volume)
    missing = expected - (loud.reply_dbfs - soft.reply_dbfs)
    if missing > _NOT_FOLLOWED_DB:
        clips = " (the microphone's clipping adds to it)" if loud.clipped_runs >= CLIPPED else ""
        yield Verdict(
            name="volume_not_followed",
            grade=Grade.BETTER,
            text=f"From volume {soft.volume} to {loud.volume} the echo grew {missing:.0f} dB less "
            f"than the sound{clips}: a limiter, or the automatic gain of the microphone, is at "
            "work.",
            remedy="turn off loudness, limiter and automatic gain; stay under the volume at which "
            "the loudspeaker gets no louder",
        )


def _delay(sweeps: Sequence[SweepFigures], lead_ms: int) -> Iterator[Verdict]:
    delays = [sweep.delay_ms for sweep in sweeps if sweep.delay_ms is not None]
    delay_ms = sorted(delays)[len(delays) // 2]
    if delay_ms > _SLOW_MS:
        far = delay_ms + lead_ms > _FAR_MS
        after = " Parley then finds its echo late" if far else ""
        yield Verdict(
            name="long_delay",
            grade=Grade.WRONG if far else Grade.BETTER,
            text=f"The sound reaches the microphone {delay_ms:.0f} ms after it left the card's "
            f"queue, and for as long you hear Parley after an interruption.{after}",
            remedy="avoid Bluetooth, HDMI televisions and sound servers: a plughw: device with a "
            "wired loudspeaker has 5 to 40 ms",
        )


def _reverberation(sweeps: Sequence[SweepFigures]) -> Iterator[Verdict]:
    bad = distorted(sweeps)  # added sounds resemble a late echo
    plain = [s for s in sweeps if s.clipped_runs < CLIPPED and s not in bad]
    times = sorted(sweep.rt60_s for sweep in plain if sweep.rt60_s is not None)
    late = sorted(sweep.late_db for sweep in plain if sweep.late_db is not None)
    rt60_s = times[len(times) // 2] if times else 0.0
    late_db = late[len(late) // 2] if late else -60.0
    if rt60_s > _REVERBERANT_S or late_db > _LATE_DB:
        time = f" ({rt60_s:.1f} s)" if times else ""
        yield Verdict(
            name="reverberation",
            grade=Grade.BETTER,
            text=f"The room rings for long{time}: part of the echo comes too late to be removed.",
            remedy="curtains, a carpet or a full shelf help; so does a place away from bare walls "
            "and corners, and a softer volume",
        )


def _clocks(measured: Calibrated) -> Iterator[Verdict]:
    ppm = measured.sweeps.drift_ppm
    if ppm is None or abs(ppm) < _DRIFT_PPM:
        return
    too_far = abs(ppm) > _MOST_PPM
    yield Verdict(
        name="clock_drift",
        grade=Grade.WRONG if too_far else Grade.BETTER,
        text=f"Microphone and loudspeaker run on different clocks, {abs(ppm):.0f} ppm apart: "
        + ("too far for Parley." if too_far else "Parley follows, with fewer interruptions."),
        remedy="use one card for both: a USB loudspeaker with a microphone, or a sound card with "
        "an input and an output",
    )


def dropout_verdict(measured: Calibrated) -> Verdict:
    """The verdict on dropouts of the card."""
    lost = measured.sweeps.spoilt
    return Verdict(
        name="dropouts",
        grade=Grade.WRONG if lost else Grade.BETTER,
        text=(
            f"The card dropped sound {measured.sweeps.xruns} times"
            if measured.sweeps.xruns
            else "The card does not keep its rate"
        )
        + (f", and {lost} of the sweeps could not be measured." if lost else "."),
        remedy="raise audio.lead_ms by 20, end other work of the machine, use another USB socket "
        "or a stronger power supply",
    )
