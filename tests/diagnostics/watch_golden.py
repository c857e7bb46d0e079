"""`python -m tests.diagnostics.watch_golden` writes the expected screens of `parley watch`."""

from pathlib import Path

from msgspec import structs

from parleyd.control.replies import (
    Fields,
    LevelsMeasured,
    Microphone,
    StateChanged,
    StatusReply,
    TurnsReply,
)
from parleyd.diagnostics.watch_screen import screen
from parleyd.diagnostics.watching import WatchSnapshot

FOLDER = Path(__file__).parent / "watch"
SIZES = ((80, 24), (60, 15), (120, 40))
NOW = 100.0

STATUS = StatusReply(
    indication="speaking",
    detail="",
    microphone=Microphone(closed=False, by_switch=False, left_s=0, reason=""),
    volume=70,
    server="openai",
    link="up",
    round_trip_ms=34.2,
    xruns=2,
    uptime_s=7_530,
    version="1.2.3",
)
LEVELS = LevelsMeasured(
    mic_dbfs=-21.3,
    cleaned_dbfs=-48.9,
    echo_dbfs=-22.0,
    near_end=0.31,
    threshold=0.6,
    excess_db=1.7,
    voice=0.12,
    wake=0.05,
    wake_cutoff=0.7,
    buffered_ms=2_340,
    trouble="",
    processing="gain control",
)


def turn(number: int) -> Fields:
    """A turn; every third was interrupted, and the first has no times."""
    interrupted = number % 3 == 0
    return {
        "turn": number,
        "begun_by": "wake_word" if number % 2 else "user_spoke",
        "endpoint_ms": 610 + number if number > 1 else None,
        "first_frame_ms": 700 + 3 * number if number > 1 else None,
        "heard_ms": 1_000 * number,
        "interrupted": interrupted,
        "onset_to_hold_ms": 60 + number if interrupted else None,
        "false_interruptions": number // 5,
    }


def speaking() -> WatchSnapshot:
    """A speaker that answers, after 25 turns."""
    shown = WatchSnapshot(NOW)
    turns = TurnsReply(turns=tuple(turn(number) for number in range(1, 26)))
    louder = replace_levels(near_end=0.44, wake=0.5)
    for line in (STATUS, turns, StateChanged(indication="speaking", detail=""), louder, LEVELS):
        shown = shown.with_line(line, NOW)
    return shown


def replace_levels(**values: object) -> LevelsMeasured:
    """The levels with other values."""
    return structs.replace(LEVELS, **values)


def text(shown: WatchSnapshot, columns: int, rows: int) -> str:
    """The screen without its styles."""
    return "".join(f"{line.plain.rstrip()}\n" for line in screen(shown, columns, rows))


def main() -> None:
    """Write the screens."""
    FOLDER.mkdir(exist_ok=True)
    for columns, rows in SIZES:
        path = FOLDER / f"{columns}x{rows}.txt"
        path.write_text(text(speaking(), columns, rows), "utf-8")


if __name__ == "__main__":
    main()
