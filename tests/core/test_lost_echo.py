"""Parley's own voice does not interrupt it; a canceller that fails is shown and logged."""

from parleyd.core.states import State
from parleyd.hearing.own_voice import OwnVoice
from parleyd.realtime import events as ev
from tests.bare_core import BareCore, at

OWN = OwnVoice(similarity=0.9, delay=8000, removed_db=0.2)
USER = OwnVoice(similarity=0.2, delay=0, removed_db=0.2)
CANCELLED = OwnVoice(similarity=0.2, delay=0, removed_db=11.0)


def speaking() -> BareCore:
    core = BareCore(at("openai"))
    core.ask("r")
    core.sound("r", 40_000)
    core.until(State.SPEAKING)
    core.run(1.0)
    return core


def voices(core: BareCore, found: OwnVoice, times: int) -> None:
    core.hearsay.voice_of_its_own = found
    for _ in range(times):
        core.talks(0.7)
        core.run(1.0)


def test_own_voice_resumes_and_twice_means_half_duplex() -> None:
    core = speaking()
    voices(core, OWN, 4)
    assert core.speaker.state is State.SPEAKING
    assert not core.log_events("interrupt")
    assert [e.fields["reason"] for e in core.log_events("resume")] == ["its own voice"] * 2
    (event,) = core.log_events("half_duplex")
    assert event.fields["removed_db"] == 0.2
    assert event.fields["delay_ms"] == 500
    assert "only wake word and button" in core.detail


def test_half_duplex_ends_when_the_canceller_cancels_again() -> None:
    core = speaking()
    voices(core, OWN, 3)
    core.hearsay.voice_of_its_own = CANCELLED
    core.run(5.0)
    assert len(core.log_events("full_duplex")) == 1
    assert core.detail == ""
    voices(core, USER, 1)
    assert len(core.log_events("interrupt")) == 1


def test_two_quick_interruptions_of_a_user_change_nothing() -> None:
    core = speaking()
    core.hearsay.voice_of_its_own = USER
    for number in (1, 2):
        asked = len(core.events(ev.CreateResponse))
        core.talks(1.0)
        core.wait(lambda n=number: len(core.log_events("interrupted")) == n)  # type: ignore[misc]
        core.end("r" if number == 1 else "r1", status="cancelled")
        core.wait(lambda n=asked: len(core.events(ev.CreateResponse)) > n)  # type: ignore[misc]
        core.begin(f"r{number}")
        core.sound(f"r{number}", 9_000, f"i{number}")
        core.until(State.SPEAKING)
        core.run(0.5)
    assert not core.log_events("half_duplex")
