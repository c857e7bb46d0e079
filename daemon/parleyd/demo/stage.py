"""The stage of the demo: the actions and the waits of a scene."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parleyd.audio import decode_pcm16
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.errors import SceneError
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker, Timestamped
from parleyd.simulation.talker import Utterance
from parleyd.units import Frames

VOICE = "rms"  # flite's clearest male voice; the embedded server uses another
ANSWER_WITHIN_S = 12.0  # end of speech 0.6 s, recognition and first speech 0.2 s; slow machines
DECIDED_WITHIN_S = 2.0  # far more than hearing.decision_window_ms
WORDS_WITHIN_S = 2.0  # a transcript arrives with its audio
NOTICED_S = 0.05  # the core notices playback one or two periods after its first frame


@dataclass(slots=True)
class Answer:
    """The received part of one response of the server."""

    response_id: str
    words: str = ""
    sounds: dict[str, bytearray] = field(default_factory=dict)
    began_s: float = 0.0
    """Simulated seconds, just before the first frame was heard."""

    def frames(self, item_id: str) -> Frames:
        """Return the audio of one item: int16 mono at 24 kHz."""
        return decode_pcm16(bytes(self.sounds[item_id]))


class Answers:
    """Collects the server's responses, even cancelled ones, from the moments of a demo."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def take(self, moment: Timestamped[Any]) -> None:
        match moment.what:
            case ev.AudioDelta(response_id=response_id, item_id=item_id, delta=delta):
                self._of(response_id).sounds.setdefault(item_id, bytearray()).extend(delta)
            case ev.TranscriptDelta(response_id=response_id, delta=words):
                self._of(response_id).words += words

    @property
    def newest(self) -> Answer | None:
        """The newest response with sound."""
        return next((a for a in reversed(self._answers.values()) if a.sounds), None)

    def _of(self, response_id: str) -> Answer:
        return self._answers.setdefault(response_id, Answer(response_id))


class Stage:
    """The talker and the button of one demo; every wait has a deadline.

    `on_say` is called with the words when the talker begins to speak.
    """

    def __init__(self, simulated: SimulatedSpeaker, on_say: Callable[[str], None]) -> None:
        self.simulated = simulated
        self.answers = Answers()
        self.heard: list[Answer] = []
        """The replies whose playback began, in order."""
        self._on_say = on_say

    @property
    def now(self) -> float:
        """Simulated seconds."""
        return self.simulated.card.now

    @property
    def state(self) -> State:
        return self.simulated.speaker.state

    def say(self, words: str) -> Utterance:
        """Let the talker begin to speak; return at once with the label of the speech."""
        return self.utter(synthesize(words, VOICE), words)

    def utter(self, clip: Frames, label: str) -> Utterance:
        """Like `say`, with any clip (int16 at 16 kHz)."""
        self._on_say(label)
        return self.simulated.talker.say(clip, label=label)

    def hush(self) -> None:
        """Let the talker break off in the middle of a word."""
        self._on_say("(breaks off)")
        self.simulated.talker.hush()

    async def finish_saying(self, utterance: Utterance) -> None:
        """Wait until the talker has finished."""
        await self.pause(utterance.end_s - self.now)

    def press_button(self) -> None:
        self.simulated.post(ButtonPressed())

    async def pause(self, seconds: float) -> None:
        """Advance the simulated time."""
        await self.simulated.run_for(seconds)

    async def until(self, holds: Callable[[], bool], otherwise: str, *, within_s: float) -> None:
        """Wait until `holds()`; raises `SceneError` with the text `otherwise` at the deadline."""
        if not await self.simulated.run(holds, longest_s=within_s):
            raise SceneError(
                f"{otherwise} within {within_s:g} s (state {self.state}, at {self.now:.2f} s)"
            )

    async def until_state(self, state: State, otherwise: str, *, within_s: float) -> None:
        await self.until(lambda: self.state is state, otherwise, within_s=within_s)

    async def until_ready(self, *, within_s: float) -> None:
        """Wait until the server has accepted the session; returns at once if it has."""
        await self.until(
            lambda: bool(self.simulated.received(ev.SessionUpdated)),
            "the server was not ready",
            within_s=within_s,
        )

    async def answered(self, question: Utterance, beginning: str = "") -> Answer:
        """Wait for the first sound of a reply that begins with these words."""
        await self.until_state(
            State.SPEAKING,
            f"no reply was heard to “{question.label}”",
            within_s=question.end_s - self.now + ANSWER_WITHIN_S,
        )
        answer = self.answers.newest
        if answer is None or answer in self.heard:
            raise SceneError("the loudspeaker played sound that the server never sent")
        answer.began_s = self.now - NOTICED_S
        self.heard.append(answer)
        await self.simulated.run(lambda: len(answer.words) >= 60, longest_s=0.5)
        self.must(
            answer.words.startswith(beginning),
            f"the reply to “{question.label}” was “{answer.words}”, not “{beginning} ...”",
        )
        return answer

    @staticmethod
    def must(holds: bool, otherwise: str) -> None:
        """Raise `SceneError` with the text `otherwise` if a requirement does not hold."""
        if not holds:
            raise SceneError(otherwise)
