"""An hour in real time: the real daemon on alsa-lib, real speech, and the embedded server."""

import contextlib
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from daemon_process import RIG_CARDS, Daemon
from pulse_rig import PulseRig, loud_frames

from parleyd.simulation.clips import normalised, synthesize
from parleyd.units import Frames
from tests.bench.device.tables import percentile
from tests.soak import television
from tests.soak.memory import cpu_s, rss_kb, slope_kb_per_hour, tree, tree_kb
from tests.soak.unaddressed import Spoken, unaddressed

CONFIG = f"""{RIG_CARDS}
[turn]
follow_up_s = 3
[realtime]
server = "embedded"
"""
LOUD = 500  # peaks of the voice exceed 1000
STUCK_S = 120.0  # longest time outside idle: the longest story, held and repeated, ends earlier
TALKED_INTO_S = (
    600.0  # ... with a television, which may begin turns: eight follow-ups, each a minute
)
ANSWER_S = 30.0  # for one expected change of state; recognition is slow on a loaded machine
LOOK_S = 60.0  # interval between memory measurements
USER_DBFS = -24.0
ECHO_PERCENT = 35  # of pulse's cubic volume: -27 dB from loudspeaker to microphone
WATCHED_S = 20.0  # the television before the first question
WARM_S = 600.0  # the first scenes load models and fill caches


class Watched(Daemon):
    """A daemon whose states are recorded with their start times."""

    def __init__(self, folder: Path, config: str) -> None:
        self._changed = threading.Condition()
        self.states: list[tuple[float, str]] = [(time.monotonic(), "starting")]
        super().__init__(folder, config)

    def _listen(self) -> None:
        try:
            while True:
                for line in self._socket.recv(4096).decode().splitlines():
                    if line.startswith("STATUS="):
                        with self._changed:
                            self.states.append((time.monotonic(), line.removeprefix("STATUS=")))
                            self._changed.notify_all()
        except OSError:
            pass

    def until(self, state: str, within_s: float = ANSWER_S, *, since: int = 0) -> bool:
        """Wait for a state that starts with `state`, from index `since` on."""
        seen = lambda: any(s.startswith(state) for _, s in self.states[since:])  # noqa: E731
        with self._changed:
            return self._changed.wait_for(seen, within_s)

    def at_rest(self, within_s: float) -> bool:
        """Wait until the daemon is idle."""
        with self._changed:
            return self._changed.wait_for(lambda: self.states[-1][1].startswith("idle"), within_s)


@dataclass
class Spent:
    """Processor time per span: of the daemon alone, and with its recogniser."""

    elapsed_s: list[float] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)
    all_s: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def counted(self, pid: int) -> Iterator[None]:
        """Measure the time spent within the context as one span."""
        begun, own_s, all_s = time.monotonic(), cpu_s(pid), sum(map(cpu_s, tree(pid)))
        yield
        self.elapsed_s.append(time.monotonic() - begun)
        self.own_s.append(cpu_s(pid) - own_s)
        self.all_s.append(sum(map(cpu_s, tree(pid))) - all_s)

    @property
    def percent(self) -> dict[str, dict[str, float]]:
        """Statistics of processor time in percent of one core."""
        return {"own": self._percent(self.own_s), "all": self._percent(self.all_s)}

    def _percent(self, spent_s: list[float]) -> dict[str, float]:
        spans = [100 * s / of_s for s, of_s in zip(spent_s, self.elapsed_s, strict=True)]
        mean = 100 * sum(spent_s) / max(sum(self.elapsed_s), 1e-3)
        return {"mean": round(mean, 1), **spread(spans)}


def spread(values: list[float]) -> dict[str, float]:
    """Return median, 95th percentile and maximum; an empty dict for no values."""
    if not values:
        return {}
    points = {"median": percentile(values, 50), "p95": percentile(values, 95), "worst": max(values)}
    return {name: round(value, 1) for name, value in points.items()}


def spoken(*texts: str) -> Frames:
    """Synthesise sentences with natural pauses, in a voice that the wake-word model detects."""
    pause = np.zeros(4800, np.int16)
    parts = [normalised(synthesize(text, "rms"), USER_DBFS) for text in texts]
    return np.concatenate([np.zeros(3200, np.int16), *(np.append(p, pause) for p in parts)])


