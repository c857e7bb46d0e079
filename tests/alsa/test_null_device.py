"""ALSA's "null" as microphone: silence at the pace of a card, never the daemon's memory."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from parleyd import config
from parleyd.alsa import sound_card
from parleyd.alsa.sound_card import Card


@pytest.mark.parametrize("name", ["null", "plug:null"])
def test_null_microphone_is_silent(name: str) -> None:
    card = Card(config.AudioConfig(capture=name, playback="null"))
    try:
        card.open_capture()
        for _ in range(20):
            freed = [os.urandom(320) for _ in range(50)]  # memory that a read would be given
            del freed
            period = card.read()
            assert period is not None
            assert period.dtype == np.int16
            assert period.tolist() == [0] * 160
    finally:
        card.close()


def test_null_microphone_delivers_a_period_each_10_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    card = Card(config.AudioConfig(capture="null", playback="null"))
    try:
        card.open_capture()
        monkeypatch.setattr(sound_card, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
        card.read()
        began = now
        for _ in range(300):
            card.read()
        assert now - began == pytest.approx(3.0)
        now += 5.0  # the machine slept: what was missed is not caught up
        for _ in range(100):
            card.read()
        assert now - began > 3.0 + 5.0 + 0.9
    finally:
        card.close()


def test_closed_null_microphone_delivers_nothing() -> None:
    card = Card(config.AudioConfig(capture="null", playback="null"))
    try:
        card.open_capture()
        card.close_capture()
        assert card.read() is None
    finally:
        card.close()
