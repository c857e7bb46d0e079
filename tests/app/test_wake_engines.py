"""A failed wake-word engine is replaced by a new one, off the audio thread."""

import threading

import numpy as np
import pytest

from parleyd import config
from parleyd.app.wake_engines import WakeEngines
from parleyd.core.events import InputEvent, WakeRenewed
from parleyd.errors import WakeError
from parleyd.wake import factory
from parleyd.wake.micro import Micro

SILENCE = np.zeros(160, np.int16)


class Counted(Micro):
    """The real engine, which records whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[InputEvent]:
    monkeypatch.setattr(factory, "Micro", Counted)
    return []


def engines(posted: list[InputEvent]) -> tuple[WakeEngines, Counted]:
    settings = config.WakeConfig(engine="micro")
    first = Counted(settings.keywords)
    return WakeEngines(first, settings, {}, posted.append), first


def test_renewed_engine_is_posted_and_works(posted: list[InputEvent]) -> None:
    made, first = engines(posted)
    made.renew()
    (event,) = posted
    assert isinstance(event, WakeRenewed)
    assert event.engine is not first
    assert event.engine.process(SILENCE) is None
    made.close()


def test_engine_is_closed_when_its_successor_is_replaced(posted: list[InputEvent]) -> None:
    made, first = engines(posted)
    made.renew()
    assert not first.closed
    made.renew()
    assert first.closed
    second, third = (event.engine for event in posted)
    assert (second.closed, third.closed) == (False, False)
    made.close()
    assert (second.closed, third.closed) == (True, True)
    made.renew()
    assert len(posted) == 2


def test_engine_that_cannot_be_renewed_is_logged(
    posted: list[InputEvent], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, _ = engines(posted)
    for error in (WakeError("the model cannot be read"), MemoryError("no more")):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(factory, "create", refuse)
        made.renew()
        assert str(error) in caplog.text
    assert posted == []
    made.close()


def test_engine_renewed_during_the_end_is_closed(
    posted: list[InputEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An online check of the key takes seconds, and the end does not wait for it."""
    (made, _), begun, goes_on = engines(posted), threading.Event(), threading.Event()
    create = factory.create

    def slowly(*arguments: object) -> object:
        begun.set()
        assert goes_on.wait(30)
        return create(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(factory, "create", slowly)
    thread = threading.Thread(target=made.renew)
    thread.start()
    assert begun.wait(30)
    made.renew()  # one at a time
    made.close()
    goes_on.set()
    thread.join(30)
    (event,) = posted
    assert event.engine.closed  # type: ignore[union-attr]
