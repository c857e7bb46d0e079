"""The screenplay of the demo: the scenes of one conversation, each with its requirements.

A scene returns its figures, and raises `SceneError` if a requirement is not met. Each scene
relies on the previous ones: the story starts in the second scene, is interrupted in the third,
and continues in the fourth.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from parleyd.core.events import PlayStartupSound
from parleyd.core.states import State
from parleyd.demo import measurements
from parleyd.demo.measurements import Figure
from parleyd.demo.stage import DECIDED_WITHIN_S, Answer, Stage
from parleyd.hearing.barge_in import Decision
from parleyd.simulation.clips import cough
from parleyd.simulation.talker import Utterance

SHORT_ANSWER_S = 20.0  # the longest time to the end of a short reply
GREETING_S = 2.5  # the startup sound and its echo
IDLE_AGAIN_S = 10.0  # the follow-up window is 6 s by default

Play = Callable[[Stage], Awaitable[Sequence[Figure]]]


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene: its name in the report, its title for the user, and its coroutine."""

    name: str
    title: str
    play: Play


async def wake_and_ask(stage: Stage) -> Sequence[Figure]:
    stage.simulated.post(PlayStartupSound())  # as at every start: it learns the echo path
    await stage.pause(GREETING_S)
    word = stage.say("hey jarvis")
    await stage.until_state(State.LISTENING, "the wake word was not heard", within_s=3)
    woken_s = stage.now
    await stage.pause(0.5)

    question = stage.say("what time is it")
    answer = await stage.answered(question, "It is")
    await _heard_to_its_end(stage)
    return [
        measurements.reaction(measurements.WAKE_MS, word.end_s, woken_s),
        measurements.latency(stage, question, answer),
    ]


async def follow_up(stage: Stage) -> Sequence[Figure]:
    stage.must(stage.state is State.LISTENING, "Parley does not listen after the reply")
    woken = len(stage.simulated.log_events("wake"))
    await stage.pause(0.8)

    question = stage.say("tell me a story")
    story = await stage.answered(question, "There was once a lighthouse keeper")
    stage.must(len(stage.simulated.log_events("wake")) == woken, "the follow-up needed a wake word")
    await stage.pause(1.0)
    return [measurements.latency(stage, question, story)]


async def interruption(stage: Stage) -> Sequence[Figure]:
    story = stage.heard[-1]
    await stage.pause(5.0)

    question = stage.say("what day is it today")
    silent_s, figures = await _interrupts(stage, story, question)

    answer = await stage.answered(question, "Today is")
    await _heard_to_its_end(stage)
    return [
        *figures,
        measurements.late_audio(stage, answer, since_s=silent_s),
        measurements.latency(stage, question, answer),
    ]


async def cough_is_nothing(stage: Stage) -> Sequence[Figure]:
    broken_off = stage.heard[-2]
    await stage.pause(0.8)
    question = stage.say("go on with the story")
    rest = await stage.answered(question)
    stage.must(
        rest.words in broken_off.words and not broken_off.words.startswith(rest.words),
        f"the story does not continue where it was interrupted, but with “{rest.words}”",
    )
    await stage.pause(3.0)

    coughed_s = stage.now
    stage.utter(cough(), "(coughs)")
    await stage.pause(2.0)  # held and resumed, or not detected as a voice at all
    stage.must(stage.state is State.SPEAKING, "the reply did not continue after the cough")
    for_the_cough = measurements.held_for(measurements.COUGH_MS, stage, coughed_s)

    word = stage.say("well I wanted to ask")
    await stage.until_state(State.BARGE_IN, "the talker was not noticed", within_s=DECIDED_WITHIN_S)
    held_s = stage.now
    stage.hush()
    await stage.until(
        lambda: stage.state is not State.BARGE_IN, "no decision was made", within_s=DECIDED_WITHIN_S
    )
    resumed_s = stage.now
    stage.must(stage.state is State.SPEAKING, "a broken-off word interrupted the reply")
    stage.must(
        not measurements.played_anything(stage, held_s, resumed_s),
        "the loudspeaker was not silent while the reply was held",
    )
    await stage.pause(3.0)
    stage.must(stage.state is State.SPEAKING, "the reply did not resume after the broken-off word")
    return [
        measurements.latency(stage, question, rest),
        for_the_cough,
        measurements.reaction(measurements.HOLD_MS, word.onset_s, held_s),
        measurements.held_for(measurements.HELD_MS, stage, held_s),
        measurements.slips(stage, rest),
    ]


async def stop(stage: Stage) -> Sequence[Figure]:
    story = stage.heard[-1]
    command = stage.say("stop talking")
    silent_s, figures = await _interrupts(stage, story, command)
    answer = await stage.answered(command, "Okay")
    await _heard_to_its_end(stage)
    await stage.until_state(State.IDLE, "Parley did not become idle", within_s=IDLE_AGAIN_S)
    return [*figures, measurements.late_audio(stage, answer, since_s=silent_s)]


async def button(stage: Stage) -> Sequence[Figure]:
    await stage.pause(1.0)
    stage.press_button()
    await stage.until_state(State.LISTENING, "the button did not begin a turn", within_s=1)
    await stage.pause(0.5)
    question = stage.say("tell me another story")
    story = await stage.answered(question)
    await stage.pause(3.0)

    pressed_s = stage.now
    stage.press_button()
    await stage.until_state(State.IDLE, "the button did not stop the reply", within_s=1)
    await stage.pause(1.5)
    return [
        measurements.latency(stage, question, story),
        measurements.button_to_silence(stage, pressed_s),
        *measurements.reports_are_true(stage, story),
    ]


async def _interrupts(
    stage: Stage, answer: Answer, interruption: Utterance
) -> tuple[float, list[Figure]]:
    """Wait for hold and interruption; return the time of the silence, and the figures."""
    await stage.until_state(State.BARGE_IN, "the user was not noticed", within_s=DECIDED_WITHIN_S)
    held_s = stage.now
    await stage.until_state(
        State.LISTENING, "the reply was held, but not interrupted", within_s=DECIDED_WITHIN_S
    )
    decided_s = stage.now
    silent_s = stage.simulated.log_events(Decision.HOLD)[
        -1
    ].at  # the first hold may have been resumed
    await stage.finish_saying(interruption)
    return silent_s, [
        measurements.reaction(measurements.HOLD_MS, interruption.onset_s, held_s),
        measurements.reaction(measurements.INTERRUPT_MS, interruption.onset_s, decided_s),
        *measurements.reports_are_true(stage, answer),
    ]


async def _heard_to_its_end(stage: Stage) -> None:
    await stage.until_state(State.LISTENING, "the reply did not end", within_s=SHORT_ANSWER_S)


SCENES = (
    Scene("wake_and_ask", "A wake word and a question", wake_and_ask),
    Scene("follow_up", "A follow-up without the wake word", follow_up),
    Scene("interruption", "A new question in the middle of the reply", interruption),
    Scene("cough", "A cough does not interrupt", cough_is_nothing),
    Scene("stop", "A spoken stop", stop),
    Scene("button", "The button", button),
)
