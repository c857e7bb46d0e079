"""The offline voice, driven by the daemon's effects."""

import asyncio

import numpy as np
import pytest

from parleyd.app.announcer import Announcer
from parleyd.app.effect_dispatcher import EffectDispatcher, EffectHost
from parleyd.core.events import InputEvent, SpeechSynthesized, SynthesizeSpeech
from parleyd.embedded.synthesizer import Synthesizer
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.skills.registry import SkillRegistry
from parleyd.units import Frames

WORDS = "the service home wants to run open door. door is quote front unquote."


def spoken(announcer: Announcer) -> list[InputEvent]:
    """Return the events for the core after one `SynthesizeSpeech`."""
    posted: list[InputEvent] = []

    async def carry() -> None:
        done = asyncio.Event()

        def post(event: InputEvent) -> None:
            posted.append(event)
            done.set()

        connection = RealtimeConnection(ServerAddress("ws://127.0.0.1:1"), post)
        dispatcher = EffectDispatcher(connection, SkillRegistry([]), post, EffectHost(), announcer)
        dispatcher.dispatch([SynthesizeSpeech(7, WORDS)])
        async with asyncio.timeout(30):
            await done.wait()

    asyncio.run(carry())
    return posted


def test_question_is_spoken_by_the_offline_voice_word_for_word() -> None:
    (event,) = spoken(Announcer())
    assert isinstance(event, SpeechSynthesized)
    assert event.number == 7
    assert event.frames is not None
    assert len(event.frames) == len(Synthesizer().synthesize(WORDS))  # its noise is random
    assert 3 < len(event.frames) / 24_000 < 8
    assert np.abs(event.frames).max() > 3000


class _Broken(Announcer):
    def say(self, words: str) -> Frames | None:
        raise OSError("no such library")


def test_failing_voice_is_reported_as_no_speech(caplog: pytest.LogCaptureFixture) -> None:
    assert spoken(_Broken()) == [SpeechSynthesized(7, None)]
    assert spoken(_Broken())[0].frames is None  # type: ignore[union-attr]
    assert "the offline voice failed" in caplog.text
    assert WORDS not in caplog.text
