"""The queue into the core loses and reorders no event, from any thread at any time."""

import threading

import pytest

from parleyd.app.event_queue import EventQueue
from parleyd.core.events import ButtonPressed, InputEvent, SetVolume, SkillDone


def taken_from(queue: EventQueue) -> list[InputEvent]:
    events = []
    while (event := queue.take()) is not None:
        events.append(event)
    return events


def test_queue_keeps_events_in_order() -> None:
    queue = EventQueue()
    queue.post(SetVolume(1))
    queue.post(ButtonPressed())
    queue.post(SetVolume(2))
    assert taken_from(queue) == [SetVolume(1), ButtonPressed(), SetVolume(2)]
    assert queue.take() is None


def test_queue_without_a_reader_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    queue = EventQueue()
    for number in range(8192 + 10):
        assert queue.is_crowded() == (number >= 1000)
        queue.post(SetVolume(number))
    assert [record.getMessage() for record in caplog.records] == [
        "the audio thread does not take events, SetVolume is lost"
    ]
    assert taken_from(queue) == [SetVolume(number) for number in range(8192)]
    queue.post(ButtonPressed())
    assert caplog.records[1].getMessage() == "the audio thread takes events again, 10 are lost"
    assert taken_from(queue) == [ButtonPressed()]


def test_queue_drained_while_threads_post_loses_nothing() -> None:
    queue, taken = EventQueue(), list[InputEvent]()
    begun = threading.Barrier(5)

    def post(first: int) -> None:
        begun.wait()
        for percent in range(first, first + 50):
            queue.post(SetVolume(percent))

    threads = [threading.Thread(target=post, args=(n * 50,)) for n in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    while any(thread.is_alive() for thread in threads):
        taken += taken_from(queue)
    taken += taken_from(queue)
    percents = [event.percent for event in taken if isinstance(event, SetVolume)]
    assert sorted(percents) == list(range(200))
    for first in range(0, 200, 50):
        of_one = [percent for percent in percents if first <= percent < first + 50]
        assert of_one == sorted(of_one)


def test_ended_queue_passes_on_presses_only() -> None:
    """All other events belong to the skills and the connection, which end with the core."""
    queue, successor = EventQueue(), EventQueue()
    for event in (SetVolume(1), ButtonPressed(), SkillDone("call", "done")):
        queue.post(event)
    queue.end(successor)
    queue.post(ButtonPressed())
    queue.post(SkillDone("call", "done"))
    assert taken_from(queue) == []
    assert taken_from(successor) == [ButtonPressed(), ButtonPressed()]


def test_press_survives_several_ended_queues() -> None:
    """A failed reload starts another set-up at once."""
    first, second, third = EventQueue(), EventQueue(), EventQueue()
    first.post(ButtonPressed())
    first.end(second)
    second.end(third)
    first.post(ButtonPressed())
    assert taken_from(third) == [ButtonPressed(), ButtonPressed()]


def test_queue_ended_while_threads_press_loses_none() -> None:
    queue, successor = EventQueue(), EventQueue()
    begun = threading.Barrier(5)

    def press() -> None:
        begun.wait()
        for _ in range(200):
            queue.post(ButtonPressed())

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    taken = taken_from(queue)
    queue.end(successor)
    for thread in threads:
        thread.join()
    assert queue.take() is None
    assert len(taken) + len(taken_from(successor)) == 800
