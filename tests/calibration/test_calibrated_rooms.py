"""Each broken room gets its verdict and no other; two flaws at once do not hide each other."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from parleyd.calibration.judging import judge
from parleyd.calibration.verdict import Installation
from parleyd.simulation.rooms import ROOMS
from tests.calibration.calibrating_rig import (
    LOUD,
    calibrate,
    measured,
    measurer,
    said,
    suggested,
    with_flaws,
    wrong,
)

VERDICTS = {
    "healthy": set(),
    "loud-echo": {"echo_too_loud"},
    "rattle": {"loudspeaker_distorts", "interrupting"},
    "hum": {"hum"},
    "gate": {"microphone_gated"},
    "clipping": {"microphone_clips", "interrupting"},
    "dead": {"microphone_dead"},
    "two-cards": {"clock_drift"},
    "hall": {"reverberation"},
    "far": {"long_delay"},
    "muted-loudspeaker": {"loudspeaker_not_heard"},
    "limiter": {"volume_not_followed", "loudspeaker_distorts", "interrupting"},
    "quiet-microphone": {"microphone_too_quiet"},
    "television": {"room_not_quiet"},
    "level-control": {"level_control", "volume_not_followed", "interrupting"},
}
OF_THE_USER = {"soft-user", "wrong-word"}


def test_every_room_has_an_expected_verdict() -> None:
    assert set(VERDICTS) | OF_THE_USER == set(ROOMS)


@pytest.mark.parametrize("room", VERDICTS)
def test_broken_room_gets_its_verdict_and_no_other(room: str) -> None:
    """Where the gain of the microphone is unusual, the user's level must be measured, too."""
    words = 2 if room == "clipping" else 0
    assert wrong(measured(room, words)) == VERDICTS[room]


@pytest.mark.parametrize(
    ("room", "flaws", "names"),
    [
        ("loud-echo", {"hum_hz": 60}, {"echo_too_loud", "hum"}),
        ("loud-echo", {"rattle": True}, {"echo_too_loud", "loudspeaker_distorts"}),
        ("two-cards", {"gate_dbfs": -55.0}, {"clock_drift", "microphone_gated"}),
        ("hall", {"hum_hz": 50, "dc": 0.05}, {"reverberation", "hum", "dc_offset"}),
        ("far", {"rattle": True}, {"long_delay", "loudspeaker_distorts"}),
    ],
)
def test_two_flaws_at_once_are_both_found(
    room: str, flaws: dict[str, object], names: set[str]
) -> None:
    assert names <= wrong(calibrate(with_flaws(room, **flaws)))


def test_echo_behind_a_microphone_with_its_gain_is_not_called_good() -> None:
    hidden = with_flaws("loud-echo", level_control=True)
    assert "interrupting" in wrong(calibrate(hidden))


def test_distortion_is_not_taken_for_reverberation() -> None:
    names = wrong(calibrate(with_flaws("loud-echo", limit=0.03)))
    assert "loudspeaker_distorts" in names
    assert "reverberation" not in names


def test_hum_of_60_hz_differs_from_50() -> None:
    assert measured("hum").silence.hum_hz == 50
    assert measurer(with_flaws("healthy", hum_hz=60)).silence().hum_hz == 60


def test_soft_user_in_a_healthy_room_is_said_to_be_soft() -> None:
    names = wrong(measured("soft-user", 2))
    assert "user_too_soft" in names
    assert "echo_too_loud" in names  # it is, for such a voice


@pytest.mark.slow
def test_other_word_is_missed_and_changes_no_sensitivity() -> None:
    calibrated = measured("wrong-word", 2)
    assert wrong(calibrated) == {"wake_word_missed"}
    assert suggested(calibrated) == {}


def test_healthy_room_finds_the_wake_word_and_suggests_nothing() -> None:
    calibrated = measured("healthy", 3)
    assert [word.found for word in calibrated.words] == [True] * 3
    assert wrong(calibrated) == set()
    assert suggested(calibrated) == {}


def test_loud_echo_names_volumes_and_suggests_the_lower_one() -> None:
    calibrated = measured("loud-echo", 2)
    (first, *_) = judge(calibrated, LOUD)
    assert first.text.startswith("At volume 80 your voice is 15 dB under the echo:")
    assert first.remedy.startswith("volume 55 is better, or move the microphone")
    assert suggested(calibrated) == {"audio.volume": 55}


def test_rattle_suggests_the_loudest_clean_volume() -> None:
    """Where the volume in use is clean, none."""
    calibrated = measured("rattle")
    assert suggested(calibrated) == {"audio.volume": 40}
    for volume, wanted in ((60, {"audio.volume": 40}), (59, {})):
        installation = Installation(volume=volume, configured_volume=volume)
        assert suggested(calibrated, installation) == wanted


def test_board_with_its_own_canceller_needs_no_echo() -> None:
    board = Installation(volume=80, hardware_canceller=True)
    assert wrong(measured("muted-loudspeaker"), board) == set()


def test_echo_under_the_noise_is_no_missing_loudspeaker() -> None:
    healthy = measured("healthy")
    faint = tuple(replace(sweep, over_noise_db=1.5) for sweep in healthy.sweeps.sweeps)
    calibrated = said(healthy, sweeps=replace(healthy.sweeps, sweeps=faint))
    assert wrong(calibrated) == {"echo_under_noise"}
    assert suggested(calibrated) == {}


def test_word_that_was_nearly_found_suggests_a_sensitivity() -> None:
    calibrated = measured("healthy", 3)
    missed = tuple(replace(word, found=False, score=0.7) for word in calibrated.words)
    assert suggested(said(calibrated, words=missed)) == {"wake.sensitivity": 0.78}


def test_word_that_was_found_narrowly_is_called_so() -> None:
    calibrated = measured("healthy", 3)
    narrow = said(calibrated, words=tuple(replace(word, score=0.82) for word in calibrated.words))
    texts = {v.name: v.text for v in judge(narrow, LOUD)}
    assert "not always clearly" in texts["wake_word"]
    texts = {v.name: v.text for v in judge(calibrated, LOUD)}
    assert texts["wake_word"] == '"hey jarvis" was found in all 3 tries.'


def test_remedy_names_a_control_that_the_card_has() -> None:
    usb = Installation(
        volume=80,
        capture_device="hw:CARD=Device",
        gains=("Mic",),
        controls=("Speaker", "Auto Gain Control"),
    )
    (verdict,) = [v for v in judge(measured("level-control"), usb) if v.name == "level_control"]
    assert verdict.remedy.endswith("amixer -D hw:CARD=Device sset 'Auto Gain Control' off")
    (verdict,) = [v for v in judge(measured("clipping"), usb) if v.name == "microphone_clips"]
    assert verdict.remedy.endswith("amixer -D hw:CARD=Device sset 'Mic' capture 6dB-")
    (verdict,) = [v for v in judge(measured("dead"), usb) if v.name == "microphone_dead"]
    assert verdict.remedy.endswith("amixer -D hw:CARD=Device sset 'Mic' cap")


@pytest.mark.slow
def test_television_suggests_no_sensitivity() -> None:
    assert "wake.sensitivity" not in suggested(measured("television", 2))


def test_page_has_each_verdict_and_no_other() -> None:
    root = Path(__file__).parents[2] / "daemon"
    source = "".join(path.read_text() for path in (root / "parleyd/calibration").glob("*.py"))
    page = (root / "docs/calibrate.md").read_text().split("## The verdicts")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(re.findall(r'name="(\w+)"', source))
