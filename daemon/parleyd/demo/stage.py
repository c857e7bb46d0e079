"""The stage of the demo: what a scene can do, and what it can wait for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parleyd.audio import decode_pcm16
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.errors import SceneError
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import Moment, Rehearsal
from parleyd.simulation.talker import Utterance
from parleyd.units import Frames

VOICE = "rms"  # flite's clearest male voice; the embedded server answers with another
ANSWER_WITHIN_S = 12.0  # end of speech 0.6 s, recognition and first speech 0.2 s; slow machines
DECIDED_WITHIN_S = 2.0  # far more than hearing.confirm_ms
WORDS_WITHIN_S = 2.0  # a transcript comes along with its audio
NOTICED_S = 0.05  # that an answer is heard is noticed a heartbeat or two after its first frame


@dataclass(slots=True)
class Answer:
    """One response of the server, as far as it came in."""

    response_id: str
    words: str = ""
    sounds: dict[str, bytearray] = field(default_factory=dict)
    began_s: float = 0.0
    """Simulated seconds, just before its first frame was heard."""

    def frames(self, item_id: str) -> Frames:
        """The audio of one of its items: int16 mono at 24 kHz."""
        return decode_pcm16(bytes(self.sounds[item_id]))


class Answers:
    """Collects what the server answered, living or dead, from the moments of a rehearsal."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def take(self, moment: Moment[Any]) -> None:
        match moment.what:
            case ev.AudioDelta(response_id=response_id, item_id=item_id, delta=delta):
                self._of(response_id).sounds.setdefault(item_id, bytearray()).extend(delta)
            case ev.TranscriptDelta(response_id=response_id, delta=words):
                self._of(response_id).words += words

    @property
    def newest(self) -> Answer | None:
        """The newest that has sound."""
        return next((a for a in reversed(self._answers.values()) if a.sounds), None)

    def _of(self, response_id: str) -> Answer:
        return self._answers.setdefault(response_id, Answer(response_id))


class Stage:
    """The talker's and the button's side of one rehearsal; every wait has a deadline.

    `on_say` hears of everything that the talker utters, when he begins.
    """

    def __init__(self, rehearsal: Rehearsal, on_say: Callable[[str], None]) -> None:
        self.rehearsal = rehearsal
        self.answers = Answers()
        self.heard: list[Answer] = []
        """The answers that began to be heard, in order."""
        self._on_say = on_say

    @property
    def now(self) -> float:
        """Simulated seconds."""
        return self.rehearsal.card.now

    @property
    def state(self) -> State:
        return self.rehearsal.speaker.state

    def say(self, words: str) -> Utterance:
        """The talker begins to speak; returns at once, with the labels of his speech."""
        return self.utter(synthesize(words, VOICE), words)

    def utter(self, clip: Frames, label: str) -> Utterance:
        """The same with any clip (int16 at 16 kHz)."""
        self._on_say(label)
        return self.rehearsal.talker.say(clip, label=label)

    def hush(self) -> None:
        """The talker breaks off in the middle of the word."""
        self._on_say("(breaks off)")
        self.rehearsal.talker.hush()

    async def finish_saying(self, utterance: Utterance) -> None:
        """Wait until the talker has finished."""
        await self.pause(utterance.end_s - self.now)

    def press_button(self) -> None:
        self.rehearsal.post(ButtonPressed())

    async def pause(self, seconds: float) -> None:
        """Let simulated time pass."""
        await self.rehearsal.run_for(seconds)

    async def until(self, holds: Callable[[], bool], otherwise: str, *, within_s: float) -> None:
        """Wait for something; raises `SceneError` with the sentence `otherwise` at the deadline."""
        if not await self.rehearsal.run(holds, longest_s=within_s):
            raise SceneError(
                f"{otherwise} within {within_s:g} s (state {self.state}, at {self.now:.2f} s)"
            )

    async def until_state(self, state: State, otherwise: str, *, within_s: float) -> None:
        await self.until(lambda: self.state is state, otherwise, within_s=within_s)

    async def until_noted(self, note: str, otherwise: str, *, within_s: float) -> Moment[Any]:
        """Wait for the next note of this name, and return it."""
        before = len(self.rehearsal.notes(note))
        await self.until(
            lambda: len(self.rehearsal.notes(note)) > before, otherwise, within_s=within_s
        )
        return self.rehearsal.notes(note)[before]

    async def answered(self, question: Utterance, beginning: str = "") -> Answer:
        """Wait until an answer that begins with these words begins to be heard."""
        await self.until_state(
            State.SPEAKING,
            f"no answer was heard to “{question.label}”",
            within_s=question.end_s - self.now + ANSWER_WITHIN_S,
        )
        answer = self.answers.newest
        if answer is None or answer in self.heard:
            raise SceneError("something was heard that the server never sent")
        answer.began_s = self.now - NOTICED_S
        self.heard.append(answer)
        await self.rehearsal.run(lambda: len(answer.words) >= 60, longest_s=0.5)
        self.must(
            answer.words.startswith(beginning),
            f"to “{question.label}” it answered “{answer.words}”, not “{beginning} ...”",
        )
        return answer

    @staticmethod
    def must(holds: bool, otherwise: str) -> None:
        """What a scene must see; raises `SceneError` with the sentence `otherwise`."""
        if not holds:
            raise SceneError(otherwise)
