"""The figures against the truth of the simulation, and against flaws of the card."""

from typing import Literal

import numpy as np
import pytest

from parleyd import config
from parleyd.audio import db_to_gain
from parleyd.calibration.measuring import volumes
from parleyd.calibration.silence import clipped_runs, silence_figures
from parleyd.calibration.steps import SilenceStep
from parleyd.calibration.sweep import distortion_db, respond, sweep, sweep_frames
from parleyd.calibration.sweep_step import SweepStep
from parleyd.core.events import MicPeriod
from parleyd.simulation.card import EchoShift, Stall
from parleyd.simulation.rooms import ROOMS, RoomPlan
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, SILENCE, Frames
from tests.calibration.calibrating_rig import calibrate, loudest, measured, measurer


@pytest.mark.parametrize("delay_ms", [2.0, 90.0, 650.0])
def test_delay_is_right_within_a_millisecond(delay_ms: float) -> None:
    measuring = measurer(RoomPlan("", echo_delay_ms=delay_ms))
    (figures,) = measuring.sweeps([60]).sweeps
    assert figures.delay_ms == pytest.approx(delay_ms, abs=1.0)


@pytest.mark.parametrize("rt60_s", [0.15, 0.5, 1.2])
def test_reverberation_is_right_within_a_fifth(rt60_s: float) -> None:
    (figures,) = measurer(RoomPlan("", rt60_s=rt60_s)).sweeps([80]).sweeps
    assert figures.rt60_s == pytest.approx(rt60_s, rel=0.2)


@pytest.mark.parametrize("ppm", [-300.0, 3.0, 80.0])
def test_drift_is_right_within_5_ppm(ppm: float) -> None:
    drift = measurer(RoomPlan("", drift_ppm=ppm)).sweeps(volumes(80)).drift_ppm
    assert drift == pytest.approx(ppm, abs=5.0)


@pytest.mark.parametrize("gain_db", [-35.0, -16.0, 0.0])
def test_level_of_replies_is_right_within_a_decibel(gain_db: float) -> None:
    sweeps = measurer(RoomPlan("", echo_gain_db=gain_db)).sweeps([60, 80]).sweeps
    for figures in sweeps:
        played = -24 + 40 * np.log10(figures.volume / 100)
        assert figures.reply_dbfs == pytest.approx(played + gain_db, abs=1.0)


@pytest.mark.parametrize("user_dbfs", [-30.0, -46.0])
def test_level_of_the_user_is_right_within_two_decibels(user_dbfs: float) -> None:
    """The room itself changes a voice by one: its reflections add and cancel."""
    measuring = measurer(RoomPlan("", user_dbfs=user_dbfs))
    levels = [measuring.word().level_dbfs for _ in range(2)]
    assert levels == pytest.approx([user_dbfs] * 2, abs=2.0)


def test_noise_and_hum_are_right_within_a_decibel() -> None:
    assert measured("healthy").silence.noise_dbfs == pytest.approx(-65.0, abs=1.0)
    assert measured("hum").silence.hum_dbfs == pytest.approx(-52.0, abs=1.0)


@pytest.mark.parametrize("rate_hz", [24000, 44100, 48000])
def test_figures_are_the_same_at_each_rate_of_playback(
    rate_hz: Literal[24000, 44100, 48000],
) -> None:
    fast = config.AudioConfig(playback_rate_hz=rate_hz)
    (figures,) = measurer(ROOMS["healthy"], fast).sweeps([80]).sweeps
    slow = loudest(measured("healthy"))
    assert figures.reply_dbfs == pytest.approx(slow.reply_dbfs, abs=0.3)
    assert figures.delay_ms == pytest.approx(slow.delay_ms, abs=0.2)


def test_wave_upside_down_is_the_same_to_all_figures() -> None:
    played = np.concatenate((np.zeros(160), sweep(MIC_RATE_HZ) * 8000, np.zeros(19200)))
    assert respond(played.astype(np.int16)).direct == 160
    assert respond((-played).astype(np.int16)).direct == 160


