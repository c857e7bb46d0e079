"""Controls in dB, as on kernel cards, through the real alsa-lib and pyalsaaudio."""

import shutil
import subprocess
from pathlib import Path

import alsaaudio
import pytest

from parleyd import config
from parleyd.alsa.mixer import as_found, capture_controls, set_once

SOURCE = Path(__file__).parents[1] / "rig/card_controls.c"
HEADER = Path("/usr/include/alsa/control_external.h")
DB = alsaaudio.VOLUME_UNITS_DB

CONFIG = """\
</usr/share/alsa/alsa.conf>
ctl_type.parleycard {{ lib "{module}" }}
ctl.card {{ type parleycard }}
"""


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ALSA configuration with these controls, from a module that is compiled here."""
    if shutil.which("gcc") is None or not HEADER.exists():
        pytest.skip("mixer controls in dB are NOT tested: apt install gcc libasound2-dev")
    folder = tmp_path_factory.mktemp("alsa")
    module = folder / "libasound_module_ctl_parleycard.so"
    gcc = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-DPIC"]
    subprocess.run([*gcc, SOURCE, "-o", module, "-lasound"], check=True, timeout=120)
    path = folder / "asound.conf"
    path.write_text(CONFIG.format(module=module))
    return path


@pytest.fixture(autouse=True)
def _turned_down(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(configuration))
    for name, level, muted in (
        ("Speaker", -3000, True),
        ("Headphone", 600, None),
        ("Mic", -2000, True),
        ("Left Output Mixer PCM", None, True),
    ):
        control = alsaaudio.Mixer(name, device="card")
        if level is not None:
            control.setvolume(level, units=DB)
        if muted is not None:
            control.setmute(muted)


def level_db(name: str) -> float:
    left, right = alsaaudio.Mixer(name, device="card").getvolume(units=DB)
    assert left == right
    return float(left) / 100


def is_muted(name: str) -> bool:
    return any(alsaaudio.Mixer(name, device="card").getmute())


def test_mixer_auto_sets_0_db_and_keeps_the_sidetone_muted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_once(config.AudioConfig(playback="card"))
    assert (level_db("Speaker"), level_db("Headphone"), level_db("Mic")) == (0, 0, -20)
    assert not is_muted("Speaker")
    assert not is_muted("Left Output Mixer PCM")
    assert is_muted("Mic")
    assert "controls: Speaker 0 dB, Headphone 0 dB, Left Output Mixer PCM on" in caplog.text


@pytest.mark.parametrize(
    ("asked", "speaker", "headphone"), [(-6.4, -6, -6), (-50.0, -37, -50), (12.0, 0, 6)]
)
def test_mixer_db_is_set_as_near_as_the_card_can(
    asked: float, speaker: float, headphone: float
) -> None:
    set_once(config.AudioConfig(playback="card", mixer_db=asked))
    assert (level_db("Speaker"), level_db("Headphone")) == (speaker, headphone)


def test_mixer_named_control_is_the_only_one_set() -> None:
    set_once(config.AudioConfig(playback="card", mixer="Speaker"))
    assert (level_db("Speaker"), level_db("Headphone")) == (0, 6)
    assert is_muted("Left Output Mixer PCM")


def test_mixer_none_changes_no_control() -> None:
    set_once(config.AudioConfig(playback="card", mixer="none"))
    assert level_db("Speaker") == -30
    assert is_muted("Speaker")


def test_mixer_as_found_is_given_back_also_after_an_error() -> None:
    def measure() -> None:
        with as_found(config.AudioConfig(playback="card")):
            assert level_db("Speaker") == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert (level_db("Speaker"), level_db("Headphone"), level_db("Mic")) == (-30, 6, -20)
    assert is_muted("Speaker")
    assert is_muted("Left Output Mixer PCM")


def test_controls_of_a_microphone_are_named_for_remedies() -> None:
    """The card's "Mic" is a sidetone: it plays."""
    found = capture_controls("card")
    assert found.gains == ()
    assert set(found.others) == {"Speaker", "Headphone", "Mic", "Left Output Mixer PCM"}
    assert capture_controls("hw:CARD=None") == ((), ())
