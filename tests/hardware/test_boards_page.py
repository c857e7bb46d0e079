"""hardware/boards.md and its drawings match the profiles and the header's data."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hardware.pictures import boards, wiring
from parleyd import config
from parleyd.config import boards as profiles

HARDWARE = Path(__file__).parents[2] / "hardware"
PAGE = (HARDWARE / "boards.md").read_text("utf-8")


@pytest.mark.parametrize("name", boards.names())
def test_page_has_each_boards_drawing_and_table(name: str) -> None:
    assert f"(pictures/boards/{name}.svg)" in PAGE
    assert wiring.table(name) in PAGE


def test_page_lists_every_profile() -> None:
    assert all(f"`{name}`" in PAGE or f'"{name}"' in PAGE for name in profiles.names())


@pytest.mark.parametrize("name", wiring.pictures())
def test_drawings_committed_match_the_profiles(name: str) -> None:
    committed = (HARDWARE / "pictures" / name).read_text("utf-8")
    assert committed == wiring.pictures()[name], "draw it again: python -m hardware.pictures"
    ET.fromstring(committed)


@pytest.mark.parametrize("name", boards.names())
def test_board_pins_are_shared_only_on_a_bus(name: str) -> None:
    board, header = boards.board(name), boards.header()
    wires = [wire for part in (*board.left, *board.right) for wire in part.wires]
    used = [wire.pin for wire in wires if header[wire.pin].startswith("GPIO")]
    shared = {header[pin] for pin in used if used.count(pin) > 1}
    i2s_clocks = {"GPIO18", "GPIO19"}
    assert shared <= i2s_clocks


def test_board_second_respeaker_is_wired_like_the_first() -> None:
    first, second = (config.parse(f'board = "respeaker-2mic{v}"') for v in ("", "-v2"))
    assert (first.lights, first.buttons) == (second.lights, second.buttons)
