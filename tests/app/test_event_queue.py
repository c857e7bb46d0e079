"""The queue into the core: nothing is lost or out of order before there is a core."""

import threading

import pytest

from parleyd.app.event_queue import EventQueue
from parleyd.core.events import ButtonPressed, Happening, SetVolume


def test_queue_before_a_core_keeps_events_in_order() -> None:
    queue, taken = EventQueue(), list[Happening]()
    queue.post(SetVolume(1))
    queue.post(ButtonPressed())
    queue.connect(taken.append)
    queue.post(SetVolume(2))
    assert taken == [SetVolume(1), ButtonPressed(), SetVolume(2)]


def test_queue_without_a_core_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    queue, taken = EventQueue(), list[Happening]()
    for percent in range(257):
        queue.post(SetVolume(percent))
    assert "SetVolume is dropped" in caplog.text
    queue.connect(taken.append)
    assert taken == [SetVolume(percent) for percent in range(256)]


def test_queue_connected_while_threads_post_loses_nothing() -> None:
    queue, taken = EventQueue(), list[Happening]()
    begun = threading.Barrier(5)

    def post(first: int) -> None:
        begun.wait()
        for percent in range(first, first + 50):
            queue.post(SetVolume(percent))

    threads = [threading.Thread(target=post, args=(n * 50,)) for n in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    queue.connect(taken.append)
    for thread in threads:
        thread.join()
    percents = [event.percent for event in taken if isinstance(event, SetVolume)]
    assert sorted(percents) == list(range(200))
    for first in range(0, 200, 50):
        of_one = [percent for percent in percents if first <= percent < first + 50]
        assert of_one == sorted(of_one)
