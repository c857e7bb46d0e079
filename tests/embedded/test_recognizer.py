"""The real recogniser on speech by three voices other than the assistant's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parleyd.embedded import grammar
from parleyd.embedded.recognizer import Recognizer
from parleyd.units import MIC_RATE_HZ, Frames

COMMANDS = [
    "what time is it",
    "hey jarvis what is the date today",
    "set a timer for fifteen minutes",
    "jarvis set a pasta timer for ten minutes and thirty seconds",
    "another timer for two and a half hours",
    "set a timer",
    "ten minutes",
    "cancel the timer",
    "cancel all timers",
    "set an alarm for half past seven in the morning",
    "wake me tomorrow at quarter to seven",
    "set an alarm",
    "at seven in the morning",
    "please wake me up",
    "change the alarm to eight",
    "cancel the seven o'clock alarm",
    "wake me every day at seven",
    "set a daily alarm",
    "what timers are set",
    "turn off the microphone for half an hour",
    "go to sleep",
    "turn the volume up",
    "you are too loud",
    "set the volume to forty percent",
    "full volume",
    "turn the sound off",
    "turn it off",
    "snooze for ten minutes",
    "tell me a story",
    "can you tell me a story about the lighthouse",
    "what can i say",
    "tell me more",
    "never mind",
    "no thanks",
    "yes please",
    "repeat that",
    "go on",
    "thank you",
    "hello there",
    "goodbye",
]
FOREIGN = [
    "the weather in berlin will be rainy tomorrow afternoon",
    "my brother bought a new bicycle last week",
    "who won the football match yesterday",
    "i think we should paint the kitchen yellow",
    "play some music by the rolling stones",
    "where did you put the keys to the car",
    "could you order a large salad with extra cheese",
    "our neighbours are going to the mountains in july",
]
VOICES = ["rms", "awb", "kal16"]


def heard(recognizer: Recognizer, spoken: Callable[..., Frames], text: str, voice: str) -> Any:
    return recognizer.recognize(spoken(text, voice, MIC_RATE_HZ))


@pytest.mark.slow
@pytest.mark.parametrize("voice", VOICES)
def test_every_intent_is_recognised(
    recognizer: Recognizer, spoken: Callable[..., Frames], voice: str
) -> None:
    wrong = {
        text: got.words
        for text in COMMANDS
        if grammar.match((got := heard(recognizer, spoken, text, voice)).words)
        != grammar.match(text)
    }
    assert len(wrong) <= 4, wrong  # kal16 is hard to understand; the others miss one or two
    assert {grammar.match(text)[0] for text in COMMANDS} == set(grammar.PHRASES)  # type: ignore[index]


@pytest.mark.slow
def test_other_sentences_are_refused(recognizer: Recognizer, spoken: Callable[..., Frames]) -> None:
    taken = [
        (text, voice)
        for text in FOREIGN
        for voice in VOICES
        if heard(recognizer, spoken, text, voice).words
    ]
    assert len(taken) <= 1, taken  # a phone loop competes; the bench of phrases has figures


@pytest.mark.slow
def test_command_after_the_end_of_a_wake_word_is_recognised(
    recognizer: Recognizer, spoken: Callable[..., Frames]
) -> None:
    """Not every one: the words are right, and some score just below the bound."""
    refused = []
    for voice in ("slt", *VOICES):
        clip = spoken("jarvis what time is it", voice, MIC_RATE_HZ)
        onset = int(np.flatnonzero(np.abs(clip.astype(int)) > 800)[0])
        for cut_ms in (100, 200, 300):
            tail = clip[onset + MIC_RATE_HZ * cut_ms // 1000 :]
            found = grammar.match(recognizer.recognize(tail).words)
            if found is None:
                refused.append((voice, cut_ms))
            else:
                assert found[0] == "time", (voice, cut_ms)
    assert len(refused) <= 3, refused  # of 12


@pytest.mark.slow
def test_silence_and_noise_are_not_a_command(recognizer: Recognizer) -> None:
    second = np.zeros(MIC_RATE_HZ, np.int16)
    for frames in (second[:0], second[:100], second):
        assert recognizer.recognize(frames).words == ""
    for level in (1, 5, 30, 900, 3000):
        noise = np.random.default_rng(level).normal(0, level, 2 * MIC_RATE_HZ).astype(np.int16)
        assert recognizer.recognize(noise).words == ""
        assert recognizer.recognize(second).words == ""


@pytest.mark.slow
def test_same_audio_gives_the_same_words(
    recognizer: Recognizer, spoken: Callable[..., Frames]
) -> None:
    clip = spoken("tell me a story", "awb", MIC_RATE_HZ)
    first = recognizer.recognize(clip)
    recognizer.recognize(spoken("go on", "rms", MIC_RATE_HZ))
    assert recognizer.recognize(clip) == first
