"""hardware/lights.md and its pictures match the code."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hardware.pictures import lights
from parleyd.core.states import Indication
from parleyd.lights.patterns import LED_PATTERNS, brightness

HARDWARE = Path(__file__).parents[2] / "hardware"
SVG = "{http://www.w3.org/2000/svg}"


def order() -> list[tuple[str, str, str]]:
    """Return state, colour with rhythm, and picture of each indication."""
    page = (HARDWARE / "lights.md").read_text("utf-8")
    row = r"^\d\. \*\*`(.+)`\*\* (.+?)\. [A-Z].+\.\n\n   (!.*)$"
    return re.findall(row, page, re.MULTILINE)


def test_page_lists_every_state_in_order_of_priority() -> None:
    assert [
        (shown, f"{LED_PATTERNS[shown].colour_name}, {LED_PATTERNS[shown].rhythm}")
        for shown in Indication
    ] == [row[:2] for row in order()]
    assert next(iter(Indication)) is Indication.MUTED


def test_page_shows_each_states_picture() -> None:
    for shown, _, picture in order():
        assert picture == f"![{shown}](pictures/lights/{shown}.svg)"


@pytest.mark.parametrize("name", lights.pictures())
def test_pictures_committed_match_the_patterns(name: str) -> None:
    committed = (HARDWARE / "pictures" / name).read_text("utf-8")
    assert committed == lights.pictures()[name], "draw it again: python -m hardware.pictures"
    ET.fromstring(committed)


@pytest.mark.parametrize("shown", [Indication.ERROR, Indication.THINKING, Indication.OFFLINE])
def test_picture_animation_matches_the_pattern(shown: Indication) -> None:
    """Read the brightness back from the SVG, at times away from the edges."""
    style = ET.fromstring(lights.pictures()[f"lights/{shown}.svg"]).find(f"{SVG}style")
    assert style is not None
    assert style.text is not None
    over = re.search(r"animation:pattern ([\d.]+)s step-end infinite", style.text)
    assert over is not None
    frames = [
        (float(a), float(b)) for a, b in re.findall(r"([\d.]+)%{opacity:([\d.]+)}", style.text)
    ]
    for t in (0.01, 0.17, 0.33, 0.5, 0.63, 0.77, 1.23, 2.57, 7.9):
        percent = 100 * (t % float(over[1])) / float(over[1])
        drawn = [opacity for at, opacity in frames if at <= percent][-1]
        assert drawn**2.2 == pytest.approx(brightness(shown, t, 0.0), abs=0.12)
