"""What a speaker measures and logs around an interruption, for tests and pictures of the page."""

import math
import time

from parleyd.control.replies import Fields, LevelsMeasured, TimerEntry
from tests.page.page_rig import Speaker

TURNS: tuple[Fields, ...] = (
    {"turn": 1, "begun_by": "wake_word", "first_frame_ms": 912, "heard_ms": 6320,
     "interrupted": False, "false_interruptions": 0},
    {"turn": 2, "begun_by": "wake_word", "first_frame_ms": 1034, "heard_ms": 2740,
     "interrupted": True, "onset_to_hold_ms": 40, "onset_to_interrupt_ms": 210,
     "false_interruptions": 0},
    {"turn": 3, "begun_by": "interruption", "first_frame_ms": 866, "heard_ms": 8110,
     "interrupted": False, "false_interruptions": 1},
)  # fmt: skip
TIMERS = (
    TimerEntry(name="pasta", timer=True, left_s=412, due="2027-03-28T18:42:00"),
    TimerEntry(name="", timer=False, left_s=44_280, due="2027-03-29T07:00:00"),
)
EVERY_S = 0.1


def levels(t: float) -> LevelsMeasured:
    """A measurement at `t` seconds after an interruption: an answer, then a user."""
    talks = 0.5 + 0.5 * math.sin(7 * t) * math.sin(3.1 * t)
    user = t > -0.35
    echo = -38 + 14 * talks if t < -0.2 else -120.0
    cleaned = -24 - 10 * talks if user else -66 + 6 * talks
    return LevelsMeasured(
        mic_dbfs=round(max(echo, cleaned) + 1.0, 1), cleaned_dbfs=round(cleaned, 1),
        echo_dbfs=round(echo, 1), near_end=round(0.97 - 0.05 * talks if user else 0.1 * talks, 2),
        threshold=0.6, excess_db=19.0 if user else 1.0, voice=0.93 if user else 0.04,
        wake=0.03, wake_cutoff=0.5, buffered_ms=4200,
    )  # fmt: skip


def interruption(speaker: Speaker) -> None:
    """An answer that a user interrupts, in real time: six seconds."""
    begin = time.monotonic() + 4.2
    held = False
    speaker.show("speaking")
    while (t := time.monotonic() - begin) < 1.8:
        speaker.levels = levels(t)
        if t >= -0.25 and not held:
            held = True
            speaker.log("hold", reason="a voice", near_end=0.97, threshold=0.6, after_onset_ms=40)
            speaker.show("barge-in")
        if t >= 0 and speaker.indication == "barge-in":
            speaker.log("interrupt", reason="voice", waited_ms=170)
            speaker.log("interrupted", heard_ms=2740, items=1)
            speaker.show("listening")
            speaker.turn(**TURNS[1])
        time.sleep(EVERY_S)
