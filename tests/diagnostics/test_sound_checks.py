"""The microphone's and the loudspeaker's lines, on a real sound server, with their remedies run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulse_rig import RigUnavailable

from parleyd import config
from parleyd.alsa.sound_card import Card
from parleyd.diagnostics import sound_checks, sound_trial
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.skills.store import Store
from tests.diagnostics.noisy_room import MixedRig, noise

AUDIO = config.AudioConfig(capture="mic", playback="speaker")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("real time")]


@pytest.fixture(scope="module")
def room() -> Iterator[MixedRig]:
    try:
        rig = MixedRig()
        with rig:
            rig.echo(30)
            yield rig
    except RigUnavailable as reason:
        pytest.skip(f"THE SOUND CHECKS ARE NOT TESTED: {reason}")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch, room: MixedRig) -> None:
    room.ensure()
    monkeypatch.setattr(sound_trial, "SETTLES_S", 0.2)
    monkeypatch.setattr(sound_trial, "ROOM_S", 0.6)
    monkeypatch.setattr(sound_trial, "TONE_RECORDED_S", 1.2)
    monkeypatch.setattr(sound_trial, "LEVELS_DBFS", (-26.0,))


def lines(audio: config.AudioConfig = AUDIO, **environ: str) -> dict[str, Finding]:
    found = sound_checks.sound(audio, served=False, environ=environ)
    return {finding.check: finding for finding in found if finding.check != "card"}


def bad(found: dict[str, Finding]) -> list[Finding]:
    return [finding for finding in found.values() if finding.level is not Severity.OK]


def mended() -> list[str]:
    """Run the remedies until both lines are ok; return the texts of the faults."""
    texts: list[str] = []
    for _ in range(4):
        wrong = bad(lines())
        if not wrong:
            return texts
        assert wrong[0].remedy.startswith("amixer "), wrong
        subprocess.run(["bash", "-ec", wrong[0].remedy], check=True)
        texts.append(wrong[0].text)
    raise AssertionError(f"never satisfied: {wrong}")


def test_muted_loudspeaker_and_microphone_are_opened_by_amixer(
    room: MixedRig, tmp_path: Path
) -> None:
    with noise(tmp_path, -50):
        room.pactl("set-sink-mute", "spk", "1")
        room.pactl("set-source-mute", "room.monitor", "1")
        faults = mended()
        found = lines()
    assert len(faults) == 2
    assert "'Master' is off" in faults[0]
    assert "'Capture' is off" in faults[1]
    assert "the microphone hears a tone" in found["loudspeaker"].text
    assert "the room has -5" in found["microphone"].text


def test_gain_that_is_too_low_or_too_high_is_changed(room: MixedRig, tmp_path: Path) -> None:
    room.pactl("set-source-volume", "room.monitor", "2%")
    with noise(tmp_path, -50):
        (quiet,) = mended()
    assert "silen" in quiet
    room.pactl("set-source-volume", "room.monitor", "100%")
    with noise(tmp_path, -9):
        found = lines()["microphone"]
        assert "clips" in found.text
        subprocess.run(["bash", "-ec", found.remedy], check=True)
        assert "clips" not in lines()["microphone"].text
    room.pactl("set-source-volume", "room.monitor", "100%")


def test_dead_microphone_has_a_remedy(room: MixedRig) -> None:
    """Without noise the room of a sound server is exactly silent, but for the tone: a gate."""
    found = lines()
    assert found["microphone"].text == '"mic" has a gate: it delivers exact zeros between sounds'
    assert "the microphone hears a tone" in found["loudspeaker"].text
    room.pactl("set-sink-mute", "room", "1")
    try:
        found = lines()
    finally:
        room.pactl("set-sink-mute", "room", "0")
    assert "digital silence" in found["microphone"].text
    assert found["loudspeaker"].text.endswith("no tone was tried: the microphone hears nothing")


def test_loudspeaker_that_is_not_heard_is_a_failure(room: MixedRig, tmp_path: Path) -> None:
    """It plays to a device without a loudspeaker."""
    with noise(tmp_path, -50):
        found = lines(config.AudioConfig(capture="mic", playback="null"))
    assert found["loudspeaker"].level is Severity.FAIL
    assert "the microphone does not hear a tone from it" in found["loudspeaker"].text
    assert found["microphone"].level is Severity.OK


@pytest.mark.parametrize("muted_until", [-1.0, 4e9])
def test_microphone_closed_by_voice_is_never_opened(
    room: MixedRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, muted_until: float
) -> None:
    monkeypatch.setattr(Card, "open_capture", lambda card: pytest.fail("it was opened"))
    path = tmp_path / "skills.json"
    Store(path).keep(muted_until=muted_until)
    before = path.read_bytes()
    found = lines(STATE_DIRECTORY=str(tmp_path))
    assert found["microphone"].text.startswith("is not opened: it was closed by voice or command")
    assert "no tone was tried" in found["loudspeaker"].text
    assert path.read_bytes() == before


FROZEN = """
from parleyd import config
from parleyd.diagnostics import sound_checks
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.limited import LimitedCheck

audio = config.AudioConfig(capture="mic", playback="speaker")
failure = Finding("loudspeaker", Severity.FAIL, "", "restart the sound server")
check = LimitedCheck.begin(failure, 1.0, lambda: sound_checks.sound(audio, served=False))
print([finding.text for finding in check.findings()][-1])
"""


def test_microphone_whose_state_cannot_be_read_is_not_opened(
    room: MixedRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Card, "open_capture", lambda card: pytest.fail("it was opened"))
    (tmp_path / "skills.json").mkdir()
    found = lines(STATE_DIRECTORY=str(tmp_path))["microphone"]
    assert found.level is Severity.WARN
    assert "whether it was closed by voice cannot be read" in found.text


def test_frozen_sound_server_ends_at_the_deadline(room: MixedRig) -> None:
    """alsa-lib waits for it for half a minute, with the interpreter's lock held."""
    os.kill(room.pid, signal.SIGSTOP)
    try:
        command = [sys.executable, "-c", FROZEN]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=25)
    finally:
        os.kill(room.pid, signal.SIGCONT)
    assert ran.stdout == "the check does not end within 1 s\n", ran.stderr
