"""One session: the actions of a core in a scene, judged against the truth."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import soxr

from parleyd.audio import FULL_SCALE, LEAST_POWER, power_to_db
from parleyd.config import Config
from parleyd.core.states import State
from parleyd.hearing.barge_in import Decision
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.convolution import Signal
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames, ms_to_frames
from tests.bench.hearing.house import Core, FixedThreshold, House, LoggedEvent, repeats
from tests.bench.hearing.material import Material
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.soundtrack import Said, Soundtrack, compose

AFTER_END_S = 0.5  # an interruption this soon after the last word is still a detection
_BLOCK = SERVER_RATE_HZ // 5  # 200 ms: a syllable, aligned separately
_REACH = SERVER_RATE_HZ * 30 // 1000  # largest shift by a splice
_ALIKE = 0.9  # a correlation above this identifies the block itself, not a similar one
_PROCESSES = "microphone_processes"  # in the log
_TALKS = (State.SPEAKING, State.BARGE_IN)
_ENDS = (Decision.INTERRUPT, "stop_word")  # of an answer
_JUDGED = (*Decision, "stop_word")


@dataclass(slots=True)
class Trial:
    """A user that spoke over a reply, and the outcome; times in ms from the user's onset."""

    scene: str
    kind: str
    clip: str
    onset_s: float
    at_onset: str
    """State of the core at the onset; only `speaking` and `barge-in` can be judged."""

    echo_over_user_db: float
    """Echo at the microphone in the 300 ms before the onset, over the user's active level."""

    since_fault_s: float | None
    reaction_ms: float | None = None
    interrupt_ms: float | None = None
    resumes: int = 0
    level_db: float | None = None
    """Level of the user in the sent audio, relative to the microphone."""

    sent_before_ms: float | None = None
    """Length of the sent audio from before the onset."""

    seam_ms: float | None = None
    """Audio that was lost or sent twice within the utterance."""

    events: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)


@dataclass(slots=True)
class Alone:
    """Actions of the core without a user; in a scene with a change: after the change."""

    seconds: float = 0.0
    reactions: int = 0
    interruptions: int = 0
    held_s: float = 0.0
    """Part of `seconds` with held playback."""

    ducked_s: float = 0.0
    events: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """The result of one session, for the tables."""

    scene: Scene
    room: str
    fault_at_s: float | None
    trials: list[Trial]
    alone: Alone
    cpu_us: list[float]
    simulated_s: float
    likely: np.ndarray
    """For each period the probability of a user while a reply is audible, otherwise 0; float16."""
    recognised: Alone = field(default_factory=Alone)
    """The part of `alone` after the microphone was found to process its sound."""


def run(scene: Scene, material: Material, settings: Config, *, baseline: bool = False) -> Outcome:
    """Play the scene to the real core (or the fixed threshold) and judge the result."""
    track = compose(scene, material)
    rate_hz = settings.audio.playback_rate_hz
    core: Core
    if baseline:
        lead = ms_to_frames(settings.audio.lead_ms, rate_hz)
        core = FixedThreshold(track.reply, lead, repeats(rate_hz))
    else:
        core = House(settings, track.reply, scene.idle_s, scene.answer_s)
    watch = _Watch(core, scene, track)
    watch.run()
    return Outcome(
        scene, track.room, track.fault_at_s, watch.trials, watch.alone, core.cpu_us,
        track.length_s, np.array(core.likely, np.float16), watch.recognised,
    )  # fmt: skip


class _Sent(NamedTuple):
    """The user in the sent audio."""

    level_db: float
    before_ms: float
    seam_ms: float


