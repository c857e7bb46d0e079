"""Replays a recorded conversation to a session; the user, functions and clock are simulated."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parleyd import config
from parleyd.config.servers import profile
from parleyd.realtime import events as ev
from parleyd.realtime import session_events
from parleyd.realtime.session import RealtimeSession

RECORDINGS = Path(__file__).parent / "recordings"
SPEECH = np.ones(4800, np.int16)  # 200 ms
PATIENCE_S = 20.0


def read(name: str) -> list[str]:
    """The frames of a recording."""
    return (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines()


@dataclass
class Replay:
    """One conversation; the attributes hold the outcome."""

    server: str
    audio_bytes: int = 0
    calls: list[session_events.SkillCalled] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    """The call ids of the results that were sent."""
    creates: int = 0
    turns: int = 0
    ends: int = 0
    words: list[tuple[str, str]] = field(default_factory=list)
    tokens: list[tuple[float | None, float | None]] = field(default_factory=list)
    """Tokens of each response: read, written."""
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        realtime = config.RealtimeConfig(server=self.server, url="ws://nas/v1", model="m")  # type: ignore[arg-type]
        self.session = RealtimeSession(realtime, config.TurnConfig(detection="server_vad"))
        self.session.opened()
        self._due: list[str] = []  # calls whose results are due

    def play(self, frames: Iterable[str]) -> "Replay":
        """Play these frames, 20 ms apart, followed by some silence."""
        for number, frame in enumerate(frames):
            event = ev.decode_server(frame)
            self.now += 0.02
            if isinstance(event, ev.Malformed):
                self.refused.append(event.reason)
            elif isinstance(event, ev.ServerEvent):
                self._take(event, first=number == 0)
        waited_until = self.now + PATIENCE_S
        while self.now < waited_until and self.session.awaiting:
            self._poll()
        self.session.heard_out()
        self.words += self.session.take_transcripts()
        return self

    @property
    def awaiting(self) -> bool:
        return self.session.awaiting

    def _take(self, event: ev.ServerEvent, *, first: bool) -> None:
        match event:
            case ev.SessionCreated() if not first:
                self._heed(self.session.lost())
                self.session.opened()
            case ev.SpeechStarted():
                self.session.append(SPEECH)
            case ev.ResponseCreated():
                self._ask_for_it()
        self._heed(self.session.receive(event, self.now))
        due, self._due = self._due, []
        for call_id in due:
            self._heed(self.session.skill_done(call_id, "At 14:20.", self.now))

    def _ask_for_it(self) -> None:
        """The recorded client typed its words, or requested at once: here the user has spoken."""
        if not self.session.awaiting:
            self.session.append(SPEECH)
            self._ask()
            self._heed(self.session.receive(ev.AudioCommitted(item_id="typed"), self.now))
        until = self.now + PATIENCE_S / 4
        while profile(self.server).answers is False and self.now < until:
            if self.session._answer.responses.asked:
                break
            self._poll()

    def _ask(self) -> None:
        self.turns += 1
        self._heed(self.session.ask_for_reply(self.now))

    def _poll(self) -> None:
        self.now += 0.1
        self._heed(self.session.poll(self.now))

    def _heed(self, received: list[session_events.SessionEvent]) -> None:
        for one in received:
            match one:
                case session_events.ReplyAudio():
                    self.audio_bytes += 2 * len(one.frames)
                case session_events.SkillCalled():
                    self.calls.append(one)
                    self._due.append(one.call_id)
                case session_events.UserStopped():
                    self._ask()
                case session_events.ReplyDone():
                    self.ends += 1
                case session_events.Used():
                    tokens = one.tokens
                    self.tokens.append((tokens.get("input_tokens"), tokens.get("output_tokens")))
                case session_events.ServerProblem():
                    self.problems.append(one.text)
        for event in self.session.to_send():
            if isinstance(event, ev.CreateResponse):
                self.creates += 1
            elif isinstance(event, ev.CreateItem) and "call_id" in event.item:
                self.results.append(event.item["call_id"])
        self.words += self.session.take_transcripts()


def audio_bytes(frames: Iterable[str]) -> int:
    """The audio in a recording: whole 16-bit frames of each item."""
    sizes: dict[object, int] = {}
    responses = 0
    for frame in frames:
        event = json.loads(frame)
        responses += event["type"] == "response.created"
        if event["type"].endswith("audio.delta"):
            found = ev.decode_server(frame)
            assert isinstance(found, ev.AudioDelta)
            key = (responses, event.get("item_id"))
            sizes[key] = sizes.get(key, 0) + len(found.delta)
    return sum(size // 2 * 2 for size in sizes.values())
