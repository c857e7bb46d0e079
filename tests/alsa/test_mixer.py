"""The card's own volume: PulseAudio's control through the real alsa-lib, and scripted faults."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from pulse_rig import PulseRig

from parleyd import config
from parleyd.alsa import mixer
from parleyd.alsa.mixer import control_device, set_once


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


# --- the real alsa-lib: PulseAudio's control has a mute switch and no scale in dB -------------


@pytest.fixture
def turned_down(rig: PulseRig) -> Iterator[PulseRig]:
    rig.pactl("set-sink-mute", "spk", "1")
    rig.pactl("set-sink-volume", "spk", "30%")
    yield rig
    rig.pactl("set-sink-mute", "spk", "0")
    rig.pactl("set-sink-volume", "spk", "100%")


def set_for(name: str, playback: str = "speaker") -> None:
    set_once(config.AudioConfig(playback=playback, mixer=name))


def test_mixer_named_control_is_unmuted_and_turned_up(
    turned_down: PulseRig, caplog: pytest.LogCaptureFixture
) -> None:
    set_for("Master")
    assert "Mute: no" in turned_down.pactl("get-sink-mute", "spk")
    assert "100%" in turned_down.pactl("get-sink-volume", "spk")
    assert "in software; the card's own controls: Master 100 %" in caplog.text


def test_mixer_auto_keeps_a_sound_servers_volume_and_warns(
    turned_down: PulseRig, caplog: pytest.LogCaptureFixture
) -> None:
    set_for("auto")
    assert "Mute: yes" in turned_down.pactl("get-sink-mute", "spk")
    assert "30%" in turned_down.pactl("get-sink-volume", "spk")
    assert "Master left at 30 %, muted" in caplog.text
    assert 'with audio.mixer = "Master"' in caplog.text


def test_mixer_none_on_a_sound_server_changes_nothing(
    turned_down: PulseRig, caplog: pytest.LogCaptureFixture
) -> None:
    set_for("none")
    assert "Mute: yes" in turned_down.pactl("get-sink-mute", "spk")
    assert "stays unchanged" in caplog.text


def test_mixer_unknown_control_is_logged_with_the_others(
    turned_down: PulseRig, caplog: pytest.LogCaptureFixture
) -> None:
    set_for("Speaker")
    assert '"speaker" has no such control (controls: Capture, Master)' in caplog.text
    assert "Mute: yes" in turned_down.pactl("get-sink-mute", "spk")


@pytest.mark.parametrize("playback", ["null", "nowhere", "hw:CARD=Nowhere", "usb:9-9"])
def test_mixer_of_a_device_without_controls_lists_none(
    playback: str, rig: PulseRig, caplog: pytest.LogCaptureFixture
) -> None:
    set_for("auto", playback)
    assert f'volume of "{playback}": in software; the card\'s own controls: none' in caplog.text


# --- scripted faults of a card ------------------------------------------------------------------


class ALSAAudioError(Exception):
    """Stands for pyalsaaudio's error."""


class Control:
    """One simple mixer element; the test reads its state from `card`."""

    card: dict[str, dict[str, object]]

    def __init__(self, name: str, device: str) -> None:
        assert device == "hw:CARD=Device"
        self._state = self.card[name]
        if self._state.get("gone"):
            raise ALSAAudioError("No such device")

    def switchcap(self) -> list[str]:
        return ["Playback Mute"] if "muted" in self._state else []

    def volumecap(self) -> list[str]:
        return ["Playback Volume", "Joined Playback Volume"] if "range" in self._state else []

    def getrange(self, units: str) -> list[int]:
        return list(self._state["range"])  # type: ignore[call-overload]

    def getvolume(self, units: str = "percent") -> list[int]:
        return [self._state["level"]]  # type: ignore[list-item]

    def setvolume(self, level: int, units: str = "percent") -> None:
        self._state["level"] = level

    def getmute(self) -> list[int]:
        return [self._state["muted"]]  # type: ignore[list-item]

    def setmute(self, muted: int) -> None:
        self._state["muted"] = muted


def with_card(monkeypatch: pytest.MonkeyPatch, **controls: dict[str, object]) -> None:
    card = {name.replace("_", " "): state for name, state in controls.items()}
    monkeypatch.setattr(Control, "card", card, raising=False)
    namespace = SimpleNamespace(
        mixers=lambda device: list(card),
        Mixer=Control,
        VOLUME_UNITS_DB="dB",
        ALSAAudioError=ALSAAudioError,
    )
    monkeypatch.setattr(mixer, "alsaaudio", lambda: namespace)


def usb(level: int = -3000) -> dict[str, object]:
    return {"range": (-3700, 0), "level": level, "muted": 1}


AUDIO = config.AudioConfig(playback="plughw:CARD=Device")


@pytest.mark.parametrize("garbage", [(0, 0), (140_032_426_489_968, 0), (0, 94_000_000_000_000)])
def test_mixer_scale_from_uninitialised_memory_is_none(
    garbage: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    master = {"range": garbage, "level": 40, "muted": 0}
    with_card(monkeypatch, Master=master)
    set_once(AUDIO)
    assert master["level"] == 40
    assert "Master left at 40 % (it has no scale in dB)" in caplog.text


def test_mixer_failing_control_is_logged_and_others_are_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = usb()
    with_card(monkeypatch, PCM={"gone": True}, Speaker=speaker)
    set_once(AUDIO)
    assert "PCM not set (No such device), Speaker 0 dB" in caplog.text
    assert speaker["level"] == 0


@pytest.mark.parametrize(
    ("pcm", "control"),
    [
        ("plughw:CARD=Device", "hw:CARD=Device"),
        ("sysdefault:CARD=Device", "hw:CARD=Device"),
        ("dmix:CARD=Device,DEV=0", "hw:CARD=Device"),
        ("hw:1,0", "hw:1"),
        ("plughw:Device", "hw:Device"),
        ("default", "default"),
        ("speaker", "speaker"),
    ],
)
def test_control_device_of_a_pcm_is_its_card(pcm: str, control: str) -> None:
    assert control_device(pcm) == control
