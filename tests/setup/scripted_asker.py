"""A person who gives prepared answers, and a sound card with prepared recordings."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from parleyd import config
from parleyd.setup.asking import Stopped
from parleyd.units import Frames

ENTER = ""


class ScriptedAsker:
    """Answers in order; an answer too few is Ctrl-D. Records all that it is shown."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.shown: list[str] = []
        self.hidden: list[str] = []
        """The prompts whose answer did not appear."""

    def say(self, text: str) -> None:
        self.shown.append(text)

    def ask(self, prompt: str) -> str:
        self.shown.append(prompt)
        if not self._answers:
            raise Stopped
        return self._answers.pop(0)

    def ask_secretly(self, prompt: str) -> str:
        self.hidden.append(prompt)
        return self.ask(prompt)

    @property
    def text(self) -> str:
        return "\n".join(self.shown)

    @property
    def unused(self) -> list[str]:
        return self._answers


class ScriptedTrial:
    """A card whose recordings are prepared; the last one is used again."""

    def __init__(
        self, *recordings: Frames, fails: Iterable[Exception] = (), closed: str = ""
    ) -> None:
        self._recordings = list(recordings) or [voice()]
        self._fails = list(fails)
        self._closed = closed
        self.played: list[str] = []
        """The names of the loudspeakers that played the tone."""
        self.played_back: list[Frames] = []

    def free(self) -> AbstractContextManager[None]:
        return nullcontext()

    def closed(self) -> str:
        return self._closed

    def play_tone(self, audio: config.AudioConfig) -> None:
        self.played.append(audio.playback)
        if self._fails:
            raise self._fails.pop(0)

    def record(self, audio: config.AudioConfig) -> Frames:
        assert not self._closed
        return self._recordings.pop(0) if len(self._recordings) > 1 else self._recordings[0]

    def play_back(self, audio: config.AudioConfig, frames: Frames) -> None:
        self.played_back.append(frames)


def voice(peak: int = 8000) -> Frames:
    """A second that passes for a recording of a voice."""
    return (np.sin(np.arange(16_000) / 9) * peak).astype(np.int16)
