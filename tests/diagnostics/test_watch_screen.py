"""The screen of `parley watch`, from a snapshot and a size."""

import dataclasses
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from rich.console import Console

from parleyd.control.replies import (
    EventsDropped,
    Fields,
    LevelsMeasured,
    StateChanged,
    TurnReported,
)
from parleyd.core.states import Indication
from parleyd.diagnostics.watch_screen import ASCII, light, plain, plain_turn, screen
from parleyd.diagnostics.watching import HELD_S, KEPT_TURNS, STALE, STALE_S, WatchSnapshot
from parleyd.lights.patterns import LED_PATTERNS
from parleyd.lights.terminal import on_screen
from tests.diagnostics.watch_golden import (
    FOLDER,
    LEVELS,
    NOW,
    SIZES,
    STATUS,
    replace_levels,
    speaking,
    text,
    turn,
)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_screen_is_as_written(columns: int, rows: int) -> None:
    written = (FOLDER / f"{columns}x{rows}.txt").read_text("utf-8")
    again = "python -m tests.diagnostics.watch_golden"
    assert text(speaking(), columns, rows) == written, f"write it again: {again}"


@settings(max_examples=25)
@given(st.integers(1, 200), st.integers(1, 80), st.text(max_size=30), st.booleans())
def test_screen_of_any_size_fits(columns: int, rows: int, detail: str, closed: bool) -> None:
    shown = speaking().with_line(StateChanged(indication=detail, detail=detail), NOW)
    if closed:
        shown = shown.with_line(LevelsMeasured(buffered_ms=0, trouble=detail), NOW)
    lines = screen(shown, columns, rows)
    assert len(lines) == rows
    assert all(line.cell_len <= columns for line in lines)
    assert all(line.plain.isprintable() for line in lines)


def test_low_screen_keeps_state_microphone_and_score() -> None:
    told = text(speaking(), 80, 5)
    assert "● speaking" in told
    assert "microphone   -21 dBFS" in told
    assert "user score       0.31" in told
    assert "turn" not in told


@pytest.mark.parametrize("indication", Indication)
def test_light_has_the_colour_of_the_led_and_the_word(indication: Indication) -> None:
    drawn = Console(force_terminal=True, color_system="truecolor", file=io.StringIO())
    with drawn.capture() as captured:
        drawn.print(light(indication, ASCII))
    hue = LED_PATTERNS[indication].hue
    assert indication in captured.get()
    code = "38;2;{};{};{}".format(*on_screen(hue))
    assert (code in captured.get()) is any(hue)


def test_screen_without_colours_has_the_same_words() -> None:
    told = []
    for no_color in (False, True):
        console = Console(
            force_terminal=True,
            color_system="truecolor",
            no_color=no_color,
            file=io.StringIO(),
            highlight=False,
        )
        with console.capture() as captured:
            for line in screen(speaking(), 80, 24):
                console.print(line)
        told.append(captured.get())
    assert "38;2;" in told[0]
    assert "38;" not in told[1]
    assert "speaking" in told[1]


def test_score_over_its_threshold_is_bold_for_two_seconds() -> None:
    shown = speaking().with_line(replace_levels(near_end=0.61), NOW)
    for later, bold in ((HELD_S - 0.1, True), (HELD_S, False)):
        after = shown.with_line(LEVELS, NOW + later)
        (row,) = [line for line in screen(after, 80, 24) if "user score" in line.plain]
        assert any("bold" in str(span.style) for span in row.spans) is bold


def test_ascii_screen_is_ascii() -> None:
    assert all(line.plain.isascii() for line in screen(speaking(), 80, 24, ASCII))


def test_closed_microphone_has_no_levels() -> None:
    closed = LevelsMeasured(buffered_ms=40)
    shown = speaking().with_line(StateChanged(indication="muted", detail="by voice"), NOW)
    told = text(shown.with_line(closed, NOW), 80, 24)
    assert "● muted   by voice" in told
    assert "microphone          -\n" in told
    assert "dBFS" not in told


def test_trouble_and_changed_sound_are_shown() -> None:
    told = text(speaking().with_line(replace_levels(trouble="the echo is too loud"), NOW), 80, 24)
    assert "hearing     the echo is too loud" in told
    assert "changes its sound: gain control" in told
    assert "a voice interrupts" not in told


def test_daemon_that_ends_leaves_its_turns_only() -> None:
    gone = speaking().gone("the daemon has ended")
    told = text(gone, 80, 24)
    assert "! the daemon has ended" in told
    assert "speaking" not in told
    assert "dBFS" not in told
    assert "   25 wake_word" in told
    assert "ended" not in text(gone.with_line(STATUS, NOW), 80, 24)


def test_silent_daemon_is_named_after_three_seconds() -> None:
    shown = speaking()
    assert STALE not in text(shown.at(NOW + STALE_S), 80, 24)
    assert STALE in text(shown.at(NOW + STALE_S + 0.1), 80, 24)
    assert STALE not in text(shown.with_line(EventsDropped(count=3), NOW + 9).at(NOW + 9), 80, 24)


def test_turns_are_added_and_the_oldest_forgotten() -> None:
    shown = speaking()
    for number in range(26, 99):
        shown = shown.with_line(TurnReported(fields=turn(number)), NOW)
    assert len(shown.turns) == KEPT_TURNS
    assert shown.turns[-1]["turn"] == 98
    assert shown.news[-1]["turn"] == 98
    assert dataclasses.replace(shown, news=()) == shown.without_news()


def test_turn_of_another_version_is_shown_as_far_as_known() -> None:
    odd: Fields = {
        "turn": None,
        "begun_by": "a\x1b[2Jb" * 9,
        "heard_ms": "many",
        "first_frame_ms": True,
    }
    told = text(WatchSnapshot(NOW).with_line(TurnReported(fields=odd), NOW), 80, 24)
    assert "\x1b" not in told
    assert "None" not in told
    assert "many" not in told


def test_plain_lines_tell_the_same() -> None:
    assert plain(speaking()) == (
        "speaking, microphone -21 dBFS, echo -22 dBFS, cleaned -49 dBFS, user 0.31 of 0.6, "
        "voice 0.12, wake 0.05 of 0.7, buffer 2340 ms, xruns 2, link up, round trip 34.2 ms"
    )
    assert plain_turn(turn(3)) == (
        "turn 3 by wake_word, to answer 1322 ms, heard 3000 ms, to silence 63 ms"
    )
    assert plain(WatchSnapshot(NOW)) == "connecting"
    assert plain(speaking().gone("it has ended")) == "it has ended"
    without_wake = structs.replace(LEVELS, wake=None, wake_cutoff=None, trouble="no sound")
    told = plain(speaking().with_line(without_wake, NOW))
    assert "wake" not in told
    assert "no sound" in told
