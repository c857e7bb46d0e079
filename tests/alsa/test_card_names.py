"""Names of cards, from a folder with the layout of sysfs."""

from pathlib import Path

import pytest

from parleyd.alsa import card_names
from parleyd.errors import AudioError


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Two equal USB sticks behind a hub, and a Pi's headphone output, which is playback only."""
    folder = tmp_path / "class/sound"
    folder.mkdir(parents=True)
    usb = "devices/platform/soc/3f980000.usb/usb1/1-1"
    for number, name, device, pcms in (
        (10, "Device_1", f"{usb}/1-1.4/1-1.4:1.0", ["pcmC10D0c", "pcmC10D0p"]),
        (1, "Device", f"{usb}/1-1.2/1-1.2:1.0", ["pcmC1D0c", "pcmC1D0p"]),
        (0, "Headphones", "devices/platform/soc/bcm2835_audio", ["pcmC0D0p"]),
    ):
        card = tmp_path / device / f"sound/card{number}"
        for pcm in pcms:
            (card / pcm).mkdir(parents=True)
        (card / "id").write_text(f"{name}\n")
        (folder / card.name).symlink_to(card)
    (folder / "timer").mkdir()
    return folder


def test_present_lists_id_port_and_directions_of_each_card(sound: Path) -> None:
    told = [(c.number, c.id, c.usb_port, c.captures, c.plays) for c in card_names.present(sound)]
    assert told == [
        (0, "Headphones", "", False, True),
        (1, "Device", "1-1.2", True, True),
        (10, "Device_1", "1-1.4", True, True),
    ]


@pytest.mark.parametrize(
    ("name", "alsa"),
    [
        ("Device", "plughw:CARD=Device"),
        ("usb:1-1.4", "plughw:CARD=Device_1"),
        ("default", "default"),
        ("hw:CARD=Device,DEV=0", "hw:CARD=Device,DEV=0"),
        ("Unknown", "Unknown"),
    ],
)
def test_alsa_name_of_a_card_id_or_port_is_plughw(sound: Path, name: str, alsa: str) -> None:
    assert card_names.alsa_name(name, "audio.capture", sound) == alsa


def test_alsa_name_of_an_empty_port_raises_with_the_other_ports(sound: Path) -> None:
    with pytest.raises(AudioError) as error:
        card_names.alsa_name("usb:1-1.3", "audio.capture", sound)
    assert str(error.value).startswith('audio.capture: "usb:1-1.3" has no sound card plugged in')
    assert "usb:1-1.2, usb:1-1.4" in str(error.value)


def test_present_without_sound_is_empty(tmp_path: Path) -> None:
    assert card_names.present(tmp_path / "none") == []
    assert card_names.alsa_name("default", "audio.capture", tmp_path / "none") == "default"


# --- the format of an open card --------------------------------------------------------------

HW_PARAMS = """\
access: MMAP_INTERLEAVED
format: S32_LE
subformat: STD
channels: 2
rate: 48000 (48000/1)
period_size: 480
buffer_size: 1920
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """One card with playback at 48 kHz and closed capture."""
    for pcm, text in (("pcm0p", HW_PARAMS), ("pcm0c", "closed\n")):
        sub = tmp_path / f"asound/card1/{pcm}/sub0"
        sub.mkdir(parents=True)
        (sub / "hw_params").write_text(text)
    return tmp_path / "asound"


def test_runs_at_reads_the_format_from_the_kernel(proc: Path) -> None:
    info = {"card_no": 1, "device_no": 0, "subdevice_no": 0}
    assert card_names.runs_at(info, "p", proc) == (48000, 2, "S32_LE")
    assert str(card_names.runs_at(info, "p", proc)) == "48000 Hz, 2 channel(s), S32_LE"


@pytest.mark.parametrize("info", [{"card_no": 1}, {"card_no": -1}, {"card_no": 7}, {}])
def test_runs_at_of_a_closed_or_virtual_card_is_none(info: dict[str, int], proc: Path) -> None:
    assert card_names.runs_at(info, "c", proc) is None
