"""Pitch and classifier, with a voice, with noise and with silence."""

from collections.abc import Callable

import numpy as np
import pytest

from parleyd import config
from parleyd.hearing import near_end
from parleyd.hearing.echo_canceller import BINS, CancelledBlock
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.near_end import NearEndDetector
from parleyd.hearing.pitch import Pitch
from parleyd.units import Floats
from tests.hearing.echo_rooms import noise, pcm, room

Say = Callable[[str, str], Floats]
QUESTION = "Stop please, and tell me what the weather will be like tomorrow."
STORY = "Once upon a time there was a small house at the edge of a very large forest. " * 2


def cues_of(error: Floats, echo: Floats) -> Floats:
    """Return the last cues of `Pitch`."""
    pitch, none = Pitch(), np.zeros(BINS, np.float32)
    for start in range(0, len(error), 160):
        part = slice(start, start + 160)
        cues = pitch.cues(CancelledBlock(error[part], echo[part], none))
    return cues


@pytest.mark.parametrize("hz", [90, 140, 250, 400])
def test_pitch_of_a_hum_is_periodic_and_of_noise_is_not(hz: int) -> None:
    time_s = np.arange(1600) / 16_000
    hum = sum(np.sin(2 * np.pi * k * hz * time_s) / k for k in range(1, 9)).astype(np.float32)  # type: ignore[union-attr]
    hiss = noise(1600, 1.0)
    of_hum, of_hiss = cues_of(hum, hiss), cues_of(hiss, hum)
    assert of_hum[0] > 0.9
    assert of_hum[4] > 0.9
    assert of_hiss[0] < 0.7
    assert of_hiss[1] > 0.9
    assert np.isfinite(cues_of(np.zeros(1600, np.float32), np.zeros(1600, np.float32))).all()


@pytest.mark.slow
def test_near_end_distinguishes_the_user_from_the_reply(say: Say) -> None:
    user = say("rms", QUESTION) * np.float32(0.3)
    scene = room(say("slt", STORY), user=user, user_at_s=5.0, gain=0.4)
    hearing = EchoControl(config.HearingConfig(), lead_ms=40)
    voice = [hearing.process(*scene.period(i), i / 100).near_end for i in range(scene.periods)]
    assert np.mean(np.array(voice[250:490]) > 0.8) < 0.02
    assert np.mean(np.array(voice[520 : 500 + len(user) // 160 - 20]) > 0.8) > 0.6


def test_near_end_of_a_rattle_is_not_speech() -> None:
    hearing = EchoControl(config.HearingConfig())
    rattle = noise(5 * 16_000, 0.003)
    for start in range(32_000, 72_000, 4000):
        blow = np.exp(-np.arange(800) / 150).astype(np.float32)
        rattle[start : start + 800] += noise(800, 0.1, seed=start) * blow
    quiet = np.zeros(160, np.int16)
    speech = [
        hearing.process(pcm(rattle[i : i + 160]), quiet, 0.0).speech
        for i in range(0, len(rattle), 160)
    ]
    assert np.mean(np.array(speech[150:]) > 0.7) < 0.05


def test_near_end_detector_is_deterministic() -> None:
    cues = np.random.default_rng(1).normal(0, 10, (50, 150)).astype(np.float32)
    first, second = NearEndDetector(), NearEndDetector()
    assert [first.process(c) for c in cues] == [second.process(c) for c in cues]
    assert all(0 <= p <= 1 for c in cues for p in first.process(c))


@pytest.mark.parametrize(
    ("processed", "model"), [(False, "near_end.npz"), (True, "near_end_processed.npz")]
)
def test_near_end_detector_computes_its_network(processed: bool, model: str) -> None:
    with np.load(near_end._MODELS / model) as file:
        w = {name: file[name].astype(float) for name in file.files}
    units = len(w["g_bias_hh_l0"]) // 3
    state = np.zeros(units)
    detector = NearEndDetector(processed=processed)
    for cues in np.random.default_rng(2).normal(0, 25, (40, 150)).astype(np.float32):
        scaled = np.clip((np.clip(cues, -40, 40) - w["mean"]) / w["std"], -4, 4)
        seen = np.maximum(w["a_weight"] @ scaled + w["a_bias"], 0)
        new = w["g_weight_ih_l0"] @ seen + w["g_bias_ih_l0"]
        old = w["g_weight_hh_l0"] @ state + w["g_bias_hh_l0"]
        reset, keep = (1 / (1 + np.exp(-(new + old)[: 2 * units]))).reshape(2, units)
        state = (1 - keep) * np.tanh(new[2 * units :] + reset * old[2 * units :]) + keep * state
        expected = 1 / (1 + np.exp(-(w["o_weight"] @ state + w["o_bias"])))
        np.testing.assert_allclose(detector.process(cues), expected, atol=1e-5)


def test_pitch_is_the_autocorrelation_by_fft() -> None:
    error, echo = noise(1600, 0.1, seed=3), noise(1600, 0.1, seed=4)
    window = np.hanning(640)
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, 1280)) ** 2)[:200]
    spectra = np.fft.rfft(np.stack((error[-640:], echo[-640:])) * window, 1024)
    power = np.zeros((2, 513))
    power[:, 6:96] = np.abs(spectra[:, 6:96]) ** 2  # 90 to 1,500 Hz
    alike = np.fft.irfft(power)[:, :200]
    lags = (alike / alike[:, :1] / (of_window / of_window[0]))[:, 38:]  # up to 420 Hz
    now, of_echo, at_echo = cues_of(error, echo)[:3]
    expected = (lags[0].max(), lags[1].max(), lags[0, lags[1].argmax()])
    np.testing.assert_allclose((now, of_echo, at_echo), expected, atol=1e-4)