@pytest.mark.parametrize("order", [2, 3, 5])
@pytest.mark.parametrize("under_db", [10.0, 20.0, 30.0])
def test_harmonics_are_right_within_a_decibel(order: int, under_db: float) -> None:
    played = sweep(MIC_RATE_HZ)
    spectrum = np.fft.fft(played)
    spectrum[len(played) // 2 :] = 0
    turning = 2 * np.fft.ifft(spectrum)  # the analytic signal: envelope and phase
    hz = order * 120 * 60 ** (np.arange(len(played)) / len(played))
    harmonic = np.abs(turning) * np.cos(order * np.angle(turning)) * db_to_gain(-under_db)
    heard = 20000 * np.concatenate((played + np.where(hz < 7900, harmonic, 0), np.zeros(19200)))
    noise = np.random.default_rng(2).normal(0, 3, len(heard))
    echo = respond((heard + noise).astype(np.int16))
    assert echo.direct is not None
    assert distortion_db(echo, echo.direct) == pytest.approx(-under_db, abs=1.0)


def test_silence_and_noise_alone_have_no_echo() -> None:
    noise = np.random.default_rng(5).normal(0, 300, 51200).astype(np.int16)
    assert respond(noise).direct is None
    assert respond(np.zeros(51200, np.int16)).direct is None
    assert respond(np.full(51200, -32768, np.int16)).direct is None


def test_sine_without_clipping_has_no_flat_runs() -> None:
    time_s = np.arange(16000) / MIC_RATE_HZ
    for hz in (120, 400, 1000):
        wave = 20000 * np.sin(2 * np.pi * hz * time_s + 0.3)
        assert clipped_runs(wave.astype(np.int16)) == 0
        assert clipped_runs(np.clip(wave, -15000, 15000).astype(np.int16)) > 50


@pytest.mark.parametrize(
    "frames", [SILENCE, np.zeros(1, np.int16), np.full(48000, 32767, np.int16)]
)
def test_silence_of_any_length_and_value_has_figures(frames: Frames) -> None:
    assert silence_figures(frames).hum_hz == 0


# --- the card ---------------------------------------------------------------------------


def test_sweep_with_a_dropout_is_played_again() -> None:
    stalled = measurer(ROOMS["healthy"], faults=(Stall(at_s=2.0, ms=150),))
    sweeps = stalled.sweeps(volumes(80))
    assert sweeps.xruns > 0
    assert sweeps.spoilt == 0
    assert sorted(figures.volume for figures in sweeps.sweeps) == [40, 40, 60, 80]
    assert {round(figures.delay_ms or 0) for figures in sweeps.sweeps} == {12}
    assert sweeps.drift_ppm == pytest.approx(0.0, abs=5.0)


def test_dropouts_all_the_time_end_and_are_reported() -> None:
    faults = tuple(Stall(at_s=1.0 + n, ms=150) for n in range(60))
    stalled = measurer(ROOMS["healthy"], faults=faults)
    sweeps = stalled.sweeps([40, 80])
    assert sweeps.spoilt == 2
    assert sweeps.sweeps == ()
    assert stalled.card.now < 20


def test_delay_that_jumps_is_not_taken_for_drift() -> None:
    jumping = measurer(ROOMS["healthy"], faults=(EchoShift(at_s=6.0, ms=40, xruns=1),))
    assert jumping.sweeps(volumes(80)).drift_ppm == pytest.approx(0.0, abs=5.0)


def test_silence_with_a_dropout_begins_again() -> None:
    step = SilenceStep()
    frames = np.zeros(MIC_PERIOD_FRAMES, np.int16)
    ticks = 0
    while not step.done:
        ticks += 1
        step.tick(MicPeriod(frames, 0, int(ticks == 200)), 160)
    assert ticks == 200 + 329


def test_card_that_plays_nothing_ends_the_sweeps() -> None:
    step = SweepStep([40], 16000, 40)
    frames = np.zeros(MIC_PERIOD_FRAMES, np.int16)
    written = 0
    for _ in range(1000):
        if step.done:
            break
        written += len(step.tick(MicPeriod(frames, written), max(0, 640 - written)))
    assert step.done
    assert step.figures().sweeps == ()


def test_card_that_plays_at_a_tenth_of_its_rate_ends_the_sweeps() -> None:
    step = SweepStep([40], 16000, 40)
    frames = np.zeros(MIC_PERIOD_FRAMES, np.int16)
    queued = 0
    for _ in range(2000):
        if step.done:
            break
        queued = max(0, queued - 16)
        queued += len(step.tick(MicPeriod(frames, queued), 640 - queued))
    assert step.done
    figures = step.figures()
    assert figures.sweeps == ()
    assert figures.spoilt == 1


def test_sweep_is_soft_at_both_ends_and_in_between() -> None:
    played = sweep_frames(48000, 100)
    assert abs(played[0]) < 10
    assert abs(played[96000 - 2]) < 300
    assert np.abs(played).max() <= 0.26 * 32768
    steps = np.abs(np.diff(played.astype(float)))
    assert steps.max() < 1.05 * 2 * np.pi * 7200 / 48000 * 0.25 * 32768  # no click


def test_volume_is_the_volume_of_replies() -> None:
    loud, soft = sweep_frames(16000, 80), sweep_frames(16000, 40)
    ratio = np.abs(loud).max() / np.abs(soft).max()
    assert ratio == pytest.approx(db_to_gain(40 * np.log10(2)), rel=0.01)


def test_same_room_gives_the_same_figures() -> None:
    assert calibrate(ROOMS["healthy"]) == measured("healthy")
