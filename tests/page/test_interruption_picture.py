"""The picture of the last interruption, from events in simulated time."""

from parleyd.control.replies import Fields, LevelsMeasured
from parleyd.page.feed import TURN_FIELDS, shown_turn
from parleyd.page.interruption import AFTER_S, BEFORE_S, InterruptionRecorder
from tests.page import scenes

DATE = 1_800_000_000.0


def recorded(recorder: InterruptionRecorder, at: float = 100.0) -> list[bool]:
    """Ten seconds with an interruption at `at`; returns when `picture` was new."""
    told = []
    for step in range(-60, 40):
        t = step / 10
        if step == -2:
            recorder.log_event(at + t, "hold", {"reason": "a voice", "near_end": 0.9}, DATE)
        if step == 0:
            recorder.log_event(at, "interrupt", {"reason": "voice", "waited_ms": 170}, DATE)
            recorder.log_event(at, "interrupted", {"heard_ms": 2740}, DATE)
        told.append(recorder.levels(at + t, scenes.levels(t)))
    return told


def test_picture_has_the_levels_around_the_interruption_and_its_marks() -> None:
    recorder = InterruptionRecorder()
    told = recorded(recorder)
    assert sum(told) == 1
    picture = recorder.picture
    assert picture is not None
    times = [sample["t"] for sample in picture["samples"]]
    assert (times[0], times[-1]) == (-BEFORE_S, AFTER_S) == (-4.0, 1.5)
    assert picture["marks"] == [
        {"name": "hold", "t": -0.2, "reason": "a voice"},
        {"name": "interrupt", "t": 0.0, "reason": "voice"},
        {"name": "interrupted", "t": 0.0},
    ]
    assert picture["date"] == DATE
    assert not recorder.records


def test_figures_of_the_turn_are_taken_before_and_after_the_picture() -> None:
    before, after = InterruptionRecorder(), InterruptionRecorder()
    before.log_event(100.0, "interrupted", {}, DATE)
    assert not before.turn(scenes.TURNS[1])
    assert before.complete(102.0)
    after.log_event(100.0, "interrupted", {}, DATE)
    assert after.complete(102.0)
    assert after.turn(scenes.TURNS[1])
    for recorder in (before, after):
        assert recorder.picture is not None
        assert recorder.picture["turn"] == {
            "turn": 2, "onset_to_hold_ms": 40, "onset_to_interrupt_ms": 210, "heard_ms": 2740,
        }  # fmt: skip
    assert not after.turn(scenes.TURNS[1])  # of a later interruption, which has its own picture
    assert not after.turn(scenes.TURNS[2])
    assert not InterruptionRecorder().turn(scenes.TURNS[1])  # by no hold that was seen


def test_hold_that_was_resumed_is_not_drawn_into_a_later_interruption() -> None:
    recorder = InterruptionRecorder()
    recorder.log_event(90.0, "hold", {}, DATE)
    recorded(recorder)
    assert recorder.picture is not None
    assert len(recorder.picture["marks"]) == 3


def test_two_interruptions_in_a_second_leave_the_second() -> None:
    recorder = InterruptionRecorder()
    recorder.log_event(100.0, "interrupted", {}, DATE)
    recorder.log_event(100.5, "interrupted", {}, DATE + 1)
    assert recorder.records
    assert not recorder.complete(101.9)
    assert recorder.complete(102.0)
    assert recorder.picture is not None
    assert recorder.picture["date"] == DATE + 1


def test_hours_of_levels_take_no_memory() -> None:
    recorder = InterruptionRecorder()
    for step in range(100_000):
        recorder.levels(step / 10, LevelsMeasured(buffered_ms=0))
        recorder.log_event(step / 10, "hold", {}, DATE)
    recorder.log_event(10_000.0, "interrupted", {}, DATE)
    recorder.complete(10_002.0)
    assert recorder.picture is not None
    assert len(recorder.picture["samples"]) <= 60
    assert len(recorder.picture["marks"]) <= 9


def test_words_in_a_later_versions_fields_do_not_leave() -> None:
    recorder = InterruptionRecorder()
    secret: Fields = {"transcript": "the words of a user", "words": "more of them"}
    recorder.log_event(99.9, "hold", {"reason": "a voice", **secret}, DATE)
    recorder.log_event(100.0, "interrupted", {**secret}, DATE)
    recorder.turn({**scenes.TURNS[1], **secret})
    recorder.complete(102.0)
    assert "words of" not in str(recorder.picture)
    assert set(shown_turn({**scenes.TURNS[1], **secret})) <= set(TURN_FIELDS)