class Hour:
    """Scenes in random order, each checked against the daemon's states and the recorded audio."""

    def __init__(self, rig: PulseRig, daemon: Watched, seed: int) -> None:
        self.rig, self.daemon = rig, daemon
        self.random = random.Random(seed)
        self.played: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.late_frames = 0
        self.spoken: list[Spoken] = []
        self.users: Counter[str] = Counter()
        self.lingered = 0
        """Scenes after which the daemon was not idle within `STUCK_S`."""
        self.longest_s = STUCK_S
        self.spent = {"conversation": Spent(), "idle": Spent()}
        self.scenes: list[Callable[[], bool]] = [
            *([self.question] * 3),
            *([self.interrupted_by_voice] * 3),
            self.interrupted_by_wake_word,
            self.followed_up,
            self.timer,
            self.nothing_said,
            self.coughed,
            self.louder_and_quieter,
        ]

    def scene(self) -> None:
        """Play one scene to its end. Raises `AssertionError` if the daemon does not become idle."""
        scene = self.random.choice(self.scenes)
        self.rig.heard.clear()
        self.mark = len(self.daemon.states)
        self.played[scene.__name__] += 1
        with self.spent["conversation"].counted(self.daemon.process.pid):
            if not scene():
                self.missed[scene.__name__] += 1
            rested = self.daemon.at_rest(STUCK_S)
            if not rested:
                self.lingered += 1
                rested = self.daemon.at_rest(self.longest_s - STUCK_S)
        assert rested, f"{scene.__name__}: stuck after {self.daemon.states[-8:]}"
        with self.spent["idle"].counted(self.daemon.process.pid):
            time.sleep(self.random.uniform(1.0, 6.0))

    # --- the scenes -------------------------------------------------------------------

    def question(self) -> bool:
        words = ("what time is it", "what is the date today", "what can you do")
        return self.ask(self.random.choice(words))

    def interrupted_by_voice(self) -> bool:
        if not self.story():
            return False
        mark = len(self.daemon.states)
        self.users["interrupted"] += self.daemon.states[-1][1].startswith("speaking")
        self.say(spoken("no wait what time is it")[3200:])
        noticed = self.then("listening", mark)
        answered = noticed and self.then("speaking", mark)
        self.users.update({"noticed": noticed, "interruptions answered": answered})
        return answered

    def interrupted_by_wake_word(self) -> bool:
        if not self.story():
            return False
        mark = len(self.daemon.states)
        self.say(spoken("hey jarvis"))
        if not self.then("listening", mark):
            return False
        time.sleep(1.0)  # pulse drains its buffer and the chime sounds
        self.rig.heard.clear()
        time.sleep(1.5)
        if self.daemon.states[-1][1].startswith("listening"):  # otherwise the next answer plays
            self.late_frames += loud_frames(self.rig.heard.frames(), LOUD)
        return True

    def followed_up(self) -> bool:
        if not self.ask("what time is it"):
            return False
        mark = len(self.daemon.states)
        if not self.then("listening", mark):
            return False
        self.say(spoken("what is the date today"))
        return self.then("speaking", mark)

    def timer(self) -> bool:
        if not (self.ask("set a timer for twenty seconds") and self.daemon.at_rest(STUCK_S)):
            return False
        mark = len(self.daemon.states)
        if not self.then("ringing", mark):
            return False
        for _ in range(5):  # a beep may mask the word
            time.sleep(self.random.uniform(0.5, 2.0))
            self.say(spoken("hey jarvis"))
            time.sleep(0.5)
            if not self.daemon.states[-1][1].startswith("ringing"):
                return True
        return False

    def nothing_said(self) -> bool:
        self.say(spoken("hey jarvis"))
        return self.then("listening") and self.then("idle")

    def coughed(self) -> bool:
        """A sound shorter than a word causes at most a short hold; the story continues."""
        if not self.story():
            return False
        mark = len(self.daemon.states)
        self.say(spoken("ah")[3200:4800])
        time.sleep(1.5)
        goes_on = self.daemon.states[-1][1].startswith("speaking")
        self.say(spoken("be quiet")[3200:])
        return goes_on and self.then("listening", mark)

    def louder_and_quieter(self) -> bool:
        return self.ask("volume down") and self.daemon.at_rest(STUCK_S) and self.ask("volume up")

    # --- parts of the scenes ----------------------------------------------------------

    def ask(self, words: str) -> bool:
        mark = len(self.daemon.states)
        self.say(spoken("hey jarvis", words))
        woken = self.then("listening", mark, 1.0)
        answered = woken and self.then("thinking", mark) and self.then("speaking", mark)
        self.users.update({"asked": 1, "woken": woken, "answered": answered})
        return answered

    def story(self) -> bool:
        if not self.ask("tell me a story"):
            return False
        time.sleep(self.random.uniform(0.5, 5.0))
        return True

    def say(self, frames: Frames) -> None:
        """Let the user speak; returns after the last word."""
        begin = time.time()
        self.rig.say(frames)
        self.spoken.append(Spoken(begin, time.time()))

    def then(self, state: str, mark: int | None = None, within_s: float = ANSWER_S) -> bool:
        return self.daemon.until(state, within_s, since=self.mark if mark is None else mark)