class _Watch:
    """Runs the session period by period and records the data for the judgement."""

    def __init__(self, core: Core, scene: Scene, track: Soundtrack) -> None:
        self._core, self._scene, self._track = core, scene, track
        self._card = SimulatedCard(
            core,
            track.air,  # type: ignore[arg-type]
            Talker(),
            drift_ppm=scene.drift_ppm or track.air.clock_ppm,
            faults=track.faults,
        )
        self.trials: list[Trial] = []
        self.alone = Alone()
        self.recognised = Alone()
        self._recognised = False

    def run(self) -> None:
        card, core = self._card, self._core
        lines = list(self._track.said)
        start_s = self._scene.start_s
        if self._scene.task == "echo" and self._track.fault_at_s is not None:
            start_s = self._track.fault_at_s  # only the time after the change counts
        while card.now < self._track.length_s:
            now = card.now
            while lines and now > lines[0].end_s + AFTER_END_S:
                self._judge(lines.pop(0))
            begun = len(self.trials) > len(self._track.said) - len(lines)
            if lines and not begun and now >= lines[0].onset_s:
                self.trials.append(self._begin(lines[0], core.state))
            core.converse(self._talks(lines[:1], now), now)
            before = len(core.log_events)
            state = core.state
            card.step()
            if self._scene.task != "users" and now >= start_s:
                self._falsely_interrupted(self.alone, state, core.log_events[before:])
                if self._recognised:
                    self._falsely_interrupted(self.recognised, state, core.log_events[before:])
            self._recognised |= any(e.name == _PROCESSES for e in core.log_events[before:])
        for line in lines:
            self._judge(line)

    def _talks(self, lines: list[Said], now: float) -> bool:
        """Whether a user is speaking; from the button on, a question is due."""
        question = self._track.question
        if question is not None and self._scene.idle_s <= now < question.end_s:
            return True
        return any(line.onset_s <= now < line.end_s for line in lines)

    def _falsely_interrupted(
        self, alone: Alone, state: State, log_events: list[LoggedEvent]
    ) -> None:
        if state in _TALKS:
            alone.seconds += 0.01
            if state is State.BARGE_IN:
                held = self._track.air.silent  # pauses of a ducked reply count as held
                alone.held_s += 0.01 * held
                alone.ducked_s += 0.01 * (not held)
        for log_event in log_events:
            if log_event.name in _JUDGED:
                alone.events.append((round(log_event.at_s, 3), log_event.name, log_event.fields))
            alone.interruptions += log_event.name in _ENDS
        alone.reactions = sum(name != Decision.RESUME for _, name, _ in alone.events)
        if any(name == Decision.HOLD for _, name, _ in alone.events):
            alone.reactions -= alone.interruptions  # each follows a counted hold

    def _begin(self, line: Said, state: State) -> Trial:
        period = round(self._card.now * 100)
        power = np.mean(self._track.air.echo_power[max(0, period - 30) : period] or [0.0])
        over_db = power_to_db(float(power) + LEAST_POWER) - self._scene.user_dbfs
        fault = self._track.fault_at_s
        since = None if fault is None else round(line.onset_s - fault, 2)
        return Trial(
            self._scene.name,
            line.kind,
            line.clip,
            line.onset_s,
            str(state),
            round(over_db, 1),
            since,
        )

    def _judge(self, line: Said) -> None:
        trial = self.trials[-1]
        until_s = line.end_s + AFTER_END_S
        log_events = [n for n in self._core.log_events if line.onset_s - 1.0 < n.at_s <= until_s]
        for log_event in log_events:
            if log_event.name not in _JUDGED:
                continue
            after_ms = round((log_event.at_s - line.onset_s) * 1000, 1)
            trial.events.append((after_ms, log_event.name, log_event.fields))
            if after_ms <= 0:
                continue
            if trial.reaction_ms is None and log_event.name != Decision.RESUME:
                trial.reaction_ms = after_ms
            if trial.interrupt_ms is None and log_event.name in _ENDS:
                trial.interrupt_ms = after_ms
            trial.resumes += log_event.name == Decision.RESUME
        if trial.interrupt_ms is not None and self._core.sent:
            sent = np.concatenate(self._core.sent)
            found = _level(sent, self._track.user, line)
            if found is not None:
                trial.level_db, trial.sent_before_ms, trial.seam_ms = found


def _level(sent: Frames, user: Signal, line: Said) -> _Sent | None:
    """Find the user in the sent audio; None if not found.

    Projects blocks that are aligned one by one, so that a splice does not count as a loss.
    """
    begin, end = (round(at_s * MIC_RATE_HZ) for at_s in (line.onset_s, line.end_s + 0.2))
    truth = np.asarray(soxr.resample(user[begin:end], MIC_RATE_HZ, SERVER_RATE_HZ))
    heard = sent / FULL_SCALE
    late = _lag(heard, truth)
    loudest = max(np.dot(b, b) for b in np.split(truth, range(_BLOCK, len(truth), _BLOCK)))
    found, whole, lags = 0.0, 0.0, []
    for start in range(0, len(truth) - _BLOCK, _BLOCK):
        part = truth[start : start + _BLOCK]
        first = start + late - _REACH
        around = heard[max(0, first) : first + _BLOCK + 2 * _REACH]
        if np.dot(part, part) < loudest / 300 or first < 0 or len(around) < _BLOCK + 2 * _REACH:
            continue  # a pause, or a block that was sent only in part
        lag = int(np.clip(_lag(around, part), 0, 2 * _REACH))
        there = around[lag : lag + _BLOCK]
        alike = float(np.dot(there, part))
        if alike > _ALIKE * np.sqrt(np.dot(there, there) * np.dot(part, part)):
            lags.append(lag)
        found += alike
        whole += float(np.dot(part, part))
    if not lags or found <= 0:
        return None
    seam_ms = (max(lags) - min(lags)) * 1000 / SERVER_RATE_HZ
    before_ms = (late + lags[0] - _REACH) * 1000 / SERVER_RATE_HZ
    return _Sent(round(20 * float(np.log10(found / whole)), 2), round(before_ms), round(seam_ms, 1))


def _lag(heard: Signal, part: Signal) -> int:
    """Return the start of `part` in `heard`; negative if its beginning is missing."""
    size = 1 << (len(part) + len(heard)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)
    at = int(np.argmax(alike))
    return at if at < size // 2 else at - size
