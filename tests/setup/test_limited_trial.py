"""A trial of the card ends by its deadline, with Ctrl-C, and with a crash of the sound library."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from parleyd import config
from parleyd.errors import AudioError
from parleyd.setup import limited_trial
from parleyd.setup.card_trial import CardTrial
from parleyd.setup.limited_trial import LimitedTrial

AUDIO = config.AudioConfig(capture="null", playback="null")


@pytest.fixture
def trial(tmp_path: Path) -> LimitedTrial:
    return LimitedTrial(config.ButtonsConfig(), {"STATE_DIRECTORY": str(tmp_path)})


def test_library_that_hangs_is_named(trial: LimitedTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited_trial, "WITHIN_S", 0.2)
    monkeypatch.setattr(CardTrial, "play_tone", lambda *_: signal.pause())
    with pytest.raises(AudioError, match=r'"null" does not answer .* restart the sound server'):
        trial.play_tone(AUDIO)


def test_library_that_crashes_is_named(
    trial: LimitedTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CardTrial, "record", lambda *_: os._exit(3))
    with pytest.raises(AudioError, match="the sound system crashes"):
        trial.record(AUDIO)


def test_reason_of_a_card_arrives(trial: LimitedTrial) -> None:
    with pytest.raises(AudioError, match=r'audio\.capture: "hw:CARD=None" cannot be opened'):
        trial.record(config.AudioConfig(capture="hw:CARD=None"))


def test_interruption_ends_the_child(trial: LimitedTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CardTrial, "play_tone", lambda *_: signal.pause())
    main = threading.main_thread().ident
    assert main is not None
    others = _children()
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        trial.play_tone(AUDIO)
    timer.join()
    assert time.monotonic() - began < limited_trial.WITHIN_S
    assert _children() <= others


def _children() -> set[str]:
    """Of this process; the test's runner may have some, too."""
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())