@dataclass(frozen=True, slots=True)
class Plan:
    """Length, seed and room of the hour."""

    minutes: float
    seed: int
    television: bool = False
    corpus: Path | None = None
    """Voices and music of the television; None: flite and chords."""


def run(plan: Plan, report: Path | None) -> int:
    """Run scenes for `plan.minutes`, then print the figures; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="parley-soak-") as name, PulseRig() as rig:
        os.environ["XDG_STATE_HOME"] = name
        rig.echo(ECHO_PERCENT)
        with _television(plan, Path(name)), contextlib.closing(Watched(Path(name), CONFIG)) as it:
            assert it.until("idle", 60.0), it.log.read_text()
            return _live(rig, it, plan, report)


def _television(plan: Plan, folder: Path) -> contextlib.AbstractContextManager[None]:
    if not plan.television:
        return contextlib.nullcontext()
    seconds = plan.minutes * 60 + TALKED_INTO_S + STUCK_S
    parts = television.programme(plan.corpus, USER_DBFS, seconds, plan.seed)
    return television.switched_on(parts, folder)


def _live(rig: PulseRig, daemon: Watched, plan: Plan, report: Path | None) -> int:
    hour = Hour(rig, daemon, plan.seed)
    if plan.television:
        hour.longest_s = TALKED_INTO_S
        time.sleep(WATCHED_S)
    memory: list[tuple[float, int]] = []
    resident_mb: list[float] = []
    began = time.monotonic()
    problem = ""
    while (elapsed := time.monotonic() - began) < plan.minutes * 60 and not problem:
        try:
            hour.scene()
        except AssertionError as error:
            problem = str(error)
        if daemon.process.poll() is not None:
            problem = f"the daemon ended with status {daemon.process.returncode}"
        elif not memory or elapsed - memory[-1][0] >= LOOK_S:
            memory.append((elapsed, tree_kb(daemon.process.pid)))
            resident_mb.append(round(rss_kb(daemon.process.pid) / 1024, 1))
            print(_line(elapsed, memory[-1][1], hour), flush=True)
    if not problem:
        problem = "" if daemon.end() == 0 else "the daemon ended with an error"
    result = _result(hour, memory, daemon.log.read_text(), time.monotonic() - began, plan.seed)
    result["own_resident_mb"] = spread(resident_mb)
    problem = problem or _judged(result)
    result["problem"] = problem
    text = json.dumps(result, indent=1)
    print(text)
    if report is not None:
        report.write_text(text + "\n")
        report.with_suffix(".log").write_text(daemon.log.read_text())
    return 1 if problem else 0


def _line(elapsed: float, kb: int, hour: Hour) -> str:
    played, missed = hour.played.total(), hour.missed.total()
    return f"{elapsed / 60:5.1f} min  {kb / 1024:6.1f} MB  {played} scenes, {missed} failed"


def _result(
    hour: Hour, memory: list[tuple[float, int]], log: str, elapsed_s: float, seed: int
) -> dict[str, object]:
    turns = re.findall(r" turn turn=.*", log)
    warm = [(at, kb) for at, kb in memory if at >= min(WARM_S, elapsed_s / 4)]
    return {
        "seed": seed,
        "minutes": round(elapsed_s / 60, 1),
        "scenes": dict(hour.played),
        "not_as_meant": dict(hour.missed),
        "turns": len(turns),
        "answered": sum("first_frame_ms=None" not in turn for turn in turns),
        "interrupted": sum("interrupted=True" in turn for turn in turns),
        "holds": len(re.findall(r" hold reason=", log)),
        "resumed": len(re.findall(r" resume reason=", log)),
        "xruns": sum(map(int, re.findall(r" xrun count=(\d+)", log))),
        "lines_renewed": len(re.findall(r" line ask=renew", log)),
        "users": dict(hour.users),
        "for_nobody": unaddressed(log, hour.spoken),
        "lingered": hour.lingered,
        "late_frames": hour.late_frames,
        "tracebacks": log.count("Traceback"),
        "cpu_percent": {name: spent.percent for name, spent in hour.spent.items()},
        "memory_mb": [round(kb / 1024, 1) for _, kb in memory],
        "memory_slope_kb_per_hour": round(slope_kb_per_hour(warm)),
    }


def _judged(result: dict[str, object]) -> str:
    """Return the first problem of a result, "" if there is none."""
    if result["tracebacks"]:
        return "the log has a traceback"
    if result["late_frames"]:
        return "something was heard after an interruption"
    if not result["answered"]:
        return "no turn was answered"
    return ""
